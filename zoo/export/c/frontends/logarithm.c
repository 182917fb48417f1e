static int32_t logarithm(int64_t value) /* to base 2, 16 bits behind the point */
{
    const uint32_t whole = bits_of((uint64_t)value) - 1;
    const uint64_t fraction = (uint64_t)value << (62 - whole);
    const uint32_t step = (uint32_t)(fraction >> 55) & 127, between = (uint32_t)(fraction >> 39) & 65535;
    const uint32_t low = logarithms[step], high = step == 127 ? 65536 : logarithms[step + 1];

    return (int32_t)((whole << 16) + low + (((high - low) * between + 32768) >> 16));
}
