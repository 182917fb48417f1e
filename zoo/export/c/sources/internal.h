#include "NAME.h"

/* What a layer writes: its zero point, and the least and the largest value. */
typedef struct {
    int32_t zero, low, high;
} NAME_limits;

@STRUCTURES
@LAYERS
/* The features of the window of samples that is there. */
void NAME_frontend(NAME_t *self, int8_t *features);
