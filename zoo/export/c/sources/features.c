void NAME_reset(NAME_t *self)
{
    memset(self, 0, sizeof(*self));
@RESET
}

size_t NAME_push(NAME_t *self, const int16_t *samples, size_t count, int8_t *features, int *whole)
{
    const size_t used = take(self, samples, count);

    *whole = self->filled == NAME_HOP;
    if (*whole) {
        NAME_frontend(self, features);
        next_window(self);
    }
    return used;
}
