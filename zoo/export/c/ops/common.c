/* What operators share. */

/* Rows of weights that are multiplied at a time, and places that share them. */
#if defined(NAME_DSP)
#define NAME_ROWS 2
#define NAME_COLUMNS 2
#else
#define NAME_ROWS 4
#define NAME_COLUMNS 2
#endif

#if INTPTR_MAX > INT32_MAX
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
#else
/* By shifts of up to 32, held within 31 bits. */
NAME_APART
static int32_t shifted(int64_t exact, uint32_t shift)
{
    const int64_t value = (exact + ((int64_t)1 << (shift - 1))) >> shift, most = INT32_MAX / 2;

    return (int32_t)(value < -most ? -most : value > most ? most : value);
}

/* (total multiplier + 2^(shift - 1)) >> shift, moved to the zero point and held within limits. By larger shifts the
   upper word alone matters. */
NAME_WITHIN
static inline int32_t rescaled_within(int32_t total, int32_t multiplier, uint32_t shift, const NAME_limits *to)
{
    const int64_t exact = (int64_t)total * multiplier;
    const int32_t more = (int32_t)shift - 33, zero = to->zero, low = to->low, high = to->high;
    int32_t value = more < 0 ? shifted(exact, shift) + zero : (((int32_t)(exact >> 32) >> more) + (1 + 2 * zero)) >> 1;

    value = value < low ? low : value;
    return value > high ? high : value;
}
#endif

NAME_APART
static int32_t rescaled(int32_t total, int32_t multiplier, uint32_t shift, const NAME_limits *to)
{
    return rescaled_within(total, multiplier, shift, to);
}
