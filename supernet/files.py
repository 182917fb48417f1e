"""Reading and writing files safely: written beside and renamed, checked when read. No torch here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from collections import Counter
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from supernet.errors import InvalidCheckpoint
from supernet.whole import for_json

__all__ = [
    "canonical_json",
    "digest",
    "load_tensors",
    "parse_json",
    "read_bytes",
    "read_json",
    "save_tensors",
    "state_of",
    "tensors_to_bytes",
    "write_bytes",
    "write_json",
    "write_output",
]

METADATA_KEY = "earshot"
MAX_JSON_BYTES, MAX_TENSOR_BYTES = 256_000_000, 1_000_000_000
ITEM_BYTES = {"BOOL": 1, "I8": 1, "U8": 1, "I16": 2, "U16": 2, "F16": 2}
ITEM_BYTES |= {"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8}
"""Of the types that numpy has, as safetensors names them."""
PLAIN_ARRAY = re.compile(r"\[\n((?:[^\n]*[^\[{\n]\n)+?) *\]")
"""An array that holds no others, of which each item has a line; no text has an unescaped line end."""
DEVICES = ("/", "dev"), ("/", "proc")
READ_ERRORS = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, safetensors.SafetensorError)


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, no NaN. Same value in, same bytes out."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=for_json
    )


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of bytes, or of the canonical JSON of anything else."""
    data = value if isinstance(value, bytes) else canonical_json(value).encode()
    return hashlib.sha256(data).hexdigest()


def write_bytes(path: str | Path, data: bytes | memoryview) -> Path:
    """Write a file whole or not at all: beside its place, then renamed. Raises OSError, naming the file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_beside(path, data)
    except OSError as error:  # of a full disk it names no file, else the one beside
        raise OSError(error.errno, error.strerror, str(path)) from None
    return path


def write_output(path: str | Path, data: bytes | memoryview) -> None:
    """Write a file that a user named, as `write_bytes` does: the one that a link leads to. What is a pipe, a device, or
    named as one is (/dev/stdout may be a file) gets the bytes behind what it has.
    """
    path = Path(path)
    if path.parts[:2] not in DEVICES and (path.is_file() or not path.exists()):
        write_bytes(path.resolve(), data)
        return
    with open(path, "ab", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


def _write_beside(path: Path, data: bytes | memoryview) -> None:
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


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as readable JSON: keys sorted, rows of figures on one line; same value in, same bytes out."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False, default=for_json)
    return write_bytes(path, (PLAIN_ARRAY.sub(_on_one_line, text) + "\n").encode())


def _on_one_line(array: re.Match) -> str:
    """An array, on one line unless it is of texts alone."""
    items = [line.strip(" ") for line in array[1][:-1].split("\n")]
    return array[0] if all(item.startswith('"') for item in items) else f"[{' '.join(items)}]"


def read_bytes(path: str | Path, most: int = MAX_TENSOR_BYTES) -> bytes:
    """All of a regular file of at most `most` bytes, or of one that a link leads to.

    Raises InvalidCheckpoint, naming the file; a pipe or a device is refused, not waited for.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            regular = stat.S_ISREG(status.st_mode)
            data = file.read() if regular and status.st_size <= most else None
    except FileNotFoundError:
        raise InvalidCheckpoint(f"{path}: no such file; the folder is incomplete") from None
    except (OSError, ValueError) as error:
        raise InvalidCheckpoint(f"{path}: not readable ({error})") from None
    if data is None:
        what = f"of {status.st_size:,} bytes; the limit is {most:,}" if regular else "not a regular file"
        raise InvalidCheckpoint(f"{path}: {what}; this is not a file of Earshot")
    return data


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_json(path: str | Path, most: int = MAX_JSON_BYTES) -> Any:
    """The value in a JSON file of at most `most` bytes. Raises InvalidCheckpoint, naming the file."""
    return parse_json(read_bytes(path, most), path)


def parse_json(data: bytes | str, path: str | Path) -> Any:
    """The value of a JSON text, in which no key stands twice and every number is finite.

    path: for the message. Raises InvalidCheckpoint.
    """
    try:
        return _parse(data)
    except RecursionError:
        raise InvalidCheckpoint(f"{path}: not readable JSON (nested too deeply)") from None
    except ValueError as error:
        why = "a number of too many digits" if "int_max_str_digits" in str(error) else error
        raise InvalidCheckpoint(f"{path}: not readable JSON ({why})") from None


def _parse(data: bytes | str) -> Any:
    return json.loads(data, object_pairs_hook=_no_key_twice, parse_constant=_no_number, parse_float=_finite)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key[:40]!r} stands twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _no_number(text[:40])


def tensors_to_bytes(tensors: dict[str, np.ndarray], metadata: Any) -> bytes:
    """A safetensors file of arrays, with `metadata` as canonical JSON: same values in, same bytes out."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return safetensors.numpy.save(arrays, {METADATA_KEY: canonical_json(metadata)})


def save_tensors(path: str | Path, tensors: dict[str, np.ndarray], metadata: Any) -> Path:
    """Write `tensors_to_bytes` whole or not at all."""
    return write_bytes(path, tensors_to_bytes(tensors, metadata))


def state_of(path: Path) -> tuple:
    """Changes whenever the file is written anew."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def load_tensors(
    path: str | Path, sha256: str | None = None, most: int = MAX_TENSOR_BYTES
) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and metadata of a safetensors file of at most `most` bytes, read once; nothing is believed unchecked.

    sha256: the digest that its bytes must have. Raises InvalidCheckpoint, naming the file.
    """
    data = read_bytes(path, most)
    if sha256 is not None and digest(data) != sha256:
        raise InvalidCheckpoint(f"{path}: truncated or altered (its digest differs)")
    try:
        header = _checked_header(data)
        metadata = header.get("__metadata__", {}).get(METADATA_KEY, "null")
        return safetensors.numpy.load(data), _parse(metadata)
    except READ_ERRORS as error:
        raise InvalidCheckpoint(f"{path}: not readable safetensors ({error})") from None


def _checked_header(data: bytes) -> dict:
    """The header of a safetensors file whose tensors lie in it, one behind the other, and fill it."""
    length, size = int.from_bytes(data[:8], "little"), len(data) - 8
    if length > size:
        raise ValueError(f"its header claims {length:,} bytes, the file has {max(0, size):,}")
    header = _parse(data[8 : 8 + length])
    items = [(name, *_span(name, item)) for name, item in header.items() if name != "__metadata__"]
    end = 0
    for name, first, last in sorted(items, key=lambda item: item[1:]):
        if first != end:
            raise ValueError(f"tensor {name[:40]!r} begins at byte {first:,}, not {end:,}")
        end = last
    if end != size - length:
        raise ValueError(f"its tensors take {end:,} bytes, the file has {size - length:,}")
    return header


def _span(name: str, item: dict) -> tuple[int, int]:
    """First and last byte of a tensor, which fit its type and shape."""
    kind, shape, (first, last) = item["dtype"], item["shape"], item["data_offsets"]
    whole = all(type(value) is int and 0 <= value < 2**63 for value in (*shape, first, last))
    if kind not in ITEM_BYTES or not whole or last - first != prod(shape) * ITEM_BYTES[kind]:
        raise ValueError(f"tensor {name[:40]!r} is not of a type and shape that fill its bytes")
    return first, last
