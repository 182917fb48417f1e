/* All channels to all outputs of 16 bits. */
NAME_APART
static void linear(const NAME_linear *layer, const int8_t *values, int16_t *out)
{
    const int32_t length = layer->in_channels, span = (length + 3) / 4 * 4;
    uint8_t window[NAME_SPAN];
    int32_t first, i, eight[8];
    NAME_block of;

    memset(window + span - 4, 0, 4);
    raise(window, values, length);
    for (first = 0; first < layer->out_channels; first += 8) {
        NAME_sums sums = no_sums();
        begin(&of, layer->weights, layer->bias, layer->multiplier, layer->shift, span / 4, first, layer->out_channels,
              &layer->to);
        for (i = 0; i < of.groups; i++) {
            sums = with_products(sums, values_at(window + 4 * i), of.weights + 32 * i);
        }
        _mm256_storeu_si256((__m256i *)(void *)eight, rescale_eight(sums, &of));
        for (i = 0; i < of.count; i++) {
            out[first + i] = (int16_t)eight[i];
        }
    }
}
