/* Keep the last frames that a convolution looks back on. */
NAME_APART
static void keep(const NAME_conv *layer, int8_t *state, const int8_t *values)
{
    const int32_t size = layer->in_height * layer->in_channels, kept = layer->before * size, new = layer->frames * size;
    int32_t i;

    for (i = 0; i + new < kept; i++) {
        state[i] = state[i + new];
    }
    memcpy(state + i, values + new - (kept - i), (size_t)(kept - i));
}
