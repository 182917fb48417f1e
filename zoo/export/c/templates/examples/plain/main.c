/* @HEARS samples on standard input: arecord -f S16_LE -r @RATE -t raw | ./example */
#include <stdio.h>

#include "NAME.h"

int main(void)
{
    static const char *const labels[] = NAME_LABELS;
    static NAME_t @STATE;
    int16_t samples[NAME_HOP];
    size_t count;

    NAME_reset(&@STATE);
    while ((count = fread(samples, sizeof(samples[0]), NAME_HOP, stdin)) > 0) {
        size_t used = 0;
        while (used < count) {
            @DECLARED
            used += @HEAR;
            if (@LABEL >= 0) {
                printf("%s %.3f\n", labels[@LABEL], @SCORE / 32768.0);
                fflush(stdout);
            }
        }
    }
    return 0;
}
