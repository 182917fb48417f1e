"""How many sounds are marked in time, and how many are taken for others, by the threshold?

    python scripts/event_marks.py ../shared/data/esc50

Each validation clip of ESC-50 is a recording of one sound, in which the hub's models of 8 bits mark events as `earshot
run --events` does. Rows: `event_marks.csv` in `scripts/results`: the share of clips that the model names rightly as
clips; at each threshold, the share with an event of the right label, and events of other labels a clip.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from results import add_row

import zoo
from supernet.data.clips import ClipData
from supernet.data.esc50 import load, subset_of
from zoo.run.events import FLOOR_DB, event_hop, mark_events

TABLE, THRESHOLDS, BITS = "event_marks", (0.2, 0.3, 0.4, 0.5, 0.7), 8


def main() -> None:
    """Measure each model at all thresholds."""
    options = _options()
    torch.set_num_threads(options.threads)
    for task in options.tasks:
        entries = zoo.find(task, bits=BITS, hub=options.hub)
        models = [zoo.get(name=entry.name, hub=options.hub) for entry in entries]
        data = load(options.data, subset_of(models[0].labels))
        for model in models:
            for threshold, values in measure(model, data).items():
                add_row(TABLE, {"model": model.name, "threshold": threshold}, values)
                print(model.name, threshold, values, flush=True)


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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of ESC-50")
    parser.add_argument("--tasks", nargs="+", default=["aec", "esc10"], help="default: %(default)s")
    parser.add_argument("--hub", type=Path, default=Path("zoo/hub"), help="its folder")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
