/* Both bytes of each sample, the low one first, each with a sign. */
void NAME_frontend(NAME_t *self, int8_t *features)
{
    int32_t i;

    for (i = 0; i < NAME_WINDOW; i++) {
        const int32_t low = ((self->samples[i] & 255) ^ 128) - 128;
        features[2 * i] = (int8_t)low;
        features[2 * i + 1] = (int8_t)((self->samples[i] - (self->samples[i] & 255)) / 256);
    }
}
