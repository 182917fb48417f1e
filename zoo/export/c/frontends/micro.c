/* The front end of TensorFlow Lite Micro's speech examples: the root of each band's energy, less its noise, times a gain
   that the noise chooses, as a logarithm. Integers alone. */

#define NAME_WHOLE 32767 /* the largest number of 15 bits behind the point */

/* value / 2^shift, rounded down. */
static int32_t lowered(int32_t value, uint32_t shift)
{
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

/* The lowest 16 bits of a number, with their sign. */
static int16_t wrapped(int32_t value)
{
    return (int16_t)((int32_t)(((uint32_t)value + 32768) & 65535) - 32768);
}

/* A product of numbers with 15 bits behind the point, rounded once, ties up. */
static int32_t rounded(int32_t product)
{
    return lowered(product + 16384, 15);
}

static int32_t divided(int32_t value, int32_t by)
{
    return rounded(value * (NAME_WHOLE / by));
}

static uint32_t bits_of(uint32_t value) /* how many bits a number takes */
{
    uint32_t bits = 0;

    for (; value != 0; value >>= 1) {
        bits++;
    }
    return bits;
}

/* A complex number times exp(-i angle). */
static void turn_back(int16_t *z, uint32_t angle)
{
    const int32_t cosine = wave(angle), sine = wave(angle + NAME_POINTS * 3 / 4), a = z[0], b = z[1];

    z[0] = wrapped(rounded(a * cosine + b * sine));
    z[1] = wrapped(rounded(b * cosine - a * sine));
}

/* Where a number goes before the transform: its digits to base 4 in reverse. */
static uint32_t reversed(uint32_t index)
{
    uint32_t place = 0, size = NAME_POINTS / 2;

    for (; size > 1; index /= 4) {
        size /= 4;
        place += index % 4 * size;
    }
    return place;
}

static void butterfly(int16_t *z, uint32_t done, uint32_t turn)
{
    int16_t *a = z, *b = z + 2 * done, *c = z + 4 * done, *d = z + 6 * done;
    int32_t whole[2], side[2], other[2], cross[2], i;

    for (i = 0; i < 2; i++) {
        a[i] = (int16_t)divided(a[i], 4);
        b[i] = (int16_t)divided(b[i], 4);
        c[i] = (int16_t)divided(c[i], 4);
        d[i] = (int16_t)divided(d[i], 4);
    }
    turn_back(b, turn);
    turn_back(c, 2 * turn);
    turn_back(d, 3 * turn);
    for (i = 0; i < 2; i++) {
        whole[i] = a[i] + c[i];
        side[i] = a[i] - c[i];
        other[i] = b[i] + d[i];
        cross[i] = b[i] - d[i];
    }
    a[0] = wrapped(whole[0] + other[0]), a[1] = wrapped(whole[1] + other[1]);
    b[0] = wrapped(side[0] + cross[1]), b[1] = wrapped(side[1] - cross[0]);
    c[0] = wrapped(whole[0] - other[0]), c[1] = wrapped(whole[1] - other[1]);
    d[0] = wrapped(side[0] - cross[1]), d[1] = wrapped(side[1] + cross[0]);
}

/* The complex transform of NAME_POINTS / 2 numbers, real and imaginary parts in turn, in place. */
static void transform(int16_t *z)
{
    const uint32_t points = NAME_POINTS / 2;
    uint32_t done, block, k;

    for (done = 1; done < points; done *= 4) {
        for (block = 0; block < points; block += 4 * done) {
            for (k = 0; k < done; k++) {
                butterfly(z + 2 * (block + k), done, k * (NAME_POINTS / (4 * done)));
            }
        }
    }
}

static int32_t windowed(const int16_t *samples, uint32_t index)
{
    return lowered(samples[index] * hann[index], 12);
}

/* The windowed samples, two to a complex number, moved up as far as 16 bits allow; gives by how many bits. */
static uint32_t load(int16_t *z, const int16_t *samples)
{
    int32_t peak = 0;
    uint32_t i, up;

    for (i = 0; i < NAME_WINDOW; i++) {
        const int32_t value = windowed(samples, i), size = wrapped(value < 0 ? -value : value);
        peak = size > peak ? size : peak;
    }
    up = 15 - bits_of((uint32_t)peak);
    memset(z, 0, NAME_POINTS * sizeof(z[0]));
    for (i = 0; i < NAME_WINDOW; i++) {
        z[2 * reversed(i / 2) + i % 2] = wrapped(windowed(samples, i) * (1 << up));
    }
    return up;
}

/* The power of a bin but the first and the last, from the transform of half the points. */
static uint32_t power(const int16_t *z, uint32_t bin)
{
    const uint32_t half = NAME_POINTS / 2, low = bin <= half / 2 ? bin : half - bin;
    const int16_t *near = z + 2 * low, *far = z + 2 * (half - low);
    const int32_t near_real = divided(near[0], 2), near_imaginary = divided(near[1], 2);
    const int32_t far_real = divided(far[0], 2), far_imaginary = divided(wrapped(-far[1]), 2);
    const int32_t even_real = wrapped(near_real + far_real), even_imaginary = wrapped(near_imaginary + far_imaginary);
    int32_t real, imaginary;
    int16_t odd[2];

    odd[0] = wrapped(near_real - far_real);
    odd[1] = wrapped(near_imaginary - far_imaginary);
    turn_back(odd, low + half / 2);
    real = lowered(bin == low ? even_real + odd[0] : even_real - odd[0], 1);
    imaginary = lowered(bin == low ? even_imaginary + odd[1] : odd[1] - even_imaginary, 1);
    return (uint32_t)(real * real) + (uint32_t)(imaginary * imaginary);
}

/* The nearest root of a number below 2^52, but that of 32 bits has 16. */
static uint32_t root_of(uint64_t value)
{
    uint64_t left = value;
    uint32_t root = 0, bit;

    for (bit = (uint32_t)1 << 25; bit != 0; bit >>= 1) {
        const uint64_t wider = ((uint64_t)root * 2 + bit) * bit;
        if (wider <= left) {
            left -= wider;
            root += bit;
        }
    }
    return left > root && !(value <= UINT32_MAX && root == 65535) ? root + 1 : root;
}

/* A signal less the noise of its band, which goes on with it. */
static uint32_t without_noise(uint32_t signal, uint32_t *noise, uint32_t smoothing)
{
    const uint32_t scaled = signal << 10, least = (uint32_t)(((uint64_t)signal * NAME_LEAST_SHARE) >> 14);
    uint32_t left;

    *noise = (uint32_t)(((uint64_t)scaled * smoothing + (uint64_t)*noise * (16384 - smoothing)) >> 14);
    left = (scaled - (*noise < scaled ? *noise : scaled)) >> 10;
    return left > least ? left : least;
}

/* A parabola in each power of two of a noise. */
static int32_t gain_of(uint32_t noise)
{
    const uint32_t interval = noise > 1 ? bits_of(noise) - 1 : 0;
    const uint32_t between = (interval < 10 ? noise << (10 - interval) : noise >> (interval - 10)) & 1023;
    const int64_t slope = lowered(gain_bent[interval] * (int32_t)between, 5) + gain_slopes[interval] * 32;
    const int64_t rise = slope * between + 16384;

    if (noise <= 1) {
        return noise == 0 ? NAME_GAIN_OF_NONE : NAME_GAIN_OF_ONE;
    }
    return gains[interval] + (int32_t)(rise >= 0 ? rise >> 15 : ~(~rise >> 15));
}

/* A signal against the noise of its band, 6 bits behind the point; small ones are made smaller. */
static uint32_t with_gain(uint32_t signal, uint32_t noise)
{
    const uint32_t ratio = (uint32_t)(((uint64_t)signal * (uint32_t)gain_of(noise)) >> 6);

    return ratio < 8192 ? (ratio * ratio) >> 20 : (ratio >> 6) - 64;
}

static uint32_t natural_log(uint32_t value) /* 6 bits behind the point */
{
    const uint32_t moved = value << 3, whole = moved > 1 ? bits_of(moved) - 1 : 0;
    const uint32_t fraction = (uint32_t)(((uint64_t)moved << 16) >> whole) - 65536, step = fraction >> 9;
    uint64_t natural;
    int32_t bend;

    if (moved <= 1) {
        return 0;
    }
    bend = lowered((logarithms[step + 1] - logarithms[step]) * (int32_t)(fraction & 511), 16);
    natural = (uint64_t)((whole << 16) + fraction + logarithms[step] + (uint32_t)bend) * 45426 + 32768;
    return (((uint32_t)(natural >> 16) << 6) + 32768) >> 16;
}

static int8_t step_of(uint32_t logarithm) /* as ESPHome rounds it */
{
    const uint32_t found = (logarithm * 256 + 333) / 666;

    return (int8_t)((int32_t)(found < 255 ? found : 255) - 128);
}

void NAME_frontend(NAME_t *self, int8_t *features)
{
    const uint32_t up = load(self->spectrum, self->samples);
    uint64_t rise = 0;
    uint32_t band, bin;

    transform(self->spectrum);
    for (band = 0; band <= NAME_COEFFICIENTS; band++) { /* each rises where the one before it falls */
        uint64_t energy = rise;
        rise = 0;
        for (bin = starts[band]; bin < starts[band + 1]; bin++) {
            const uint64_t size = power(self->spectrum, bin);
            rise += size * rises[bin - starts[0]];
            energy += size * (4096U - rises[bin - starts[0]]);
        }
        if (band > 0) {
            uint32_t *noise = &self->noise[band - 1];
            const uint32_t smoothing = band % 2 ? NAME_EVEN_SHARE : NAME_ODD_SHARE;
            const uint32_t left = without_noise(root_of(energy) >> up, noise, smoothing);
            features[band - 1] = step_of(natural_log(with_gain(left, *noise)));
        }
    }
}
