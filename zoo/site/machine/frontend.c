#include <string.h>

#include "machine.h"

/* What the C of a model has as constants. */
@DECLARED

@NUMBERS
typedef struct {
    const int16_t *samples;
@MEMBERS} NAME_t;

static NAME_t own;

void NAME_frontend(NAME_t *self, int8_t *features);

/* Take all of the plan. */
void NAME_prepare(void)
{
    const int64_t *numbers = at(plan->numbers);
    const int32_t *places = at(plan->tables);

    (void)numbers, (void)places;
@PREPARED}

@FUNCTIONS
/* Features of a window of samples. */
void NAME_features(const int16_t *samples, int8_t *features)
{
    own.samples = samples;
    NAME_frontend(&own, features);
}
