"""What can be taken from the page of a model: its package and its exports, each one file. Same model, same bytes."""

from __future__ import annotations

import io
import logging
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from supernet.errors import EarshotError, InvalidQuery, MissingExtra, nearest_names
from supernet.extras import need
from supernet.files import digest, read_bytes
from supernet.whole import as_list
from zoo.export import EXPORTS, export
from zoo.package.figures import COSTS
from zoo.package.read import CONFIG, Config
from zoo.run.model import Model

__all__ = ["Take", "check_exports", "takes_of"]

log = logging.getLogger(__name__)
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of files in archives, so that the same files are the same bytes."""


@dataclass(frozen=True)
class Take:
    """One download. file: its name in the folder of the model's page, empty where it cannot be had, which note says."""

    title: str
    file: str = ""
    data: bytes = b""
    note: str = ""

    @property
    def bytes(self) -> int:
        """How large it is."""
        return len(self.data)

    @property
    def sha256(self) -> str:
        """Its digest."""
        return digest(self.data)


def check_exports(names: Iterable[str] | None) -> tuple[str, ...]:
    """Names of exports; for None all that can be written here, and a warning of the others.

    Raises InvalidQuery for one that is not known, MissingExtra where what writes one that is named is not installed.
    """
    chosen = EXPORTS.names if names is None else tuple(dict.fromkeys(as_list(names)))
    for name in chosen:
        if name not in EXPORTS.names:
            raise InvalidQuery(f"exports = {name!r:.80} is not possible: {nearest_names(str(name), EXPORTS.names)}")
    return tuple(name for name in chosen if _is_written(name, names is not None))


def _is_written(name: str, asked: bool) -> bool:
    try:
        need(*EXPORTS(name).packages)
    except MissingExtra as error:
        if asked:
            raise
        log.warning("the page is without exports to %s: %s", EXPORTS(name).title, error)
        return False
    return True


def takes_of(model: Model, config: Config, exports: Iterable[str]) -> list[Take]:
    """The package as it is in the hub, and each export."""
    return [_package(config), *(_export(model, to) for to in exports)]


def _package(config: Config) -> Take:
    files = [CONFIG, *config.files, *([COSTS] if (config.folder / COSTS).is_file() else [])]
    found = {f"{config.name}/{file}": read_bytes(config.folder / file) for file in sorted(files)}
    return Take("package: integers, test vectors, card", "package.zip", _zip(found))


def _export(model: Model, to: str) -> Take:
    """What an export writes: a folder as an archive, a file as it is."""
    name = re.sub(r"\W", "_", f"m_{model.name}", flags=re.ASCII)[:60]
    title = EXPORTS(to).title
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / name
        try:
            place = Path(export(model, to, place, name))
        except EarshotError as error:
            return Take(title, note=str(error).replace(f"{folder}/", ""))
        if place.is_dir():
            return Take(title, f"{to}.zip", _zip(_files(place, name)))
        return Take(title, f"model.{to}", read_bytes(place))


def _files(place: Path, name: str) -> dict[str, bytes]:
    found = sorted(path for path in place.rglob("*") if path.is_file())
    return {f"{name}/{path.relative_to(place).as_posix()}": read_bytes(path) for path in found}


def _zip(files: Mapping[str, bytes]) -> bytes:
    """An archive that does not say when it was made."""
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in files.items():
            about = zipfile.ZipInfo(name, EPOCH)
            about.compress_type, about.external_attr, about.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(about, data)
    return place.getvalue()
