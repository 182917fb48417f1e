/* The average of the last frames: a ring of them, and the sums of what is in it. */
NAME_APART
static void average(const NAME_pool *layer, NAME_ring *ring, int8_t *frames, const int8_t *values, int8_t *out)
{
    int8_t *oldest = frames + ring->next * layer->channels;
    int32_t i;

    for (i = 0; i < layer->channels; i++) {
        ring->sums[i] += values[i] - oldest[i];
        oldest[i] = values[i];
        out[i] = (int8_t)rescaled(ring->sums[i], layer->multiplier, layer->shift, &layer->to);
    }
    ring->next = ring->next + 1 == layer->places ? 0 : ring->next + 1;
}
