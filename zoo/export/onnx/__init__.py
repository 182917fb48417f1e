"""Models as ONNX: quantise-dequantise graphs of the package's integers, for a clip and for a step of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.export.agreement import Runner
from zoo.export.base import BOTH, FORM, FORMS, Export, Runtime

__all__ = ["EXPORT"]


class Onnx(Export):
    """A folder with a file a form, and the front end beside them."""

    name, title, what = "onnx", "ONNX", "ONNX files for ONNX Runtime and others, with int8 or int4 weights"
    packages = ("onnx",)
    options = (FORM,)
    runtimes = (Runtime("ONNX Runtime", ("onnxruntime",), "pip install onnxruntime"),)

    def write(self, model, place: Path, name: str | None, form: str) -> Path:
        """See zoo.export.onnx.folder."""
        from zoo.export.onnx.folder import export_onnx

        return export_onnx(model, place, name, FORMS if form == BOTH else (form,), strict=form != BOTH)

    def runners(self, model, place: Path) -> Iterator[Runner]:
        """ONNX Runtime on each file."""
        from zoo.export.onnx.run import runner

        return (runner(place / f"{form}.onnx") for form in FORMS if (place / f"{form}.onnx").is_file())

    def sizes(self, model, place: Path) -> dict[str, int]:
        """Of each file."""
        return {file.stem: file.stat().st_size for file in sorted(place.glob("*.onnx"))}


EXPORT = Onnx()
