/* What operators share. */

/* (total multiplier + 2^(shift - 1)) >> shift, moved to the zero point and held within limits. */
NAME_WITHIN
static inline int32_t rescaled_within(int32_t total, int32_t multiplier, uint32_t shift, const NAME_limits *to)
{
    const int64_t low = to->low, high = to->high;
    int64_t value = (((int64_t)total * multiplier + ((int64_t)1 << (shift - 1))) >> shift) + to->zero;

    value = value < low ? low : value;
    value = value > high ? high : value;
    return (int32_t)value;
}

NAME_APART
static int32_t rescaled(int32_t total, int32_t multiplier, uint32_t shift, const NAME_limits *to)
{
    return rescaled_within(total, multiplier, shift, to);
}
