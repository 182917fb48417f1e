/* Your board: how a line is printed, and what counts cycles. Fill in what does not suit it; nothing else is to be
   changed. BOARD_CLOCK_HZ states the clock of the core, such as -DBOARD_CLOCK_HZ=80000000. */
#include "bench.h"

#if defined(ARDUINO)
#include <Arduino.h>
#else
#include <stdio.h>
#endif

#if !defined(BOARD_CLOCK_HZ) && defined(ARDUINO) && defined(F_CPU)
#define BOARD_CLOCK_HZ F_CPU
#elif !defined(BOARD_CLOCK_HZ)
#define BOARD_CLOCK_HZ 0
#endif

#if defined(ESP_PLATFORM)
/* ESP-IDF, and Arduino on it. */
#include "esp_cpu.h"
#include "sdkconfig.h"

#define UNIT "cycles"
#if !defined(ARDUINO) && defined(CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ)
#undef BOARD_CLOCK_HZ
#define BOARD_CLOCK_HZ (CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ * 1000000)
#endif

uint32_t cycles(void)
{
    return (uint32_t)esp_cpu_get_cycle_count();
}

#elif defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) \
    || defined(__ARM_ARCH_8_1M_MAIN__)
/* Cortex-M3, M4, M7, M33, M55 and M85: the cycle counter of the debug unit (DWT). */
#define UNIT "cycles"
#define DEMCR (*(volatile uint32_t *)0xE000EDFCU)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000U)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004U)
#define DWT_LAR (*(volatile uint32_t *)0xE0001FB0U)

uint32_t cycles(void)
{
    if (!(DWT_CTRL & 1U)) {
        DEMCR |= 1U << 24;
        DWT_LAR = 0xC5ACCE55U;
        DWT_CYCCNT = 0;
        DWT_CTRL |= 1U;
    }
    return DWT_CYCCNT;
}

#elif defined(ARDUINO)
/* Other cores that Arduino knows. */
#define UNIT "us"

uint32_t cycles(void)
{
    return (uint32_t)micros();
}

#elif defined(__riscv) && !defined(__linux__)
/* RISC-V in machine mode. */
#define UNIT "cycles"

uint32_t cycles(void)
{
    uint32_t low;

    __asm__ volatile("csrr %0, mcycle" : "=r"(low));
    return low;
}

#elif defined(__unix__) || defined(__APPLE__) || defined(_WIN32)
/* A PC, to try it out. */
#include <time.h>

#define UNIT "us"

uint32_t cycles(void)
{
    return (uint32_t)((uint64_t)clock() * 1000000U / (uint64_t)CLOCKS_PER_SEC);
}

#else
#error "board.c: fill in cycles() for this core, and UNIT: \"cycles\" or \"us\""
#endif

const char *board_unit(void)
{
    return UNIT;
}

uint32_t board_clock_hz(void)
{
    return (uint32_t)(BOARD_CLOCK_HZ);
}

#if defined(ESP_PLATFORM) && !defined(ARDUINO)
void app_main(void);

void app_main(void)
{
    bench_run();
}
#elif !defined(ARDUINO)
int main(void)
{
    return bench_run() != 0;
}
#endif

#if !defined(ARDUINO)
void print_line(const char *line)
{
    puts(line);
}
#endif
