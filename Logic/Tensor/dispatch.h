/* Internal: leaf kernels compiled for several instruction sets, chosen by the processor's features when the program is
 * loaded.  (Targets named after a processor, such as haswell, would match that one maker's model only.)
 *
 * Put CW_CLONES on a static leaf function without an OpenMP region (the compilers outline it before they clone) whose
 * name occurs once in the library (clang makes the resolvers global).  One CPU type always takes the same clone, so the
 * same build gives the same bits there. */
#ifndef COUNTERWARP_DISPATCH_H
#define COUNTERWARP_DISPATCH_H

/* Helpers that must take the instruction set of the clone they are used in. */
#if defined(__GNUC__)
#define CW_INLINE static inline __attribute__((always_inline))
#else
#define CW_INLINE static inline
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CW_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CW_SANITIZED 1
#endif

/* Resolvers run before a sanitizer's start-up code, so its builds take the plain clone. */
#if !defined(__x86_64__) || !defined(__gnu_linux__) || defined(CW_SANITIZED)
#define CW_CLONES
#elif !defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 12
#define CW_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif (defined(__clang__) && __clang_major__ >= 14) || (!defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 9)
#define CW_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CW_CLONES
#endif

#endif
