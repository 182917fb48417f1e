/* How many ticks of SysTick each part takes: lines of its name, ticks, and how often it ran. */
#include <stdint.h>
#include <stdio.h>

#include "parts.h"

#define ENOUGH 4000
#define SYSTICK ((volatile uint32_t *)0xE000E010)
#define MOST 0xFFFFFFU

static volatile uint32_t wraps;

void SysTick_Handler(void);
void SysTick_Handler(void)
{
    wraps++;
}

/* Ticks so far: the counter falls from 2^24, which it shows as 0, and interrupts where it is there again. */
static uint32_t now(void)
{
    uint32_t before, left;

    do {
        before = wraps;
        left = SYSTICK[2];
    } while (before != wraps);
    return (before << 24) + (left == 0 ? 0 : MOST + 1 - left);
}

static uint32_t ticks_of(const part *counted, uint32_t times)
{
    const uint32_t started = now();
    uint32_t i;

    for (i = 0; i < times; i++) {
        counted->run();
    }
    return now() - started;
}

int main(void)
{
    uint32_t i;

    SYSTICK[1] = MOST;
    SYSTICK[2] = 0;
    SYSTICK[0] = 7;
    prepare();
    for (i = 0; i < part_count; i++) {
        const uint32_t once = ticks_of(&parts[i], 1), enough = ENOUGH / (once > 0 ? once : 1) + 1;
        const uint32_t times = enough > parts[i].least ? enough : parts[i].least;
        const uint32_t ticks = ticks_of(&parts[i], times);
        printf("part %s %lu %lu\n", parts[i].name, (unsigned long)ticks, (unsigned long)times);
    }
    return 0;
}
