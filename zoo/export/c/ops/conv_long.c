/* A convolution with long rows of weights: some values of a row at a time, of NAME_LONG_CHANNELS outputs, so that neither
   weights nor values take much stack. */

/* So many values of what the outputs at one place are computed from, from the one numbered `first` on. */
static void see_part(NAME_windows *windows, const NAME_conv *layer, const int8_t *kept, const int8_t *values,
                     int32_t frame, int32_t top, int32_t first, int32_t count)
{
    const int32_t channels = layer->in_channels, across = layer->kernel_height * channels;
    int32_t at = 0;

    while (at < count) {
        const int32_t tap = (first + at) / across, row = (first + at) % across / channels, skip = (first + at) % channels;
        const int32_t left = channels - skip, some = left < count - at ? left : count - at;
        const int8_t *x = frame_of(layer, kept, values, frame + tap);
        if (x == NULL || top + row < 0 || top + row >= layer->in_height) {
            blank(windows, 0, at, some);
        } else {
            widen(windows, 0, at, x + (top + row) * channels + skip, layer->in_zero, some);
        }
        at += some;
    }
}

/* Add the products of some values of each row. packed: those weights of the first row. */
static void add_part(int32_t *sums, const NAME_conv *layer, const uint8_t *packed, int32_t bytes, int32_t rows,
                     const NAME_windows *windows, int32_t count)
{
    int8_t buffer[NAME_LONG_VALUES + 7];
    int32_t row;

    for (row = 0; row < rows; row++, packed += bytes) {
        sums[row] = product(sums[row], unpacked(buffer, packed, count, layer->bits, layer->odd), windows, 0, count);
    }
}

NAME_APART
static void conv_long(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t length = layer->taps * layer->kernel_height * layer->in_channels, channels = layer->out_channels;
    const int32_t bytes = (length * layer->bits + 7) / 8, places = layer->out_frames * layer->out_height;
    NAME_windows windows;
    int32_t place, channel, first, row;

    for (place = 0; place < places; place++, out += channels) {
        const int32_t frame = place / layer->out_height * layer->stride;
        const int32_t top = place % layer->out_height * layer->stride_height - layer->pad_top;
        for (channel = 0; channel < channels; channel += NAME_LONG_CHANNELS) {
            const int32_t left = channels - channel, rows = left < NAME_LONG_CHANNELS ? left : NAME_LONG_CHANNELS;
            int32_t sums[NAME_LONG_CHANNELS] = {0};
            for (first = 0; first < length; first += NAME_LONG_VALUES) {
                const int32_t count = length - first < NAME_LONG_VALUES ? length - first : NAME_LONG_VALUES;
                see_part(&windows, layer, kept, values, frame, top, first, count);
                add_part(sums, layer, layer->weights + channel * bytes + first * layer->bits / 8, bytes, rows, &windows,
                         count);
            }
            for (row = channel; row < channel + rows; row++) {
                out[row] = (int8_t)rescaled(sums[row - channel] + layer->bias[row], layer->multiplier[row],
                                            layer->shift[row], &layer->to);
            }
        }
    }
}
