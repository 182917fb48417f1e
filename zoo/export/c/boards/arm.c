/* Start-up of a Cortex-M: vectors, data, main; printf and the end go through semihosting. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t stack_top[], data_begin[], data_end[], data_source[], bss_begin[], bss_end[];
int main(void);
void initialise_monitor_handles(void);
void start(void);
void fault(void);
void SysTick_Handler(void) __attribute__((weak, alias("fault")));

void fault(void)
{
    exit(2);
}

void start(void)
{
    uint32_t *to;
    const uint32_t *from = data_source;

    for (to = data_begin; to < data_end; to++) {
        *to = *from++;
    }
    for (to = bss_begin; to < bss_end; to++) {
        *to = 0;
    }
    initialise_monitor_handles();
    exit(main());
}

typedef union {
    const void *stack;
    void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = stack_top},  {.handler = start}, {.handler = fault}, {.handler = fault},
    {.handler = fault},    {.handler = fault}, {.handler = fault}, {.stack = 0},
    {.stack = 0},          {.stack = 0},       {.stack = 0},       {.handler = fault},
    {.handler = fault},    {.stack = 0},       {.handler = fault}, {.handler = SysTick_Handler},
};
