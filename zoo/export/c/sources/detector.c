/* The detector: the mean of scores over its last looks, and one event a word. */

/* Of a label over the last looks. */
static uint32_t sum_of(const NAME_t *self, uint32_t label)
{
    uint32_t total = 0, i;

    for (i = 0; i < NAME_SMOOTHING; i++) {
        total += self->scores[i][label];
    }
    return total;
}

/* An answer of the network is there. Gives whether there is an event. An event of a label goes on until its sum is below
   its release; then it waits. Behind any event all labels wait. */
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
