"""Files that hold more than one recording, or less than one, are refused by name; tags and padding are no fault."""

import io

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone

from supernet.data.audio import read_audio, stated_seconds
from supernet.data.flac import ends_of_last_frame
from supernet.errors import InvalidAudio

KINDS = {
    "wav": {"format": "WAV"},
    "rf64": {"format": "RF64"},
    "aiff": {"format": "AIFF"},
    "au": {"format": "AU"},
    "caf": {"format": "CAF"},
    "w64": {"format": "W64"},
    "flac": {"format": "FLAC"},
    "vorbis": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3"},
}
TAG = b"TAG" + b"a title".ljust(125)
APE = (
    b"APETAGEX"
    + b"\xd0\x07\0\0"
    + b"\x28\0\0\0"
    + b"\1\0\0\0"
    + b"\0\0\0\xa0"
    + bytes(8)
    + b"Artist: nobody at all".ljust(40)
)
ID3 = b"ID3\x04\0\0\0\0\0\x20" + b"TIT2".ljust(32)
LIST = b"LIST\x0c\0\0\0INFOabcdefgh"


def coded(kind: str, samples=None, rate: int = RATE, **more) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(440, 2.0) if samples is None else samples, rate, **KINDS[kind], **more)
    return file.getvalue()


def frames(mp3: bytes) -> list[int]:
    """Where the frames of an MP3 of 16 kHz begin, as they state their bit rates."""
    rates = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    places = [0]
    while places[-1] < len(mp3):
        head = mp3[places[-1] + 2]
        places.append(places[-1] + 72 * 1000 * rates[head >> 4] // RATE + (head >> 1 & 1))
    return places


def pages(ogg: bytes) -> list[int]:
    return [place for place in range(len(ogg)) if bytes(ogg).startswith(b"OggS\0", place)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("between", [b"", TAG, APE, ID3, bytes(500)])
def test_two_recordings_in_a_file_are_refused_with_the_place(kind, between, tmp_path):
    (tmp_path / "joined").write_bytes(coded(kind) + between + coded(kind, tone(600)))
    with pytest.raises(InvalidAudio, match=r"joined: another recording begins at byte [\d,]+, behind the first"):
        read_audio(tmp_path / "joined")


@pytest.mark.parametrize("kind", ["wav", "flac", "vorbis", "opus", "mp3"])
@pytest.mark.parametrize("other", ["wav", "flac", "opus"])
def test_so_are_two_of_other_kinds(kind, other):
    with pytest.raises(InvalidAudio, match=r"another recording begins|bytes follow the sound"):
        read_audio(coded(kind) + coded(other))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_a_recording_that_was_cut_short_is_refused(kind, share):
    data = coded(kind)
    with pytest.raises(InvalidAudio, match="-: cut short"):
        read_audio(data[: round(share * len(data)) - 1])


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"w64"}))
@pytest.mark.parametrize("behind", [TAG, APE, ID3, APE + TAG, bytes(3000), LIST])
def test_tags_and_padding_behind_the_sound_are_no_fault(kind, behind):
    data = coded(kind)
    np.testing.assert_array_equal(read_audio(data + behind)[0], read_audio(data)[0])


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_a_tag_before_the_sound_is_no_fault(kind):
    np.testing.assert_array_equal(read_audio(ID3 + coded(kind))[0], read_audio(coded(kind))[0])


def test_a_tag_before_wav_would_move_its_samples():
    with pytest.raises(InvalidAudio, match="a tag of 42 bytes is before its header"):
        read_audio(ID3 + coded("wav"))


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
def test_pages_that_are_missing_are_told(kind):
    data = coded(kind, np.tile(tone(440, 2.0), 5))
    places = pages(data)
    with pytest.raises(InvalidAudio, match="its last page is missing"):
        read_audio(data[: places[-1]])
    with pytest.raises(InvalidAudio, match="pages are missing before byte"):
        read_audio(data[: places[3]] + data[places[4] :])


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
@pytest.mark.parametrize("page", [2, 3, -1])
def test_a_page_with_a_byte_that_is_not_its_own_is_told(kind, page):
    """libogg leaves it out without a word."""
    data = bytearray(coded(kind, np.tile(tone(440, 2.0), 5)))
    data[pages(data)[page] + 60] ^= 4
    with pytest.raises(InvalidAudio, match=r"its page at byte [\d,]+ is damaged"):
        read_audio(bytes(data))


def test_frames_that_are_missing_are_told_where_the_first_one_counts_them():
    data = coded("mp3")
    places = frames(data)
    for left in (1, 2, 9):
        with pytest.raises(InvalidAudio, match=r"cut short \(\d+ of \d+ frames\)"):
            read_audio(data[: places[-1 - left]])
    with pytest.raises(InvalidAudio, match="another recording begins"):
        read_audio(data + data[places[1] :])


