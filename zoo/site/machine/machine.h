#ifndef MACHINE_H
#define MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* What a plan begins with. Places are bytes from its first one; those of what is worked in, which lies behind the plan,
   are ~place, so that they are negative; 0 is none. */
typedef struct {
@HEADER} machine_plan;

/* The average over the last frames: the place of the oldest, and sums of what is beyond the zero point. */
typedef struct {
    int32_t next;
    int32_t sums[];
} machine_ring;

/* What a chunk of samples gave: whether there is an answer, and the event of a stream, whose label is -1 for none. */
typedef struct {
    int32_t answered, label;
    uint32_t score, answer;
} machine_found;

extern const machine_plan *plan;

/* What lies at a place. */
static inline void *at(int32_t place)
{
    char *const first = (char *)(uintptr_t)plan;

    return place == 0 ? NULL : place > 0 ? first + place : first + plan->bytes + ~place;
}

/* A pointer to each row of a table, of which a plan has the place and the bytes of a row. */
static inline void rows_at(const int32_t **rows, const int32_t *table, int64_t count)
{
    int32_t i;

    for (i = 0; i < count; i++) {
        rows[i] = at(table[0] + i * table[1]);
    }
}

/* The layers, to one answer, and what they look back on made silent. */
void machine_run(void);
void machine_silence(void);

/* The front end of the plan. */
void machine_prepare(void);
void machine_features(const int16_t *samples, int8_t *features);

#endif
