/* A convolution of each channel by itself. Weights are in blocks of NAME_BLOCK channels, (taps, kernel height, channels
   of the block), each of which starts at a byte. */

static void depthwise_block(const NAME_conv *layer, const int8_t *kept, const int8_t *values, const int8_t *weights,
                            int32_t first, int32_t width, int8_t *out)
{
    int32_t frame, row, t, k, i;

    for (frame = 0; frame < layer->out_frames; frame++) {
        for (row = 0; row < layer->out_height; row++, out += layer->out_channels) {
            const int8_t *tap = weights;
            int32_t totals[NAME_BLOCK];
            memcpy(totals, layer->bias + first, (size_t)width * sizeof(totals[0]));
            for (t = 0; t < layer->taps; t++) {
                const int8_t *x = frame_of(layer, kept, values, frame * layer->stride + t);
                for (k = 0; k < layer->kernel_height; k++, tap += width) {
                    const int32_t place = row * layer->stride_height - layer->pad_top + k;
                    if (x != NULL && place >= 0 && place < layer->in_height) {
                        for (i = 0; i < width; i++) {
                            totals[i] += x[place * layer->in_channels + first + i] * tap[i];
                        }
                    } else {
                        for (i = 0; i < width; i++) {
                            totals[i] += layer->in_zero * tap[i];
                        }
                    }
                }
            }
            for (i = 0; i < width; i++) {
                out[i] = (int8_t)rescaled(totals[i], layer->multiplier[first + i], layer->shift[first + i], &layer->to);
            }
        }
    }
}

NAME_APART
static void depthwise(const NAME_conv *layer, const int8_t *kept, const int8_t *values, int8_t *out)
{
    const int32_t places = layer->taps * layer->kernel_height;
    const uint8_t *packed = layer->weights;
    int8_t weights[NAME_PLACES * NAME_BLOCK];
    int32_t first;

    for (first = 0; first < layer->out_channels; first += NAME_BLOCK) {
        const int32_t left = layer->out_channels - first, width = left < NAME_BLOCK ? left : NAME_BLOCK;
        unpack(weights, packed, (places * width), layer->bits, layer->odd);
        depthwise_block(layer, kept, values, weights, first, width, out + first);
        packed += (places * width * layer->bits + 7) / 8;
    }
}
