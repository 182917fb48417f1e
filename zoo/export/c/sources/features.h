#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@MACROS

/* All that the front end keeps, owned by the caller. There are no pointers in it: it may be copied and moved. */
typedef struct {
    @FRONT_END
    /* The window of samples, and how many new ones are in it. */
    int16_t samples[NAME_WINDOW];
    uint16_t filled;
} NAME_t;

/* Begin a stream, or a clip. */
void NAME_reset(NAME_t *self);

/* Hear samples, up to the next frame, and give how many were heard; call again with the others. Where *whole is 1, the
   NAME_COEFFICIENTS features of a frame were written. */
size_t NAME_push(NAME_t *self, const int16_t *samples, size_t count, int8_t *features, int *whole);

#ifdef __cplusplus
}
#endif
