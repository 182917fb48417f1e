/* Words of four bytes, for kernels that compute on two at a time. */
#if defined(NAME_DSP)
#include <arm_acle.h>

NAME_WITHIN
static inline uint32_t word_at(const int8_t *from)
{
    uint32_t word;

    memcpy(&word, from, sizeof(word));
    return word;
}

/* The first and the third byte of a word with their signs. */
NAME_WITHIN
static inline uint32_t even_bytes(uint32_t word)
{
    return (uint32_t)__sxtb16((int8x4_t)word);
}

/* The second and the fourth. */
NAME_WITHIN
static inline uint32_t odd_bytes(uint32_t word)
{
#if defined(__GNUC__) && defined(__arm__)
    uint32_t found;

    __asm__("sxtb16 %0, %1, ror #8" : "=r"(found) : "r"(word));
    return found;
#else
    return even_bytes(__ror(word, 8));
#endif
}
#endif
