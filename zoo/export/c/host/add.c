/* A residual sum: both inputs at one shift, rounded once, written over the first. */
#include <immintrin.h>

static int32_t added(const NAME_add *layer, int32_t first, int32_t second)
{
    int64_t exact = (int64_t)(first - layer->first_zero) * layer->first_multiplier
                  + (int64_t)(second - layer->second_zero) * layer->second_multiplier
                  + ((int64_t)1 << (layer->shift - 1));
    int64_t value = (exact >> layer->shift) + layer->to.zero;

    return (int32_t)(value < layer->to.low ? layer->to.low : value > layer->to.high ? layer->to.high : value);
}

NAME_WITHIN
static inline __m256i eight_values(const int8_t *values, int32_t zero)
{
    const __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)values));

    return _mm256_sub_epi32(wide, _mm256_set1_epi32(zero));
}

/* Sums of every second value, whose lower words have what is left. */
NAME_WITHIN
static inline __m256i half_of(__m256i first, __m256i second, const NAME_add *layer)
{
    const __m256i one = _mm256_mul_epi32(first, _mm256_set1_epi32(layer->first_multiplier));
    const __m256i two = _mm256_mul_epi32(second, _mm256_set1_epi32(layer->second_multiplier));
    const __m256i exact = _mm256_add_epi64(_mm256_add_epi64(one, two),
                                           _mm256_set1_epi64x((int64_t)1 << (layer->shift - 1)));

    return _mm256_srl_epi64(exact, _mm_cvtsi32_si128((int32_t)layer->shift));
}

/* By shifts of 10 to 32: products have 40 bits and their sum 41, so that 32 hold what is left, and it is in the lower
   word. */
NAME_APART
static void add(const NAME_add *layer, const int8_t *first, const int8_t *second, int8_t *out)
{
    int32_t i = 0;

    for (; i + 8 <= layer->count && layer->shift >= 10 && layer->shift <= 32; i += 8) {
        const __m256i a = eight_values(first + i, layer->first_zero), b = eight_values(second + i, layer->second_zero);
        const __m256i even = half_of(a, b, layer);
        const __m256i odd = half_of(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32), layer);
        __m256i sums = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
        __m128i words;
        sums = _mm256_min_epi32(sums, _mm256_set1_epi32(layer->to.high - layer->to.zero));
        sums = _mm256_max_epi32(sums, _mm256_set1_epi32(layer->to.low - layer->to.zero));
        sums = _mm256_add_epi32(sums, _mm256_set1_epi32(layer->to.zero));
        words = _mm_packs_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packs_epi16(words, words));
    }
    for (; i < layer->count; i++) {
        out[i] = (int8_t)added(layer, first[i], second[i]);
    }
}
