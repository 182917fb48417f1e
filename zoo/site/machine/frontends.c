/* The front end of the plan. */
#include "machine.h"

@DECLARED
void machine_prepare(void)
{
    switch (plan->frontend) {
@PREPARED    }
}

void machine_features(const int16_t *samples, int8_t *features)
{
    switch (plan->frontend) {
@FEATURES    }
}
