static int32_t coefficient(const int32_t *mels, uint32_t index)
{
    return mels[NAME_FIRST_MEL + index * NAME_MEL_STEP];
}
