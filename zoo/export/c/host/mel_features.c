static int8_t normalised(int32_t value, uint32_t coefficient)
{
    const int64_t scaled = ((int64_t)value - means[coefficient]) * multipliers[coefficient];
    const int64_t found = halved(scaled, shifts[coefficient]);

    return (int8_t)(found < -128 ? -128 : found > 127 ? 127 : found);
}

void NAME_frontend(NAME_t *self, int8_t *features)
{
    complex_t windowed[NAME_HALF], room[NAME_HALF + 8] = {{0, 0}}, *const spectrum = room + 4; /* read in fours */
    int32_t peak = 0, i;
    uint32_t up, place;

    for (i = 0; i < NAME_WINDOW; i++) {
        const int32_t sample = self->samples[i], size = sample < 0 ? -sample : sample;
        peak = size > peak ? size : peak;
    }
    up = bits_of((uint32_t)peak) < 15 ? 15 - bits_of((uint32_t)peak) : 0;
    load(windowed, self->samples, up);
    transform(spectrum, windowed);
    spectrum[NAME_HALF] = spectrum[0];
    log_mels(spectrum, self->mels, up);
    for (place = 0; place < NAME_COEFFICIENTS; place++) {
        features[place] = normalised(coefficient(self->mels, place), place);
    }
}
