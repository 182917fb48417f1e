#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@MACROS

/* What labels are called, by their numbers. */
#define NAME_LABELS @LABELS

/* What was heard. */
typedef struct {
    int32_t label;   /* its number, or -1 where there is no event */
    uint32_t score;  /* the mean over the last looks, 0 to 32768 */
    uint32_t answer; /* which look of the detector found it, from 0 on since reset */
} NAME_event;

/* The average over the last frames: sums of what is beyond the zero point, and the place of the oldest frame. */
typedef struct {
    int32_t sums[NAME_POOL_CHANNELS];
    int32_t next;
} NAME_ring;

/* All that a stream keeps, owned by the caller. There are no pointers in it: it may be copied and moved. */
typedef struct {
    @FRONT_END
    /* The network: the average over time, whose frames are in pool_frames below. */
    NAME_ring pool;
    /* The detector: answers of the network until its next look, and looks since reset. */
    uint32_t until, answers;
    /* The window of samples, and the last answer. */
    int16_t samples[NAME_WINDOW];
    int16_t logits[NAME_CLASSES];
    /* The detector, of each label: scores of the last looks, looks until an event may be, whether its event goes on. */
    uint16_t scores[NAME_SMOOTHED][NAME_CLASSES];
    uint16_t waits[NAME_CLASSES], heard[NAME_CLASSES];
    /* New samples in the window, frames in `features`, the last row of `scores`, rows that are missing since reset. */
    uint16_t filled, frames, row, missing;
    @WIDE_STATES
    /* The network: what it reads in one step, what layers look back on, and what they work in. */
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
