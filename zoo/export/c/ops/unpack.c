/* Weights of 1 to 8 bits, least significant bits first. Codes u stand for 2 u - (2^bits - 1) on the odd grid, else they
   are two's complement. */

/* Those of whole bytes; what is left of the last is written, too. */
static inline void unpack_bytes(int8_t *restrict weights, const uint8_t *restrict packed, int32_t bytes, int32_t bits,
                                int32_t flip, int32_t odd, int32_t low)
{
    const int32_t each = 8 / bits, most = (1 << bits) - 1;
    int32_t i, k;

    for (i = 0; i < bytes; i++) {
        for (k = 0; k < each; k++) {
            weights[i * each + k] = (int8_t)((((packed[i] >> (k * bits) & most) ^ flip) << odd) - low);
        }
    }
}

static void unpack_any(int8_t *weights, const uint8_t *packed, int32_t count, int32_t bits, int32_t flip, int32_t odd,
                       int32_t low)
{
    const int32_t most = (1 << bits) - 1;
    uint32_t buffer = 0;
    int32_t held = 0, i;

    for (i = 0; i < count; i++) {
        if (held < bits) {
            buffer |= (uint32_t)*packed++ << held;
            held += 8;
        }
        weights[i] = (int8_t)(((((int32_t)buffer & most) ^ flip) << odd) - low);
        buffer >>= bits;
        held -= bits;
    }
}

/* As many as there are, and up to 7 more, in the buffer; those of 8 bits where they are. */
NAME_APART
static const int8_t *unpacked(int8_t *buffer, const uint8_t *packed, int32_t count, int32_t bits, int32_t odd)
{
    const int32_t half = 1 << (bits - 1), flip = odd ? 0 : half, low = odd ? 2 * half - 1 : half;
    const int32_t bytes = (count * bits + 7) / 8;

    switch (bits) {
    case 1: unpack_bytes(buffer, packed, bytes, 1, flip, odd, low); break;
    case 2: unpack_bytes(buffer, packed, bytes, 2, flip, odd, low); break;
    case 4: unpack_bytes(buffer, packed, bytes, 4, flip, odd, low); break;
    case 8: return (const int8_t *)packed;
    default: unpack_any(buffer, packed, count, bits, flip, odd, low);
    }
    return buffer;
}
