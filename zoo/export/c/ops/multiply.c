/* All rows at one place or two beside each other, whose outputs are so far apart. */
NAME_WITHIN
static inline void multiply_all(int8_t *out, const NAME_rows *rows, const NAME_windows *windows, int32_t columns,
                                int32_t apart)
{
    const int32_t length = rows->length, count = rows->count;
    const NAME_limits to = rows->to;
    const int8_t *weights = rows->weights;
    const int32_t *const bias = rows->bias, *const multiplier = rows->multiplier;
    const uint8_t *const shift = rows->shift;
    int32_t row, column;

    for (row = 0; row + NAME_ROWS <= count; row += NAME_ROWS) {
        multiply_rows(out + row, weights, bias + row, multiplier + row, shift + row, length, &to, windows,
                      columns, apart);
        weights += NAME_ROWS * length;
    }
    for (; row < count; row++, weights += length) {
        for (column = 0; column < columns; column++) {
            const int32_t total = product(bias[row], weights, windows, column, length);
            out[column * apart + row] = (int8_t)rescaled_within(total, multiplier[row], shift[row], &to);
        }
    }
}

NAME_APART
static void multiply_one(int8_t *out, const NAME_rows *rows, const NAME_windows *windows)
{
    multiply_all(out, rows, windows, 1, 0);
}

NAME_APART
static void multiply_two(int8_t *out, const NAME_rows *rows, const NAME_windows *windows, int32_t apart)
{
    multiply_all(out, rows, windows, 2, apart);
}

NAME_APART
static void multiply(int8_t *out, const NAME_rows *rows, const NAME_windows *windows, int32_t columns, int32_t apart)
{
    if (columns == 2) {
        multiply_two(out, rows, windows, apart);
    } else {
        multiply_one(out, rows, windows);
    }
}
