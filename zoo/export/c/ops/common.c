/* What operators share. */

/* (total multiplier + 2^(shift - 1)) >> shift, moved to the zero point and held within limits. */
static int32_t rescaled(int32_t total, int32_t multiplier, uint32_t shift, const NAME_limits *to)
{
    int64_t exact = (int64_t)total * multiplier + ((int64_t)1 << (shift - 1));
    int64_t value = (exact >= 0 ? exact >> shift : ~(~exact >> shift)) + to->zero;

    return value < to->low ? to->low : value > to->high ? to->high : (int32_t)value;
}

/* Weights of 1 to 8 bits, least significant bits first. Codes u stand for 2 u - (2^bits - 1) on the odd grid, else they
   are two's complement. */
static void unpack(int8_t *weights, const uint8_t *packed, int32_t count, int32_t bits, int32_t odd)
{
    const int32_t most = (1 << bits) - 1, half = 1 << (bits - 1);
    uint32_t buffer = 0;
    int32_t held = 0, i;

    for (i = 0; i < count; i++) {
        int32_t code;
        if (held < bits) {
            buffer |= (uint32_t)*packed++ << held;
            held += 8;
        }
        code = (int32_t)buffer & most;
        weights[i] = (int8_t)(odd ? 2 * code - most : (code ^ half) - half);
        buffer >>= bits;
        held -= bits;
    }
}

static int32_t dot(const int8_t *restrict values, const int8_t *restrict weights, int32_t count)
{
    int32_t total = 0, i;

    for (i = 0; i < count; i++) {
        total += values[i] * weights[i];
    }
    return total;
}
