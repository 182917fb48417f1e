/* A residual sum: both inputs at one shift, rounded once, written over the first. */
NAME_APART
static void add(const NAME_add *layer, const int8_t *first, const int8_t *second, int8_t *out)
{
    int32_t i;

    for (i = 0; i < layer->count; i++) {
        int64_t exact = (int64_t)(first[i] - layer->first_zero) * layer->first_multiplier
                      + (int64_t)(second[i] - layer->second_zero) * layer->second_multiplier
                      + ((int64_t)1 << (layer->shift - 1));
        int64_t value = (exact >> layer->shift) + layer->to.zero;
        out[i] = (int8_t)(value < layer->to.low ? layer->to.low : value > layer->to.high ? layer->to.high : value);
    }
}
