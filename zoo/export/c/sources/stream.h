#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@MACROS

/* What labels are called, by their numbers. */
#define NAME_LABELS @LABELS

/* label: its number, or -1 where there is no event. score: 0 to 32768. answer: of how many looks of the detector. */
typedef struct {
    int32_t label;
    uint32_t score, answer;
} NAME_event;

typedef struct {
    int32_t sums[NAME_POOL_CHANNELS];
    int32_t next;
} NAME_ring;

/* All that a stream keeps, owned by the caller. There are no pointers in it: it may be copied and moved. */
typedef struct {
    @FRONT_END
    NAME_ring pool;
    uint32_t until, answers;
    int16_t samples[NAME_WINDOW];
    int16_t logits[NAME_CLASSES];
    uint16_t scores[NAME_SMOOTHED][NAME_CLASSES];
    uint16_t waits[NAME_CLASSES], heard[NAME_CLASSES];
    uint16_t filled, frames, row, missing;
    int8_t features[NAME_STEP_FRAMES * NAME_COEFFICIENTS];
    @STATES
    int8_t arena[NAME_ARENA];
} NAME_t;

/* Begin a stream. */
void NAME_reset(NAME_t *self);

/* Hear samples. Stops at the first event, and gives how many samples were heard; call again with the others. */
size_t NAME_push(NAME_t *self, const int16_t *samples, size_t count, NAME_event *event);

/* Of the last answer: logits of all classes, and the features of its step. Of the last look of the detector: scores, 0
   to 32768. */
const int16_t *NAME_logits(const NAME_t *self);
const int8_t *NAME_features(const NAME_t *self);
const uint16_t *NAME_scores(const NAME_t *self);

#ifdef __cplusplus
}
#endif
