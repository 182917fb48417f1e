#include "NAME.h"

@COMPILERS
/* What a layer writes: its zero point, and the least and the largest value. */
typedef struct {
    int32_t zero, low, high;
} NAME_limits;

/* Constants of layers, by kind: sums of products are rescaled by (total multiplier) / 2^shift, rounded once. */
@STRUCTURES
/* The layers, in the order in which they run; they are in NAME_weights.c. */
@LAYERS
@FRONT_END
