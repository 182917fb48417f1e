/* A convolution of each channel by itself. Weights are in blocks of NAME_BLOCK channels, (taps, kernel height, channels
   of the block), each of which starts at a byte. */

/* The places that the kernel sees: values, and places of the kernel. Beyond the edges of a map is its zero point, which
   adds nothing. */
typedef struct {
    const int8_t *values[NAME_PLACES];
    uint16_t places[NAME_PLACES];
    int32_t count;
} NAME_seen;

NAME_APART
static void see_places(NAME_seen *seen, const NAME_conv *layer, const int8_t *kept, const int8_t *values, int32_t frame,
                       int32_t top)
{
    const int32_t height = layer->kernel_height, below = layer->in_height - top;
    const int32_t from = top < 0 ? -top : 0, to = below < height ? below : height;
    int32_t tap, row;

    seen->count = 0;
    for (tap = 0; tap < layer->taps; tap++) {
        const int8_t *x = frame_of(layer, kept, values, frame + tap);
        for (row = from; x != NULL && row < to; row++) {
            seen->values[seen->count] = x + (top + row) * layer->in_channels;
            seen->places[seen->count++] = (uint16_t)(tap * height + row);
        }
    }
}

/* Weights of a block of channels, and constants of them all. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t first, width;  /* channel of the block, how many it has */
    int32_t offset, zero;  /* of values from those that were seen; their zero point */
    NAME_limits to;
} NAME_block;

#if defined(NAME_DSP)
#define NAME_SOME 4

/* Four channels, the first and the third product of a word by itself. */
NAME_WITHIN
static inline void add_some(int8_t *out, const NAME_seen *seen, const NAME_block *of, int32_t channel)
{
    const int16x2_t less = (int16x2_t)((uint32_t)(uint16_t)-of->zero * 0x10001U);
    const int32_t first = of->first + channel, from = first + of->offset;
    const int32_t *bias = of->bias + first, *multiplier = of->multiplier + first;
    const uint8_t *shift = of->shift + first;
    int32_t a = bias[0], b = bias[1], c = bias[2], d = bias[3], i;

    for (i = 0; i < seen->count; i++) {
        const uint32_t x = word_at(seen->values[i] + from);
        const uint32_t w = word_at(of->weights + seen->places[i] * of->width + channel);
        const int16x2_t even = __sxtab16(less, (int8x4_t)x), odd = __sadd16(less, (int16x2_t)odd_bytes(x));
        a = __smlabb((int32_t)even, (int32_t)even_bytes(w), a);
        b = __smlabb((int32_t)odd, (int32_t)odd_bytes(w), b);
        c = __smlatt((int32_t)even, (int32_t)even_bytes(w), c);
        d = __smlatt((int32_t)odd, (int32_t)odd_bytes(w), d);
    }
    out += first;
    out[0] = (int8_t)rescaled_within(a, multiplier[0], shift[0], &of->to);
    out[1] = (int8_t)rescaled_within(b, multiplier[1], shift[1], &of->to);
    out[2] = (int8_t)rescaled_within(c, multiplier[2], shift[2], &of->to);
    out[3] = (int8_t)rescaled_within(d, multiplier[3], shift[3], &of->to);
}
#else
#define NAME_SOME 8

NAME_WITHIN
static inline void add_some(int8_t *out, const NAME_seen *seen, const NAME_block *of, int32_t channel)
{
    const int32_t first = of->first + channel, from = first + of->offset;
    int32_t sums[NAME_SOME], i, k;

    memcpy(sums, of->bias + first, sizeof(sums));
    for (i = 0; i < seen->count; i++) {
        const int8_t *x = seen->values[i] + from, *w = of->weights + seen->places[i] * of->width + channel;
        for (k = 0; k < NAME_SOME; k++) {
            sums[k] += (x[k] - of->zero) * w[k];
        }
    }
    for (k = 0; k < NAME_SOME; k++) {
        out[first + k] = (int8_t)rescaled_within(sums[k], of->multiplier[first + k], of->shift[first + k], &of->to);
    }
}
#endif

NAME_APART
static void add_one(int8_t *out, const NAME_seen *seen, const NAME_block *of, int32_t channel)
{
    const int32_t first = of->first + channel, from = first + of->offset;
    int32_t total = of->bias[first], i;

    for (i = 0; i < seen->count; i++) {
        total += (seen->values[i][from] - of->zero) * of->weights[seen->places[i] * of->width + channel];
    }
    out[first] = (int8_t)rescaled_within(total, of->multiplier[first], of->shift[first], &of->to);
}

/* The channels of a block at one place. */
NAME_APART
static void add_block(int8_t *out, const NAME_seen *seen, const NAME_block *of)
{
    int32_t channel = 0;

    for (; channel + NAME_SOME <= of->width; channel += NAME_SOME) {
        add_some(out, seen, of, channel);
    }
    for (; channel < of->width; channel++) {
        add_one(out, seen, of, channel);
    }
}

/* Blocks of weights of 8 bits are all computed at a place, others one after another at all places. */
NAME_APART
static void depthwise(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t places = layer->taps * layer->kernel_height, channels = layer->out_channels;
    const int32_t together = layer->bits == 8 ? channels : NAME_BLOCK;
    NAME_block of = {NULL, layer->bias, layer->multiplier, layer->shift, 0, 0, 0, layer->in_zero, layer->to};
    const uint8_t *packed = layer->weights;
    int8_t buffer[NAME_BLOCK_BUFFER + 7];
    NAME_seen seen;
    int32_t from, frame, row, seen_at;

    for (from = 0; from < channels; from += together) {
        const int32_t end = from + together < channels ? from + together : channels;
        const int8_t *weights = unpacked(buffer, packed, places * (end - from), layer->bits, layer->odd);
        int8_t *place = out;
        for (frame = 0; frame < layer->out_frames; frame++) {
            for (row = 0, seen_at = -1; row < layer->out_height; row++, place += channels) {
                const int32_t top = row * layer->stride_height - layer->pad_top;
                if (seen_at < 0 || top + layer->kernel_height > layer->in_height) {
                    see_places(&seen, layer, kept, values, frame * layer->stride, top);
                    seen_at = top;
                }
                of.offset = (top - seen_at) * channels;
                for (of.first = from; of.first < end; of.first += NAME_BLOCK) {
                    of.width = channels - of.first < NAME_BLOCK ? channels - of.first : NAME_BLOCK;
                    of.weights = weights + places * (of.first - from);
                    add_block(place, &seen, &of);
                }
            }
        }
        packed += (places * NAME_BLOCK * layer->bits + 7) / 8;
    }
}