def test_of_mp3_without_a_count_of_frames_all_is_heard_or_it_is_refused():
    """libsndfile takes the first bit rate for that of all, and leaves out the rest."""
    steady = coded("mp3", bitrate_mode="CONSTANT", compression_level=0.5)
    bare = steady[frames(steady)[1] :]
    assert abs(len(read_audio(bare)[0]) - 2 * RATE) < 2257
    assert len(read_audio(bare + bare)[0]) >= 4 * RATE
    with pytest.raises(InvalidAudio, match="its last frame"):
        read_audio(bare[:-1])
    with pytest.raises(InvalidAudio, match="another recording begins"):
        read_audio(bare + TAG + bare)
    rng = np.random.default_rng(0)
    rising = rng.standard_normal(2 * RATE) * np.linspace(0, 0.3, 2 * RATE) ** 3
    varied = coded("mp3", rising, bitrate_mode="VARIABLE")
    assert abs(len(read_audio(varied[frames(varied)[1] :])[0]) - 2 * RATE) < 2257
    varied = coded("mp3", rising[::-1], bitrate_mode="VARIABLE")
    with pytest.raises(InvalidAudio, match="since it states no length"):
        read_audio(varied[frames(varied)[1] :])


def test_a_recorder_that_did_not_know_the_length_is_read_and_two_of_its_files_are_not():
    data = coded("wav")
    unknown = data[:4] + b"\xff" * 4 + data[8:40] + b"\xff" * 4 + data[44:]
    np.testing.assert_array_equal(read_audio(unknown)[0], read_audio(data)[0])
    with pytest.raises(InvalidAudio, match=f"another recording begins at byte {len(data):,}"):
        read_audio(unknown + unknown)


def test_sound_that_the_header_does_not_state_is_refused():
    data = coded("wav")
    with pytest.raises(InvalidAudio, match="bytes follow the sound that its header states"):
        read_audio(data[:40] + (8000).to_bytes(4, "little") + data[44:])


@pytest.mark.parametrize("seconds", [0.01, 0.256, 2.0, 40.0])
@pytest.mark.parametrize(
    "behind",
    [np.random.default_rng(0).bytes(1500), coded("mp3")[144:], b"not a tag " * 200],
    ids=["noise", "mp3", "text"],
)
def test_what_follows_the_last_frame_of_flac_is_told(behind, seconds):
    data = coded("flac", tone(440, seconds))
    assert len(read_audio(data + b"a few more bytes")[0]) == round(seconds * RATE)
    with pytest.raises(InvalidAudio, match=r"-: [\d,]+ bytes follow the sound that its header states"):
        read_audio(data + behind)
    with pytest.raises(InvalidAudio, match=r"-: [\d,]+ bytes follow the sound that its header states"):
        read_audio(data + TAG + behind)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("samples", [1, 4096, 4097, 30_000])
def test_the_end_of_flac_is_found_whatever_is_in_it(subtype, channels, samples):
    rng = np.random.default_rng(samples)
    for sound in (rng.uniform(-1, 1, (samples, channels)), np.zeros((samples, channels))):
        data = io.BytesIO()
        soundfile.write(data, sound, 12_345, format="FLAC", subtype=subtype)
        assert _end_of_flac(data.getvalue()) == _end_of_flac(data.getvalue() + rng.bytes(99)) == len(data.getvalue())


def _end_of_flac(data: bytes) -> int:
    """The first end that is found behind all metadata."""
    place, last = 4, 0
    while not last:
        last, place = data[place] & 128, place + 4 + int.from_bytes(data[place + 1 : place + 4], "big")
    return ends_of_last_frame(lambda first, count: data[first : first + count], place, len(data), data[8:42])[-1]


def test_frames_of_unequal_lengths_are_known_by_their_samples():
    """The first example of RFC 9639 (two samples in stereo), and the same with its frame numbered by samples."""
    data = bytes.fromhex(
        "664c6143 80000022 1000 1000 00000f 00000f 0ac442f000000001 3e84b41807dc690307586a3dad1a2e0f"
        "fff86918 0000bf 0358fd03128b aa9a"
    )
    assert _end_of_flac(data) == len(data)
    head = b"\xff\xf9" + data[44:48]
    frame = head + _remainder(head, 0x107, 8) + data[49:-2]
    assert _end_of_flac(data[:42] + frame + _remainder(frame, 0x18005, 16) + b"more") == len(data)


def _remainder(data: bytes, divisor: int, bits: int) -> bytes:
    """Of a division of polynomials, done as by hand."""
    left = int.from_bytes(data, "big") << bits
    while left.bit_length() > bits:
        left ^= divisor << left.bit_length() - bits - 1
    return left.to_bytes(bits // 8, "big")


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_of_what_surrounds_an_mp3_its_decoder_says_nothing(mode, capfd, tmp_path, caplog):
    """It writes on standard error by itself; bytes among the frames are told by name, and cost no sound."""
    data = coded("mp3", np.tile(tone(440, 2.0), 3), bitrate_mode=mode)
    expected, place = read_audio(data)[0], frames(data)[20]
    for before, behind in ((b"", bytes(30_000)), (b"", b"junk" * 200), (ID3, b""), (ID3, APE + TAG)):
        (tmp_path / "a.mp3").write_bytes(before + data + behind)
        np.testing.assert_array_equal(read_audio(tmp_path / "a.mp3")[0], expected)
        assert stated_seconds(tmp_path / "a.mp3") == len(expected) / RATE
    assert not caplog.messages
    (tmp_path / "b.mp3").write_bytes(data[:place] + b"junk" * 100 + data[place:])
    np.testing.assert_array_equal(read_audio(tmp_path / "b.mp3")[0], expected)
    assert caplog.messages == [
        f"{tmp_path / 'b.mp3'}: 400 bytes among its sound are none, and passed over; copy it again"
    ]
    assert capfd.readouterr().err == ""
