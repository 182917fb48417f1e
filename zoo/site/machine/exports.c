/* What a page calls: a plan is written to its place, and loaded; then a stream or a clip begins, as often as it is
   asked for, and samples are heard. */
#include "machine.h"

#define EXPORTED(name) __attribute__((export_name(name)))
#define MOST 16384
#define UNIT 16

void stream_begin(void);
int32_t stream_hear(const int16_t *samples, int32_t count, machine_found *found);
void stream_score(uint16_t *scores);
void clip_begin(void);
int32_t clip_hear(const int16_t *samples, int32_t count, machine_found *found);
void clip_score(uint16_t *scores);

extern char __heap_base;
const machine_plan *plan;
static int16_t samples[MOST];
static uint16_t scores[@MOST_CLASSES];
static machine_found found;

EXPORTED("place") uint32_t machine_place(void)
{
    return ((uint32_t)(uintptr_t)&__heap_base + UNIT - 1) / UNIT * UNIT;
}

/* Places that are pointers become pointers, once. */
EXPORTED("load") void machine_load(void)
{
    const int32_t *places;
    int32_t i;

    plan = (const machine_plan *)(uintptr_t)machine_place();
    places = at(plan->relocations);
    for (i = 0; i < plan->relocation_count; i++) {
        *(uint32_t *)at(places[i]) += machine_place();
    }
    machine_prepare();
}

EXPORTED("begin") void machine_begin(void)
{
    if (plan->streams) {
        stream_begin();
    } else {
        clip_begin();
    }
}

/* Where a page writes samples, and how many fit. */
EXPORTED("samples") int16_t *machine_samples(void)
{
    return samples;
}

EXPORTED("most") int32_t machine_most(void)
{
    return MOST;
}

/* Hear samples from one on, of so many that were written; gives how many were heard, up to the next answer. */
EXPORTED("hear") int32_t machine_hear(int32_t first, int32_t count)
{
    return plan->streams ? stream_hear(samples + first, count, &found) : clip_hear(samples + first, count, &found);
}

EXPORTED("found") const machine_found *machine_what(void)
{
    return &found;
}

EXPORTED("logits") const int16_t *machine_logits(void)
{
    return at(plan->logits);
}

/* Scores of the last answer, 0 to 32768. */
EXPORTED("scores") const uint16_t *machine_scores(void)
{
    if (plan->streams) {
        stream_score(scores);
    } else {
        clip_score(scores);
    }
    return scores;
}
