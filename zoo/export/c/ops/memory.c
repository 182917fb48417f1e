/* Linear memories: the coefficients of each channel go on by a frame, in Q14, and are rounded once. Behind them stand the
   channels of one coefficient side by side. */
NAME_APART
static void memory(const NAME_memory *layer, int16_t *state, const int8_t *values, int8_t *out)
{
    const int32_t order = layer->order, channels = layer->channels;
    int32_t frame, channel, i, j;

    for (frame = 0; frame < layer->frames; frame++, values += channels, out += order * channels) {
        for (channel = 0; channel < channels; channel++) {
            const int32_t input = 64 * (values[channel] - layer->in_zero);
            const int16_t *factors = layer->transition;
            int16_t *kept = state + channel * order, next[NAME_ORDER];
            for (i = 0; i < order; i++, factors += order + 1) {
                int32_t total = 8192 + factors[order] * input;
                for (j = 0; j < order; j++) {
                    total += factors[j] * kept[j];
                }
                total >>= 14;
                next[i] = (int16_t)(total < -32768 ? -32768 : total > 32767 ? 32767 : total);
                out[i * channels + channel] = (int8_t)rescaled_within(next[i], layer->multiplier, layer->shift, &layer->to);
            }
            memcpy(kept, next, (size_t)order * sizeof(next[0]));
        }
    }
}
