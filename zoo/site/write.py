"""Writing the page of a zoo: a folder that a browser opens from disk, or that anything serves. Same hub, same bytes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from supernet.errors import InvalidQuery
from supernet.files import digest
from supernet.folders import whole_folder

__all__ = ["check_free", "page"]

STATIC = Path(__file__).with_name("static")
MANIFEST = "page.json"
"""Which files a page has, with their digests: the mark of a folder that may be replaced."""
PLAN = "plan.js"
"""Of a model, for the panel that runs it."""
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
"""Names that are no folders on some systems."""


def page(out: str | Path, *, hub=None, exports: Sequence[str] | None = None, progress: bool = False) -> Path:
    """Write a static site of a hub: models found by limits as `get` does, each with a page of its own and downloads.

    out: the folder, made, or one that was written before, which is replaced whole. hub: as of `get`. exports: which are
    written for each model, such as ["c"] (default: all that there are; [] for none). progress: show a bar.

    Raises InvalidQuery for an export that is not known, and for a folder that holds anything else; as `open_hub` does;
    InvalidPackage for a model that is not what the hub lists.
    """
    from zoo.hubs.address import open_hub
    from zoo.site.takes import check_exports

    place, chosen = Path(out), check_exports(exports)
    check_free(place)
    opened = open_hub(hub)
    try:
        with whole_folder(place.resolve()) as part, _without_notes():
            _Site(part, opened, [] if hub is None else _addresses(opened)).write(chosen, progress)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; no page was written", str(place)) from None
    return place


def _addresses(opened) -> list[str]:
    """Of a hub as commands name it; none for the bundled one."""
    from zoo.hubs.folder import BUNDLED

    told = [one.address for one in getattr(opened, "hubs", (opened,))]
    return [] if [Path(one).resolve() for one in told] == [BUNDLED.resolve()] else told


@contextmanager
def _without_notes() -> Iterator[None]:
    """Say nothing of models without settings of a detector, of which each page says so."""
    from zoo.run.core import UNTUNED

    log = logging.getLogger("zoo.run.core")

    def is_other(record: logging.LogRecord) -> bool:
        return record.msg is not UNTUNED

    log.addFilter(is_other)
    try:
        yield
    finally:
        log.removeFilter(is_other)


class _Site:
    """The files of a page, in a folder that is not there yet for others. hubs: as commands name them."""

    def __init__(self, folder: Path, hub, hubs: list[str]) -> None:
        self.folder, self.hub, self.hubs = folder, hub, hubs
        self.digests: dict[str, str] = {}

    def write(self, exports: Sequence[str], progress: bool) -> None:
        """All of them, the list of them last."""
        from tqdm import tqdm

        from zoo.site.data import device_data, hub_data, model_row, script
        from zoo.site.runtime import runtime_files

        index = self.hub.index
        entries = [index.entry(row) for row in range(len(index))]
        folders = model_folders([entry.name for entry in entries])
        for file in sorted(STATIC.iterdir()):
            self._add(file.name if file.suffix == ".html" else f"static/{file.name}", file.read_bytes())
        for name, text in runtime_files().items():
            self._add(f"static/{name}", text)
        devices = device_data(self.hub, entries)
        for number, (_, rows) in enumerate(devices):
            self._add(f"data/device-{number}.js", script("earshot.data.device", number, rows))
        rows = [model_row(entry, self._config(entry), folders[entry.name]) for entry in entries]
        data = hub_data(self.hubs, rows, [about for about, _ in devices])
        self._add("data/hub.js", script("earshot.data.hub", data))
        for entry in tqdm(entries, "models", disable=None if progress else True):
            self._add_model(entry, f"models/{folders[entry.name]}", exports)
        text = json.dumps({"files": self.digests}, indent=1, sort_keys=True)
        (self.folder / MANIFEST).write_text(f"{text}\n", encoding="utf-8", newline="\n")

    def _config(self, entry):
        return self.hub.home(entry).config(entry)

    def _add_model(self, entry, folder: str, exports: Sequence[str]) -> None:
        from zoo.hubs.costs import figures
        from zoo.run.model import Model
        from zoo.site.model import model_page
        from zoo.site.takes import takes_of

        home, config = self.hub.home(entry), self._config(entry)
        model = Model(config, entry, None, home.address)
        takes = takes_of(model, config, exports)
        for one in takes:
            if one.file:
                self._add(f"{folder}/{one.file}", one.data)
        taken, tried = list(figures(home, entry).values()), self._tried(model, folder)
        self._add(f"{folder}/index.html", model_page(entry, config, taken, takes, self.hubs, tried))

    def _tried(self, model, folder: str) -> list[str] | str:
        """The scripts by which a page runs a model, or why it cannot."""
        from zoo.site.runtime import RUNTIME, START, plan_script

        try:
            self._add(f"{folder}/{PLAN}", plan_script(model))
        except InvalidQuery as error:
            return str(error)
        return [*(f"static/{name}" for name in RUNTIME), f"{folder}/{PLAN}", f"static/{START}"]

    def _add(self, path: str, data: str | bytes) -> None:
        data = data.encode() if isinstance(data, str) else data
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        self.digests[path] = digest(data)


def model_folders(names: Sequence[str]) -> dict[str, str]:
    """A folder for each model: its name, unless some system takes it for another, or has no such folder."""
    lower = [name.lower() for name in names]
    plain = {
        name: lower.count(name.lower()) == 1 and name[-1] != "." and name.lower().partition(".")[0] not in RESERVED
        for name in names
    }
    return {name: name if plain[name] else f"m-{digest(name.encode())[:16]}" for name in names}


def check_free(place: Path) -> None:
    """Raise InvalidQuery where a folder holds what is no page of a zoo."""
    from zoo.export.place import check_above, listed

    shown = f"out = {str(place)!r:.200}"
    check_above(place)
    if not place.exists() and not place.is_symlink():
        return
    if not place.is_dir():
        raise InvalidQuery(f"{shown} is a file; give a folder, or a name that is not taken")
    written = listed(place / MANIFEST)
    for path in sorted(place.rglob("*")):
        file = path.relative_to(place).as_posix()
        if (path.is_symlink() or not path.is_dir()) and not _is_ours(path, file, written):
            raise InvalidQuery(
                f"{shown} holds {file!r:.80}, which is not as a page of Earshot left it; give another folder, or take "
                "it away"
            )


def _is_ours(path: Path, file: str, written: Mapping[str, str]) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return (file == MANIFEST and bool(written)) or written.get(file) == digest(path.read_bytes())
