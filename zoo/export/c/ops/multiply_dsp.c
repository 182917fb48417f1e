/* Two rows of weights at a time, two products an instruction. */
#if defined(NAME_DSP)
/* In a window, the first and the third of four values lie before the second and the fourth. */
NAME_WITHIN
static inline int32_t place_of(int32_t value)
{
    return (value & ~3) | (value & 1) << 1 | (value >> 1 & 1);
}

/* So many zeros, from the one numbered `first` of a window on. */
NAME_APART
static void blank(NAME_windows *windows, int32_t window, int32_t first, int32_t count)
{
    int32_t i;

    for (i = first; i < first + count; i++) {
        windows->values[window * NAME_SPAN + place_of(i)] = 0;
    }
}

/* Values less their zero point, from the one numbered `first` of a window on. */
NAME_APART
static void widen(NAME_windows *windows, int32_t window, int32_t first, const int8_t *values, int32_t zero,
                  int32_t count)
{
    const int16x2_t less = (int16x2_t)((uint32_t)(uint16_t)-zero * 0x10001U);
    uint64_t *four = windows->fours + (window * NAME_SPAN + first) / 4;
    int16_t *to = windows->values + window * NAME_SPAN;
    int32_t i = 0;

    if (first % 4 == 0) {
        for (; i + 4 <= count; i += 4) {
            const uint32_t word = word_at(values + i);
            const uint32_t odd = (uint32_t)__sadd16(less, (int16x2_t)odd_bytes(word));
            *four++ = (uint64_t)odd << 32 | (uint32_t)__sxtab16(less, (int8x4_t)word);
        }
    }
    for (; i < count; i++) {
        to[place_of(first + i)] = (int16_t)(values[i] - zero);
    }
}

/* A sum with four products. */
NAME_WITHIN
static inline int32_t with_four(int32_t sum, uint64_t four, uint32_t weights)
{
    sum = __smlad((int16x2_t)(uint32_t)four, (int16x2_t)even_bytes(weights), sum);
    return __smlad((int16x2_t)(uint32_t)(four >> 32), (int16x2_t)odd_bytes(weights), sum);
}

/* The products of what is behind the last eight. */
NAME_APART
static int32_t rest(const int8_t *weights, const NAME_windows *windows, int32_t window, int32_t length)
{
    const int16_t *values = windows->values + window * NAME_SPAN;
    int32_t total = 0, i;

    for (i = length & ~7; i < length; i++) {
        total += values[place_of(i)] * weights[i];
    }
    return total;
}

/* The sum of a row and a window, beginning at `sum`. */
NAME_APART
static int32_t product(int32_t sum, const int8_t *weights, const NAME_windows *windows, int32_t window, int32_t length)
{
    const uint64_t *four = windows->fours + window * NAME_SPAN / 4;
    int32_t i;

    for (i = 0; i < length / 8 * 2; i++) {
        sum = with_four(sum, four[i], word_at(weights + 4 * i));
    }
    return length % 8 ? sum + rest(weights, windows, window, length) : sum;
}

/* Where it assembles: not in Arm mode, not with strict alignment, and its second window within reach of an offset. With
   NAME_NO_ASSEMBLY, nor where registers are reserved. */
#if defined(__GNUC__) && defined(__thumb2__) && defined(__ARM_FEATURE_UNALIGNED) && NAME_SPAN <= 510                   \
    && !defined(NAME_NO_ASSEMBLY)
/* Of two rows, four weights each: the signed bytes in pairs, as windows have their values. */
#define NAME_LOAD_WEIGHTS                                                                                              \
    "ldr %[u], [%[w], %[length]]\n\t"                                                                                  \
    "ldr %[s], [%[w]], #4\n\t"                                                                                         \
    "sxtb16 %[t], %[s]\n\t"                                                                                            \
    "sxtb16 %[s], %[s], ror #8\n\t"                                                                                    \
    "sxtb16 %[v], %[u]\n\t"                                                                                            \
    "sxtb16 %[u], %[u], ror #8\n\t"
/* Their products with four values, which are x and y, added to two sums. */
#define NAME_ADD(first, second)                                                                                        \
    "smlad %[" first "], %[x], %[t], %[" first "]\n\t"                                                                 \
    "smlad %[" second "], %[x], %[v], %[" second "]\n\t"                                                               \
    "smlad %[" first "], %[y], %[s], %[" first "]\n\t"                                                                 \
    "smlad %[" second "], %[y], %[u], %[" second "]\n\t"
