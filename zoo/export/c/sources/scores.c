/* Scores of 15 bits: exponentials are powers of two of two tables. */

static uint32_t exponential(uint32_t distance) /* exp(-scale distance), 2^15 is one */
{
    const uint64_t exact = (uint64_t)distance * NAME_SCORE_MULTIPLIER + (((uint64_t)1 << NAME_SCORE_SHIFT) >> 1);
    const uint64_t t = exact >> NAME_SCORE_SHIFT;
    uint32_t power, whole;

    if (t >= 17 << 10) {
        return 0;
    }
    whole = (uint32_t)t >> 10;
    power = ((uint32_t)coarse[(t >> 5) & 31] * fine[t & 31] + (1U << 14)) >> 15;
    return (power + ((1U << whole) >> 1)) >> whole;
}

/* Scores of all labels, 0 to 32768: a softmax, or a logistic function of each where a clip may have several labels. */
static void scores_of(const int16_t *logits, uint16_t *scores)
{
    uint32_t i;
#if NAME_SEVERAL
    for (i = 0; i < NAME_CLASSES; i++) {
        const int32_t logit = logits[i];
        const uint32_t power = exponential((uint32_t)(logit < 0 ? -logit : logit)), sum = 32768 + power;
        scores[i] = (uint16_t)((((logit < 0 ? power : 32768) << 15) + (sum >> 1)) / sum);
    }
#else
    int32_t most = logits[0];
    uint32_t sum = 0;

    for (i = 1; i < NAME_CLASSES; i++) {
        most = logits[i] > most ? logits[i] : most;
    }
    for (i = 0; i < NAME_CLASSES; i++) {
        const uint32_t power = exponential((uint32_t)(most - logits[i]));
        scores[i] = (uint16_t)power;
        sum += power;
    }
    for (i = 0; i < NAME_CLASSES; i++) {
        scores[i] = (uint16_t)((((uint32_t)scores[i] << 15) + (sum >> 1)) / sum);
    }
#endif
}

const int16_t *NAME_logits(const NAME_t *self)
{
    return self->logits;
}
