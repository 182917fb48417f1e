/* A convolution over (frames, height) of maps with their channels side by side. */

/* What the outputs at one place are computed from. Beyond the edges of a map is its zero point. */
NAME_WITHIN
static inline void see(uint8_t *window, int32_t span, const NAME_conv *layer, const int8_t *kept, const int8_t *values,
                       int32_t frame, int32_t top)
{
    const int32_t channels = layer->in_channels, height = layer->kernel_height, across = height * channels;
    const int32_t below = layer->in_height - top;
    const int32_t from = top < 0 ? -top : 0, count = ((below < height ? below : height) - from) * channels;
    int32_t tap;

    memset(window + span - 4, 0, 4); /* behind the last are no weights */
    for (tap = 0; tap < layer->taps; tap++, window += across) {
        const int8_t *x = frame_of(layer, kept, values, frame + tap);
        if (x == NULL || count < across) {
            memset(window, layer->in_zero + 128, (size_t)across);
        }
        if (x != NULL) {
            raise(window + from * channels, x + (top + from) * channels, count);
        }
    }
}

/* A block of outputs at one place, whose weights are read behind each other. */
NAME_WITHIN
static inline void one_place(int8_t *out, const NAME_block *of, const uint8_t *x)
{
    NAME_sums sums = no_sums();
    int32_t i;

    for (i = 0; i < of->groups; i++) {
        sums = with_products(sums, values_at(x + 4 * i), of->weights + 32 * i);
    }
    put_eight(out, sums, of);
}

/* At four places, which share them. */
NAME_WITHIN
static inline void four_places(int8_t *out, const NAME_block *of, const uint8_t *x, int32_t span, int32_t apart)
{
    NAME_sums a = no_sums(), b = no_sums(), c = no_sums(), d = no_sums();
    int32_t i;

    for (i = 0; i < of->groups; i++) {
        const uint8_t *weights = of->weights + 32 * i;
        a = with_products(a, values_at(x + 4 * i), weights);
        b = with_products(b, values_at(x + span + 4 * i), weights);
        c = with_products(c, values_at(x + 2 * span + 4 * i), weights);
        d = with_products(d, values_at(x + 3 * span + 4 * i), weights);
    }
    put_eight(out, a, of);
    put_eight(out + apart, b, of);
    put_eight(out + 2 * apart, c, of);
    put_eight(out + 3 * apart, d, of);
}

/* All outputs at some places. */
NAME_APART
static void multiply(int8_t *out, const NAME_conv *layer, const uint8_t *windows, int32_t span, int32_t places)
{
    const int32_t channels = layer->out_channels;
    NAME_block of;
    int32_t first, place;

    for (first = 0; first < channels; first += 8) {
        begin(&of, layer->weights, layer->bias, layer->multiplier, layer->shift, span / 4, first, channels, &layer->to);
        for (place = 0; place + 4 <= places; place += 4) {
            four_places(out + place * channels + first, &of, windows + place * span, span, channels);
        }
        for (; place < places; place++) {
            one_place(out + place * channels + first, &of, windows + place * span);
        }
    }
}

NAME_APART
static void conv(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t length = layer->taps * layer->kernel_height * layer->in_channels, span = (length + 3) / 4 * 4;
    uint8_t windows[NAME_SHARED * NAME_SPAN];
    int32_t seen = 0, frame, row;

    for (frame = 0; frame < layer->out_frames; frame++) {
        for (row = 0; row < layer->out_height; row++) {
            see(windows + seen * span, span, layer, kept, values, frame * layer->stride,
                row * layer->stride_height - layer->pad_top);
            if (++seen == NAME_SHARED) {
                multiply(out, layer, windows, span, seen);
                out += seen * layer->out_channels, seen = 0;
            }
        }
    }
    if (seen > 0) {
        multiply(out, layer, windows, span, seen);
    }
}
