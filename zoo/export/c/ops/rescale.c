/* Sums of some channels with their bias, rescaled; beside each other where compilers know how many there are. */
NAME_WITHIN
static inline void rescale_some(int8_t *restrict out, const int32_t *restrict sums, const int32_t *restrict bias,
                                const int32_t *restrict multiplier, const uint8_t *restrict shift, int32_t count,
                                const NAME_limits *to)
{
    const NAME_limits limits = *to;
    int32_t i;

    for (i = 0; i < count; i++) {
        out[i] = (int8_t)rescaled_within(sums[i] + bias[i], multiplier[i], shift[i], &limits);
    }
}

NAME_APART
static void rescale(int8_t *out, const int32_t *sums, const int32_t *bias, const int32_t *multiplier,
                    const uint8_t *shift, int32_t count, const NAME_limits *to)
{
    switch (count) {
#ifndef __OPTIMIZE_SIZE__
    case 4: rescale_some(out, sums, bias, multiplier, shift, 4, to); break;
    case 16: rescale_some(out, sums, bias, multiplier, shift, 16, to); break;
#endif
    default: rescale_some(out, sums, bias, multiplier, shift, count, to);
    }
}
