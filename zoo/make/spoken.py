"""The clips that a wake word is learned from: speech made from its text, sounds that are not it, recordings if given.

All of it is drawn by a seed. What is held out is of other voices and of other recordings than what is trained on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from supernet.constants import CACHE, NOISE, SILENCE, UNKNOWN
from supernet.data.audio import prepare_samples, read_audio, to_int16
from supernet.data.cache import cached_array
from supernet.data.clips import ClipData, Split, cut_clips, cut_noise, random_cut
from supernet.data.sounds import coloured_noise
from supernet.data.speech.clips import Speech, Spoken
from supernet.data.speech.neighbours import RARE, Neighbours, begins_as, common_words, neighbours, sentences
from supernet.data.speech_commands import held_noise, list_files
from supernet.data.walk import walk
from supernet.errors import InvalidAudio, InvalidData, InvalidQuery
from supernet.files import digest
from zoo.run.placed import word_span

__all__ = ["NOTHING", "RATE", "Amounts", "Material", "clip_data", "clip_length", "gathered", "read_recordings",
           "with_recordings"]  # fmt: skip

RATE = 16_000
CLASSES = 3
"""The word, all others, and silence."""
CLIP_MS, LENGTHS_MS = 100, (1000, 2000)
"""Steps of the length of clips, and the least and longest of them."""
FITTING, HALF, MARGIN_MS = 0.9, 0.5, 50
"""Share of spoken words that fit into a clip, share of them that must, and what it is longer."""
FIRST = 20
"""Clips by which a phrase that is too long is known, before all others are made."""
JOINED_S = 60
"""Negatives are joined to recordings of so many seconds, so that all moments of them are as likely."""
HELD_EACH = 5
"""Of short recordings every so many-th is kept from training, and of long ones the last part of so many."""
LONG_S = 60
CONTEXT, KEPT_SHARE = 0.4, 0.85
"""Share of spoken words with another word before or behind, and of a clip that is kept of these."""
HELD_RARE = 0.0
"""Share of rare words in sentences that thresholds are chosen on: people say common ones."""
WITHIN = 0.25
"""Share of sentences that have a near text in them."""
NEAR = {0: 1.0, 1: 0.2, 2: 0.6}
"""How often a near text is drawn by the phonemes that differ, beside those of three: people say a word in more ways
than engines do, and one phoneme is often all that differs between two of them."""
HARD_TIMES = 6
"""How much likelier a window that was taken for the phrase is drawn than another clip."""
SEED_WORDS, SEED_NEAR, SEED_SENTENCES, SEED_CUTS, SEED_RUNNING, SEED_ROW = 11, 12, 13, 14, 15, 16

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Amounts:
    """How much is made from text: clips of the word, of near texts and of other words, near texts to draw from, and
    sentences; and how many clips are taken of each word at hand. held: of voices that are kept from training.
    """

    words: int = 1500
    held_words: int = 300
    near_texts: int = 300
    near: int = 200
    held_near: int = 20
    others: int = 1800
    held_others: int = 180
    sentences: int = 500
    held_sentences: int = 1200
    each_recorded: int = 50


@dataclass(frozen=True)
class Material:
    """What is learned from and judged by, (samples,) int16 each.

    clip_ms: into which nine of ten words fit. words: of the phrase, from text. near: of other texts. negatives:
    sentences without it, from text. recordings: of people who say the phrase; others: of other words; real_negatives:
    in which it is not said. hard: windows that were taken for the phrase. held: the same that are kept from training,
    without noise. texts: how near ones were found. engines: name of each -> what its licence says.
    """

    clip_ms: int
    words: list[np.ndarray]
    near: list[np.ndarray]
    negatives: list[np.ndarray]
    noise: list[np.ndarray] = field(default_factory=list)
    held: Material | None = None
    recordings: list[np.ndarray] = field(default_factory=list)
    others: list[np.ndarray] = field(default_factory=list)
    real_negatives: list[np.ndarray] = field(default_factory=list)
    hard: list[np.ndarray] = field(default_factory=list)
    texts: Neighbours = field(default_factory=Neighbours)
    engines: dict[str, str] = field(default_factory=dict)


NOTHING = Material(0, [], [], [])


def gathered(phrase: str, speech: Speech, amounts: Amounts, seed: int, data: Path | None) -> Material:
    """All that is made from text, and what the folder of Speech Commands has, where one is given."""
    texts = neighbours(phrase, amounts.near_texts, seed)
    if texts.unknown:
        log.info(
            "%s: not in the dictionary, or that is not installed (extra `word`): letters are exchanged, not sounds",
            ", ".join(texts.unknown),
        )
    held = _spoken(phrase, texts, speech, amounts, seed, held=True) if speech.has_held else None
    if held is None:
        log.warning("one voice alone: none is held out, so that no figure tells how others are heard")
    noise = [to_int16(0.5 * item) for item in coloured_noise(np.random.default_rng(seed))]
    own = replace(
        _spoken(phrase, texts, speech, amounts, seed, held=False), held=held, noise=noise, texts=texts,
        engines={one.name: one.licence for one in speech.engines},
    )  # fmt: skip
    return own if data is None else _with_words(own, phrase, data, amounts.each_recorded)


def _spoken(phrase: str, texts: Neighbours, speech: Speech, amounts: Amounts, seed: int, held: bool) -> Material:
    """What the held voices say, or all others."""
    words, near, other, said = (
        (amounts.held_words, amounts.held_near, amounts.held_others, amounts.held_sentences)
        if held
        else (amounts.words, amounts.near, amounts.others, amounts.sentences)
    )
    kind = "held voices" if held else "voices"
    first = speech.clips([phrase] * min(FIRST, words), [seed, SEED_WORDS], held)
    _check_length(phrase, [len(one.samples) for one in first], warn=False)
    alone = speech.clips([phrase] * words, [seed, SEED_WORDS], held, f"{phrase}, {kind}")
    clip_ms = clip_length([one.samples for one in alone])
    _check_length(phrase, [len(one.samples) for one in alone])
    said_words = [one.samples for one in alone[: words if held else round(words * (1 - CONTEXT))]]
    if not held:
        within = speech.clips(
            _in_context(phrase, words - len(said_words), seed), [seed, SEED_WORDS], False, "in context"
        )
        said_words += [_cut_to_phrase(one, phrase, clip_ms) for one in within]
    drawn = _other_texts(phrase, texts, near, other, seed)
    others = speech.clips(drawn, [seed, SEED_NEAR], held, f"other words, {kind}", True)
    texted = sentences(phrase, said, seed + held, HELD_RARE if held else RARE)
    heard = texted if held else _with_near(texted, texts, seed)  # near texts are not met as often as that
    spoken = speech.clips(heard, [seed, SEED_SENTENCES], held, f"sentences, {kind}", True)
    return Material(clip_ms, said_words, [one.samples for one in others], [one.samples for one in spoken])


def _check_length(phrase: str, lengths: Sequence[int], warn: bool = True) -> None:
    """Raise InvalidQuery for a phrase most of which is longer than any clip; warn where some are."""
    most = LENGTHS_MS[1] / 1000
    over, median = float(np.mean(np.array(lengths) > most * RATE)), float(np.median(lengths)) / RATE
    told = f"text {phrase!r} takes {median:.1f} s to say in the median, and a clip has at most {most:g} s"
    if over > HALF:
        raise InvalidQuery(f"{told}: give a shorter one")
    if warn and over > 1 - FITTING:
        log.warning("%s: %.0f %% of what is said is cut; a shorter one would be heard better", told, 100 * over)


def _in_context(phrase: str, count: int, seed: int) -> list[str]:
    """The phrase with another word before or behind it."""
    rng = np.random.default_rng([seed, SEED_WORDS])
    others = [common_words()[place] for place in rng.integers(len(common_words()), size=count)]
    return [f"{other} {phrase}" if before else f"{phrase} {other}"
            for other, before in zip(others, rng.random(count) < 0.5, strict=True)]  # fmt: skip


def _cut_to_phrase(one: Spoken, phrase: str, clip_ms: int) -> np.ndarray:
    """The end of what was said where the phrase ends it, else its beginning."""
    most = round(KEPT_SHARE * clip_ms * RATE / 1000)
    return one.samples[-most:] if one.text.endswith(phrase) else one.samples[:most]


def _other_texts(phrase: str, texts: Neighbours, near: int, others: int, seed: int) -> list[str]:
    """So many near texts, and common words; of these as many more as near texts are missing."""
    rng = np.random.default_rng([seed, SEED_NEAR])
    drawn = _drawn(texts, near, rng)
    common = [word for word in common_words() if not begins_as(word, phrase)]
    return [*drawn, *(common[place] for place in rng.choice(len(common), near + others - len(drawn)))]


def _drawn(texts: Neighbours, count: int, rng: np.random.Generator) -> list[str]:
    """So many near texts, by the weights of NEAR; none where there are none."""
    names = list(texts)
    weights = np.array([NEAR.get(texts[name], 1.0) for name in names])
    return [names[place] for place in rng.choice(len(names), count, p=weights / weights.sum())] if names else []


def _with_near(texts: list[str], near: Neighbours, seed: int) -> list[str]:
    """Sentences, some of them with a near text inside."""
    rng, found = np.random.default_rng([seed, SEED_SENTENCES]), []
    for text in texts:
        words = text.split()
        if rng.random() < WITHIN:
            place = int(rng.integers(len(words) + 1))
            words[place:place] = _drawn(near, 1, rng)
        found.append(" ".join(words))
    return found


def _with_words(own: Material, phrase: str, data: Path, each: int) -> Material:
    """With words and noise of Speech Commands; the phrase itself is none of them."""
    files = list_files(data, ())
    parts = {name: [clip for word, paths in sorted(files[name].items()) if not begins_as(word, phrase)
                    for clip in _some(paths, count)]
             for name, count in (("train", each), ("validation", max(1, each // 5)))}  # fmt: skip
    noise = [_read(path) for path in walk(data / NOISE).recordings]
    others = _read_all(parts["validation"], "other words")
    held = replace(own.held or NOTHING, others=others, real_negatives=_in_a_row(phrase, files))
    return replace(own, others=_read_all(parts["train"], "other words"), noise=[*own.noise, *noise], held=held)


def _in_a_row(phrase: str, files: dict) -> list[np.ndarray]:
    """All other words of the validation list one after another: what people say, to choose a threshold on."""
    said = sorted(path for half in ("choosing", "validation") for word, paths in files.get(half, {}).items()
                  if not begins_as(word, phrase) for path in paths)  # fmt: skip
    order = np.random.default_rng(SEED_ROW).permutation(len(said))
    clips = _read_all([said[place] for place in order], "words in a row")
    return [np.concatenate(clips)] if clips else []


def _some(paths: Sequence[Path], count: int) -> list[Path]:
    return [paths[place] for place in np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)]


def _read(path: Path) -> np.ndarray:
    return to_int16(prepare_samples(*read_audio(path), RATE, str(path)))


def _read_all(paths: Sequence[Path], what: str) -> list[np.ndarray]:
    return [_read(path) for path in tqdm(paths, what, disable=None, leave=False)]


def read_recordings(folders: Iterable[str | Path]) -> list[np.ndarray]:
    """The recordings in files and folders, (samples,) int16 each. Raises InvalidData where there are none of use."""
    found = []
    for folder in map(Path, folders):
        paths = [folder] if folder.is_file() else walk(folder).recordings
        usable = [one for path in paths if (one := _usable(path)) is not None]
        if not usable:
            raise InvalidData(f"{folder}: no recordings that can be used; give a folder of some")
        found += usable
    return found


def _usable(path: Path) -> np.ndarray | None:
    try:
        samples = _read(path)
    except InvalidAudio as error:
        log.warning("left out: %s", error)
        return None
    return samples if samples.any() else None


def with_recordings(
    material: Material, recordings: Sequence[np.ndarray], negatives: Sequence[np.ndarray], hard: Sequence[np.ndarray]
) -> Material:
    """With recordings of the phrase, with such in which it is not said, and with false alarms.

    Every fifth recording is held out, and of a long one the last fifth of it; false alarms are all trained on.
    """
    held = material.held or NOTHING
    kept, out = _parted(recordings, long=False)
    quiet, quiet_out = _parted(negatives, long=True)
    held = replace(held, recordings=[*held.recordings, *out], real_negatives=[*held.real_negatives, *quiet_out])
    return replace(
        material, recordings=[*material.recordings, *kept], real_negatives=[*material.real_negatives, *quiet],
        hard=[*material.hard, *hard], held=held,
    )  # fmt: skip


def _parted(recordings: Sequence[np.ndarray], long: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For training, and held out."""
    own, out = [], []
    for number, item in enumerate(recordings):
        if long and len(item) >= LONG_S * RATE:
            cut = len(item) * (HELD_EACH - 1) // HELD_EACH
            own.append(item[:cut])
            out.append(item[cut:])
        else:
            (out if number % HELD_EACH == HELD_EACH - 1 else own).append(item)
    return own, out


