"""Whether a file holds one stream of sound, and the whole of it: what decoders leave out without a word.

A decoder hears the first of several recordings in one file, and of Ogg or MP3 that was cut short what is left. So the
pages, frames or chunks of a file are walked, which takes no decoding. Tags, padding and chunks behind the sound are no
fault. MP3 without a header that counts its frames is known to be cut by its last frame alone.
"""

from __future__ import annotations

import bisect
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, NamedTuple, NoReturn
from zlib import crc32

from supernet.data.flac import STREAMINFO, ends_of_last_frame
from supernet.errors import InvalidAudio

__all__ = ["Frames", "Parts", "begins_frames", "block_samples", "check_stream", "frames_of"]

UNKNOWN_BYTES = 2**31 - 2**16
"""From here on the length that a WAV file states is what recorders write into a pipe, before they know it."""
STREAM = re.compile(
    rb"RIFF....WAVE|RF64....WAVE|RIFX....WAVE|FORM....AIF[FC]|fLaC[\x00\x80]\x00\x00\x22|OggS\x00[\x02\x06]|"
    rb"riff\x2e\x91\xcf\x11|caff\x00\x01\x00\x00|\.snd\x00\x00", re.DOTALL
)  # fmt: skip
"""How recordings begin; a sign is so long that sound holds none by chance."""
SIGN_BYTES, SCANNED = 12, 2**20
"""Bytes of the longest sign; bytes that are scanned at a time."""
UNSTATED = 1024
"""Bytes behind the sound that may be anything; more of them are sound that the header does not state."""
TAG_BYTES, APE_BYTES, ID3_BYTES = 128, 32, 10
"""Of an ID3v1 tag, of the header or footer of an APE tag, and of the header of an ID3v2 tag."""
ID3 = re.compile(rb"ID3[\x02-\x04].{2}[\x00-\x7f]{4}", re.DOTALL)
RIFF_FORMS = {b"RIFF": "little", b"RF64": "little", b"RIFX": "big", b"FORM": "big"}
SOUND_CHUNKS = (b"data", b"SSND")
FIRST, LAST, CHECKSUM = 2, 4, 22
"""Flags of the pages of Ogg, and where their checksums stand."""
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""The bits of each byte from the other end."""
KILOBITS = {
    (1, 1): range(32, 449, 32),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(version, layer) of MPEG -> the bit rates of the indexes from 1 on, in 1000 bits a second."""
RATES = (44_100, 48_000, 32_000)
HEADER, COUNTED = 4, 64
"""Bytes of the header of a frame; those of the first frame within which a count of frames is announced."""


class Frames(NamedTuple):
    """The frames of an MP3. parts: where they are, first and end in bytes of the file; other bytes are between parts.
    samples: how many they hold, where the file does not state it, so that decoders guess; else None.
    """

    parts: tuple[tuple[int, int], ...]
    samples: int | None

    @property
    def lost(self) -> int:
        """Bytes between the parts."""
        return self.parts[-1][1] - self.parts[0][0] - sum(end - first for first, end in self.parts)


class Parts(io.RawIOBase):
    """Parts of an open file as a file of its own. parts: as Frames has them."""

    def __init__(self, file: BinaryIO, parts: Sequence[tuple[int, int]]) -> None:
        *starts, size = accumulate((end - first for first, end in parts), initial=0)
        self._file, self._parts, self._starts, self._size, self._place = file, parts, starts, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self._place = max(0, place + (0, self._place, self._size)[whence])
        return self._place

    def readinto(self, buffer) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._place)]
        done = 0
        while done < len(view) and (count := self._read_part(view[done:])):
            done += count
        return done

    def _read_part(self, view: memoryview) -> int:
        """As much as there is up to the end of the part that is read."""
        number = bisect.bisect(self._starts, self._place) - 1
        first, end = self._parts[number]
        place = first + self._place - self._starts[number]
        self._file.seek(place)
        count = self._file.readinto(view[: end - place])
        self._place += count
        return count


