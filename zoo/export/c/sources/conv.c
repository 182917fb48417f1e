/* A convolution over (frames, height) of maps with their channels side by side. Weights of one output channel are one
   row, (taps, kernel height, channels), which starts at a byte. */

static const int8_t *frame_of(const conv_t *layer, const int8_t *before, const int8_t *values, int32_t frame)
{
    const int32_t size = layer->in_height * layer->in_channels;

    return frame < layer->kept ? before + frame * size : values + (frame - layer->kept) * size;
}

/* One output channel at one place; what lies above or below the map has the zero point of its values. */
static int32_t window(const conv_t *layer, const int8_t *before, const int8_t *values, const int8_t *weights,
                      int32_t frame, int32_t row)
{
    const int32_t channels = layer->in_channels;
    const int32_t first = row < 0 ? -row : 0;
    const int32_t below = row + layer->kernel_height - layer->in_height;
    const int32_t rows = layer->kernel_height - first - (below > 0 ? below : 0);
    const int8_t *tap = weights;
    int32_t total = 0, t, i;

    for (t = 0; t < layer->taps; t++, tap += layer->kernel_height * channels) {
        const int8_t *x = frame_of(layer, before, values, frame + t) + (row + first) * channels;
        total += dot(x, tap + first * channels, (rows * channels));
        for (i = 0; i < first * channels; i++) {
            total += layer->in_zero * tap[i];
        }
        for (i = (first + rows) * channels; i < layer->kernel_height * channels; i++) {
            total += layer->in_zero * tap[i];
        }
    }
    return total;
}

static void conv(const conv_t *layer, const int8_t *before, const int8_t *values, int8_t *out)
{
    const int32_t count = layer->taps * layer->kernel_height * layer->in_channels;
    const uint8_t *packed = layer->weights;
    int8_t unpacked[NAME_ROW];
    int32_t channel, frame, row;

    for (channel = 0; channel < layer->out_channels; channel++, packed += (count * layer->bits + 7) / 8) {
        const int8_t *weights = (const int8_t *)packed;
        int8_t *place = out + channel;
        if (layer->bits < 8) {
            unpack(unpacked, packed, count, layer->bits, layer->odd);
            weights = unpacked;
        }
        for (frame = 0; frame < layer->frames; frame += layer->stride) {
            for (row = 0; row < layer->out_height; row++, place += layer->out_channels) {
                int32_t total = layer->bias[channel] + window(layer, before, values, weights, frame,
                                                              row * layer->stride_height - layer->pad_top);
                *place = (int8_t)rescaled(total, layer->multiplier[channel], layer->shift[channel], &layer->to);
            }
        }
    }
}
