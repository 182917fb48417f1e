/* All channels to all outputs of 16 bits. */
NAME_APART
static void linear(const NAME_linear *layer, const int8_t *values, int16_t *out)
{
    const uint8_t *packed = layer->weights;
    int8_t weights[NAME_ROW];
    int32_t channel;

    for (channel = 0; channel < layer->out_channels; channel++) {
        int32_t total = layer->bias[channel];
        unpack(weights, packed, layer->in_channels, layer->bits, layer->odd);
        packed += (layer->in_channels * layer->bits + 7) / 8;
        total += dot(values, weights, layer->in_channels);
        out[channel] = (int16_t)rescaled(total, layer->multiplier[channel], layer->shift[channel], &layer->to);
    }
}
