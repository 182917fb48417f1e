#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What board.c gives; print_line writes a line of text, without its end, to wherever you read it. cycles counts up, and
   may begin anew behind its largest value. board_unit: what it counts, "cycles", "us" or "instructions". board_clock_hz:
   of the core, 0 where it is not known. */
void print_line(const char *line);
uint32_t cycles(void);
const char *board_unit(void);
uint32_t board_clock_hz(void);

/* A network: what it is, how it is called, and what its logits must be. */
typedef struct {
    const char *digest;
    void (*reset)(void *state);
    void (*step)(void *state, const int8_t *features);
    const int16_t *(*logits)(const void *state);
    uint16_t answers, features, classes;
    uint32_t known;
} bench_network;

extern const bench_network bench_networks[];
extern const int8_t bench_features[];
extern const uint16_t bench_count;
extern const char *const bench_name;
extern void *const bench_state;

/* Runs all networks and prints their lines; gives how many of them computed something else than they must. */
int bench_run(void);

#ifdef __cplusplus
}
#endif

#endif
