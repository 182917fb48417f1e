#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@MACROS

/* What labels are called, by their numbers. */
#define NAME_LABELS @LABELS

/* All that a clip takes, owned by the caller. There are no pointers in it: it may be copied and moved. */
typedef struct {
    @FRONT_END
    /* The window of samples. */
    int16_t samples[NAME_WINDOW];
    /* The last answer, and how many there were since reset. */
    int16_t logits[NAME_CLASSES];
    uint32_t clips;
    /* New samples in the window, and frames of the clip. */
    uint16_t filled, frames;
    /* What layers work in; while a clip comes, its features. */
    int8_t arena[NAME_ARENA];
} NAME_t;

/* Begin a clip. */
void NAME_reset(NAME_t *self);

/* Hear samples of a clip, in any chunks; gives how many were heard. With the last sample of a clip `label` becomes the
   number of the likeliest label and `score` its score, 0 to 32768, and the next clip begins; before, `label` is -1. */
size_t NAME_answer(NAME_t *self, const int16_t *samples, size_t count, int32_t *label, uint32_t *score);

/* The logits of the last clip. */
const int16_t *NAME_logits(const NAME_t *self);

#ifdef __cplusplus
}
#endif
