/* The detector: scores of 15 bits, their mean over the last answers, and one event a word. */

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

static uint32_t sum_of(const NAME_t *self, uint32_t label)
{
    uint32_t total = 0, i;

    for (i = 0; i < NAME_SMOOTHING; i++) {
        total += self->scores[i][label];
    }
    return total;
}

static int detect(NAME_t *self, NAME_event *event)
{
    uint32_t best = 0, label;
    int32_t found = -1;

    if (self->until > 0) {
        self->until--;
        return 0;
    }
    self->until = NAME_EVERY - 1;
    self->row = (uint16_t)(self->row + 1 == NAME_SMOOTHING ? 0 : self->row + 1);
    scores_of(self->logits, self->scores[self->row]);
    for (label = 0; label < NAME_CLASSES; label++) {
        const uint32_t sum = sum_of(self, label);
        if (self->heard[label] && sum < releases[label]) {
            self->heard[label] = 0;
            self->waits[label] = NAME_REFRACTORY;
        } else if (!self->heard[label] && self->waits[label] > 0) {
            self->waits[label]--;
        }
        if (self->missing == 0 && !self->heard[label] && self->waits[label] == 0 && sum >= thresholds[label]
            && sum > best) {
            best = sum;
            found = (int32_t)label;
        }
    }
    self->missing = (uint16_t)(self->missing > 0 ? self->missing - 1 : 0);
    self->answers++;
    if (found < 0) {
        return 0;
    }
    for (label = 0; label < NAME_CLASSES; label++) {
        self->waits[label] = self->waits[label] > NAME_REFRACTORY ? self->waits[label] : NAME_REFRACTORY;
    }
    self->heard[found] = 1;
    event->label = found;
    event->score = best / NAME_SMOOTHING;
    event->answer = self->answers - 1;
    return 1;
}
