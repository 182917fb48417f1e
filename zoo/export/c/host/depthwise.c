/* A convolution of each channel by itself: eight channels and four places of the kernel an instruction. */

/* The places that a kernel sees, (taps, kernel height), in fours; one beyond the edges of a map is `blank`. */
NAME_WITHIN
static inline void see_places(const int8_t **seen, const int8_t *const *frames, const int8_t *blank,
                              const NAME_conv *layer, int32_t top)
{
    const int32_t behind = -layer->taps * layer->kernel_height & 3;
    int32_t tap, row;

    for (tap = 0; tap < layer->taps; tap++) {
        for (row = top; row < top + layer->kernel_height; row++) {
            const int outside = frames[tap] == NULL || row < 0 || row >= layer->in_height;
            *seen++ = outside ? blank : frames[tap] + row * layer->in_channels;
        }
    }
    for (row = 0; row < behind; row++) {
        *seen++ = blank;
    }
}

NAME_WITHIN
static inline __m128i channels_at(const int8_t *values, int32_t count)
{
    uint64_t some = 0;
    int32_t i;

    if (count == 8) {
        return _mm_loadl_epi64((const __m128i *)(const void *)values);
    }
    for (i = 0; i < count; i++) {
        some |= (uint64_t)(uint8_t)values[i] << (8 * i);
    }
    return _mm_cvtsi64_si128((int64_t)some);
}

/* Four places of eight channels, a channel behind another. */
NAME_WITHIN
static inline __m256i seen_at(const int8_t *const *seen, int32_t channel, int32_t count)
{
    const __m128i one = _mm_unpacklo_epi8(channels_at(seen[0] + channel, count), channels_at(seen[1] + channel, count));
    const __m128i two = _mm_unpacklo_epi8(channels_at(seen[2] + channel, count), channels_at(seen[3] + channel, count));
    const __m256i all = _mm256_set_m128i(_mm_unpackhi_epi16(one, two), _mm_unpacklo_epi16(one, two));

    return _mm256_xor_si256(all, _mm256_set1_epi8(-128));
}

/* The outputs of a frame. */
NAME_APART
static void all_channels(int8_t *out, const NAME_conv *layer, const int8_t *const *seen, int32_t groups)
{
    const int32_t channels = layer->out_channels;
    NAME_block of;
    int32_t first, row, i;

    for (first = 0; first < channels; first += 8) {
        const int8_t *const *places = seen;
        begin(&of, layer->weights, layer->bias, layer->multiplier, layer->shift, groups, first, channels, &layer->to);
        for (row = 0; row < layer->out_height; row++) {
            NAME_sums sums = no_sums();
            for (i = 0; i < groups; i++, places += 4) {
                sums = with_products(sums, seen_at(places, first, of.count), of.weights + 32 * i);
            }
            put_eight(out + row * channels + first, sums, &of);
        }
    }
}

NAME_APART
static void depthwise(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t groups = (layer->taps * layer->kernel_height + 3) / 4;
    const int8_t *frames[NAME_PLACES], *seen[NAME_TALLEST * (NAME_PLACES + 3)];
    int8_t blank[NAME_WIDEST];
    int32_t frame, row, tap;

    memset(blank, layer->in_zero, (size_t)layer->in_channels);
    for (frame = 0; frame < layer->out_frames; frame++, out += layer->out_height * layer->out_channels) {
        for (tap = 0; tap < layer->taps; tap++) {
            frames[tap] = frame_of(layer, kept, values, frame * layer->stride + tap);
        }
        for (row = 0; row < layer->out_height; row++) {
            see_places(seen + 4 * groups * row, frames, blank, layer, row * layer->stride_height - layer->pad_top);
        }
        all_channels(out, layer, seen, groups);
    }
}
