/* A convolution of each channel by itself. Weights are in blocks of NAME_BLOCK channels, (taps, kernel height, channels
   of the block), each of which starts at a byte. */

static inline void add_tap(int32_t *restrict sums, const int8_t *restrict x, const int8_t *restrict weights,
                           int32_t zero, int32_t width)
{
    int32_t i;

    for (i = 0; i < width; i++) {
        sums[i] += (int16_t)(x[i] - zero) * weights[i];
    }
}

/* The channels of a block from `first` on at one place. Beyond the edges of a map is its zero point, which adds
   nothing. */
static inline void add_taps(int32_t *sums, const NAME_conv *layer, const int8_t *kept, const int8_t *values,
                            const int8_t *weights, int32_t first, int32_t width, int32_t frame, int32_t top)
{
    const int32_t height = layer->kernel_height;
    int32_t t, k;

    for (t = 0; t < layer->taps; t++) {
        const int8_t *x = frame_of(layer, kept, values, frame + t);
        for (k = 0; k < height; k++, weights += width) {
            if (x != NULL && top + k >= 0 && top + k < layer->in_height) {
                add_tap(sums, x + (top + k) * layer->in_channels + first, weights, layer->in_zero, width);
            }
        }
    }
}

NAME_APART
static void depthwise(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t places = layer->taps * layer->kernel_height, channels = layer->out_channels;
    const uint8_t *packed = layer->weights;
    int8_t buffer[NAME_PLACES * NAME_BLOCK + 7];
    int32_t first, frame, row;

    for (first = 0; first < channels; first += NAME_BLOCK) {
        const int32_t width = channels - first < NAME_BLOCK ? channels - first : NAME_BLOCK;
        const int8_t *weights = unpacked(buffer, packed, places * width, layer->bits, layer->odd);
        int8_t *place = out + first;
        for (frame = 0; frame < layer->out_frames; frame++) {
            for (row = 0; row < layer->out_height; row++, place += channels) {
                const int32_t from = frame * layer->stride, top = row * layer->stride_height - layer->pad_top;
                int32_t sums[NAME_BLOCK] = {0};
                if (width == NAME_BLOCK) { /* a number that compilers know */
                    add_taps(sums, layer, kept, values, weights, first, NAME_BLOCK, from, top);
                } else {
                    add_taps(sums, layer, kept, values, weights, first, width, from, top);
                }
                rescale(place, sums, layer->bias + first, layer->multiplier + first, layer->shift + first, width,
                        &layer->to);
            }
        }
        packed += (places * width * layer->bits + 7) / 8;
    }
}
