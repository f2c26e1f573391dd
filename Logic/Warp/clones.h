/* Internal: the warp's row kernels compiled for several instruction sets, chosen by the processor's features when the
 * program is loaded.  Targets named after a processor would match that one model only.  One CPU type always takes the
 * same clone.  For static functions whose names occur once in the library: clang makes their resolvers global. */
#ifndef COUNTERWARP_WARP_CLONES_H
#define COUNTERWARP_WARP_CLONES_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CW_WARP_PLAIN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CW_WARP_PLAIN /* resolvers run before a sanitizer's start-up code */
#endif

#if !defined(__x86_64__) || !defined(__gnu_linux__) || defined(CW_WARP_PLAIN)
#define CW_WARP_CLONES
#elif !defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 12
#define CW_WARP_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif (defined(__clang__) && __clang_major__ >= 14) || (!defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 9)
#define CW_WARP_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CW_WARP_CLONES
#endif

#endif
