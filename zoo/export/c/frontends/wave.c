static int32_t wave(uint32_t angle) /* cosine of `angle` / NAME_POINTS of a turn */
{
    const uint32_t quarter = NAME_POINTS / 4, part = angle % quarter;

    switch (angle / quarter % 4) {
    case 0: return cosines[part];
    case 1: return -cosines[quarter - part];
    case 2: return -cosines[part];
    default: return cosines[quarter - part];
    }
}
