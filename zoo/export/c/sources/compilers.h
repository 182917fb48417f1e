#include <limits.h>

/* A function that is compiled by itself, whoever calls it, so that a model's code is the sum of what it calls; and one
   that is compiled into each that calls it. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define NAME_APART __attribute__((noipa))
#elif defined(__GNUC__)
#define NAME_APART __attribute__((noinline))
#else
#define NAME_APART
#endif
#ifdef __GNUC__
#define NAME_WITHIN __attribute__((always_inline))
#else
#define NAME_WITHIN
#endif

/* Instructions of Arm that compute on both halves of a word, where the lowest byte comes first. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)
#define NAME_DSP
#endif

#if -1 >> 1 != -1
#error "numbers below 0 must be shifted down as two's complement, as all known compilers do"
#endif
#if INT_MAX < 2147483647
#error "products are computed in int, which must have 32 bits"
#endif
