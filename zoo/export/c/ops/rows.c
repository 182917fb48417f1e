/* Rows of weights, four at a time, which share the values that they are multiplied by; else one at a time. */
#define NAME_ROWS 4

typedef struct {
    const int8_t *weights;
    int32_t length, count; /* weights of a row; rows, 1 or NAME_ROWS */
} NAME_rows;

/* The next rows of a layer, of which so many are left: NAME_ROWS where there are as many and the buffer holds them. */
NAME_APART
static NAME_rows rows_of(int8_t *buffer, const uint8_t *packed, int32_t length, int32_t left, int32_t bits, int32_t odd)
{
    const int fits = bits == 8 || NAME_ROWS * length <= NAME_BUFFER;
    NAME_rows rows = {(const int8_t *)packed, length, left >= NAME_ROWS && fits ? NAME_ROWS : 1};
    int32_t row;

    if (bits < 8) {
        for (row = 0; row < rows.count; row++) {
            unpacked(buffer + row * length, packed + row * ((length * bits + 7) / 8), length, bits, odd);
        }
        rows.weights = buffer;
    }
    return rows;
}

#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>

static inline uint32_t word_at(const int8_t *from)
{
    uint32_t word;

    memcpy(&word, from, sizeof(word));
    return word;
}

static inline uint32_t next_bytes(uint32_t word)
{
    return word >> 8 | word << 24;
}

/* Four products, two at a time: `even` has the first and the third value, `odd` the second and the fourth. */
static inline int32_t with_four(int32_t sum, uint32_t even, uint32_t odd, const int8_t *weights)
{
    const uint32_t word = word_at(weights);

    sum = __smlad((int16x2_t)even, __sxtb16((int8x4_t)word), sum);
    return __smlad((int16x2_t)odd, __sxtb16((int8x4_t)next_bytes(word)), sum);
}

static void add_four_rows(int32_t *sums, const int8_t *row, int32_t length, const int8_t *values, int32_t zero,
                          int32_t count)
{
    const int16x2_t less = (int16x2_t)((uint32_t)(uint16_t)-zero * 0x10001U);
    const int8_t *end = values + count;
    int32_t of_a = sums[0], of_b = sums[1], of_c = sums[2], of_d = sums[3];

    for (; end - values >= 4; values += 4, row += 4) {
        const uint32_t word = word_at(values);
        const uint32_t even = (uint32_t)__sxtab16(less, (int8x4_t)word);
        const uint32_t odd = (uint32_t)__sxtab16(less, (int8x4_t)next_bytes(word));
        of_a = with_four(of_a, even, odd, row);
        of_b = with_four(of_b, even, odd, row + length);
        of_c = with_four(of_c, even, odd, row + 2 * length);
        of_d = with_four(of_d, even, odd, row + 3 * length);
    }
    for (; values < end; values++, row++) {
        const int32_t value = *values - zero;
        of_a += value * row[0];
        of_b += value * row[length];
        of_c += value * row[2 * length];
        of_d += value * row[3 * length];
    }
    sums[0] = of_a, sums[1] = of_b, sums[2] = of_c, sums[3] = of_d;
}
#else
static void add_four_rows(int32_t *sums, const int8_t *row, int32_t length, const int8_t *restrict values, int32_t zero,
                          int32_t count)
{
    const int8_t *restrict a = row, *restrict b = a + length, *restrict c = b + length, *restrict d = c + length;
    int32_t of_a = 0, of_b = 0, of_c = 0, of_d = 0, i;

    for (i = 0; i < count; i++) {
        const int16_t value = (int16_t)(values[i] - zero); /* of 16 bits: compilers add products in pairs */
        of_a += value * a[i];
        of_b += value * b[i];
        of_c += value * c[i];
        of_d += value * d[i];
    }
    sums[0] += of_a, sums[1] += of_b, sums[2] += of_c, sums[3] += of_d;
}
#endif

/* Add the products of each row, from its weight numbered `first` on, and of values less their zero point. */
NAME_APART
static void add_products(int32_t *sums, const NAME_rows *rows, int32_t first, const int8_t *values, int32_t zero,
                         int32_t count)
{
    const int8_t *row = rows->weights + first;
    int32_t total = 0, i;

    if (rows->count == NAME_ROWS) {
        add_four_rows(sums, row, rows->length, values, zero, count);
        return;
    }
    for (i = 0; i < count; i++) {
        total += (int16_t)(values[i] - zero) * row[i];
    }
    sums[0] += total;
}
