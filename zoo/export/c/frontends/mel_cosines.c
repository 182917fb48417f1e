/* A row of the cosine transform, of which the second half mirrors the first, with the other sign in every second row. */
static int32_t coefficient(const int32_t *mels, uint32_t index)
{
    const int32_t *row = cosine_rows[index];
    const int32_t sign = index % 2 ? -1 : 1;
    int64_t total = 0;
    uint32_t i;

    for (i = 0; i < NAME_MELS / 2; i++) {
        total += (int64_t)(mels[i] + sign * mels[NAME_MELS - 1 - i]) * row[i];
    }
#if NAME_MELS % 2
    total += (int64_t)mels[i] * row[i];
#endif
    return (int32_t)halved(total, NAME_TRANSFORM_BITS);
}
