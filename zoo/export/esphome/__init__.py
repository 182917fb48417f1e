"""Models for ESPHome's `micro_wake_word`: one word as a streaming TFLite file with its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from supernet.errors import InvalidQuery
from zoo.export.agreement import STREAM, Runner
from zoo.export.base import Export, Option, Runtime
from zoo.export.esphome.rule import STEP_MS
from zoo.run.causal import streams

__all__ = ["EXPORT"]


class ESPHome(Export):
    """A folder with the file, the manifest, and a page that says how they were tuned."""

    name, title, what = "esphome", "ESPHome", "a wake word for ESPHome, of a model on the front end micro"
    packages = ("flatbuffers", "tflite", "tflite_micro")
    options = (
        Option("word", "which one, of a model with several", ""),
        Option("tune", "recordings, FOLDER/CLASS/*.wav, by which its scores and its cutoff are chosen", ""),
        Option("language", "that the word is of, for the manifest", "en"),
    )
    runtimes = (Runtime("TFLite Micro", ("tflite_micro",), "pip install tflite-micro"),)

    def suit(self, model) -> None:
        """It must stream, on what ESPHome computes."""
        features = model.arch.features
        if (features.kind, features.step_ms) != ("micro", STEP_MS):
            raise InvalidQuery(
                f"{model.name} hears {features.kind} features each {features.step_ms} ms, and ESPHome computes micro "
                f"ones each {STEP_MS} ms: give a model on that front end, such as `earshot word` makes with --start "
                "kws-micro, or use --to c or tflite"
            )
        if not streams(model.network):
            raise InvalidQuery(f"{model.name} hears whole clips, and ESPHome a stream: give a model of family temporal")

    def write(self, model, place: Path, name: str | None, **how: str) -> Path:
        """See zoo.export.esphome.folder."""
        from zoo.export.esphome.folder import export_esphome

        return export_esphome(model, place, name, **how)

    def runners(self, model, place: Path) -> Iterator[Runner]:
        """The file in TFLite Micro."""
        from zoo.export.esphome.run import runners

        return runners(model, place)

    def sizes(self, model, place: Path) -> dict[str, int]:
        """Of the file."""
        [file] = place.glob("*.tflite")
        return {STREAM: file.stat().st_size}

    def example(self, model) -> dict[str, str]:
        """Its first word."""
        from zoo.run.detection import NEVER

        return {"word": next((label for label in model.labels if label not in NEVER), "")}


EXPORT = ESPHome()
