/* A convolution over (frames, height) of maps with their channels side by side. Weights of one output channel are one
   row, (taps, kernel height, channels), which starts at a byte. */

/* Some output channels at one place. Beyond the edges of a map is its zero point, which adds nothing. */
static void add_place(int32_t *sums, const NAME_conv *layer, const int8_t *kept, const int8_t *values,
                      const NAME_rows *rows, int32_t frame, int32_t top)
{
    const int32_t channels = layer->in_channels, height = layer->kernel_height, below = layer->in_height - top;
    const int32_t from = top < 0 ? -top : 0, count = ((below < height ? below : height) - from) * channels;
    int32_t tap;

    for (tap = 0; tap < layer->taps; tap++) {
        const int8_t *x = frame_of(layer, kept, values, frame + tap);
        if (x != NULL) {
            x += (top + from) * channels;
            add_products(sums, rows, (tap * height + from) * channels, x, layer->in_zero, count);
        }
    }
}

NAME_APART
static void conv(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t length = layer->taps * layer->kernel_height * layer->in_channels, channels = layer->out_channels;
    const uint8_t *packed = layer->weights;
    int8_t buffer[NAME_BUFFER + 7];
    int32_t channel = 0, frame, row;

    while (channel < channels) {
        const NAME_rows rows = rows_of(buffer, packed, length, channels - channel, layer->bits, layer->odd);
        int8_t *place = out + channel;
        for (frame = 0; frame < layer->out_frames; frame++) {
            for (row = 0; row < layer->out_height; row++, place += channels) {
                int32_t sums[NAME_ROWS] = {0};
                add_place(sums, layer, kept, values, &rows, frame * layer->stride,
                          row * layer->stride_height - layer->pad_top);
                rescale(place, sums, layer->bias + channel, layer->multiplier + channel, layer->shift + channel,
                        rows.count, &layer->to);
            }
        }
        packed += rows.count * ((length * layer->bits + 7) / 8);
        channel += rows.count;
    }
}
