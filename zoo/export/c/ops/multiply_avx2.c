/* Four rows of weights at a time, sixteen products an instruction. */
#if defined(__AVX2__) && !defined(__ARM_FEATURE_DSP)
NAME_APART
static void blank(NAME_windows *windows, int32_t window, int32_t first, int32_t count)
{
    memset(windows->values + window * NAME_SPAN + first, 0, (size_t)count * sizeof(windows->values[0]));
}

NAME_WITHIN
static inline void widen_four(int16_t *to, const int8_t *values, __m128i zero)
{
    int32_t four;

    memcpy(&four, values, sizeof(four));
    _mm_storel_epi64((__m128i *)(void *)to, _mm_sub_epi16(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)), zero));
}

NAME_WITHIN
static inline void widen(NAME_windows *windows, int32_t window, int32_t first, const int8_t *values, int32_t zero,
                  int32_t count)
{
    int16_t *to = windows->values + window * NAME_SPAN + first;
    const __m128i less = _mm_set1_epi16((int16_t)zero);
    int32_t i = 0;

    for (; i + 8 <= count; i += 8) {
        const __m128i wide = _mm_cvtepi8_epi16(bytes_at(values + i));
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_sub_epi16(wide, less));
    }
    if (count < 4) {
        for (; i < count; i++) {
            to[i] = (int16_t)(values[i] - zero);
        }
    } else if (i < count) { /* the last four, some of which may be there, behind those before them */
        widen_four(to + (i + 4 < count ? i : count - 4), values + (i + 4 < count ? i : count - 4), less);
        widen_four(to + count - 4, values + count - 4, less);
    }
}

/* Values of a map, of which so many lie there: eight at a time, as those that are too many are written over, or are
   behind the last. */
NAME_WITHIN
static inline void widen_part(NAME_windows *windows, int32_t window, int32_t first, const int8_t *values, int32_t zero,
                              int32_t count, int32_t there)
{
    int32_t i;

    if (there < (count + 7) / 8 * 8) {
        widen(windows, window, first, values, zero, count);
        return;
    }
    for (i = 0; i < count; i += 8) {
        widen(windows, window, first + i, values + i, zero, 8);
    }
}

NAME_WITHIN
static inline int32_t product(int32_t sum, const int8_t *weights, const NAME_windows *windows, int32_t window,
                              int32_t length)
{
    const int16_t *values = windows->values + window * NAME_SPAN;
    int32_t i;

    for (i = 0; i < length; i++) {
        sum += values[i] * weights[i];
    }
    return sum;
}

NAME_WITHIN
static inline __m256i with_products(__m256i sums, __m256i values, __m256i weights)
{
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpwssd_epi32(sums, values, weights);
#else
    return _mm256_add_epi32(sums, _mm256_madd_epi16(values, weights));
#endif
}

/* The last eight weights of a row, of which so many are left, with zeros before them; twice. */
NAME_WITHIN
static inline __m256i last_weights(const int8_t *end, int32_t left)
{
    uint64_t word;

    memcpy(&word, end - 8, sizeof(word));
    word &= ~(uint64_t)0 << (64 - 8 * left);
    return _mm256_cvtepi8_epi16(_mm_set1_epi64x((int64_t)word));
}

/* The sum of each half of four vectors, beside each other. */
NAME_WITHIN
static inline __m256i added_up(const __m256i *sums)
{
    return _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
}

NAME_WITHIN
static inline __m256i sixteen_values(const int16_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

NAME_WITHIN
static inline __m256i sixteen_weights(const int8_t *from)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* What the sums of four rows are rescaled by, twice beside each other. */
typedef struct {
    __m256i bias, multiplier, shift;
    NAME_limits to;
} NAME_four;

NAME_WITHIN
static inline NAME_four four_of(const NAME_rows *rows, int32_t row)
{
    int32_t shifts;
    NAME_four four = {_mm256_broadcastsi128_si256(words_at(rows->bias + row)),
                      _mm256_broadcastsi128_si256(words_at(rows->multiplier + row)), {0}, rows->to};

    memcpy(&shifts, rows->shift + row, sizeof(shifts));
    four.shift = _mm256_cvtepu8_epi32(_mm_set1_epi32(shifts));
    return four;
}

/* Four channels at two places, from sums of each row and both; those of the first win where they are one. */
NAME_WITHIN
static inline void put_sums(int8_t *out, int8_t *other, const __m256i *sums, const NAME_four *four)
{
    const __m256i totals = _mm256_add_epi32(added_up(sums), four->bias);
    const __m256i bytes = rescale_eight(totals, four->multiplier, four->shift, &four->to);

    put_four(other, _mm256_extracti128_si256(bytes, 1));
    put_four(out, _mm256_castsi256_si128(bytes));
}

/* Up to eight weights from one of a row on, and zeros behind the end of the row; twice. */
NAME_WITHIN
static inline __m256i eight_weights(const int8_t *weights, int32_t count)
{
    uint64_t word = 0;
    int32_t i;

    if (count >= 8) {
        memcpy(&word, weights, sizeof(word));
    }
    for (i = 0; i < count && count < 8; i++) {
        word |= (uint64_t)(uint8_t)weights[i] << 8 * i;
    }
    return _mm256_cvtepi8_epi16(_mm_set1_epi64x((int64_t)word));
}

NAME_WITHIN
static inline __m256i eight_of_both(const int16_t *x, const int16_t *y)
{
    return _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(const void *)y),
                            _mm_loadu_si128((const __m128i *)(const void *)x));
}

