"""How many wake words of real people does a model find that learned them from text?

    python scripts/study.py word ../shared/data --words computer jarvis

A model of each word is made by `zoo.word`, from text, the words and noise of Speech Commands, and every second spoken
order as a negative; no recording of the word is trained on. Its threshold is the least with at most one false alarm an
hour on the other orders. Missed is the share of recordings of real people in which it is not found, placed between
these orders; `own` figures are those of the threshold that `zoo.word` chose, mostly on speech from text. With --real N
so many of them are trained on by `--add`, and all others are heard (the recordings have no labels of speakers, so some
people may be in both). False alarms are those on telephone speech of others (wuw), with the hours and the 95 % upper
bound. Words of wuw itself are heard in its own recordings, alone and inside sentences, and false alarms on its other
ones. Rows: `word.csv`.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from studies.base import RUNS, Shown, Study, option, several, value
from studies.heard import RATE, read_recording
from studies.rows import Rows
from supernet.data.speech import engine
from supernet.files import write_bytes
from supernet.metrics import accuracy_interval, poisson_upper
from zoo.ask.lookup import get
from zoo.make.judged import base_detection
from zoo.make.trials import FINE_THRESHOLDS, Trials
from zoo.make.word import RECIPE, START, Report, word
from zoo.run.alarms import Tally, Words, tally
from zoo.run.along import logits_along
from zoo.run.detection import Detection
from zoo.run.model import Model
from zoo.run.placed import Placed

WAKE_WORDS = ("computer", "jarvis", "smart mirror", "view glass")
TELEPHONE = ("operator", "thinkengine", "onword", "wildfire", "voyager")
SPELLED = {"thinkengine": "think engine", "onword": "onward"}
"""How words of wuw are said, where it spells them otherwise."""
LIMIT, SEED = 1.0, 11
NONE = Words(np.zeros(0), np.zeros(0), np.zeros((0, 1), bool))
KINDS = ("isolated", "sentence")


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Make and hear each word."""
    torch.set_num_threads(options.threads)
    for name in options.words:
        voices = options.voices or [one for one in engine.names if not engine(one).missing()]
        keys = {"word": name, "voices": " ".join(voices), "real": options.real, "quick": options.quick,
                "start": Path(options.start).name, "seed": options.seed, "version": RECIPE}  # fmt: skip
        rows.once("word", keys, lambda own=name: figures(own, options))


def figures(name: str, options: argparse.Namespace) -> dict:
    """What the model of a word reaches."""
    trained_on = [] if name in TELEPHONE else _recordings(name, options.data)[: options.real]
    report = made(name, trained_on, options)
    model = get(name=report.model, hub=report.hub)
    ears = Ears(model)
    quiet = np.concatenate([read_recording(path) for path in orders(options.data)[1::2]])
    heard, telephone = ears.scores([quiet]), ears.scores(_telephone(options.data, without=name))
    trials = Trials(ears.detector, ears.base, model.clip_ms, [heard], {}, LIMIT, thresholds=FINE_THRESHOLDS)
    settings, own = trials.choose(), model.detection
    chosen, silent, shipped = (ears.tally(*of, NONE) for of in ((settings, heard), (settings, telephone), (own, heard)))
    found = {"model": model.name, "threshold": settings.threshold, "chosen_hours": round(chosen.hours, 3),
             "chosen_alarms": chosen.alarms, "hours": round(silent.hours, 3), "alarms": silent.alarms,
             "upper": round(poisson_upper(silent.alarms) / silent.hours, 2),
             "synthetic": report.synthetic[0], "seconds": round(report.seconds)}  # fmt: skip
    found |= {"own_threshold": own.threshold, "own_chosen_alarms": shipped.alarms,
              "own_alarms": ears.tally(own, telephone, NONE).alarms}  # fmt: skip
    if name in TELEPHONE:
        return found | _of_telephone(ears, settings, name, options.data)
    clips = [read_recording(path) for path in _recordings(name, options.data)[options.real :]]
    right = np.tile([True, False, False], (len(clips), 1))
    placed = Placed(clips, right, [quiet], [], RATE, model.clip_samples, seed=SEED)
    said = ears.scores(placed.parts)
    found["own_missed"] = round(1 - ears.tally(own, said, placed.words).recall, 4)
    return found | _missed(ears.tally(settings, said, placed.words))


def made(name: str, recordings: list[Path], options: argparse.Namespace) -> Report:
    """The model of a word; with recordings, that of a run which goes on with them."""
    task = "-".join([name.replace(" ", "-"), *["quick"] * options.quick, *(options.voices or ())])
    place = {"run_dir": options.runs / "word" / task, "hub": options.runs / "word" / "hub"}
    negatives = orders(options.data)[::2]
    known = {"data": options.data / "speech_commands", "quick": options.quick, "seed": options.seed}
    known |= {"start": options.start, "voices": options.voices}
    report = word(SPELLED.get(name, name), task, **known, negatives=negatives, **place)
    if not recordings:
        return report
    folder = place["run_dir"] / f"real-{len(recordings)}" / name.replace(" ", "_")
    for path in recordings:
        write_bytes(folder / path.name, path.read_bytes())
    return word(None, task, add=folder.parent, **place)


