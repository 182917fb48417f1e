/* A convolution of each channel by itself: eight channels and four places of the kernel an instruction. */

/* The places that a kernel sees, (taps, kernel height); one beyond the edges of a map is `blank`. */
NAME_WITHIN
static inline void see_places(const int8_t **seen, const int8_t *const *frames, const int8_t *blank,
                              const NAME_conv *layer, int32_t top)
{
    int32_t tap, row;

    for (tap = 0; tap < layer->taps; tap++) {
        for (row = top; row < top + layer->kernel_height; row++) {
            const int outside = frames[tap] == NULL || row < 0 || row >= layer->in_height;
            *seen++ = outside ? blank : frames[tap] + row * layer->in_channels;
        }
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

NAME_APART
static void all_channels(int8_t *out, const NAME_conv *layer, const int8_t *const *seen, int32_t groups)
{
    NAME_block of;
    int32_t first, i;

    for (first = 0; first < layer->out_channels; first += 8) {
        NAME_sums sums = no_sums();
        begin(&of, layer->weights, layer->bias, layer->multiplier, layer->shift, groups, first, layer->out_channels,
              &layer->to);
        for (i = 0; i < groups; i++) {
            sums = with_products(sums, seen_at(seen + 4 * i, first, of.count), of.weights + 32 * i);
        }
        put_eight(out + first, sums, &of);
    }
}

NAME_APART
static void depthwise(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t places = layer->taps * layer->kernel_height, groups = (places + 3) / 4;
    const int8_t *frames[NAME_PLACES], *seen[NAME_PLACES + 3];
    int8_t blank[NAME_WIDEST];
    int32_t frame, row, i;

    memset(blank, layer->in_zero, (size_t)layer->in_channels);
    for (i = places; i < 4 * groups; i++) {
        seen[i] = blank;
    }
    for (frame = 0; frame < layer->out_frames; frame++) {
        for (i = 0; i < layer->taps; i++) {
            frames[i] = frame_of(layer, kept, values, frame * layer->stride + i);
        }
        for (row = 0; row < layer->out_height; row++, out += layer->out_channels) {
            see_places(seen, frames, blank, layer, row * layer->stride_height - layer->pad_top);
            all_channels(out, layer, seen, groups);
        }
    }
}
