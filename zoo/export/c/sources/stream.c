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
        const size_t missing = (size_t)NAME_WINDOW - NAME_OVERLAP - self->filled;
        const size_t taken = count - used < missing ? count - used : missing;
        memcpy(self->samples + NAME_OVERLAP + self->filled, samples + used, taken * sizeof(samples[0]));
        self->filled = (uint16_t)(self->filled + taken);
        used += taken;
        if (taken == missing && frame(self) && detect(self, event)) {
            break;
        }
    }
    return used;
}
