"""Would bundled models pass a test like the streaming wake word of MLPerf Tiny?

    python scripts/study.py twenty_minutes ../shared/data

That test plays 20 minutes with 50 targets ("marvin"), and asks for at most 8 missed and at most 8 false alarms. Here it
is 20 minutes of joined telephone speech of people (wuw) with 50 clips of one word by speakers of the test list between
its parts, and a detector that listens to that word alone. It is like that test in its length, counts and limits; it is
not that test: other words, other sound, no level set, no board, no power, and models of ten words that were not trained
for this one. The settings were chosen on other sound and other speakers, as in `streams`, for at most 100 false alarms
an hour of all ten words. Told as well is whether any threshold passes, which was then chosen on the test itself.
Rows: `twenty_minutes.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from studies.base import HUB, RUNS, Shown, Study, option
from studies.bundled import names_at
from studies.heard import Streams
from studies.rows import Rows
from studies.streams import LIMITS, chosen
from zoo.ask.lookup import get
from zoo.make.trials import THRESHOLDS
from zoo.run.alarms import Tally, tally
from zoo.run.detection import Detection

TARGETS = ("stop", "left")
MOST = 8
"""Misses, and false alarms."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Play the test to each model with each word."""
    for name in options.models or names_at(8, options.hub):
        streams = Streams(get(name=name, hub=options.hub), options.data, options.runs)
        for word in TARGETS:
            rows.once("twenty_minutes", {"model": name, "word": word}, lambda s=streams, own=word: figures(s, own))


def figures(streams: Streams, word: str) -> dict:
    """Misses and false alarms with the settings that were chosen before, and thresholds that pass."""
    settings, _ = chosen(streams, LIMITS[0])
    own = _heard(streams, word, settings)
    others = {one: _heard(streams, word, replace(settings, threshold=one)) for one in THRESHOLDS}
    passing = [one for one, found in others.items() if _passes(found)]
    return {
        "threshold": settings.threshold, "targets": len(own.found), "missed": int((~own.found).sum()),
        "alarms": own.alarms, "minutes": round(60 * own.hours, 1), "passes": _passes(own),
        "least": min(passing, default=""), "most": max(passing, default=""),
    }  # fmt: skip


def _heard(streams: Streams, word: str, settings: Detection) -> Tally:
    scores, words = streams.words(f"target-{word}")
    every, clip_ms = settings.hop_ms // streams.hop_ms, streams.model.clip_ms
    return tally(streams.detector(settings, (word,)), scores[::every], clip_ms, words, clip_ms)


def _passes(found: Tally) -> bool:
    return int((~found.found).sum()) <= MOST and found.alarms <= MOST


def table_of_tests(found: Rows) -> Shown:
    """Who passes."""
    rows = [
        [row.model, row.word, f"{row.missed} of {row.targets}", f"{row.alarms}", "yes" if row.passes else "no",
         f"{row.least:g} to {row.most:g}" if row.least == row.least else "none"]
        for _, row in found.read("twenty_minutes").iterrows()
    ]  # fmt: skip
    return ["model", "word", "missed", "false alarms", "passes", "thresholds that would"], rows


STUDY = Study(
    __doc__,
    run,
    (
        option("data", type=Path, help="folder of speech_commands/, negatives/orders/, wake_words/ and wuw/"),
        option("--models", nargs="+", metavar="NAME", help="default: keywords of family temporal at 8 bits"),
        HUB,
        RUNS,
    ),
    tables={"twenty_minutes": table_of_tests},
)
