/* A frame that a convolution reads, counted from the first that its first output looks back on; NULL for one beyond the
   ends of a clip, which has the zero point. */
NAME_WITHIN
static inline const int8_t *frame_of(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int32_t frame)
{
    const int32_t size = layer->in_height * layer->in_channels;

    if (frame < layer->before) {
        return kept == NULL ? NULL : kept + frame * size;
    }
    return frame - layer->before < layer->frames ? values + (frame - layer->before) * size : NULL;
}
