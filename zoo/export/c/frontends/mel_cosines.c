/* A row of the cosine transform, of which the second half mirrors the first, with the other sign in every second row. */
static int32_t coefficient(const int32_t *mels, uint32_t index)
{
    const int32_t *row = cosine_rows[index];
    int64_t total = 0;
    uint32_t i;

    for (i = 0; i < NAME_MELS; i++) {
        const uint32_t mirrored = NAME_MELS - 1 - i;
        if (i <= mirrored) {
            total += (int64_t)mels[i] * row[i];
        } else {
            total += (int64_t)mels[i] * (index % 2 ? -row[mirrored] : row[mirrored]);
        }
    }
    return (int32_t)halved(total, NAME_TRANSFORM_BITS);
}
