/* All channels to all outputs of 16 bits. */
NAME_APART
static void linear(const NAME_linear *layer, const int8_t *values, int16_t *out)
{
    const int32_t length = layer->in_channels, bytes = (length * layer->bits + 7) / 8;
    NAME_windows windows;
    int8_t buffer[NAME_BUFFER + 7];
    int32_t channel;

    widen(&windows, 0, 0, values, layer->in_zero, length);
    for (channel = 0; channel < layer->out_channels; channel++) {
        const uint8_t *packed = layer->weights + channel * bytes;
        const int8_t *weights = unpacked(buffer, packed, length, layer->bits, layer->odd);
        const int32_t total = product(layer->bias[channel], weights, &windows, 0, length);
        out[channel] = (int16_t)rescaled(total, layer->multiplier[channel], layer->shift[channel], &layer->to);
    }
}
