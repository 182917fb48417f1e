/* Each band rises to its centre where the one before it falls from its own. */
static void log_mels(const complex_t *z, int32_t *found, uint32_t up)
{
    const int64_t least = (int64_t)NAME_LEAST << (2 * up);
    int64_t power[NAME_HALF + 4], rising[NAME_HALF + 4], before = 0;
    uint32_t band, bin = starts[0];

    powers(z, starts[0], starts[NAME_MELS + 1], power, rising);
    for (band = 0; band <= NAME_MELS; band++) {
        int64_t all = 0, rise = 0;
        for (; bin < starts[band + 1]; bin++) {
            all += power[bin];
            rise += rising[bin];
        }
        if (band > 0) {
            const int64_t energy = before + all * 32768 - rise;
            found[band - 1] = logarithm(energy < least ? least : energy) - NAME_OFFSET - (int32_t)(up << 17);
        }
        before = rise;
    }
}
