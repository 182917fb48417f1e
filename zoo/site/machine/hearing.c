/* What a stream and clips keep beside the layers, and the sizes of the plan under the names that their code has. */
typedef struct {
    uint32_t until, answers, clips;
    int16_t samples[NAME_MOST_SAMPLES];
    uint16_t scores[NAME_SMOOTHED][NAME_MOST_CLASSES], waits[NAME_MOST_CLASSES], heard[NAME_MOST_CLASSES];
    uint16_t filled, frames, row, missing;
    int16_t *logits;
    int8_t *features, *arena;
} NAME_t;

typedef struct {
    int32_t label;
    uint32_t score, answer;
} NAME_event;

static void reset_network(NAME_t *self)
{
    self->logits = at(plan->logits);
    self->features = at(plan->features);
    self->arena = at(plan->arena);
    machine_silence();
}

static void network(const NAME_t *self)
{
    (void)self;
    machine_run();
}

static void NAME_frontend(const NAME_t *self, int8_t *features)
{
    machine_features(self->samples, features);
}
