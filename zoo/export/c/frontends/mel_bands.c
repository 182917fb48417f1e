/* Each band rises to its centre where the one before it falls from its own. */
static void log_mels(const complex_t *z, int32_t *found, uint32_t up)
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
