static int8_t normalised(int32_t value, uint32_t coefficient)
{
    const int64_t scaled = ((int64_t)value - means[coefficient]) * multipliers[coefficient];
    const int64_t found = halved(scaled, shifts[coefficient]);

    return (int8_t)(found < -128 ? -128 : found > 127 ? 127 : found);
}

void NAME_frontend(NAME_t *self, int8_t *features)
{
    complex_t *spectrum = (complex_t *)self->spectrum;
    uint32_t peak = 0, up, i;

    for (i = 0; i < NAME_WINDOW; i++) {
        const int32_t sample = self->samples[i];
        const uint32_t size = (uint32_t)(sample < 0 ? -sample : sample);
        peak = size > peak ? size : peak;
    }
    up = bits_of(peak) < 15 ? 15 - bits_of(peak) : 0;
    load(spectrum, self->samples, up);
    transform(spectrum);
    log_mels(spectrum, self->mels, up);
    for (i = 0; i < NAME_COEFFICIENTS; i++) {
        features[i] = normalised(coefficient(self->mels, i), i);
    }
}
