/* The average over all places of a map. */
NAME_APART
static void pool(const NAME_pool *layer, const int8_t *values, int8_t *out)
{
    int32_t channel, place;

    for (channel = 0; channel < layer->channels; channel++) {
        int32_t total = 0;
        for (place = 0; place < layer->places; place++) {
            total += values[place * layer->channels + channel] - layer->in_zero;
        }
        out[channel] = (int8_t)rescaled(total, layer->multiplier, layer->shift, &layer->to);
    }
}
