/* The known answers of a model, the size of its structure, and the stack that a call takes, found by painting it. */
#include <stdint.h>

#define main known_answers
#include "main.c"
#undef main

#define PAINTED 8192
#define PAINT 0xA5

#ifdef __riscv
#define STACK_POINTER(place) __asm__ volatile("mv %0, sp" : "=r"(place))
#else
#define STACK_POINTER(place) __asm__ volatile("mov %0, sp" : "=r"(place))
#endif

static size_t call(const int16_t *samples, size_t count)
{
#ifdef NAME_STEP_SAMPLES
    NAME_event event;
    return NAME_push(&stream, samples, count, &event);
#else
    int32_t label;
    uint32_t score;
    return NAME_answer(&clip, samples, count, &label, &score);
#endif
}

/* Bytes that calls write below this function's own. */
static __attribute__((noinline)) unsigned stack_of_calls(void)
{
    volatile uint8_t *top;
    unsigned depth = PAINTED, i;
    size_t used = 0;

    STACK_POINTER(top);
    for (i = 1; i <= PAINTED; i++) {
        *(top - i) = PAINT;
    }
    while (used < KNOWN_SAMPLES) {
        used += call(known_samples + used, KNOWN_SAMPLES - used);
    }
    while (depth > 0 && *(top - depth) == PAINT) {
        depth--;
    }
    return depth;
}

int main(void)
{
    const int wrong = known_answers();

#ifdef NAME_STEP_SAMPLES
    NAME_reset(&stream);
    printf("structure %u\n", (unsigned)sizeof(stream));
#else
    NAME_reset(&clip);
    printf("structure %u\n", (unsigned)sizeof(clip));
#endif
    printf("stack %u\n", stack_of_calls());
    return wrong;
}
