/* Rows of weights and what they are multiplied by: windows, of numbers of 16 bits. A window takes NAME_SPAN of them,
   so that several lie beside each other and share weights; or up to twice as many by itself. */
typedef union {
    int16_t values[NAME_COLUMNS * NAME_SPAN]; /* less their zero point */
    uint64_t fours[NAME_SPAN / 2];
} NAME_windows;

/* Of some output channels: weights, as many as `length` a row, and what their sums are rescaled by. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t length, count;
    NAME_limits to;
} NAME_rows;

/* Weights of the next rows of a layer, of which so many are left: those of 8 bits where they are, else as many as the
   buffer holds. Gives how many. */
NAME_APART
static int32_t next_rows(NAME_rows *rows, int8_t *buffer, const uint8_t *packed, int32_t left, int32_t bits,
                         int32_t odd)
{
    const int32_t bytes = (rows->length * bits + 7) / 8, fits = NAME_BUFFER / rows->length;
    int32_t row;

    rows->weights = (const int8_t *)packed;
    rows->count = left;
    if (bits < 8) {
        rows->weights = buffer;
        rows->count = left < fits ? left : fits < NAME_ROWS ? fits : fits / NAME_ROWS * NAME_ROWS;
        for (row = 0; row < rows->count; row++) {
            unpacked(buffer + row * rows->length, packed + row * bytes, rows->length, bits, odd);
        }
    }
    return rows->count;
}
