"""Where the sound of a FLAC file ends, which its header does not state: behind the last of its frames.

A frame has no length. The last one is known by the number of its first sample and by how many there are in all, and it
ends where the check sum over it is right. Format: RFC 9639, sections 8.2 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["STREAMINFO", "ends_of_last_frame"]

STREAMINFO = 34
"""Bytes of the block that says of the whole stream what is in it."""
SYNC = re.compile(rb"\xff[\xf8\xf9]")
HEADER, SCANNED = 16, 2**20
"""Bytes of the longest header of a frame; bytes that are scanned at a time."""
CRC8, CRC16 = (0x07, 8), (0x8005, 16)
"""Polynomial and bits."""
SIZED = {6: 1, 7: 2}
"""Code of a length in samples -> bytes at the end of the header that hold it."""
RATED = {12: 1, 13: 2, 14: 2}
"""The same of a rate."""


def ends_of_last_frame(at: Callable[[int, int], bytes], first: int, size: int, info: bytes) -> list[int]:
    """The places behind the last frame: where its check sum is right, which is seldom so within it by chance.

    at: gives bytes from a place on, up to so many. first: place of the first frame. size: of the file. info: the bytes
    of STREAMINFO. None where the frame is not found, or the header does not state how many samples there are.
    """
    samples = int.from_bytes(info[13:18], "big") & 0xFFFFFFFFF
    start = _last_frame(at, first, size, int.from_bytes(info[:2], "big"), samples) if samples else None
    return [] if start is None else _ends(at(start, _most_bytes(info)), start)


def _last_frame(at: Callable[[int, int], bytes], first: int, size: int, block: int, samples: int) -> int | None:
    """Where the last one begins, looked for from the end on. block: samples of each where all have as many."""
    for place in range(size - 1 - (size - 1 - first) % SCANNED, first - 1, -SCANNED):
        data = at(place, SCANNED + HEADER)
        for found in SYNC.finditer(data, 0, SCANNED + 1):
            if _end_sample(data[found.start() : found.start() + HEADER], block) == samples:
                return place + found.start()
    return None


def _end_sample(head: bytes, block: int) -> int | None:
    """How many samples are in the stream up to the end of the frame with this header; None for what is none."""
    if len(head) < 6:
        return None
    number, place = _coded(head[4:])
    code, rate = head[2] >> 4, head[2] & 15
    sized, place = 4 + place, 4 + place + SIZED.get(code, 0)
    place += RATED.get(rate, 0)
    if number is None or code == 0 or rate == 15 or _check_sum(head[: place + 1], *CRC8):
        return None
    own = _samples(code, int.from_bytes(head[sized : sized + SIZED.get(code, 0)], "big"))
    return own + number * (1 if head[1] & 1 else block)


def _samples(code: int, stated: int) -> int:
    """Of a frame."""
    if code in SIZED:
        return stated + 1
    return 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8


def _coded(data: bytes) -> tuple[int | None, int]:
    """A number that is coded as UTF-8 codes signs, with up to 36 bits, and the bytes that it takes."""
    ones = 8 - (~data[0] & 0xFF).bit_length()
    if ones == 0:
        return data[0], 1
    rest = data[1:ones]
    if ones == 1 or ones == 8 or len(rest) < ones - 1 or any(byte >> 6 != 2 for byte in rest):
        return None, 1
    number = data[0] & (0x7F >> ones)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, ones


def _most_bytes(info: bytes) -> int:
    """The longest frame of a stream: all samples as they are, with a bit more where a channel is a difference."""
    about = int.from_bytes(info[10:14], "big")
    channels, bits = (about >> 9 & 7) + 1, (about >> 4 & 31) + 1
    return HEADER + 2 + channels * (2 + (int.from_bytes(info[2:4], "big") * (bits + 1) + 7) // 8)


def _ends(data: bytes, start: int) -> list[int]:
    """Where the check sum over a frame and what follows as its own is right."""
    table, sum_, ends = _table(*CRC16), 0, []
    for place, byte in enumerate(data, start + 1):
        sum_ = (sum_ << 8 & 0xFFFF) ^ table[sum_ >> 8 ^ byte]
        if not sum_:
            ends.append(place)
    return ends


def _check_sum(data: bytes, polynomial: int, bits: int) -> int:
    """Of data; 0 where its own follows it."""
    table, most, sum_ = _table(polynomial, bits), (1 << bits) - 1, 0
    for byte in data:
        sum_ = (sum_ << 8 & most) ^ table[sum_ >> bits - 8 ^ byte]
    return sum_


@lru_cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    """What each byte adds to a check sum."""
    found = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = value << 1 ^ polynomial * (value >> bits - 1 & 1)
        found.append(value & (1 << bits) - 1)
    return tuple(found)
