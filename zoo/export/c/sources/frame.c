/* A window of samples is there: its features, and an answer where they complete a step. */
static int frame(NAME_t *self)
{
    uint32_t i;

    NAME_frontend(self, self->features + self->frames * NAME_COEFFICIENTS);
    for (i = 0; i < NAME_OVERLAP; i++) {
        self->samples[i] = self->samples[i + NAME_HOP];
    }
    self->filled = 0;
    self->frames = (uint16_t)(self->frames + 1 == NAME_STEP ? 0 : self->frames + 1);
    if (self->frames > 0) {
        return 0;
    }
    network(self);
    return 1;
}
