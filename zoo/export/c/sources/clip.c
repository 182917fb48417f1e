void NAME_reset(NAME_t *self)
{
    memset(self, 0, sizeof(*self));
    reset_network(self);
}

/* A window of samples is there: its features. Gives whether the clip is whole. */
static int frame(NAME_t *self)
{
    NAME_frontend(self, self->arena + @INPUT + self->frames * NAME_COEFFICIENTS);
    next_window(self);
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
        used += take(self, samples + used, count - used);
        if (self->filled == NAME_HOP && frame(self)) {
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
