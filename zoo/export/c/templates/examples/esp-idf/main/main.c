/* @HEARS the microphone: fill `samples` from I2S, @RATE Hz, 16 bits, one channel. */
#include <stdio.h>

#include "NAME.h"

static size_t read_microphone(int16_t *into, size_t count)
{
    (void)into;
    (void)count;
    return 0; /* how many samples were read */
}

void app_main(void)
{
    static const char *const labels[] = NAME_LABELS;
    static NAME_t @STATE;
    static int16_t samples[NAME_HOP];

    NAME_reset(&@STATE);
    for (;;) {
        const size_t count = read_microphone(samples, NAME_HOP);
        size_t used = 0;
        while (used < count) {
            @DECLARED
            used += @HEAR;
            if (@LABEL >= 0) {
                printf("%s\n", labels[@LABEL]);
            }
        }
    }
}