def orders(data: Path) -> list[Path]:
    """The recordings of spoken orders."""
    return sorted((data / "negatives" / "orders").glob("*.opus"))


def _recordings(name: str, data: Path) -> list[Path]:
    """Of a wake word, in an order drawn by the seed."""
    paths = sorted((data / "wake_words" / name.replace(" ", "_")).glob("*.opus"))
    return [paths[place] for place in np.random.default_rng(SEED).permutation(len(paths))]


class Ears:
    """A model that hears streams."""

    def __init__(self, model: Model) -> None:
        self.model, self.frontend = model, model.frontend
        self.base = base_detection(model.network, model.clip_ms)

    def detector(self, settings: Detection):
        """With other settings."""
        own = self.model.detector()
        return type(own)(settings, own.labels, own.scores)

    def scores(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        """(answers, classes) of a stream."""
        logits = logits_along(self.model.network, self.frontend, iter(parts), self.base.hop_ms)
        return self.model.detector().scores(np.concatenate(list(logits)))

    def tally(self, settings: Detection, scores: np.ndarray, words: Words) -> Tally:
        """What is found in a stream of scores."""
        every, clip_ms = settings.hop_ms // self.base.hop_ms, self.model.clip_ms
        return tally(self.detector(settings), scores[::every], clip_ms, words, clip_ms)


def _missed(own: Tally, prefix: str = "") -> dict:
    """The share of words that were not found, and how late the others were."""
    count = len(own.found)
    low, high = accuracy_interval(own.recall, count)
    late = {f"{prefix}delay_ms": own.delay_ms(0.5), f"{prefix}late_ms": own.delay_ms(0.95)}
    return {f"{prefix}clips": count, f"{prefix}missed": round(1 - own.recall, 4),
            f"{prefix}low": round(1 - high, 4), f"{prefix}high": round(1 - low, 4), **late}  # fmt: skip


def _rows_of(data: Path) -> list[dict]:
    with (data / "wuw" / "index.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _telephone(data: Path, without: str) -> list[np.ndarray]:
    """The recordings of wuw that do not have a word."""
    return [read_recording(data / "wuw" / row["file"]) for row in _rows_of(data)
            if row["word"] != without or row["contains_word"] != "1"]  # fmt: skip


def _of_telephone(ears: Ears, settings: Detection, name: str, data: Path) -> dict:
    """A word of wuw in its own recordings, alone and inside sentences."""
    found = {}
    for kind in KINDS:
        own = [row for row in _rows_of(data)
               if row["word"] == name and row["kind"] == kind and row["contains_word"] == "1"]  # fmt: skip
        parts = [read_recording(data / "wuw" / row["file"]) for row in own]
        begins = np.cumsum([0, *map(len, parts)])[:-1] * 1000 / RATE
        spans = np.array([[float(row["start"]), float(row["end"])] for row in own]) * 1000
        right = np.tile([True, False, False], (len(own), 1))
        words = Words(begins + spans[:, 0], begins + spans[:, 1], right)
        found |= _missed(ears.tally(settings, ears.scores(parts), words), f"{kind}_" if kind == "sentence" else "")
    return found


def table_of_words(found: Rows) -> Shown:
    """What is missed at how many false alarms."""
    rows = [
        [
            row.word, f"{'quick' if row.quick else 'whole'}, {row.version}", row.start, row.voices, f"{row.real}",
            f"{100 * row.missed:.1f} ({100 * row.low:.1f} to {100 * row.high:.1f})", f"{row.clips:.0f}",
            f"{row.alarms / row.hours:.1f} (at most {row.upper:.1f}; {row.alarms} in {row.hours:.2f} h)",
            f"{row.delay_ms:.0f}, {row.late_ms:.0f}", f"{100 * (1 - row.synthetic):.1f}", _own(row),
        ]
        for _, row in found.read("word").iterrows()
    ]  # fmt: skip
    header = ["word", "recipe", "supernet", "voices", "real clips trained on", "missed, %", "of"]
    header += ["false alarms an hour", "delay, ms: half, 95 %", "missed of held-out voices, %"]
    return [*header, "by its own threshold: missed, %; false alarms on orders, on the telephone"], rows


def _own(row) -> str:
    """By the threshold of the package; rows of before do not have it."""
    if not hasattr(row, "own_missed") or np.isnan(row.own_missed):
        return ""
    return f"{100 * row.own_missed:.1f}; {row.own_chosen_alarms:.0f}, {row.own_alarms:.0f}"


STUDY = Study(
    __doc__,
    run,
    (
        option("data", type=Path, help="folder of wake_words/, wuw/, negatives/orders/ and speech_commands/"),
        several("--words", (*WAKE_WORDS, *TELEPHONE), "words"),
        option("--voices", nargs="+", choices=engine.names, help="engines (default: all that are installed)"),
        value("--real", 0, "recordings of the word that are trained on"),
        option("--quick", action="store_true", help="less of all"),
        value("--start", START, "supernet that a slice is taken of: a bundled one, or a folder"),
        value("--seed", 0, "of what is drawn"),
        value("--threads", 1, "of the processor"),
        RUNS,
    ),
    tables={"word": table_of_words},
)
