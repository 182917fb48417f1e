"""How many more false alarms do narrower weights give, at as many words missed?

    python scripts/study.py alarm_ratio ../shared/data

The claim of Zeng et al. (arXiv 2207.06920): weights of 8, 5, 4 and 1 bits keep up with floating point on the
detection-error curve. Here the bundled networks of one architecture at several widths are compared with that at 8 bits;
there is no bundled one at 5 bits, and none in floating point, so 8 bits stand for it. At one threshold for all labels,
at which so many of the clean words of the test list between telephone speech are missed, false alarms are counted on
spoken orders and on that speech (see `streams`). Nothing was chosen on these but the threshold, on the words. Ratios
have 95 % intervals of a bootstrap that draws minutes of sound and words anew, for both networks alike, with thresholds
chosen anew for each draw. Rows: `alarm_ratio.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from studies.base import HUB, RUNS, Shown, Study, option, several, value
from studies.bundled import keywords
from studies.heard import Streams
from studies.rows import Rows
from supernet.errors import InvalidQuery, nearest_names
from zoo.ask.lookup import get
from zoo.run.alarms import MS_PER_HOUR, tally

REFERENCE, MISSED = "8", (0.1, 0.2, 0.5)
NEGATIVES, MINUTE_MS = ("orders", "wuw"), 60_000
STEPS, DRAWS = 50, 2000


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Compare each width of each size with the reference."""
    sizes = bundled_sizes(options.hub)
    for size in options.sizes or sizes:
        if size not in sizes:
            raise InvalidQuery(f"size {size} has no models of several widths: {nearest_names(size, sizes)}")
        names = sizes[size]
        curve = cache(lambda bits, names=names: curve_of(_streams(names[bits], options), options.smoothing))
        for bits in options.bits:
            keys = [{"size": size, "model": names.get(bits), "bits": bits, "missed": missed} for missed in MISSED]
            if bits in names and not rows.done("alarm_ratio", *keys):
                for key in keys:
                    rows.add("alarm_ratio", key, figures(curve(bits), curve(REFERENCE), key["missed"]))


def bundled_sizes(hub: Path) -> dict[str, dict[str, str]]:
    """MACs, as names have them, and the names of the models of that size by their bits."""
    sizes: dict[str, dict[str, str]] = {}
    for entry in keywords(hub=hub):
        sizes.setdefault(entry.name.split("-")[2], {})[str(entry.bits)] = entry.name
    return {size: names for size, names in sizes.items() if REFERENCE in names and len(names) > 1}


def _streams(name: str, options: argparse.Namespace) -> Streams:
    return Streams(get(name=name, hub=options.hub), options.data, options.runs)


def curve_of(streams: Streams, smoothing: int) -> tuple[np.ndarray, np.ndarray, float]:
    """found (thresholds, words), alarms (thresholds, minutes) and the hours of these."""
    clip_ms = streams.model.clip_ms
    scores, words = streams.words("clean")
    negatives = [streams.scores(name) for name in NEGATIVES]
    found, alarms = [], []
    for threshold in 1 - np.geomspace(0.65, 1e-3, STEPS):
        detector = streams.detector(replace(streams.base, threshold=float(threshold), smoothing=smoothing))
        found.append(tally(detector, scores, clip_ms, words, clip_ms).found)
        alarms.append(np.concatenate([_by_minute(detector, one) for one in negatives]))
    return np.array(found), np.array(alarms), sum(map(len, negatives)) * streams.hop_ms / MS_PER_HOUR


def _by_minute(detector, scores: np.ndarray) -> np.ndarray:
    every = MINUTE_MS // detector.settings.hop_ms
    at = [event.answer // every for event in detector.events(scores)[0]]
    return np.bincount(at, minlength=-(-len(scores) // every))


def figures(own: tuple, other: tuple, missed: float) -> dict:
    """False alarms of both where so many words are missed, and their ratio with its interval."""
    rng, drawn = np.random.default_rng(0), []
    words, minutes = own[0].shape[1], own[1].shape[1]
    for _ in range(DRAWS):
        weights = (np.bincount(rng.integers(0, size, size), minlength=size) for size in (words, minutes))
        drawn.append(_counts(own, other, missed, *weights))
    counts = _counts(own, other, missed, np.ones(words), np.ones(minutes))
    ratios = np.array(drawn)
    low, high = np.percentile(ratios[:, 0] / np.maximum(ratios[:, 1], 1), [2.5, 97.5])
    alarms, reference = (int(count) for count in counts)
    return {
        "alarms": alarms, "reference_alarms": reference, "hours": round(own[2], 3), "words": words,
        "ratio": round(alarms / max(reference, 1), 2), "low": round(float(low), 2), "high": round(float(high), 2),
    }  # fmt: skip


def _counts(own: tuple, other: tuple, missed: float, words: np.ndarray, minutes: np.ndarray) -> list[float]:
    """False alarms of each at its highest threshold at which no more words are missed."""
    counts = []
    for found, alarms, _ in (own, other):
        enough = np.flatnonzero(found @ words >= (1 - missed) * words.sum())
        counts.append(float(alarms[enough[-1] if len(enough) else 0] @ minutes))
    return counts


def table_of_ratios(found: Rows) -> Shown:
    """By bits and words that are missed."""
    rows = [
        [row["size"], f"{row.bits}", f"{100 * row.missed:g} %", f"{row.alarms / row.hours:.1f}",
         f"{row.reference_alarms / row.hours:.1f}", f"{row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"]
        for _, row in found.read("alarm_ratio").iterrows()
    ]  # fmt: skip
    return ["MACs", "bits", "words missed", "false alarms an hour", "with 8 bits", "ratio"], rows


STUDY = Study(
    __doc__,
    run,
    (
        option("data", type=Path, help="folder of speech_commands/, negatives/orders/ and wuw/"),
        option("--sizes", nargs="+", metavar="MACS", help="as in names, such as 3M (default: all of several widths)"),
        several("--bits", tuple("84321"), "which widths, as far as they are bundled"),
        value("--smoothing", 3, "answers that are averaged"),
        HUB,
        RUNS,
    ),
    tables={"alarm_ratio": table_of_ratios},
)
