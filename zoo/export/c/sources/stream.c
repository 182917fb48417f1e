/* A window of samples is there: its features, and an answer where they complete a step. */
static int frame(NAME_t *self)
{
    NAME_frontend(self, self->features + self->frames * NAME_COEFFICIENTS);
    next_window(self);
    self->frames = (uint16_t)(self->frames + 1 == NAME_STEP_FRAMES ? 0 : self->frames + 1);
    if (self->frames > 0) {
        return 0;
    }
    network(self);
    return 1;
}

void NAME_reset(NAME_t *self)
{
    memset(self, 0, sizeof(*self));
    self->until = NAME_CLIP_ANSWERS - 1;
    self->missing = NAME_SMOOTHING - 1;
    reset_network(self);
}

size_t NAME_push(NAME_t *self, const int16_t *samples, size_t count, NAME_event *event)
{
    size_t used = 0;

    event->label = -1;
    while (used < count) {
        used += take(self, samples + used, count - used);
        if (self->filled == NAME_HOP && frame(self) && detect(self, event)) {
            break;
        }
    }
    return used;
}

const int8_t *NAME_features(const NAME_t *self)
{
    return self->features;
}

const uint16_t *NAME_scores(const NAME_t *self)
{
    return self->scores[self->row];
}
