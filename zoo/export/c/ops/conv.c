/* A convolution over (frames, height) of maps with their channels side by side. Weights of one output channel are one
   row, (taps, kernel height, channels), which starts at a byte. */

/* What the outputs at one place are computed from. Beyond the edges of a map is its zero point. */
NAME_APART
static void see(NAME_windows *windows, int32_t window, const NAME_conv *layer, const int8_t *kept, const int8_t *values,
                int32_t frame, int32_t top)
{
    const int32_t channels = layer->in_channels, height = layer->kernel_height, across = height * channels;
    const int32_t below = layer->in_height - top;
    const int32_t from = top < 0 ? -top : 0, count = ((below < height ? below : height) - from) * channels;
    int32_t tap;

    for (tap = 0; tap < layer->taps; tap++) {
        const int8_t *x = frame_of(layer, kept, values, frame + tap);
        if (x == NULL || count < across) {
            blank(windows, window, tap * across, across);
        }
        if (x != NULL) {
            const int32_t first = tap * across + from * channels, at = (top + from) * channels;
            widen(windows, window, first, x + at, layer->in_zero, count);
        }
    }
}

NAME_APART
static void conv(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t length = layer->taps * layer->kernel_height * layer->in_channels, channels = layer->out_channels;
    const int32_t most = length <= NAME_SPAN ? NAME_COLUMNS : 1;
    const uint8_t *packed = layer->weights;
    NAME_rows rows = {NULL, layer->bias, layer->multiplier, layer->shift, length, 0, layer->to};
    NAME_windows windows;
    int8_t buffer[NAME_BUFFER + 7];
    int32_t channel = 0, frame, row;

    while (channel < channels) {
        const int32_t count = next_rows(&rows, buffer, packed, channels - channel, layer->bits, layer->odd);
        int8_t *place = out + channel;
        int32_t seen = 0;
        for (frame = 0; frame < layer->out_frames; frame++) {
            for (row = 0; row < layer->out_height; row++) {
                const int32_t top = row * layer->stride_height - layer->pad_top;
                see(&windows, seen, layer, kept, values, frame * layer->stride, top);
                if (++seen == most) {
                    multiply(place, &rows, &windows, seen, channels);
                    place += seen * channels, seen = 0;
                }
            }
        }
        if (seen > 0) {
            multiply(place, &rows, &windows, seen, channels);
        }
        packed += count * ((length * layer->bits + 7) / 8);
        channel += count, rows.bias += count, rows.multiplier += count, rows.shift += count;
    }
}
