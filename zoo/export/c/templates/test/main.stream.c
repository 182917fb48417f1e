/* The known answers of the model: each answer of a stream, and its events in chunks of several sizes. */
#include <stdio.h>
#include <string.h>

#include "NAME.h"
#include "known_answers.h"

static NAME_t stream;

static int known_logits(void)
{
    size_t answer, used;
    int same = 0;
    NAME_event event;

    NAME_reset(&stream);
    for (answer = 0; answer < KNOWN_ANSWERS; answer++) {
        const int16_t *samples = known_samples + answer * NAME_STEP_SAMPLES;
        for (used = 0; used < NAME_STEP_SAMPLES;) {
            used += NAME_push(&stream, samples + used, NAME_STEP_SAMPLES - used, &event);
        }
        same += memcmp(NAME_logits(&stream), known_logits_of[answer], sizeof(known_logits_of[0])) == 0;
    }
    return same;
}

static int is_known(const NAME_event *event, size_t number)
{
#if KNOWN_EVENTS > 0
    return number < KNOWN_EVENTS && event->label == known_events[number][0]
        && (int32_t)event->score == known_events[number][1] && (int32_t)event->answer == known_events[number][2];
#else
    return (void)event, (void)number, 0;
#endif
}

static int known_events_in(size_t chunk)
{
    size_t used = 0, found = 0;
    int same = 1;
    NAME_event event;

    NAME_reset(&stream);
    while (used < KNOWN_SAMPLES) {
        const size_t left = KNOWN_SAMPLES - used;
        used += NAME_push(&stream, known_samples + used, left < chunk ? left : chunk, &event);
        if (event.label >= 0) {
            same = same && is_known(&event, found);
            found++;
        }
    }
    return same && found == KNOWN_EVENTS;
}

int main(void)
{
    static const size_t chunks[] = {1, 7, 160, 1000, KNOWN_SAMPLES};
    const int count = KNOWN_ANSWERS + (int)(sizeof(chunks) / sizeof(chunks[0]));
    int same = known_logits();
    size_t i;

    for (i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        same += known_events_in(chunks[i]);
    }
    printf("%d of %d identical\n", same, count);
    return same == count ? 0 : 1;
}