@dataclass(frozen=True)
class _File:
    """A file that is walked."""

    name: str
    file: BinaryIO
    size: int

    def at(self, place: int, count: int) -> bytes:
        """Up to so many bytes."""
        self.file.seek(place)
        return self.file.read(count)

    def number(self, place: int, count: int, order: str) -> int:
        return int.from_bytes(self.at(place, count), order)

    def cut(self, found: str) -> NoReturn:
        raise InvalidAudio(f"{self.name}: cut short ({found}); copy it again, or convert what is left to WAV")

    def need(self, stated: int) -> None:
        """Refuse a file of fewer bytes."""
        if self.size < stated:
            raise InvalidAudio(f"{self.name}: cut short ({self.size:,} of {stated:,} bytes); copy it again")

    def joined(self, place: int) -> NoReturn:
        raise InvalidAudio(
            f"{self.name}: another recording begins at byte {place:,}, behind the first, and would not be heard; split "
            "the file there, or convert its parts to WAV and join these"
        )

    def find_stream(self, place: int) -> None:
        """Refuse what begins another recording anywhere from a place on."""
        for first in range(place, self.size, SCANNED):
            found = STREAM.search(self.at(first, SCANNED + SIGN_BYTES))
            if found:
                self.joined(first + found.start())

    def check_behind(self, place: int) -> None:
        """Refuse what is neither tag nor padding behind the sound, which ends at a place."""
        rest = self.behind_tags(place)
        if self.size - rest > UNSTATED:
            self.find_stream(rest)
            raise InvalidAudio(
                f"{self.name}: {self.size - place:,} bytes follow the sound that its header states; a recorder left "
                "it unfinished, or it holds more than one recording: convert it to WAV with a program that repairs it"
            )

    def behind_tags(self, place: int) -> int:
        """The place behind tags and zeros."""
        while behind := self.tag_bytes(place) or self._zeros(place):
            place += behind
        return place

    def tag_bytes(self, place: int) -> int:
        """Of a tag that begins at a place; 0 where none does."""
        head = self.at(place, APE_BYTES)
        if ID3.match(head):
            size = sum((value & 127) << shift for value, shift in zip(head[6:ID3_BYTES], (21, 14, 7, 0), strict=True))
            return ID3_BYTES + size + ID3_BYTES * bool(head[5] & 16)
        if head.startswith(b"APETAGEX"):
            return APE_BYTES + int.from_bytes(head[12:16], "little") * (head[23] >> 5 & 1)
        if head.startswith(b"LYRICSBEGIN"):
            end = self.at(place, self.size).find(b"LYRICS200")
            return end + 9 if end > 0 else 0
        if head.startswith(b"TAG"):
            return TAG_BYTES
        return 0

    def _zeros(self, place: int) -> int:
        block = self.at(place, SCANNED)
        return len(block) - len(block.lstrip(b"\0"))


def check_stream(file: BinaryIO, name: str) -> Frames | None:
    """Raise InvalidAudio for a file that ends before its recording does, or that holds another one behind it.

    file: open for reading; its position is lost. What is no known container passes. Returns the frames of an MP3: of
    what is around and between them libmpg123 writes on standard error. None for all others.
    """
    walked = _File(name, file, file.seek(0, os.SEEK_END))
    walk = _walk_of(walked)
    return walk(walked) if walk else None


def frames_of(file: BinaryIO) -> Frames | None:
    """What `check_stream` returns, of a file that may be cut short or hold more."""
    walked = _File("", file, file.seek(0, os.SEEK_END))
    with suppress(InvalidAudio):
        if _walk_of(walked) is _walk_mpeg:
            return Frames(_parts(walked, walked.behind_tags(0))[0], None)
    return None


def _walk_of(file: _File) -> Callable[[_File], Frames | None] | None:
    head = file.at(0, SIGN_BYTES)
    for sign, walk in WALKS.items():
        if head.startswith(sign):
            return walk
    begin = file.behind_tags(0) if ID3.match(head) else 0
    if file.at(begin, 4) in RIFF_FORMS:
        raise InvalidAudio(f"{file.name}: a tag of {begin:,} bytes is before its header; convert it to WAV")
    if file.at(begin, 4) == b"fLaC":
        return _walk_flac
    return _walk_mpeg if _frame(file.at(begin, HEADER)) else None


def _walk_riff(file: _File) -> None:
    order = RIFF_FORMS[file.at(0, 4)]
    stated = 8 + file.number(4, 4, order)
    known = stated != 8 and stated < UNKNOWN_BYTES
    if known:
        file.need(stated)
    heard, place = False, 12
    for place, kind, size in _chunks(file, order):
        if kind in SOUND_CHUNKS:
            if size >= UNKNOWN_BYTES or (size == 0 and not known):
                return file.find_stream(place + 8)
            file.need(place + 8 + size)
            heard = True
        place += 8 + size + size % 2
    return file.check_behind(place) if heard else None


