/* Log-mel energies of one window of samples, and their features: integers alone. */

typedef struct {
    int32_t real, imaginary;
} complex_t;

static complex_t back_by(uint32_t angle) /* exp(-i angle), `angle` / NAME_POINTS of a turn; 2^30 is one */
{
    return (complex_t){wave(angle), wave(angle + NAME_POINTS / 4)};
}

static int64_t halved(int64_t value, uint32_t shift) /* value / 2^shift, rounded once, ties up */
{
    value += (int64_t)1 << (shift - 1);
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

/* Two complex numbers multiplied, of which 2^30 is one. */
static complex_t turned(complex_t z, complex_t by)
{
    return (complex_t){
        (int32_t)halved((int64_t)z.real * by.real - (int64_t)z.imaginary * by.imaginary, 30),
        (int32_t)halved((int64_t)z.imaginary * by.real + (int64_t)z.real * by.imaginary, 30),
    };
}

static complex_t sum(complex_t a, complex_t b)
{
    return (complex_t){a.real + b.real, a.imaginary + b.imaginary};
}

static complex_t difference(complex_t a, complex_t b)
{
    return (complex_t){a.real - b.real, a.imaginary - b.imaginary};
}

static complex_t side(complex_t z) /* z times -i */
{
    return (complex_t){z.imaginary, -z.real};
}

/* Four numbers, `done` apart, of which the others than the first are turned already. */
static void butterfly(complex_t *z, uint32_t done, complex_t b, complex_t c, complex_t d)
{
    const complex_t whole = sum(z[0], c), half = difference(z[0], c), other = sum(b, d), cross = side(difference(b, d));

    z[0] = sum(whole, other);
    z[done] = sum(half, cross);
    z[2 * done] = difference(whole, other);
    z[3 * done] = difference(half, cross);
}

/* The complex transform of NAME_POINTS / 2 numbers in place, from digits in reverse. The first pass turns nothing. */
static void transform(complex_t *z)
{
    const uint32_t points = NAME_POINTS / 2;
    uint32_t done, at, k;

    for (at = 0; at < points; at += 4) {
        butterfly(z + at, 1, z[at + 1], z[at + 2], z[at + 3]);
    }
    for (done = 4; done * 4 <= points; done *= 4) {
        for (k = 0; k < done; k++) {
            const uint32_t turn = k * (NAME_POINTS / (4 * done));
            const complex_t one = back_by(turn), two = back_by(2 * turn), three = back_by(3 * turn);
            for (at = k; at < points; at += 4 * done) {
                butterfly(z + at, done, turned(z[at + done], one), turned(z[at + 2 * done], two),
                          turned(z[at + 3 * done], three));
            }
        }
    }
#if NAME_LAST_RADIX == 2
    for (k = 0; k < done; k++) {
        const complex_t a = z[k], b = turned(z[k + done], back_by(k * (NAME_POINTS / (2 * done))));
        z[k] = sum(a, b);
        z[k + done] = difference(a, b);
    }
#endif
}

/* The place that follows one in the order before the transform, where digits are in reverse: the first is of radix
   NAME_LAST_RADIX, others of radix 4. */
static uint32_t following(uint32_t place)
{
    uint32_t span = NAME_POINTS / 2, step = span / NAME_LAST_RADIX;

    while (step > 0 && (place & (span - 1)) + step >= span) {
        place -= span - step;
        span = step;
        step /= 4;
    }
    return place + step;
}

/* The windowed samples, moved up by `up` bits. */
static int32_t windowed(const int16_t *samples, uint32_t i, uint32_t up)
{
    const uint32_t mirrored = i <= NAME_WINDOW / 2 ? i : NAME_WINDOW - i;

    return (int32_t)halved((int64_t)samples[i] * (1 << up) * hann[mirrored], 30 - NAME_GUARD);
}

/* All of them, two to a complex number, in the order before the transform. */
static void load(complex_t *z, const int16_t *samples, uint32_t up)
{
    uint32_t i, place = 0;

    memset(z, 0, NAME_POINTS / 2 * sizeof(z[0]));
    for (i = 0; i < NAME_WINDOW; i += 2) {
        z[place].real = windowed(samples, i, up);
        z[place].imaginary = i + 1 < NAME_WINDOW ? windowed(samples, i + 1, up) : 0;
        place = following(place);
    }
}

/* The power of a bin, from the transform of half the points. */
static int64_t power(const complex_t *z, uint32_t bin)
{
    const uint32_t half = NAME_POINTS / 2;
    const complex_t at = z[bin % half], mirror = z[(half - bin) % half];
    const complex_t odd = {at.imaginary + mirror.imaginary, mirror.real - at.real};
    const complex_t back = turned(odd, back_by(bin));
    const int64_t a = (int64_t)at.real + mirror.real + back.real;
    const int64_t b = (int64_t)at.imaginary - mirror.imaginary + back.imaginary;

    return halved(a * a + b * b, NAME_POWER_SHIFT);
}

static uint32_t bits_of(uint64_t value) /* how many bits a number takes */
{
    uint32_t bits = value > 0, step;

    for (step = 32; step > 0; step /= 2) {
        if (value >> step > 0) {
            value >>= step;
            bits += step;
        }
    }
    return bits;
}
