"""How many sounds are marked in time, and how many are taken for others, by the threshold?

    python scripts/study.py event_marks ../shared/data/esc50

Each validation clip of ESC-50 is a recording of one sound, in which the hub's models of 8 bits mark events as `earshot
run --events` does. Rows: `event_marks.csv`: the share of clips that the model names rightly as clips; at each
threshold, the share with an event of the right label, and events of other labels a clip.
"""

from __future__ import annotations

import argparse

import numpy as np

import zoo
from studies.base import HUB, SOUNDS, THREADS, Shown, Study, option
from studies.rows import Rows
from supernet.data.clips import ClipData
from supernet.data.esc50 import load, subset_of
from zoo.hubs.folder import BUNDLED
from zoo.run.events import FLOOR_DB, event_hop, mark_events

TABLE, THRESHOLDS, BITS = "event_marks", (0.2, 0.3, 0.4, 0.5, 0.7), 8
TASKS = ("aec", "esc10")


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure each model at all thresholds."""
    for task in options.tasks:
        entries = zoo.find(task, bits=BITS, hub=options.hub)
        models = [zoo.get(name=entry.name, hub=options.hub) for entry in entries]
        data = load(options.data, subset_of(models[0].labels))
        for model in models:
            keys = {threshold: {"model": model.name, "threshold": threshold} for threshold in THRESHOLDS}
            if not rows.done(TABLE, *keys.values()):
                for threshold, values in measure(model, data).items():
                    rows.add(TABLE, keys[threshold], values)


def measure(model: zoo.Model, data: ClipData) -> dict[float, dict[str, float]]:
    """Threshold -> figures over the validation clips."""
    named, right, wrong = 0, dict.fromkeys(THRESHOLDS, 0), dict.fromkeys(THRESHOLDS, 0)
    split, hop = data.splits["validation"], event_hop(model.clip_ms, model.arch.features.step_ms)
    for row, target in zip(split.rows, split.targets, strict=True):
        samples, label = data.audio[row].astype(np.float32) / 32768, data.labels[target]
        named += model(samples, model.sampling_rate)[0]["label"] == label
        heard = model.event_scores(samples, hop, FLOOR_DB)
        for threshold in THRESHOLDS:
            labels = [event.label for event in mark_events(model.labels, *heard, threshold)]
            right[threshold] += label in labels
            wrong[threshold] += len(labels) - labels.count(label)
    count = len(split.rows)
    return {
        threshold: {
            "named": round(100 * named / count, 1),
            "marked": round(100 * right[threshold] / count, 1),
            "others": round(wrong[threshold] / count, 2),
            "clips": count,
        }
        for threshold in THRESHOLDS
    }


def table_of_marks(found: Rows) -> Shown:
    """Shares of validation clips of one sound in which it is marked, and events of other labels, by the threshold."""
    table, rows = found.read(TABLE), []
    thresholds = sorted(set(table.threshold))
    for task in TASKS:
        for entry in sorted(zoo.find(task, hub=BUNDLED), key=lambda one: -one.macs):
            part = table[table.model == entry.name].sort_values("threshold")
            if len(part):
                cells = [f"{row.marked:.0f} ({row.others:.2f})" for row in part.itertuples()]
                rows.append([entry.name, f"{part.clips.iloc[0]}", f"{part.named.iloc[0]:.0f}", *cells])
    marked = [f"marked at {threshold:g}, % (others a clip)" for threshold in thresholds]
    return ["model", "clips", "named rightly as clips, %", *marked], rows


STUDY = Study(
    __doc__,
    run,
    (SOUNDS, option("--tasks", nargs="+", default=TASKS, help="default: %(default)s"), HUB, THREADS),
    tables={"event_marks": table_of_marks},
)
