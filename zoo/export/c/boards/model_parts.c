/* An answer of a model, its front end and its layers, on noise. Layers are static: those here are of a copy. */
#define model_reset copied_reset
#define model_push copied_push
#define model_answer copied_answer
#define model_logits copied_logits
#define model_features copied_features
#define model_scores copied_scores
#include "model.c"
#undef model_reset
#undef model_push
#undef model_answer

#include "parts.h"

#ifdef MODEL_STEP_SAMPLES
#define SAMPLES MODEL_STEP_SAMPLES
#define ANSWERS MODEL_CLIP_ANSWERS
size_t model_push(model_t *stream, const int16_t *samples, size_t count, model_event *event);
#else
#define SAMPLES MODEL_CLIP_SAMPLES
#define ANSWERS 1
size_t model_answer(model_t *clip, const int16_t *samples, size_t count, int32_t *label, uint32_t *score);
#endif
void model_reset(model_t *cleared);

static model_t state;
static int8_t features[MODEL_COEFFICIENTS];
static int16_t noise[ANSWERS * SAMPLES];
static uint32_t answer;

static void nothing(void)
{
}

static void step(void)
{
    const int16_t *samples = noise + answer * SAMPLES;
    size_t used = 0;

    answer = answer + 1 == ANSWERS ? 0 : answer + 1;
    while (used < SAMPLES) {
#ifdef MODEL_STEP_SAMPLES
        model_event event;
        used += model_push(&state, samples + used, SAMPLES - used, &event);
#else
        int32_t label;
        uint32_t score;
        used += model_answer(&state, samples + used, SAMPLES - used, &label, &score);
#endif
    }
}

static void frame_of_features(void)
{
    model_frontend(&state, features);
}

static void whole_network(void)
{
    network(&state);
}

@FUNCTIONS
const part parts[] = {
    {"nothing", nothing, 1},
    {"step", step, ANSWERS},
    {"front_end", frame_of_features, 1},
    {"network", whole_network, 1},
@PARTS
};
const uint32_t part_count = sizeof(parts) / sizeof(parts[0]);

void prepare(void)
{
    uint32_t drawn = 1, i;

    for (i = 0; i < ANSWERS * SAMPLES; i++) {
        drawn = drawn * 1664525U + 1013904223U;
        noise[i] = (int16_t)((int32_t)(drawn >> 16 & 8191) - 4096);
    }
    model_reset(&state);
    for (i = 0; i < ANSWERS; i++) {
        step();
    }
}