#define NAME_ADD_NEXT "ldrd %[x], %[y], [%[four]], #8\n\t" NAME_ADD("a", "b")
#define NAME_ADD_OTHER "ldrd %[x], %[y], [%[four], %[apart]]\n\t" NAME_ADD("c", "d")

/* Eight products of two rows, with one window: sums a and b; and with another: c and d. As C, compilers take half as
   many instructions more. */
#define NAME_ADD_ONE(a, b, four, w, length)                                                                            \
    do {                                                                                                               \
        uint32_t s, t, u, v, x, y;                                                                                     \
        __asm__(NAME_LOAD_WEIGHTS NAME_ADD_NEXT NAME_LOAD_WEIGHTS NAME_ADD_NEXT                                        \
                : [a] "+r"(a), [b] "+r"(b), [four] "+r"(four), [w] "+r"(w), [s] "=&r"(s), [t] "=&r"(t), [u] "=&r"(u),  \
                  [v] "=&r"(v), [x] "=&r"(x), [y] "=&r"(y)                                                             \
                : [length] "r"(length)                                                                                 \
                : "memory");                                                                                           \
    } while (0)
#define NAME_ADD_TWO(a, b, c, d, four, w, length)                                                                      \
    do {                                                                                                               \
        uint32_t s, t, u, v, x, y;                                                                                     \
        __asm__(NAME_LOAD_WEIGHTS NAME_ADD_OTHER NAME_ADD_NEXT NAME_LOAD_WEIGHTS NAME_ADD_OTHER NAME_ADD_NEXT          \
                : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [four] "+r"(four), [w] "+r"(w), [s] "=&r"(s),    \
                  [t] "=&r"(t), [u] "=&r"(u), [v] "=&r"(v), [x] "=&r"(x), [y] "=&r"(y)                                 \
                : [length] "r"(length), [apart] "i"(2 * NAME_SPAN)                                                     \
                : "memory");                                                                                           \
    } while (0)
#endif

/* A channel at one place, and at two; its shift is looked at once for both. */
NAME_WITHIN
static inline void rescale_columns(int8_t *out, int32_t apart, int32_t first, int32_t second, int32_t multiplier,
                                   uint32_t shift, const NAME_limits *to, int32_t columns)
{
    if (columns == 1) {
        out[0] = (int8_t)rescaled_within(first, multiplier, shift, to);
    } else if (shift > 32) {
        out[0] = (int8_t)rescaled_within(first, multiplier, shift, to);
        out[apart] = (int8_t)rescaled_within(second, multiplier, shift, to);
    } else {
        out[0] = (int8_t)rescaled_within(first, multiplier, shift, to);
        out[apart] = (int8_t)rescaled_within(second, multiplier, shift, to);
    }
}

/* Two channels at one place, and at two. */
NAME_WITHIN
static inline void multiply_rows(int8_t *out, const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                                 const uint8_t *shift, int32_t length, const NAME_limits *to,
                                 const NAME_windows *windows, int32_t columns, int32_t apart)
{
    const uint64_t *four = windows->fours, *const end = four + length / 8 * 2;
    const int8_t *w = weights;
    int32_t a = bias[0], b = bias[1], c = a, d = b;

#ifdef NAME_ADD_ONE
    while (four != end) {
        if (columns == 2) {
            NAME_ADD_TWO(a, b, c, d, four, w, length);
        } else {
            NAME_ADD_ONE(a, b, four, w, length);
        }
    }
#else
    for (; four != end; four++, w += 4) {
        a = with_four(a, four[0], word_at(w));
        b = with_four(b, four[0], word_at(w + length));
        if (columns == 2) {
            c = with_four(c, four[NAME_SPAN / 4], word_at(w));
            d = with_four(d, four[NAME_SPAN / 4], word_at(w + length));
        }
    }
#endif
    if (length % 8) {
        a += rest(weights, windows, 0, length);
        b += rest(weights + length, windows, 0, length);
        if (columns == 2) {
            c += rest(weights, windows, 1, length);
            d += rest(weights + length, windows, 1, length);
        }
    }
    rescale_columns(out, apart, a, c, multiplier[0], shift[0], to, columns);
    rescale_columns(out + 1, apart, b, d, multiplier[1], shift[1], to, columns);
}
#endif
