/* Log-mel energies of one window of samples, and their features: integers alone. */

static int64_t halved(int64_t value, uint32_t shift) /* value / 2^shift, rounded once, ties up */
{
    value += (int64_t)1 << (shift - 1);
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

/* A complex number times exp(-i angle). */
static void turn_back(int32_t *real, int32_t *imaginary, uint32_t angle)
{
    const int64_t cosine = wave(angle), sine = wave(angle + NAME_POINTS * 3 / 4);
    const int64_t a = *real, b = *imaginary;

    *real = (int32_t)halved(a * cosine + b * sine, 30);
    *imaginary = (int32_t)halved(b * cosine - a * sine, 30);
}

/* Where a number goes before the transform: its digits in reverse, the radix of the last pass first. */
static uint32_t reversed(uint32_t index)
{
    uint32_t place = 0, size = NAME_POINTS / 2, radix = NAME_LAST_RADIX;

    while (size > 1) {
        size /= radix;
        place += index % radix * size;
        index /= radix;
        radix = 4;
    }
    return place;
}

static void butterfly4(int32_t *z, uint32_t done, uint32_t turn)
{
    int32_t *a = z, *b = z + 2 * done, *c = z + 4 * done, *d = z + 6 * done;
    int32_t whole[2], side[2], other[2], cross[2];
    int32_t i;

    turn_back(&b[0], &b[1], turn);
    turn_back(&c[0], &c[1], 2 * turn);
    turn_back(&d[0], &d[1], 3 * turn);
    for (i = 0; i < 2; i++) {
        whole[i] = a[i] + c[i];
        side[i] = a[i] - c[i];
        other[i] = b[i] + d[i];
        cross[i] = b[i] - d[i];
    }
    a[0] = whole[0] + other[0], a[1] = whole[1] + other[1];
    b[0] = side[0] + cross[1], b[1] = side[1] - cross[0];
    c[0] = whole[0] - other[0], c[1] = whole[1] - other[1];
    d[0] = side[0] - cross[1], d[1] = side[1] + cross[0];
}

#if NAME_LAST_RADIX == 2
static void butterfly2(int32_t *z, uint32_t done, uint32_t turn)
{
    int32_t *a = z, *b = z + 2 * done;
    int32_t real, imaginary;

    turn_back(&b[0], &b[1], turn);
    real = b[0], imaginary = b[1];
    b[0] = a[0] - real, b[1] = a[1] - imaginary;
    a[0] += real, a[1] += imaginary;
}
#endif

/* The complex transform of NAME_POINTS / 2 numbers, real and imaginary parts in turn, in place. */
static void transform(int32_t *z)
{
    const uint32_t points = NAME_POINTS / 2;
    uint32_t done = 1, block, k;

    for (; done * 4 <= points; done *= 4) {
        for (block = 0; block < points; block += 4 * done) {
            for (k = 0; k < done; k++) {
                butterfly4(z + 2 * (block + k), done, k * (NAME_POINTS / (4 * done)));
            }
        }
    }
#if NAME_LAST_RADIX == 2
    for (k = 0; k < done; k++) {
        butterfly2(z + 2 * k, done, k * (NAME_POINTS / (2 * done)));
    }
#endif
}

/* The windowed samples, moved up by `up` bits, two to a complex number. */
static void load(int32_t *z, const int16_t *samples, uint32_t up)
{
    const uint32_t drop = 30 - NAME_GUARD;
    uint32_t i;

    memset(z, 0, NAME_POINTS * sizeof(z[0]));
    for (i = 0; i < NAME_WINDOW; i++) {
        const uint32_t mirrored = i <= NAME_WINDOW / 2 ? i : NAME_WINDOW - i;
        const int64_t product = (int64_t)samples[i] * (1 << up) * hann[mirrored];
        z[2 * reversed(i / 2) + i % 2] = (int32_t)halved(product, drop);
    }
}

/* The power of a bin, from the transform of half the points. */
static int64_t power(const int32_t *z, uint32_t bin)
{
    const uint32_t half = NAME_POINTS / 2;
    const int32_t *at = z + 2 * (bin % half), *mirror = z + 2 * ((half - bin % half) % half);
    int32_t real = at[1] + mirror[1], imaginary = mirror[0] - at[0];
    int64_t a, b;

    turn_back(&real, &imaginary, bin);
    a = (int64_t)at[0] + mirror[0] + real;
    b = (int64_t)at[1] - mirror[1] + imaginary;
    return halved(a * a + b * b, NAME_POWER_SHIFT);
}

static uint32_t bits_of(uint64_t value) /* how many bits a number takes */
{
    uint32_t bits = 0;

    for (; value != 0; value >>= 1) {
        bits++;
    }
    return bits;
}

static int32_t logarithm(int64_t value) /* to base 2, 16 bits behind the point */
{
    const uint32_t whole = bits_of((uint64_t)value) - 1;
    const uint64_t fraction = (uint64_t)value << (62 - whole);
    const uint32_t step = (uint32_t)(fraction >> 55) & 127, between = (uint32_t)(fraction >> 39) & 65535;
    const uint32_t low = logarithms[step], high = step == 127 ? 65536 : logarithms[step + 1];

    return (int32_t)((whole << 16) + low + (((high - low) * between + 32768) >> 16));
}

/* Each band rises to its centre where the one before it falls from its own. */
static void log_mels(const int32_t *z, int32_t *found, uint32_t up)
{
    const int64_t least = (int64_t)NAME_LEAST << (2 * up);
    int64_t rise = 0, before = 0;
    uint32_t band, bin;

    for (band = 0; band <= NAME_MELS; band++) {
        int64_t fall = 0;
        before = rise;
        rise = 0;
        for (bin = starts[band]; bin < starts[band + 1]; bin++) {
            const int64_t energy = power(z, bin), rising = energy * rises[bin - starts[0]];
            rise += rising;
            fall += energy * 32768 - rising;
        }
        if (band > 0) {
            const int64_t energy = before + fall;
            found[band - 1] = logarithm(energy < least ? least : energy) - NAME_OFFSET - (int32_t)(up << 17);
        }
    }
}