def clip_length(words: Sequence[np.ndarray]) -> int:
    """Length of clips in ms into which nine of ten spoken words fit."""
    longest = float(np.quantile([len(one) for one in words], FITTING)) * 1000 / RATE + MARGIN_MS
    least, most = LENGTHS_MS
    return int(min(max(-(-longest // CLIP_MS) * CLIP_MS, least), most))


def clip_data(label: str, material: Material, share: float = 0.4, cache: Path | None = None) -> ClipData:
    """The task of a phrase beside all else. share: of the words in an epoch that are recordings, if there are some."""
    samples, held = material.clip_ms * RATE // 1000, material.held or NOTHING
    own = [_centred(one, samples) for one in material.words]
    real = [_cut(one, samples) for one in material.recordings]
    unknown = [_centred(one, samples) for one in material.near]
    heads, tails = _noises(material.noise, samples)
    rng = np.random.default_rng(SEED_CUTS)
    negatives = [_joined(part) for part in (material.negatives, material.real_negatives)]
    running = [cut for part in negatives for cut in _any_cuts(part, samples, len(own) // 2)]
    unknown += [*running, *(_cut(one, samples) for one in [*material.others, *material.hard])]
    said = [_centred(one, samples) for one in held.words] + [_cut(one, samples) for one in held.recordings]
    said = said or own[::10]
    other = [_centred(one, samples) for one in held.near] + [_cut(one, samples) for one in held.others]
    silent = [cut_noise(tails, rng, samples) for _ in range(max(1, len(other) // 4))]
    parts = [own, real, unknown, said, other, silent]
    clips = [clip for part in parts for clip in part]
    key = digest([label, [digest(clip.tobytes()) for clip in clips]])
    place = Path(cache or CACHE)
    audio = cached_array(place / "audio" / f"{key}.npy", (len(clips), samples), np.int16, lambda out: _fill(out, clips))
    ends = np.cumsum([0, *map(len, parts)])
    rows = [np.arange(first, last) for first, last in pairwise(ends)]
    times = round(share * len(own) / (1 - share) / len(real)) if real else 0
    train = np.concatenate([rows[0], *[rows[1]] * max(1, times)])
    targets = np.repeat([0, 1, 2], [len(said), len(other), len(silent)])
    negatives = [recording for part in negatives for recording in part]
    return ClipData(
        name=label, labels=(label, UNKNOWN, SILENCE), sampling_rate=RATE, audio=audio,
        splits={"train": Split(train, np.zeros(len(train), np.int64)),
                "validation": Split(np.concatenate(rows[3:]), targets)},
        unknown=np.concatenate([rows[2], np.tile(rows[2][len(unknown) - len(material.hard) :], HARD_TIMES - 1)]),
        extra=round(len(train) / 3), noise=heads, unknown_class=1, silence_class=2,
        licence="other", attribution="the owner of the voices and recordings",
        digest=digest([key, len(train), [digest(one.tobytes()) for one in [*negatives, *heads]]]),
        cache=place, negatives=negatives, held_noise=tails,
    )  # fmt: skip


def _fill(audio: np.ndarray, clips: Sequence[np.ndarray]) -> None:
    for row, clip in zip(audio, clips, strict=True):
        row[:] = clip


def _noises(noise: Sequence[np.ndarray], samples: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Those that are long enough, for training, and the ends of them that it does not hear."""
    pairs = [(item[: len(item) - len(tail)], tail) for item in noise for tail in [held_noise(item)]]
    pairs = [pair for pair in pairs if min(map(len, pair)) >= samples]
    return [head for head, _ in pairs], [tail for _, tail in pairs]


def _joined(recordings: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One after another, as recordings of JOINED_S and more."""
    found, open_parts = [], []
    for item in recordings:
        open_parts.append(item)
        if sum(map(len, open_parts)) >= JOINED_S * RATE:
            found.append(np.concatenate(open_parts))
            open_parts = []
    return [*found, *([np.concatenate(open_parts)] if open_parts else [])]


def _any_cuts(recordings: Sequence[np.ndarray], samples: int, most: int) -> list[np.ndarray]:
    """Any parts of running speech, (samples,) int16 each, no more than there is of it: what a device mostly hears."""
    rng, long = np.random.default_rng(SEED_RUNNING), [one for one in recordings if len(one) >= samples]
    return [random_cut(long, rng, samples) for _ in range(min(most, sum(map(len, long)) // samples))]


def _centred(clip: np.ndarray, samples: int) -> np.ndarray:
    """A spoken text in the middle of so many samples, cut at both ends where it is longer."""
    first = max(0, (len(clip) - samples) // 2)
    own = clip[first : first + samples]
    before = (samples - len(own)) // 2
    return np.pad(own, (before, samples - len(own) - before))


def _cut(recording: np.ndarray, samples: int) -> np.ndarray:
    """The part of a recording around what is said in it; its loudest one where that is longer."""
    if len(recording) <= samples:
        return _centred(recording, samples)
    first, last = word_span(recording, RATE)
    if last - first > samples:
        return cut_clips(recording, samples, 1)[0]
    start = min(max(0, (first + last - samples) // 2), len(recording) - samples)
    return recording[start : start + samples]
