"""How good are bundled models in a stream?

    python scripts/study.py streams ../shared/data

Settings are chosen on spoken orders and other words, as negatives, and on words of the validation list placed between
orders, for at most a number of false alarms an hour by the estimate. Reported are false alarms on telephone speech of
other people (wuw, without sentences that have one of the words), with the hours and the 95 % upper bound, and the share
of words of the test list that are found between parts of it: clean, in noise and fainter, and how late. Recordings are
joined, so there is no silence between them, and a stream is heard without reset. Orders may hold a word such as "no";
so what is chosen on them is on the quiet side.

Streaming accuracy, in rows of their own: the likeliest label at the last frame of clips of the test list, dealt over
all words, alone and after two seconds of orders or of quiet noise without a reset. Rows: `streams.csv`,
`streams_accuracy.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np

from studies.base import HUB, RUNS, Shown, Study, option, value
from studies.bundled import names_at
from studies.heard import RATE, Streams, clips_of, recordings
from studies.rows import Rows, accuracy_columns, paired_bootstrap
from supernet.metrics import poisson_upper
from zoo.ask.lookup import get
from zoo.make.trials import Trials
from zoo.run.alarms import Words, tally
from zoo.run.detection import Detection
from zoo.run.placed import CONDITIONS

LIMITS = (100.0, 4.0)
"""Most false alarms an hour on what settings are chosen on."""
BEFORE_S, QUIET = 2, 10
"""Seconds of other sound before a clip, and the deviation of quiet noise in steps of 16 bits."""
NONE = Words(np.zeros(0), np.zeros(0), np.zeros((0, 1), bool))


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Choose and report for each model and limit, and compare accuracies."""
    for name in options.models or names_at(8, options.hub):
        streams = Streams(get(name=name, hub=options.hub), options.data, options.runs)
        for limit in LIMITS:
            rows.once("streams", {"model": name, "limit": limit}, lambda s=streams, most=limit: figures(s, most))
        if options.clips:
            for before in ("orders", "quiet"):
                keys = {"model": name, "before": before}
                rows.once("streams_accuracy", keys, lambda s=streams, own=before: accuracies(s, own, options.clips))


@cache
def chosen(streams: Streams, limit: float) -> tuple[Detection, Trials]:
    """The settings for at most so many false alarms an hour on orders and other words."""
    negatives = [streams.scores(name) for name in ("orders", "others")]
    clip_ms = streams.model.clip_ms
    trials = Trials(streams.detector, streams.base, clip_ms, negatives, {"clean": streams.words("chosen")}, limit)
    return trials.choose(), trials


def figures(streams: Streams, limit: float) -> dict:
    """Settings, and what they reach."""
    settings, trials = chosen(streams, limit)
    every, clip_ms = settings.hop_ms // streams.hop_ms, streams.model.clip_ms
    detector = streams.detector(settings)
    own = tally(detector, streams.scores("wuw")[::every], clip_ms, NONE, clip_ms)
    found = {name: value for name, value in asdict(settings).items() if name != "thresholds"}
    on_chosen = next(one for one in trials.curve(settings) if one["threshold"] == settings.threshold)
    found |= {"chosen_hours": round(float(trials.hours.sum()), 3), "chosen_alarms": on_chosen["alarms"]}
    found |= {"chosen_recall": on_chosen["recall"], "hours": round(own.hours, 3), "alarms": own.alarms}
    found |= {"rate": round(own.rate, 2), "upper": round(poisson_upper(own.alarms) / own.hours, 2)}
    for name in CONDITIONS:
        scores, words = streams.words(name)
        one = tally(detector, scores[::every], clip_ms, words, clip_ms)
        found |= {f"{name}_recall": round(one.recall, 4), f"{name}_wrong": int(one.wrong.sum())}
        if name == "clean":
            found |= {"words": len(words), "delay_ms": one.delay_ms(0.5), "late_ms": one.delay_ms(0.95)}
    return found


def accuracies(streams: Streams, before: str, most: int) -> dict:
    """The share of clips that are right alone and behind other sound, and the difference with its interval."""
    clips, right = clips_of(streams.data, "test", streams.model.labels, most)
    targets = right.argmax(1)
    alone = streams.kept(f"alone-{most}", lambda: _last(streams, clips, None))
    behind = streams.kept(f"behind-{before}-{most}", lambda: _last(streams, clips, before))
    hits = [logits.argmax(1) == targets for logits in (behind, alone)]
    change, low, high = paired_bootstrap(*hits)
    values = {"clips": len(targets), **accuracy_columns("clip", hits[1]), **accuracy_columns("stream", hits[0])}
    return {**values, "change": change, "change_low": low, "change_high": high}


def _last(streams: Streams, clips: list[np.ndarray], before: str | None) -> np.ndarray:
    """(clips, classes) logits at the last frame of each clip."""
    rng, found = np.random.default_rng(0), []
    bed = np.concatenate(recordings(streams.data, "orders")) if before == "orders" else None
    for clip in clips:
        own = np.pad(clip, (0, RATE - len(clip)))
        sound = own if before is None else np.concatenate([_sound(bed, rng), own])
        features, _ = streams.frontend.step(sound, streams.frontend.reset())
        logits, _ = streams.model.network.step(features[None], streams.model.network.reset())
        found.append(logits[0, -1])
    return np.stack(found)


def _sound(bed: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    count = BEFORE_S * RATE
    if bed is None:
        return np.round(rng.normal(0, QUIET, count)).astype(np.int16)
    start = rng.integers(len(bed) - count)
    return bed[start : start + count]


def table_of_streams(found: Rows) -> Shown:
    """What settings reach that were chosen on other sound."""
    rows = [
        [
            row.model, f"{row.limit:g}", f"{row.chosen_alarms / row.chosen_hours:.1f} of {row.chosen_hours:.2f} h",
            f"{row.rate:.1f} (at most {row.upper:.1f}; {row.alarms} in {row.hours:.2f} h)",
            *(f"{100 * row[f'{name}_recall']:.1f}" for name in CONDITIONS),
            f"{row.delay_ms:.0f}, {row.late_ms:.0f}" if row.delay_ms == row.delay_ms else "-",
        ]
        for _, row in found.read("streams").iterrows()
    ]  # fmt: skip
    head = ["model", "asked", "alarms an hour, chosen on", "on other speech (95 %)", *CONDITIONS, "delay, 95 % (ms)"]
    return head, rows


def table_of_accuracies(found: Rows) -> Shown:
    """Accuracy on clips alone and behind other sound."""
    rows = [
        [row.model, row.before, f"{row.clips}", f"{row['clip']:.2f}", f"{row.stream:.2f}",
         f"{row.change:+.2f} ({row.change_low:+.2f} to {row.change_high:+.2f})"]
        for _, row in found.read("streams_accuracy").iterrows()
    ]  # fmt: skip
    return ["model", "before", "clips", "alone", "in the stream", "change"], rows


STUDY = Study(
    __doc__,
    run,
    (
        option("data", type=Path, help="folder of speech_commands/, negatives/orders/, wake_words/ and wuw/"),
        option("--models", nargs="+", metavar="NAME", help="default: keywords of family temporal at 8 bits"),
        value("--clips", 600, "of the test list for streaming accuracy; 0 for none"),
        HUB,
        RUNS,
    ),
    tables={"streams": table_of_streams, "streams_accuracy": table_of_accuracies},
)
