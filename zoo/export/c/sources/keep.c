/* Keep the last frames that a convolution looks back on. */
static void keep(const conv_t *layer, int8_t *before, const int8_t *values)
{
    const int32_t size = layer->in_height * layer->in_channels, kept = layer->kept * size, new = layer->frames * size;
    int32_t i;

    for (i = 0; i + new < kept; i++) {
        before[i] = before[i + new];
    }
    memcpy(before + i, values + new - (kept - i), (size_t)(kept - i));
}
