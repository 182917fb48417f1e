/* Eight outputs beside each other. Values are multiplied as bytes without a sign, 128 above what they are; the bias has
   the zero point and the 128 times the sum of weights. */
#include <immintrin.h>

#define NAME_SHARED 16 /* places of a map that are seen before weights are multiplied by them */

NAME_WITHIN
static inline __m256i many_at(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

NAME_WITHIN
static inline __m128i some_at(const void *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
typedef __m256i NAME_sums;

NAME_WITHIN
static inline NAME_sums no_sums(void)
{
    return _mm256_setzero_si256();
}

/* Sums of eight outputs with the products of four values each. */
NAME_WITHIN
static inline NAME_sums with_products(NAME_sums sums, __m256i values, const uint8_t *weights)
{
    return _mm256_dpbusd_epi32(sums, values, many_at(weights));
}

NAME_WITHIN
static inline __m256i total_of(NAME_sums sums)
{
    return sums;
}
#else
typedef struct {
    __m256i low, high; /* of four outputs each, of every second value */
} NAME_sums;

NAME_WITHIN
static inline __m256i products(__m128i values, const uint8_t *weights)
{
    return _mm256_madd_epi16(_mm256_cvtepu8_epi16(values), _mm256_cvtepi8_epi16(some_at(weights)));
}

NAME_WITHIN
static inline NAME_sums no_sums(void)
{
    return (NAME_sums){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

/* Sums of eight outputs with the products of four values each. */
NAME_WITHIN
static inline NAME_sums with_products(NAME_sums sums, __m256i values, const uint8_t *weights)
{
    return (NAME_sums){
        _mm256_add_epi32(sums.low, products(_mm256_castsi256_si128(values), weights)),
        _mm256_add_epi32(sums.high, products(_mm256_extracti128_si256(values, 1), weights + 16)),
    };
}

NAME_WITHIN
static inline __m256i total_of(NAME_sums sums)
{
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums.low, sums.high), 0xD8);
}
#endif

/* Of a block of outputs: what they are rescaled by, and how many there are. */
typedef struct {
    const uint8_t *weights;
    const NAME_limits *to;
    __m256i bias, multiplier, odd, shift, more, zero, low, high; /* more: shifts behind the upper word of a product */
    int32_t groups, count, small;                                /* small: some shift is less */
} NAME_block;

NAME_WITHIN
static inline void begin(NAME_block *of, const uint8_t *weights, const int32_t *bias, const int32_t *multiplier,
                         const uint8_t *shift, int32_t groups, int32_t first, int32_t outputs, const NAME_limits *to)
{
    of->weights = weights + first * groups * 4;
    of->to = to;
    of->bias = many_at(bias + first);
    of->multiplier = many_at(multiplier + first);
    of->odd = _mm256_srli_epi64(of->multiplier, 32);
    of->shift = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(shift + first)));
    of->more = _mm256_sub_epi32(of->shift, _mm256_set1_epi32(33));
    of->zero = _mm256_set1_epi32(1 + 2 * to->zero);
    of->low = _mm256_set1_epi32(to->low);
    of->high = _mm256_set1_epi32(to->high);
    of->groups = groups;
    of->count = outputs - first < 8 ? outputs - first : 8;
    of->small = _mm256_movemask_ps(_mm256_castsi256_ps(of->more));
}

/* Eight totals as they are in C. */
NAME_APART
static __m256i rescaled_apart(__m256i totals, __m256i multiplier, __m256i shift, const NAME_limits *to)
{
    int32_t total[8], by[8], shifts[8], i;

    _mm256_storeu_si256((__m256i *)(void *)total, totals);
    _mm256_storeu_si256((__m256i *)(void *)by, multiplier);
    _mm256_storeu_si256((__m256i *)(void *)shifts, shift);
    for (i = 0; i < 8; i++) {
        total[i] = rescaled_within(total[i], by[i], (uint32_t)shifts[i], to);
    }
    return many_at(total);
}

/* Sums rescaled, as numbers of 32 bits. By shifts above 32, the upper word of each product has all that is left. */
NAME_WITHIN
static inline __m256i rescale_eight(NAME_sums sums, const NAME_block *of)
{
    const __m256i totals = _mm256_add_epi32(total_of(sums), of->bias);
    const __m256i even = _mm256_srli_epi64(_mm256_mul_epi32(totals, of->multiplier), 32);
    const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(totals, 32), of->odd);
    __m256i values = _mm256_srav_epi32(_mm256_blend_epi32(even, odd, 0xAA), of->more);

    if (of->small) {
        return rescaled_apart(totals, of->multiplier, of->shift, of->to);
    }
    values = _mm256_srai_epi32(_mm256_add_epi32(values, of->zero), 1);
    return _mm256_max_epi32(_mm256_min_epi32(values, of->high), of->low);
}

/* Eight sums rescaled to the outputs of their block. */
NAME_WITHIN
static inline void put_eight(int8_t *out, NAME_sums sums, const NAME_block *of)
{
    const __m256i values = rescale_eight(sums, of);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    const __m128i bytes = _mm_packs_epi16(words, words);
    int64_t eight;
    int32_t i;

    if (of->count == 8) {
        _mm_storel_epi64((__m128i *)(void *)out, bytes);
        return;
    }
    eight = _mm_cvtsi128_si64(bytes);
    for (i = 0; i < of->count; i++) {
        out[i] = (int8_t)(eight >> (8 * i));
    }
}

/* Bytes without a sign, 128 above values; in words, the last of which may overlap the one before it. */
NAME_WITHIN
static inline void raise(uint8_t *to, const int8_t *values, int32_t count)
{
    uint64_t eight;
    uint32_t four;
    int32_t i;

    if (count < 4) {
        for (i = 0; i < count; i++) {
            to[i] = (uint8_t)(values[i] + 128);
        }
    } else if (count < 8) {
        for (i = 0; i < count; i = i == 0 && count > 4 ? count - 4 : count) {
            memcpy(&four, values + i, 4);
            four ^= 0x80808080U;
            memcpy(to + i, &four, 4);
        }
    } else {
        for (i = 0; i < count; i = i + 16 <= count || i + 8 == count ? i + 8 : count - 8) {
            memcpy(&eight, values + i, 8);
            eight ^= 0x8080808080808080U;
            memcpy(to + i, &eight, 8);
        }
    }
}

/* Four values, eight times. */
NAME_WITHIN
static inline __m256i values_at(const uint8_t *values)
{
    int32_t four;

    memcpy(&four, values, 4);
    return _mm256_set1_epi32(four);
}
