/* Take samples into the window, until it is whole; gives how many were taken. */
static size_t take(NAME_t *self, const int16_t *samples, size_t count)
{
    const size_t missing = (size_t)NAME_HOP - self->filled, taken = count < missing ? count : missing;

    memcpy(self->samples + NAME_OVERLAP + self->filled, samples, taken * sizeof(samples[0]));
    self->filled = (uint16_t)(self->filled + taken);
    return taken;
}

/* Keep of a whole window what the next one begins with. */
static void next_window(NAME_t *self)
{
    int32_t i;

    for (i = 0; i < NAME_OVERLAP; i++) {
        self->samples[i] = self->samples[i + NAME_HOP];
    }
    self->filled = 0;
}
