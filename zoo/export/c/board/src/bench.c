/* Runs each network over a clip, step by step as in a stream, and prints what it took. */
#include "bench.h"

#define ROUNDS 3

typedef struct {
    char text[160];
    uint32_t length;
} line;

static void put(line *to, char letter)
{
    if (to->length + 1 < sizeof(to->text)) {
        to->text[to->length++] = letter;
    }
}

static void put_text(line *to, const char *text)
{
    while (*text != '\0') {
        put(to, *text++);
    }
}

static void put_number(line *to, uint64_t value)
{
    char digits[20];
    uint32_t count = 0;

    do {
        digits[count++] = (char)('0' + (char)(value % 10));
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        put(to, digits[--count]);
    }
}

static void put_hex(line *to, uint32_t value, int32_t digits)
{
    while (digits-- > 0) {
        put(to, "0123456789ABCDEF"[value >> (4 * digits) & 15]);
    }
}

/* CRC-16 of what a line says, polynomial 0x1021, from 0xFFFF. */
static uint32_t crc_of(const char *text, uint32_t count)
{
    uint32_t crc = 0xFFFF, i;
    int32_t bit;

    for (i = 0; i < count; i++) {
        crc ^= (uint32_t)(uint8_t)text[i] << 8;
        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xFFFF;
        }
    }
    return crc;
}

static void print_sealed(line *body)
{
    line whole = {{0}, 0};

    body->text[body->length] = '\0';
    put_text(&whole, "earshot,");
    put_text(&whole, body->text);
    put(&whole, '*');
    put_hex(&whole, crc_of(body->text, body->length), 4);
    whole.text[whole.length] = '\0';
    print_line(whole.text);
}

static void print_head(void)
{
    line body = {{0}, 0};

    put_text(&body, bench_name);
    put(&body, ',');
    put_text(&body, board_unit());
    put(&body, ',');
    put_number(&body, board_clock_hz());
    print_sealed(&body);
}

/* FNV-1a of logits, low byte first. */
static uint32_t hash_of(uint32_t hash, const int16_t *logits, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        hash = (hash ^ ((uint16_t)logits[i] & 255)) * 16777619U;
        hash = (hash ^ ((uint16_t)logits[i] >> 8)) * 16777619U;
    }
    return hash;
}

static int run_network(uint16_t number)
{
    const bench_network *network = &bench_networks[number];
    uint64_t taken = 0;
    uint32_t found = 2166136261U, start, i;
    line body = {{0}, 0};

    network->reset(bench_state);
    for (i = 0; i < network->answers; i++) {
        start = cycles();
        network->step(bench_state, bench_features + i * network->features);
        taken += (uint32_t)(cycles() - start);
        found = hash_of(found, network->logits(bench_state), network->classes);
    }
    put_text(&body, "net,");
    put_number(&body, number);
    put(&body, ',');
    put_text(&body, network->digest);
    put(&body, ',');
    put_number(&body, taken);
    put(&body, ',');
    put_hex(&body, found, 8);
    put(&body, ',');
    put_hex(&body, network->known, 8);
    print_sealed(&body);
    return found != network->known;
}

int bench_run(void)
{
    int round, wrong = 0;
    uint16_t number;

    for (round = 0; round < ROUNDS; round++) {
        print_head();
        for (number = 0; number < bench_count; number++) {
            wrong += run_network(number);
        }
    }
    print_line(wrong == 0 ? "done: all networks as they must be" : "WRONG: networks computed something else");
    return wrong;
}
