/* Log-mel energies of one window of samples: four complex numbers of 32 bits beside each other. Where a number of 64
   bits is shifted and 32 of them are left, its sign does not matter. */
#include <immintrin.h>

#define NAME_HALF (NAME_POINTS / 2)
#define NAME_QUARTER (NAME_HALF / 4)

typedef struct {
    int32_t real, imaginary;
} complex_t;

static int64_t halved(int64_t value, uint32_t shift) /* value / 2^shift, rounded once, ties up */
{
    value += (int64_t)1 << (shift - 1);
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

NAME_WITHIN
static inline __m256i four_at(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

NAME_WITHIN
static inline void put_four_at(complex_t *to, __m256i four)
{
    _mm256_storeu_si256((__m256i *)(void *)to, four);
}

/* With the sign of imaginary parts changed. */
NAME_WITHIN
static inline __m256i conjugate(__m256i z)
{
    return _mm256_sign_epi32(z, _mm256_set1_epi64x((int64_t)0xFFFFFFFF00000001));
}

NAME_WITHIN
static inline __m256i swapped(__m256i z)
{
    return _mm256_shuffle_epi32(z, 0xB1);
}

/* z times others, of which 2^30 is one. */
NAME_WITHIN
static inline __m256i turned(__m256i z, const int32_t *by)
{
    const __m256i turn = four_at(by), high = _mm256_srli_epi64(z, 32), sine = _mm256_srli_epi64(turn, 32);
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 29);
    const __m256i real = _mm256_sub_epi64(_mm256_mul_epi32(z, turn), _mm256_mul_epi32(high, sine));
    const __m256i imaginary = _mm256_add_epi64(_mm256_mul_epi32(high, turn), _mm256_mul_epi32(z, sine));

    return _mm256_blend_epi32(_mm256_srli_epi64(_mm256_add_epi64(real, half), 30),
                              _mm256_slli_epi64(_mm256_add_epi64(imaginary, half), 2), 0xAA);
}

/* Four numbers each, of which the others than the first are turned already. */
NAME_WITHIN
static inline void butterfly(__m256i *z)
{
    const __m256i whole = _mm256_add_epi32(z[0], z[2]), half = _mm256_sub_epi32(z[0], z[2]);
    const __m256i other = _mm256_add_epi32(z[1], z[3]);
    const __m256i cross = conjugate(swapped(_mm256_sub_epi32(z[1], z[3]))); /* times -i */

    z[0] = _mm256_add_epi32(whole, other);
    z[1] = _mm256_add_epi32(half, cross);
    z[2] = _mm256_sub_epi32(whole, other);
    z[3] = _mm256_sub_epi32(half, cross);
}

/* The windowed samples, moved up by `up` bits, two to a complex number. */
static void load(complex_t *z, const int16_t *samples, uint32_t up)
{
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << (29 - NAME_GUARD));
    int32_t i;

    for (i = 0; i + 8 <= NAME_WINDOW; i += 8) {
        const __m256i eight = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(samples + i)));
        const __m256i moved = _mm256_sll_epi32(eight, _mm_cvtsi32_si128((int32_t)up)), by = four_at(whole_hann + i);
        const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(moved, by), half);
        const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(moved, 32), _mm256_srli_epi64(by, 32));
        put_four_at(z + i / 2, _mm256_blend_epi32(_mm256_srli_epi64(even, 30 - NAME_GUARD),
                                                  _mm256_slli_epi64(_mm256_add_epi64(odd, half), 2 + NAME_GUARD), 0xAA));
    }
    memset(z + i / 2, 0, (size_t)(NAME_HALF - i / 2) * sizeof(z[0]));
    for (; i < NAME_WINDOW; i++) {
        const int32_t value = (int32_t)halved((int64_t)samples[i] * (1 << up) * whole_hann[i], 30 - NAME_GUARD);
        *(i % 2 ? &z[i / 2].imaginary : &z[i / 2].real) = value;
    }
}

/* The first pass, which turns nothing, from the order of samples to that of digits in reverse. */
static void first_pass(complex_t *to, const complex_t *from)
{
    int32_t i, k;

    for (i = 0; i < NAME_QUARTER; i += 4) {
        complex_t *place = to + 4 * places[i / 4];
        __m256i z[4], low[2], high[2];
        for (k = 0; k < 4; k++) {
            z[k] = four_at(from + i + k * NAME_QUARTER);
        }
        butterfly(z);
        for (k = 0; k < 2; k++) {
            low[k] = _mm256_unpacklo_epi64(z[2 * k], z[2 * k + 1]);
            high[k] = _mm256_unpackhi_epi64(z[2 * k], z[2 * k + 1]);
        }
        put_four_at(place, _mm256_permute2x128_si256(low[0], low[1], 0x20));
        put_four_at(place + NAME_QUARTER, _mm256_permute2x128_si256(high[0], high[1], 0x20));
        put_four_at(place + 2 * NAME_QUARTER, _mm256_permute2x128_si256(low[0], low[1], 0x31));
        put_four_at(place + 3 * NAME_QUARTER, _mm256_permute2x128_si256(high[0], high[1], 0x31));
    }
}

/* The complex transform of NAME_HALF numbers in the order of samples, which it works in, too. */
static void transform(complex_t *to, complex_t *from)
{
    const int32_t *turn = turns;
    int32_t done, at, i, k;

    first_pass(to, from);
    for (done = 4; done * 4 <= NAME_HALF; done *= 4) {
        for (k = 0; k < done; k += 4, turn += 24) {
            for (at = k; at < NAME_HALF; at += 4 * done) {
                __m256i z[4] = {four_at(to + at)};
                for (i = 1; i < 4; i++) {
                    z[i] = turned(four_at(to + at + i * done), turn + 8 * (i - 1));
                }
                butterfly(z);
                for (i = 0; i < 4; i++) {
                    put_four_at(to + at + i * done, z[i]);
                }
            }
        }
    }
}

/* The power of all bins from `first` to before `end`, from the transform of half the points, behind which is its first
   number once more; and of each the part of the band that rises there. */
static void powers(const complex_t *z, uint32_t first, uint32_t end, int64_t *power, int64_t *rising)
{
    uint32_t bin;

    for (bin = first; bin < end; bin += 4) {
        const __m256i at = four_at(z + bin), mirror = _mm256_permute4x64_epi64(four_at(z + NAME_HALF - 3 - bin), 0x1B);
        const __m256i odd = _mm256_add_epi32(swapped(mirror), conjugate(swapped(at)));
        const __m256i both = _mm256_add_epi32(_mm256_add_epi32(at, conjugate(mirror)), turned(odd, backs + 2 * bin));
        const __m256i high = _mm256_srli_epi64(both, 32);
        const __m256i square = _mm256_add_epi64(_mm256_mul_epi32(both, both), _mm256_mul_epi32(high, high));
        const __m256i found = _mm256_srli_epi64(
            _mm256_add_epi64(square, _mm256_set1_epi64x((int64_t)1 << (NAME_POWER_SHIFT - 1))), NAME_POWER_SHIFT);
        const __m256i by = _mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(rises + bin - first)));
        const __m256i upper = _mm256_slli_epi64(_mm256_mul_epu32(_mm256_srli_epi64(found, 32), by), 32);
        _mm256_storeu_si256((__m256i *)(void *)(power + bin), found);
        _mm256_storeu_si256((__m256i *)(void *)(rising + bin), _mm256_add_epi64(_mm256_mul_epu32(found, by), upper));
    }
}

static uint32_t bits_of(uint64_t value) /* how many bits a number takes */
{
    return value == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(value);
}