def _chunks(file: _File, order: str) -> Iterator[tuple[int, bytes, int]]:
    """Place, name and bytes of each chunk, up to what is none."""
    place, wide = 12, 0
    while place + 8 <= file.size:
        head = file.at(place, 8)
        kind, size = head[:4], int.from_bytes(head[4:], order)
        if kind == b"ds64":
            wide = file.number(place + 16, 8, order)
        size = wide if kind == b"data" and wide and size == 0xFFFFFFFF else size
        fits = place + 8 + size <= file.size or kind in SOUND_CHUNKS
        if not fits or kind in RIFF_FORMS or not all(32 <= sign < 127 for sign in kind):
            return
        yield place, kind, size
        place += 8 + size + size % 2


def _walk_au(file: _File) -> None:
    start, size = file.number(4, 4, "big"), file.number(8, 4, "big")
    if size == 0xFFFFFFFF:
        return file.find_stream(start)
    file.need(start + size)
    return file.check_behind(start + size)


def _walk_w64(file: _File) -> None:
    stated = file.number(16, 8, "little")
    file.need(stated)
    file.check_behind(stated)


def _walk_caf(file: _File) -> None:
    place, heard = 8, False
    while place + 12 <= file.size:
        kind, size = file.at(place, 4), file.number(place + 4, 8, "big")
        if size == 2**64 - 1:  # up to the end
            return file.find_stream(place + 12)
        if kind == b"caff" or (heard and place + 12 + size > file.size):
            break
        file.need(place + 12 + size)
        heard |= kind == b"data"
        place += 12 + size
    return file.check_behind(place)


def _walk_flac(file: _File) -> None:
    begin = file.behind_tags(0) + 4
    place, last = begin, False
    while not last and place + 4 <= file.size:
        head = file.at(place, 4)
        last, place = bool(head[0] & 128), place + 4 + int.from_bytes(head[1:], "big")
    file.find_stream(place)
    ends = ends_of_last_frame(file.at, place, file.size, file.at(begin + 4, STREAMINFO))
    if ends:
        file.check_behind(max(ends, key=file.behind_tags))


def _walk_ogg(file: _File) -> None:
    place, begun, numbers, unended = 0, False, {}, set()
    while page := _page(file, place):
        flags, stream, number, size = page
        if flags & FIRST and begun:
            file.joined(place)
        if number != numbers.get(stream, number - 1) + 1:
            file.cut(f"pages are missing before byte {place:,}")
        if not _is_sound(file.at(place, size)):
            file.cut(f"its page at byte {place:,} is damaged")
        begun |= not flags & FIRST
        numbers[stream] = number
        (unended.discard if flags & LAST else unended.add)(stream)
        place += size
    if unended:
        file.cut("its last page is missing")
    file.check_behind(place)


