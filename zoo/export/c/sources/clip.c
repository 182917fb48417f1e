void NAME_reset(NAME_t *self)
{
    memset(self, 0, sizeof(*self));
    reset_network(self);
}

/* A window of samples is there: its features. Gives whether the clip is whole. */
static int frame(NAME_t *self)
{
    int32_t i;

    NAME_frontend(self, self->arena + @INPUT + self->frames * NAME_COEFFICIENTS);
    for (i = 0; i < NAME_OVERLAP; i++) {
        self->samples[i] = self->samples[i + NAME_HOP];
    }
    self->filled = 0;
    self->frames++;
    return self->frames == NAME_CLIP_FRAMES;
}

size_t NAME_answer(NAME_t *self, const int16_t *samples, size_t count, int32_t *label, uint32_t *score)
{
    uint16_t scores[NAME_CLASSES];
    size_t used = 0;
    int32_t i;

    *label = -1;
    *score = 0;
    while (used < count) {
        const size_t missing = (size_t)NAME_HOP - self->filled;
        const size_t taken = count - used < missing ? count - used : missing;
        memcpy(self->samples + NAME_OVERLAP + self->filled, samples + used, taken * sizeof(samples[0]));
        self->filled = (uint16_t)(self->filled + taken);
        used += taken;
        if (taken == missing && frame(self)) {
            break;
        }
    }
    if (self->frames < NAME_CLIP_FRAMES) {
        return used;
    }
    network(self);
    scores_of(self->logits, scores);
    for (i = 0; i < NAME_CLASSES; i++) {
        if (*label < 0 || scores[i] > *score) {
            *label = i;
            *score = scores[i];
        }
    }
    memset(self->samples, 0, sizeof(self->samples));
    self->frames = 0;
    self->clips++;
    reset_network(self);
    return used;
}

const int16_t *NAME_logits(const NAME_t *self)
{
    return self->logits;
}
