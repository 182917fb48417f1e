"""Does a word that is exported for ESPHome wake where the package does, from samples on?

    python scripts/study.py esphome_events speech_commands/

A word of a model on the front end `micro` is exported by `earshot export --to esphome --tune`, on validation clips, and
hears test clips in `pymicro-wakeword`, which computes features and answers as ESPHome does and wakes wherever the mean
of its window is above the cutoff. Beside it are the package's integers. Rows: `esphome_events.csv`: outputs, how many
of them are at most one step apart, and at how many both are above the cutoff or below; events by the rule of ESPHome
(zoo.export.esphome.rule), which rests behind each, and how many of these are within two outputs of the package's; words
found, other clips in which it woke, and further events at a clip that it woke at before, since a network hears a word
for as long as its clip is. Clips are drawn by the seed, and have a longer pause between them than that.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile

import zoo
from studies.base import HUB, KEYWORDS, Shown, Study, option, value
from studies.bundled import micro_models
from studies.rows import Rows
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.files import read_json
from zoo.export.esphome.head import Head
from zoo.export.esphome.rule import Rule
from zoo.export.place import REPORT

TABLE, RATE, NEAR = "esphome_events", 16_000, 2
PAUSE, NOISE = 3 * RATE // 2, 3.0
SILENCE = 320
"""Samples before the first frame of pymicro-wakeword, whose windows begin with them."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure the word of the model."""
    options.model = options.model or micro_models(options.hub)[-1]
    keys = {name: getattr(options, name) for name in ("model", "word", "words", "spoken", "others", "seed")}
    rows.once(TABLE, keys, lambda: measured(options))


def measured(options: argparse.Namespace) -> dict:
    """Figures of an export that is tuned on validation and hears test."""
    model, data = zoo.get(name=options.model, hub=options.hub), load(options.data, options.words)
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        tuned = write_clips(Path(folder) / "tune", options.word, *drawn(data, "validation", options, rng))
        place = model.export("esphome", Path(folder) / "word", word=options.word, tune=str(tuned))
        clips, is_word = drawn(data, "test", options, rng)
        samples = in_row(clips, rng)
        return beside(model, place, samples, is_word)


def drawn(data: ClipData, split: str, options: argparse.Namespace, rng) -> tuple[np.ndarray, np.ndarray]:
    """(clips, samples) int16 of the word and of others, and which of them are the word, in an order that is drawn."""
    own = data.splits[split]
    right = own.targets == data.labels.index(options.word)
    wanted = (right, options.spoken), (~right, options.others)
    parts = [rng.permutation(own.rows[of_kind])[:count] for of_kind, count in wanted]
    order = rng.permutation(sum(map(len, parts)))
    return data.audio[np.concatenate(parts)[order]], (np.arange(len(order)) < len(parts[0]))[order]


def write_clips(folder: Path, word: str, clips: np.ndarray, is_word: np.ndarray) -> Path:
    """FOLDER/WORD and FOLDER/other, as `--tune` reads them."""
    for number, (clip, right) in enumerate(zip(clips, is_word, strict=True)):
        place = folder / (word if right else "other")
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{number}.wav", clip, RATE)
    return folder


def in_row(clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All clips one after another, each before a pause of faint noise."""
    pauses = (rng.standard_normal((len(clips), PAUSE)) * NOISE).astype(np.int16)
    return np.concatenate([clips, pauses], 1).ravel()


def heard(place: Path, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What pymicro-wakeword gives of samples behind silence: outputs (answers,), and where it wakes (frames,)."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

    [config] = (path for path in place.glob("*.json") if path.name != REPORT)
    wake, outputs, wakes = MicroWakeWord.from_config(config), [], []
    silence = np.zeros(SILENCE, np.int16)
    for features in MicroWakeWordFeatures().process_streaming(np.concatenate([silence, samples]).tobytes()):
        wakes.append(bool(wake.process_streaming(features)))
        if not wake._features:
            outputs.append(round(wake._probabilities[-1] * 256))
    return np.array(outputs), np.array(wakes)


def beside(model: zoo.Model, place: Path, samples: np.ndarray, is_word: np.ndarray) -> dict:
    """Outputs and events of the export and of the package."""
    report = read_json(place / REPORT)
    head = Head.from_report(report)
    rule = Rule(**{name: report["rule"][name] for name in ("cutoff", "window", "frames")})
    logits, _ = model.step(samples, model.reset())
    own = head.outputs(logits, model.network.activations[model.network.specs[-1].name].scale).astype(int)
    found, wakes = heard(place, samples)
    far = np.abs(found - own)
    above = (rule.sums(own) > rule.cutoff * 256 * rule.window) & (np.arange(len(own)) >= rule.window - 1)
    return {
        "seconds": len(samples) / RATE, "outputs": len(found), "within_one": int((far <= 1).sum()),
        "largest": int(far.max()), "decided_alike": int((wakes[rule.frames - 1 :: rule.frames] == above).sum()),
        **counted(rule.events(found), rule.events(own), len(samples) // len(own), is_word),
    }  # fmt: skip


def counted(events: list[int], expected: list[int], hop: int, is_word: np.ndarray) -> dict:
    """Of events and of those of the package, at outputs each `hop` samples: how near they are, and at which clips."""
    clips = [event * hop // (RATE + PAUSE) for event in events]
    words = {*np.flatnonzero(is_word).tolist()}
    return {
        "events": len(events), "expected": len(expected),
        "near": sum(any(abs(event - other) <= NEAR for other in expected) for event in events),
        "repeated": len(clips) - len({*clips}), "word_clips": len(words), "found": len(words & {*clips}),
        "other_clips": len(is_word) - len(words), "woken": len({*clips} - words),
    }  # fmt: skip


def table(found: Rows) -> Shown:
    """A row a word."""
    header = ["model", "word", "seconds", "outputs at most a step apart", "largest, steps", "above the cutoff alike"]
    header += ["events, of the package", "within two outputs", "words found", "woken by other clips", "repeated"]
    return header, [
        [
            row.model, row.word, f"{row.seconds:.0f}", f"{100 * row.within_one / row.outputs:.1f}%", f"{row.largest}",
            f"{100 * row.decided_alike / row.outputs:.2f}%", f"{row.events}, {row.expected}", f"{row.near}",
            f"{row.found} of {row.word_clips}", f"{row.woken} of {row.other_clips}", f"{row.repeated}",
        ]
        for row in found.read(TABLE).itertuples()
    ]  # fmt: skip


STUDY = Study(
    __doc__,
    run,
    (
        KEYWORDS,
        HUB,
        option("--model", metavar="NAME", help="on the front end `micro` (default: the largest bundled one)"),
        option("--word", default="stop", help="of its labels (default: %(default)s)"),
        option("--words", default="kws", help="set of words that the clips are of (default: %(default)s)"),
        value("--spoken", 60, "clips of the word, of validation and of test"),
        value("--others", 240, "clips of others"),
        value("--seed", 1, "of what is drawn"),
    ),
    tables={TABLE: table},
)
