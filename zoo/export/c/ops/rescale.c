/* Sums beside each other, rescaled. */
#if defined(__AVX2__)
#include <immintrin.h>

/* Eight totals beside each other, as bytes in the lower half of each half. By shifts above 32, the upper word of each
   product has all that is left. */
NAME_WITHIN
static inline __m256i rescale_eight(__m256i totals, __m256i multiplier, __m256i shift, const NAME_limits *to)
{
    const __m256i more = _mm256_sub_epi32(shift, _mm256_set1_epi32(33));
    const __m256i even = _mm256_srli_epi64(_mm256_mul_epi32(totals, multiplier), 32);
    const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(totals, 32), _mm256_srli_epi64(multiplier, 32));
    __m256i values = _mm256_srav_epi32(_mm256_blend_epi32(even, odd, 0xAA), more);

    values = _mm256_srai_epi32(_mm256_add_epi32(values, _mm256_set1_epi32(1 + 2 * to->zero)), 1);
    if (_mm256_movemask_ps(_mm256_castsi256_ps(more))) { /* some shift is smaller */
        int32_t total[8], by[8], shifts[8], i;
        _mm256_storeu_si256((__m256i *)(void *)total, totals);
        _mm256_storeu_si256((__m256i *)(void *)by, multiplier);
        _mm256_storeu_si256((__m256i *)(void *)shifts, shift);
        for (i = 0; i < 8; i++) {
            total[i] = rescaled(total[i], by[i], (uint32_t)shifts[i], to);
        }
        values = _mm256_loadu_si256((const __m256i *)(const void *)total);
    }
    values = _mm256_max_epi32(_mm256_min_epi32(values, _mm256_set1_epi32(to->high)), _mm256_set1_epi32(to->low));
    values = _mm256_packs_epi32(values, values);
    return _mm256_packs_epi16(values, values);
}

NAME_WITHIN
static inline __m128i bytes_at(const void *from)
{
    return _mm_loadl_epi64((const __m128i *)from);
}

NAME_WITHIN
static inline __m128i words_at(const int32_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

/* Four bytes of a vector. */
NAME_WITHIN
static inline void put_four(int8_t *to, __m128i bytes)
{
    const int32_t four = _mm_cvtsi128_si32(bytes);

    memcpy(to, &four, sizeof(four));
}
#endif
