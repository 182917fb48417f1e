/* A convolution over (frames, height) of maps with their channels side by side. Weights of one output channel are one
   row, (taps, kernel height, channels), which starts at a byte. */

static int32_t sum_of_weights(const int8_t *weights, int32_t count)
{
    int32_t total = 0, i;

    for (i = 0; i < count; i++) {
        total += weights[i];
    }
    return total;
}

/* One output channel at one place; beyond the edges of a map all is the zero point of its values. */
static int32_t product(const NAME_conv *layer, const int8_t *kept, const int8_t *values, const int8_t *weights,
                       int32_t frame, int32_t row)
{
    const int32_t channels = layer->in_channels, all = layer->kernel_height * channels;
    const int32_t above = row < 0 ? -row : 0, low = row + layer->kernel_height - layer->in_height;
    const int32_t first = above * channels, last = (layer->kernel_height - (low > 0 ? low : 0)) * channels;
    int32_t total = 0, tap;

    for (tap = 0; tap < layer->taps; tap++, weights += all) {
        const int8_t *x = frame_of(layer, kept, values, frame + tap);
        if (x == NULL) {
            total += layer->in_zero * sum_of_weights(weights, all);
            continue;
        }
        total += dot(x + (row + above) * channels, weights + first, last - first);
        if (last - first < all) {
            total += layer->in_zero * sum_of_weights(weights, first);
            total += layer->in_zero * sum_of_weights(weights + last, all - last);
        }
    }
    return total;
}

NAME_APART
static void conv(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
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
        for (frame = 0; frame < layer->out_frames; frame++) {
            for (row = 0; row < layer->out_height; row++, place += layer->out_channels) {
                const int32_t total = layer->bias[channel] + product(layer, kept, values, weights, frame * layer->stride,
                                                                     row * layer->stride_height - layer->pad_top);
                *place = (int8_t)rescaled(total, layer->multiplier[channel], layer->shift[channel], &layer->to);
            }
        }
    }
}
