"""Models as TFLite: files with the package's integers for TensorFlow Lite for Microcontrollers and LiteRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.export.agreement import Runner
from zoo.export.base import BOTH, FORM, FORMS, Export, Option, Runtime

__all__ = ["EXPORT"]


class TFLite(Export):
    """A folder with a file a form, and the front end in C beside them."""

    name, title, what = "tflite", "TFLite", "files for TFLite Micro and LiteRT, with int8 or int4 weights"
    packages = ("flatbuffers", "tflite")
    options = (
        FORM,
        Option("state", "of a stream: variables of the interpreter, or inputs and outputs", "variables",
               ("variables", "arguments")),
        Option("logits", "their bits", "16", ("16", "8")),
        Option("runtime", "any, or TFLite Micro alone, whose files are smaller and fit its rounding", "any",
               ("any", "micro")),
        Option("weights", "those of 4 bits and fewer: packed, or in 8: a larger file, nearer to the package", "packed",
               ("packed", "8")),
    )  # fmt: skip
    runtimes = (
        Runtime("TFLite Micro", ("tflite_micro",), "pip install tflite-micro"),
        Runtime("LiteRT", ("ai_edge_litert",), "pip install ai-edge-litert"),
    )

    def write(self, model, place: Path, name: str | None, form: str, **how: str) -> Path:
        """See zoo.export.tflite.folder."""
        from zoo.export.tflite.folder import export_tflite

        return export_tflite(model, place, name, FORMS if form == BOTH else (form,), **how)

    def runners(self, model, place: Path) -> Iterator[Runner]:
        """Each file in each interpreter."""
        from zoo.export.tflite.run import runners

        return runners(model, place)

    def sizes(self, model, place: Path) -> dict[str, int]:
        """Of each file."""
        from zoo.export.tflite.run import form_of

        return {form_of(file): file.stat().st_size for file in sorted(place.glob("*.tflite"))}


EXPORT = TFLite()