def _is_sound(page: bytes) -> bool:
    """True where the checksum of a page is that of its bytes: CRC-32 from the highest bit on, from 0, as it is.

    That of zlib goes from the lowest bit on, from all ones, and is inverted.
    """
    bare = page[:CHECKSUM] + bytes(4) + page[CHECKSUM + 4 :]
    mirrored = crc32(bare.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    found = mirrored.to_bytes(4, "little").translate(MIRRORED)
    return int.from_bytes(found, "big") == int.from_bytes(page[CHECKSUM : CHECKSUM + 4], "little")


def _page(file: _File, place: int) -> tuple[int, bytes, int, int] | None:
    """Flags, stream, number and bytes of the page at a place; None where none begins."""
    head = file.at(place, 27)
    if not head or head[:4] != b"OggS"[: len(head)]:
        return None
    table = file.at(place + 27, head[26]) if len(head) == 27 else b""
    size = 27 + len(table) + sum(table)
    if len(head) < 27 or len(table) < head[26] or place + size > file.size:
        file.cut(f"its last page, at byte {place:,}, is incomplete")
    return head[5], head[14:18], int.from_bytes(head[18:22], "little"), size


def _walk_mpeg(file: _File) -> Frames:
    """Frames, up to tags, other bytes or the end; the first may count them, else it is done here."""
    first = file.behind_tags(0)
    counted, stated = _stated(file, first)
    parts, frames = _parts(file, first)
    place = parts[-1][1]
    if place < file.size < place + _frame(file.at(place, HEADER)):
        file.cut(f"its last frame, at byte {place:,}, is incomplete")
    behind = file.behind_tags(place)
    if behind > place and _frame(file.at(behind, HEADER)):
        file.joined(place)
    if counted is not None:
        _compare(file, frames - 1, counted, file.size - first < stated, first)
    file.check_behind(behind)
    return Frames(parts, None if counted is not None else frames * _frame_samples(file.at(first, HEADER)))


def _parts(file: _File, place: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Where frames that begin at a place are, as Frames has it, and how many are whole."""
    parts, first, frames = [], place, 0
    while (frame := _frame(file.at(place, HEADER))) and place + frame <= file.size:
        place, frames = place + frame, frames + 1
        if not _frame(file.at(place, HEADER)) and (lost := _lost(file, place)):
            parts.append((first, place))
            first = place = place + lost
    return (*parts, (first, place)), frames


def _lost(file: _File, place: int) -> int:
    """Bytes up to the next frames, which decoders pass over; 0 where there are none so near, or tags."""
    if file.tag_bytes(place):
        return 0
    for skipped in range(1, min(UNSTATED, file.size - place)):
        frame = _frame(file.at(place + skipped, HEADER))
        if frame and _frame(file.at(place + skipped + frame, HEADER)):
            return skipped
    return 0


def _compare(file: _File, frames: int, counted: int, fewer_bytes: bool, first: int) -> None:
    """frames, counted: those that are there, and those that the first one states, which some encoders count as well."""
    if frames < counted - 1 or (frames < counted and fewer_bytes):
        file.cut(f"{frames:,} of {counted:,} frames")
    if frames > counted:
        file.joined(_place_of_second(file, first))


def _place_of_second(file: _File, first: int) -> int:
    """Where the frames go on behind those that the first one counts."""
    place = first
    for _ in range(_stated(file, first)[0] + 1):
        place += _frame(file.at(place, HEADER))
    return place


def _stated(file: _File, place: int) -> tuple[int | None, int]:
    """How many frames follow the first one, and of how many bytes all are, as it states; else None and 0."""
    head = file.at(place, COUNTED)
    found = re.search(rb"Xing|Info", head)
    if found:
        flags, *values = (file.number(place + found.end() + 4 * number, 4, "big") for number in range(3))
        frames = values[0] if flags & 1 else None
        return frames, values[flags & 1] if flags & 2 else 0
    if head[36:40] == b"VBRI":
        return file.number(place + 50, 4, "big"), file.number(place + 46, 4, "big")
    return None, 0


def _frame(head: bytes) -> int:
    """Bytes of the frame of MPEG audio that begins with so much; 0 for what begins none, or states no length."""
    if len(head) < HEADER or head[0] != 255 or head[1] & 0xE0 != 0xE0:
        return 0
    divisor, layer = (4, 0, 2, 1)[head[1] >> 3 & 3], (0, 3, 2, 1)[head[1] >> 1 & 3]
    index, rate = head[2] >> 4, head[2] >> 2 & 3
    if not divisor or not layer or rate == 3 or index in (0, 15):
        return 0
    version, padding = 1 if divisor == 1 else 2, head[2] >> 1 & 1
    bits = 1000 * KILOBITS[version, layer][index - 1]
    hertz = RATES[rate] // divisor
    if layer == 1:
        return 4 * (12 * bits // hertz + padding)
    return (72 if (version, layer) == (2, 3) else 144) * bits // hertz + padding


def begins_frames(data: bytes) -> bool:
    """Whether data begin with three frames of MPEG audio, each at the end of the one before."""
    place = 0
    for _ in range(3):
        size = _frame(data[place : place + HEADER])
        if not size:
            return False
        place += size
    return True


def _frame_samples(head: bytes) -> int:
    layer, version_1 = (0, 3, 2, 1)[head[1] >> 1 & 3], head[1] >> 3 & 3 == 3
    return 384 if layer == 1 else 1152 if layer == 2 or version_1 else 576


def block_samples(file: BinaryIO) -> int:
    """Samples that a block of ADPCM in a WAV file decodes to, as its header states; 1 where it states none."""
    walked = _File("", file, file.seek(0, os.SEEK_END))
    if walked.at(0, 4) != b"RIFF":
        return 1
    for place, kind, size in _chunks(walked, "little"):
        if kind == b"fmt " and size >= 20:
            return max(1, walked.number(place + 26, 2, "little"))
    return 1


WALKS = {
    **dict.fromkeys(RIFF_FORMS, _walk_riff),
    b".snd": _walk_au,
    b"riff": _walk_w64,
    b"caff": _walk_caf,
    b"OggS": _walk_ogg,
}
"""What a file begins with -> what walks it; the rest is looked for behind tags."""
