/* What is counted. least: how often it runs at the least, where runs differ. */
#include <stdint.h>

typedef struct {
    const char *name;
    void (*run)(void);
    uint32_t least;
} part;

extern const part parts[];
extern const uint32_t part_count;
void prepare(void);
