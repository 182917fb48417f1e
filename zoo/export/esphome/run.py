"""A wake word for ESPHome beside its package, in TFLite Micro."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from supernet.files import read_json
from zoo.export.agreement import Runner
from zoo.export.esphome.head import Head
from zoo.export.place import REPORT
from zoo.export.tflite.run import Micro, stepped

__all__ = ["runners"]


def runners(model, place: Path) -> Iterator[Runner]:
    """The file in TFLite Micro: an output is how much it is the word, its label whether above the cutoff."""
    report = read_json(place / REPORT)
    head = Head.from_report(report)
    scale = model.network.activations[model.network.specs[-1].name].scale
    [file] = place.glob("*.tflite")

    def run(features: np.ndarray) -> np.ndarray:
        return stepped(Micro(file.read_bytes()), features.T[None], report["rule"]["frames"]).reshape(-1, 1)

    def own(logits: np.ndarray) -> np.ndarray:
        return head.outputs(logits, scale).astype(np.int64)[:, None]

    level = int(report["rule"]["cutoff"] * 255)
    yield Runner(f"TFLite Micro {version('tflite-micro')}", "stream", run, own, lambda outputs: outputs > level)
