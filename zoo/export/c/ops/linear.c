/* All channels to all outputs of 16 bits. */
NAME_APART
static void linear(const NAME_linear *layer, const int8_t *values, int16_t *out)
{
    const int32_t length = layer->in_channels;
    const uint8_t *packed = layer->weights;
    int8_t buffer[NAME_BUFFER + 7];
    int32_t channel = 0, row;

    while (channel < layer->out_channels) {
        const NAME_rows rows = rows_of(buffer, packed, length, layer->out_channels - channel, layer->bits, layer->odd);
        int32_t sums[NAME_ROWS] = {0};
        add_products(sums, &rows, 0, values, layer->in_zero, length);
        for (row = 0; row < rows.count; row++, channel++) {
            const int32_t total = layer->bias[channel] + sums[row];
            out[channel] = (int16_t)rescaled(total, layer->multiplier[channel], layer->shift[channel], &layer->to);
        }
        packed += rows.count * ((length * layer->bits + 7) / 8);
    }
}
