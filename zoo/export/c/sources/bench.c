void NAME_reset(void *state)
{
    NAME_t *self = state;

    memset(self, 0, sizeof(*self));
    reset_network(self);
}

/* The frames of one answer. */
void NAME_step(void *state, const int8_t *features)
{
    NAME_t *self = state;

    memcpy(self->features, features, sizeof(self->features));
    network(self);
}

const int16_t *NAME_logits(const void *state)
{
    const NAME_t *self = state;

    return self->logits;
}
