/* The samples themselves, in 8 bits: what is louder is cut off. */
void NAME_frontend(NAME_t *self, int8_t *features)
{
    int32_t i;

    for (i = 0; i < NAME_WINDOW; i++) {
        const int32_t product = self->samples[i] * NAME_GAIN + 32768;
        const int32_t found = product >= 0 ? product >> 16 : ~(~product >> 16);
        features[i] = (int8_t)(found < -128 ? -128 : found > 127 ? 127 : found);
    }
}