/* Rows of up to 16 weights, which stay in registers. */
NAME_WITHIN
static inline void multiply_short(int8_t *out, const NAME_rows *rows, int32_t row, const int16_t *values,
                                  int32_t columns, int32_t apart)
{
    const NAME_four four = four_of(rows, row);
    const int32_t length = rows->length;
    __m256i weights[NAME_ROWS], more[NAME_ROWS], sums[NAME_ROWS];
    int32_t column, i;

    for (i = 0; i < NAME_ROWS; i++) {
        const int8_t *own = rows->weights + (row + i) * length;
        weights[i] = eight_weights(own, length);
        more[i] = length > 8 ? eight_weights(own + 8, length - 8) : weights[i];
    }
    for (column = 0; column < columns; column += 2) {
        const int32_t next = column + 1 < columns ? column + 1 : column;
        const int16_t *x = values + column * NAME_SPAN, *y = values + next * NAME_SPAN;
        for (i = 0; i < NAME_ROWS; i++) {
            sums[i] = _mm256_madd_epi16(eight_of_both(x, y), weights[i]);
            sums[i] = length > 8 ? with_products(sums[i], eight_of_both(x + 8, y + 8), more[i]) : sums[i];
        }
        put_sums(out + column * apart, out + next * apart, sums, &four);
    }
}

/* Sums of longer rows at one place or two, each in a half. */
NAME_WITHIN
static inline void sum_long(__m256i *sums, const int8_t *weights, int32_t length, const int16_t *x, const int16_t *y,
                            int32_t columns)
{
    __m256i first[NAME_ROWS] = {{0}}, second[NAME_ROWS] = {{0}};
    int32_t row, i;

    for (i = 0; i + 16 <= length; i += 16) {
        for (row = 0; row < NAME_ROWS; row++) {
            const __m256i own = sixteen_weights(weights + row * length + i);
            first[row] = with_products(first[row], sixteen_values(x + i), own);
            second[row] = columns == 2 ? with_products(second[row], sixteen_values(y + i), own) : second[row];
        }
    }
    for (row = 0; row < NAME_ROWS; row++) {
        sums[row] = _mm256_add_epi32(_mm256_permute2x128_si256(first[row], second[row], 0x20),
                                     _mm256_permute2x128_si256(first[row], second[row], 0x31));
    }
    for (; i + 8 <= length; i += 8) {
        for (row = 0; row < NAME_ROWS; row++) {
            const __m256i own = eight_weights(weights + row * length + i, 8);
            sums[row] = with_products(sums[row], eight_of_both(x + i, y + i), own);
        }
    }
    for (row = 0; row < NAME_ROWS && i < length; row++) {
        const int32_t last = length - 8;
        sums[row] = with_products(sums[row], eight_of_both(x + last, y + last),
                                  last_weights(weights + row * length + length, length - i));
    }
}

NAME_WITHIN
static inline void multiply_long(int8_t *out, const NAME_rows *rows, int32_t row, const int16_t *values,
                                 int32_t columns, int32_t apart)
{
    const NAME_four four = four_of(rows, row);
    const int8_t *weights = rows->weights + row * rows->length;
    __m256i sums[NAME_ROWS];
    int32_t column;

    for (column = 0; column + 2 <= columns; column += 2, values += 2 * NAME_SPAN, out += 2 * apart) {
        sum_long(sums, weights, rows->length, values, values + NAME_SPAN, 2);
        put_sums(out, out + apart, sums, &four);
    }
    if (column < columns) {
        sum_long(sums, weights, rows->length, values, values, 1);
        put_sums(out, out, sums, &four);
    }
}

/* All rows at some places, whose outputs are so far apart. */
NAME_APART
static void multiply(int8_t *out, const NAME_rows *rows, const NAME_windows *windows, int32_t columns, int32_t apart)
{
    const NAME_limits to = rows->to;
    int32_t row, column;

    for (row = 0; row + NAME_ROWS <= rows->count; row += NAME_ROWS) {
        if (rows->length > 16) {
            multiply_long(out + row, rows, row, windows->values, columns, apart);
        } else {
            multiply_short(out + row, rows, row, windows->values, columns, apart);
        }
    }
    for (; row < rows->count; row++) {
        for (column = 0; column < columns; column++) {
            const int32_t total = product(rows->bias[row], rows->weights + row * rows->length, windows, column,
                                          rows->length);
            out[column * apart + row] = (int8_t)rescaled_within(total, rows->multiplier[row], rows->shift[row], &to);
        }
    }
}
#endif
