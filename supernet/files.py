"""Reading and writing files safely: written beside and renamed, checked when read. No torch here."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from supernet.errors import InvalidCheckpoint
from supernet.space import canonical_json, digest

__all__ = [
    "load_tensors",
    "parse_json",
    "read_bytes",
    "read_json",
    "save_tensors",
    "tensors_to_bytes",
    "write_bytes",
    "write_json",
]

METADATA_KEY = "earshot"
MAX_JSON_BYTES, MAX_TENSOR_BYTES = 256_000_000, 1_000_000_000
READ_ERRORS = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, safetensors.SafetensorError)


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write a file whole or not at all: beside its place, then renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
    return path


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as readable JSON with sorted keys: same value in, same bytes out."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return write_bytes(path, (text + "\n").encode())


def read_bytes(path: str | Path, most: int) -> bytes:
    """All of a file of at most `most` bytes. Raises InvalidCheckpoint, naming the file."""
    path = Path(path)
    try:
        if not path.is_file():
            raise InvalidCheckpoint(f"{path}: no such file; the folder is incomplete")
        if path.stat().st_size > most:
            raise InvalidCheckpoint(f"{path}: larger than {most:,} bytes; this is not a file of Earshot")
        return path.read_bytes()
    except OSError as error:
        raise InvalidCheckpoint(f"{path}: cannot be read ({error.strerror})") from None


def read_json(path: str | Path) -> Any:
    """The value in a JSON file. Raises InvalidCheckpoint, naming the file."""
    return parse_json(read_bytes(path, MAX_JSON_BYTES), path)


def parse_json(data: bytes, path: str | Path) -> Any:
    """The value of JSON text. Raises InvalidCheckpoint, naming the file, also for a key that an object has twice."""
    try:
        return json.loads(data, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidCheckpoint(f"{path}: not readable JSON ({error})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key of {sorted(found)[:3]} twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def tensors_to_bytes(tensors: dict[str, np.ndarray], metadata: Any) -> bytes:
    """A safetensors file of arrays, with `metadata` as canonical JSON: same values in, same bytes out."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return safetensors.numpy.save(arrays, {METADATA_KEY: canonical_json(metadata)})


def save_tensors(path: str | Path, tensors: dict[str, np.ndarray], metadata: Any) -> Path:
    """Write `tensors_to_bytes` whole or not at all."""
    return write_bytes(path, tensors_to_bytes(tensors, metadata))


def load_tensors(path: str | Path, sha256: str | None = None) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and metadata of a safetensors file, read once.

    sha256: the digest that its bytes must have. Raises InvalidCheckpoint, naming the file.
    """
    path = Path(path)
    try:
        data = read_bytes(path, MAX_TENSOR_BYTES)
        if sha256 is not None and digest(data) != sha256:
            raise InvalidCheckpoint(f"{path}: truncated or altered (its digest differs)")
        arrays = safetensors.numpy.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return arrays, json.loads(header.get("__metadata__", {}).get(METADATA_KEY, "null"))
    except InvalidCheckpoint:
        raise
    except READ_ERRORS as error:
        raise InvalidCheckpoint(f"{path}: not readable safetensors ({error})") from None
