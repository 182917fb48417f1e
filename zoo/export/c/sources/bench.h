#ifndef NAME_H
#define NAME_H

#include "bench.h"

@MACROS
typedef struct {
    int32_t sums[NAME_POOL_CHANNELS];
    int32_t next;
} NAME_ring;

/* All that the network keeps from step to step. */
typedef struct {
    NAME_ring pool;
    int16_t logits[NAME_CLASSES];
    @WIDE_STATES
    int8_t features[NAME_STEP_FRAMES * NAME_COEFFICIENTS];
    @STATES
    int8_t arena[NAME_ARENA];
} NAME_t;

void NAME_reset(void *state);
void NAME_step(void *state, const int8_t *features);
const int16_t *NAME_logits(const void *state);

#endif
