/* A bank of filters over samples, which are two bytes each, the low one first. */

static void samples_of(int16_t *samples, const int8_t *bytes, int32_t count)
{
    int32_t i;

    for (i = 0; i < count; i++) {
        samples[i] = (int16_t)(bytes[2 * i + 1] * 256 + (uint8_t)bytes[2 * i]);
    }
}

/* The size of a sum of products. Taps are a multiple of four. */
NAME_APART
static uint32_t size_of(const int8_t *weights, const int16_t *samples, int32_t taps)
{
    int32_t sum = 0, i;

#if defined(NAME_DSP)
    for (i = 0; i < taps; i += 4) {
        const uint32_t word = word_at(weights + i);
        uint32_t pairs[2];
        memcpy(pairs, samples + i, sizeof(pairs));
        sum = __smlad((int16x2_t)((pairs[0] & 0xffffU) | pairs[1] << 16), (int16x2_t)even_bytes(word), sum);
        sum = __smlad((int16x2_t)(pairs[0] >> 16 | (pairs[1] & 0xffff0000U)), (int16x2_t)odd_bytes(word), sum);
    }
#else
    for (i = 0; i < taps; i++) {
        sum += samples[i] * weights[i];
    }
#endif
    return (uint32_t)(sum < 0 ? -sum : sum);
}

/* To base 2, 16 bits behind the point: a table of 128 steps, and a straight line between them. */
static int32_t log_of_size(uint32_t value, const uint16_t *table)
{
    int32_t whole = 31, step, low, high;

    for (; value < 0x80000000U; value <<= 1) {
        whole--;
    }
    step = value >> 24 & 127;
    low = table[step];
    high = step == 127 ? 65536 : table[step + 1];
    return whole * 65536 + low + (((high - low) * (int32_t)(value >> 8 & 65535) + 32768) >> 16);
}

/* One frame. heard: its samples, behind those that are looked back on. */
static void filter_frame(const NAME_filters *layer, const int16_t *heard, int8_t *out)
{
    const int32_t taps = layer->taps, floor_bits = layer->floor_bits;
    const uint8_t *packed = layer->weights;
    int8_t buffer[NAME_BUFFER + 7];
    int32_t channel, place;

    for (channel = 0; channel < layer->out_channels; channel++, packed += (taps * layer->bits + 7) / 8) {
        const int8_t *weights = unpacked(buffer, packed, taps, layer->bits, layer->odd);
        uint64_t total = 0;
        int32_t level;
        for (place = 0; place < layer->places; place++) {
            total += size_of(weights, heard + place * layer->stride, taps);
        }
        level = log_of_size((uint32_t)(total >> layer->fall) + (1U << floor_bits), layer->logarithms);
        out[channel] = (int8_t)rescaled(level - floor_bits * 65536 + layer->bias[channel], layer->multiplier[channel],
                                        layer->shift[channel], &layer->to);
    }
}

/* The last samples that were kept, and behind them those of a frame. */
static void keep_samples(int8_t *kept, const int8_t *values, int32_t before, int32_t count)
{
    const int32_t left = before > count ? before - count : 0, new = before - left;

    memmove(kept, kept + 2 * (before - left), (size_t)(2 * left));
    memcpy(kept + 2 * left, values + 2 * (count - new), (size_t)(2 * new));
}

NAME_APART
static void filters(const NAME_filters *layer, int8_t *kept, const int8_t *values, int8_t *out)
{
    int16_t heard[NAME_HEARD];
    int32_t frame;

    for (frame = 0; frame < layer->frames; frame++) {
        samples_of(heard, kept, layer->kept);
        samples_of(heard + layer->kept, values, layer->samples);
        filter_frame(layer, heard, out);
        keep_samples(kept, values, layer->kept, layer->samples);
        values += 2 * layer->samples;
        out += layer->out_channels;
    }
}
