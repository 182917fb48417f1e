"""Where device profiles lie, and what is known of devices beside measurements: their flash, RAM and power.

No pandas here, so that a model's bill can be made of stored figures.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.metadata import entry_points
from pathlib import Path

from supernet.constants import PROFILES
from supernet.errors import EarshotError, InvalidProfile, UnknownName, nearest_names
from supernet.files import read_json
from supernet.whole import is_real

__all__ = [
    "BUNDLED",
    "check_name",
    "device_limits",
    "device_settings",
    "own_costs",
    "own_folders",
    "profile_file",
    "profile_folders",
    "published_folders",
    "read_settings",
    "remove_profile",
]

BUNDLED = Path(__file__).parent / "profiles"
OWN_COSTS = "costs"
"""Folder of figures in the folder of the user's profiles."""
ENTRY_POINTS = "earshot.profiles"
NOTES = ("source",)
SETTINGS = ("flash_bytes", "ram_bytes", "sleep_power_uw", "active_power_uw")
POSITIVE = ("active_power_uw",)
LIMITS = {"flash_bytes": "max_flash", "ram_bytes": "max_ram"}

log = logging.getLogger(__name__)


def profile_folders(folder: str | Path | None = None) -> list[Path]:
    """The folders of profiles, later ones before earlier ones: the bundled, those of other packages, and the user's in
    `folder` (default: EARSHOT_PROFILES).
    """
    return [*published_folders(), *own_folders(folder)]


def published_folders() -> list[Path]:
    """The folders of profiles that come with Earshot and with other packages."""
    return [Path(place) for place in (BUNDLED, *_of_packages()) if Path(place).is_dir()]


def own_folders(folder: str | Path | None = None) -> list[Path]:
    """The folder of the user's profiles, where there is one. Raises InvalidProfile for a file."""
    place = Path(folder or PROFILES)
    if place.is_file():
        raise InvalidProfile(f"{place}: is no folder; give one for your profiles (--profiles, EARSHOT_PROFILES)")
    return [place] if place.is_dir() else []


def check_name(name: str) -> None:
    """Raise InvalidProfile for what cannot be the name of a profile."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name):
        raise InvalidProfile(f"name {name!r} is not possible: give small letters, digits, `.`, `_` and `-`")


def profile_file(name: str, folder: str | Path | None = None) -> Path:
    """Where `predictors.device.add_profile` keeps a profile."""
    return Path(folder or PROFILES) / f"{name}.csv"


def own_costs(table: Path) -> Path:
    """Where the figures of models on the user's profiles in a CSV are kept."""
    return table.parent / OWN_COSTS / f"{table.stem}.json"


def remove_profile(name: str, folder: str | Path | None = None) -> list[Path]:
    """Take one of the user's profiles away, by the name it was added by: its CSV, the figures of models on it, and what
    was said of it in NAME.json. Returns the files that were removed. Raises UnknownName for what is none of the user's.
    """
    own = {path.stem: path for place in own_folders(folder) for path in sorted(place.glob("*.csv"))}
    if name not in own:
        near = f"your own are {', '.join(own)}" if own else "you have added none"
        raise UnknownName(f"profile {name!r} is none of your own, and others stay: {near}")
    table = own[name]
    removed = [path for path in (own_costs(table), table.with_suffix(".json"), table) if path.is_file()]
    for path in removed:
        path.unlink()
    return removed


def device_settings(profile: str, device: str, folder: str | Path | None = None) -> dict:
    """What is known of a device: of the file whose profiles have the profile's name, or of one that lists devices.

    A file that cannot be used is left out, as its profile is, and the log says so.
    """
    found: dict = {}
    for path in [path for place in profile_folders(folder) for path in sorted(place.glob("*.json"), key=_length)]:
        values = _usable(path, path.stat().st_mtime_ns)
        if "devices" in values:
            found = found | values["devices"].get(device, {})
        elif path.stem == _file_of(profile, path.parent, path.stem):
            found = found | values
    return found


def _file_of(profile: str, folder: Path, *more: str) -> str | None:
    """The stem of the file that a profile is of, by its name: of the tables in a folder, and of `more`."""
    stems = {*more, *(path.stem for path in folder.glob("*.csv"))}
    return max((one for one in stems if profile == one or profile.startswith(f"{one}-")), key=len, default=None)


@lru_cache(maxsize=256)
def _usable(path: Path, changed: int) -> dict:
    """What a file says of devices, or nothing, with a warning for each change of it. changed: when."""
    try:
        return read_settings(path)
    except EarshotError as error:
        log.warning("left out: %s", error)
        return {}


def _length(path: Path) -> int:
    """The file with the longer name knows the profile better."""
    return len(path.stem)


def device_limits(settings: Mapping[str, float]) -> dict[str, float]:
    """The limits on a model, by names of look-ups and searches, that follow from what a device has."""
    return {limit: float(settings[name]) for name, limit in LIMITS.items() if settings.get(name)}


def read_settings(path: Path) -> dict:
    """What a file says of devices. Raises InvalidProfile for what is no number of bytes or microwatts."""
    values = read_json(path) if path.is_file() else {}
    known = values.get("devices", {"": values}) if isinstance(values, dict) else None
    if not isinstance(known, dict) or not all(isinstance(one, dict) for one in known.values()):
        raise InvalidProfile(f"{path}: give an object with any of {', '.join(SETTINGS)}")
    for one in known.values():
        for name in one.keys() - {*SETTINGS, *NOTES}:
            log.warning("%s: %r is not known: %s", path, name[:40], nearest_names(name[:40], SETTINGS))
        for name in SETTINGS:
            value = one.get(name, 1)
            if not is_real(value, 0, 1e15) or (name in POSITIVE and value == 0):
                wanted = "a number above 0" if name in POSITIVE else "a number, 0 or more"
                raise InvalidProfile(f"{path}: {name} = {value!r:.40} is not possible: give {wanted}")
        if one.get("sleep_power_uw", 0) > one.get("active_power_uw", math.inf):
            raise InvalidProfile(f"{path}: sleep_power_uw is above active_power_uw: a device takes less asleep")
    return values


@cache
def _of_packages() -> tuple[Path, ...]:
    """Folders of other packages; these do not change while a process runs, and looking for them takes 8 ms."""
    return tuple(Path(point.load()) for point in entry_points(group=ENTRY_POINTS))
