/* A map times one factor a channel, rounded once, written over the map. */
NAME_APART
static void scale(const NAME_scale *layer, const int8_t *values, const int8_t *factors, int8_t *out)
{
    int32_t place, i;

    for (place = 0; place < layer->places; place++, values += layer->channels, out += layer->channels) {
        for (i = 0; i < layer->channels; i++) {
            int32_t product = (values[i] - layer->map_zero) * (factors[i] - layer->factor_zero);
            out[i] = (int8_t)rescaled(product, layer->multiplier, layer->shift, &layer->to);
        }
    }
}
