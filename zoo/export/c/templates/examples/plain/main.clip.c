/* Answers to samples on standard input, clip by clip: arecord -f S16_LE -r @RATE -t raw | ./example */
#include <stdio.h>

#include "NAME.h"

int main(void)
{
    static const char *const labels[] = NAME_LABELS;
    static NAME_t clip;
    int16_t samples[NAME_HOP];
    size_t count;

    NAME_reset(&clip);
    while ((count = fread(samples, sizeof(samples[0]), NAME_HOP, stdin)) > 0) {
        size_t used = 0;
        while (used < count) {
            int32_t label;
            uint32_t score;
            used += NAME_answer(&clip, samples + used, count - used, &label, &score);
            if (label >= 0) {
                printf("%s %.3f\n", labels[label], score / 32768.0);
                fflush(stdout);
            }
        }
    }
    return 0;
}
