/* Internal: leaf kernels compiled for several instruction sets, chosen when the program is loaded.
 *
 * Put CW_CLONES on a leaf function (no OpenMP region inside: the compilers outline it before they clone).  One CPU type
 * always takes the same clone, so the same build gives the same bits there. */
#ifndef COUNTERWARP_DISPATCH_H
#define COUNTERWARP_DISPATCH_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CW_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CW_SANITIZED 1
#endif

/* Resolvers run before a sanitizer's start-up code, so its builds take the plain clone.  Levels are asked for by
 * features: a model such as haswell would leave other makers' processors with the plain clone. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(CW_SANITIZED) && \
    ((defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12) || (defined(__clang__) && __clang_major__ >= 14))
#define CW_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif defined(__x86_64__) && defined(__gnu_linux__) && !defined(CW_SANITIZED) && defined(__GNUC__) && \
    !defined(__clang__) && __GNUC__ >= 9
#define CW_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CW_CLONES
#endif

#endif
