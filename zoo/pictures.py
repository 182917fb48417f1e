"""Pictures as files: their kinds, and writing them whole or not at all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from supernet.files import write_bytes
from zoo.errors import InvalidQuery

__all__ = ["KINDS", "check_picture", "write_picture"]

KINDS = (".svg", ".png", ".pdf")


def check_picture(option: str, path: str | Path | None) -> None:
    """Raise InvalidQuery for a name, where there is one, that does not end as a picture's. option: for the message."""
    if path is not None and Path(path).suffix not in KINDS:
        raise InvalidQuery(f"{option} {path}: give a name that ends with one of {', '.join(KINDS)}")


def write_picture(figure, path: str | Path) -> None:
    """Write a matplotlib figure, of the kind that the name ends with."""
    data = BytesIO()
    figure.savefig(data, format=Path(path).suffix[1:])
    write_bytes(path, data.getvalue())
