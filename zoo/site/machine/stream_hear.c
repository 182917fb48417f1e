static NAME_t own;

void NAME_begin(void)
{
    NAME_reset(&own);
}

/* Hear samples up to the next answer at most; gives how many were heard. */
int32_t NAME_hear(const int16_t *samples, int32_t count, machine_found *found)
{
    const int32_t wanted = (NAME_STEP_FRAMES - own.frames) * NAME_HOP - own.filled;
    const int32_t taken = count < wanted ? count : wanted;
    NAME_event event;

    NAME_push(&own, samples, (size_t)taken, &event);
    *found = (machine_found){taken == wanted, event.label, event.score, event.answer};
    return taken;
}

/* Scores of the last answer. */
void NAME_score(uint16_t *scores)
{
    scores_of(own.logits, scores);
}
