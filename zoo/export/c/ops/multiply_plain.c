/* Four rows of weights at a time, for any processor: compilers find how to compute products beside each other. */
#if !defined(NAME_DSP)
NAME_APART
static void blank(NAME_windows *windows, int32_t window, int32_t first, int32_t count)
{
    memset(windows->values + window * NAME_SPAN + first, 0, (size_t)count * sizeof(windows->values[0]));
}

NAME_APART
static void widen(NAME_windows *windows, int32_t window, int32_t first, const int8_t *restrict values, int32_t zero,
                  int32_t count)
{
    int16_t *restrict to = windows->values + window * NAME_SPAN + first;
    int32_t i;

    for (i = 0; i < count; i++) {
        to[i] = (int16_t)(values[i] - zero);
    }
}

NAME_WITHIN
static inline int32_t product(int32_t sum, const int8_t *restrict weights, const NAME_windows *windows, int32_t window,
                              int32_t length)
{
    const int16_t *restrict values = windows->values + window * NAME_SPAN;
    int32_t i;

    for (i = 0; i < length; i++) {
        sum += values[i] * weights[i];
    }
    return sum;
}

/* Four channels at one place, and at two. */
NAME_WITHIN
static inline void multiply_rows(int8_t *out, const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                                 const uint8_t *shift, int32_t length, const NAME_limits *to,
                                 const NAME_windows *windows, int32_t columns, int32_t apart)
{
    int32_t sums[NAME_ROWS], column, i;

    for (column = 0; column < columns; column++, out += apart) {
        const int16_t *restrict values = windows->values + column * NAME_SPAN;
        const int8_t *restrict w = weights;
        int32_t a = 0, b = 0, c = 0, d = 0;
        for (i = 0; i < length; i++) {
            a += values[i] * w[i];
            b += values[i] * w[i + length];
            c += values[i] * w[i + 2 * length];
            d += values[i] * w[i + 3 * length];
        }
        sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
        for (i = 0; i < NAME_ROWS; i++) {
            out[i] = (int8_t)rescaled_within(sums[i] + bias[i], multiplier[i], shift[i], to);
        }
    }
}
#endif
