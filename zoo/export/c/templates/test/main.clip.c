/* The known answers of the model: logits, labels and scores of clips, in chunks of several sizes. */
#include <stdio.h>
#include <string.h>

#include "NAME.h"
#include "known_answers.h"

static NAME_t clip;

static int known_answers_in(size_t chunk)
{
    size_t used = 0, answer = 0;
    int same = 0;
    int32_t label;
    uint32_t score;

    NAME_reset(&clip);
    while (used < KNOWN_SAMPLES) {
        const size_t left = KNOWN_SAMPLES - used;
        used += NAME_answer(&clip, known_samples + used, left < chunk ? left : chunk, &label, &score);
        if (label >= 0) {
            same += memcmp(NAME_logits(&clip), known_logits_of[answer], sizeof(known_logits_of[0])) == 0
                 && label == known_labels[answer][0] && (int32_t)score == known_labels[answer][1];
            answer++;
        }
    }
    return same;
}

int main(void)
{
    static const size_t chunks[] = {7, 1000, KNOWN_SAMPLES};
    const int count = KNOWN_ANSWERS * (int)(sizeof(chunks) / sizeof(chunks[0]));
    int same = 0;
    size_t i;

    for (i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        same += known_answers_in(chunks[i]);
    }
    printf("%d of %d identical\n", same, count);
    return same == count ? 0 : 1;
}
