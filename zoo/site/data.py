"""What the page of a zoo holds: models, limits, columns and devices, as plain values for its scripts.

The scripts look up by the rules of zoo.ask; which limits there are, in which order they are checked and what each is
held against is told here, from the same registries. Same hub, same values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictors.pace import clip_ms, own_ms
from predictors.power import supply_of
from predictors.settings import device_limits, device_settings, own_folders
from supernet.cost import answer_interval, stream_macs
from supernet.errors import InvalidQuery, UnknownName
from supernet.extras import lacking
from supernet.frontend.base import frontend_from_dict
from supernet.whole import for_json
from zoo.ask.limits import LIMITS, MAKERS, MEASURE, ON_DEVICE
from zoo.hubs.base import AnyHub
from zoo.hubs.costs import figures
from zoo.package.entry import Entry
from zoo.package.facts import CHEAPER_BY, KINDS, PER_SECOND, accuracies, facts, listed
from zoo.package.figures import DeviceFigure
from zoo.package.read import Config

__all__ = ["TAKEN", "device_data", "hub_data", "model_row", "script"]

DETECTED = ("detection_recall", "false_alarms_upper")
"""Columns that are shown where any model has them."""
MORE = ("runtime_bytes", *PER_SECOND)
"""Costs over which accuracy is drawn, beside those of an Entry."""
TAKEN = (
    "latency_ms", "low_ms", "high_ms", "energy_uj", "energy_low_uj", "energy_high_uj", "instructions",
    "instructions_low", "instructions_high", "frontend_ms", "frontend_instructions", "basis", "in_range", "as_bits",
)  # fmt: skip
"""Of a model on a device, with the front end."""
ANCHORED = ("system", "source", "power_uw", "macs_per_second", "duty")
"""Of a published stream by which the power on a device is estimated."""
ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""What could be taken for markup where a script is read as a page."""


def script(call: str, *values: Any) -> str:
    """A script that hands plain values to a function of the page; ASCII alone, and nothing in it is markup."""
    texts = (
        json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=for_json) for value in values
    )
    return f"{call}({','.join(texts).translate(ESCAPED)});\n"


def hub_data(hubs: Sequence[str], models: Sequence[dict], devices: Sequence[dict]) -> dict:
    """All that finding a model needs, but figures on devices. hubs: as commands name them; none for the usual."""
    return {
        "hubs": list(hubs),
        "models": list(models),
        "limits": [_limit(name) for name in LIMITS],
        "order": list(MAKERS),
        "measure": MEASURE,
        "cheaper_by": list(CHEAPER_BY),
        "columns": [_column(name) for name in _columns(models)],
        "costs": [_column(name) for name, kind in KINDS.items() if kind.cost and _is_known(name, models)],
        "on_device": [_column(LIMITS[name].field) for name in ON_DEVICE],
        "taken": list(TAKEN),
        "devices": list(devices),
    }


def _limit(name: str) -> dict:
    limit = LIMITS[name]
    about = {"name": name, "field": limit.field, "reads": limit.read.__name__, "help": limit.help}
    return {**about, "sure": limit.sure, "on_device": name in ON_DEVICE}


def _columns(models: Iterable[Mapping]) -> list[str]:
    models = list(models)
    found = [name for name in DETECTED if any(model.get(name) is not None for model in models)]
    at = listed().index("licence")
    return [*listed()[:at], *found, *listed()[at:]]


def _is_known(name: str, models: Iterable[Mapping]) -> bool:
    return any(model.get(name) is not None for model in models)


def _column(name: str) -> dict:
    kind = KINDS[name]
    return {"name": name, "head": kind.head, "unit": kind.unit, "words": kind.words}


def model_row(entry: Entry, config: Config, folder: str) -> dict:
    """A model as the page finds it: the fields of its Entry, what follows from them, and the pace of its stream.

    folder: of its own page.
    """
    validation = accuracies(config.values["accuracy"])[0]
    more = {"ram_bytes": entry.ram_bytes, "non_commercial": entry.non_commercial, "folder": folder}
    noise = {"low": validation.low, "high": validation.high, "clips": validation.clips}
    more |= {name: fact.value for name, fact in facts(MORE, entry, config.values).items()}
    return {**entry.to_dict(), **more, **noise, "pace": _pace(config)}


def _pace(config: Config) -> dict:
    """MACs of the network and the front end for an answer of each number of steps, up to a clip."""
    arch, front = config.arch, frontend_from_dict(config.values["frontend"])
    clip, own = clip_ms(arch), own_ms(arch)
    counts = [] if own is None else range(1, int(clip / own) + 1)
    frames = [count * answer_interval(arch) for count in counts]
    return {
        "clip_ms": clip,
        "own_ms": own,
        "macs": [stream_macs(arch, count) for count in frames],
        "frontend_macs": [front.macs(count) for count in frames],
    }


def device_data(hub: AnyHub, entries: Sequence[Entry]) -> list[tuple[dict, list]]:
    """Of each device profile: what is known of it, and what each model takes there, None where that is not known.

    Raises InvalidPackage for figures that cannot be read.
    """
    taken = [figures(hub.home(entry), entry) for entry in entries]
    names = sorted({name for own in taken for name in own})
    beside = _beside(hub, entries)
    return [_device(name, [own.get(name) for own in taken], beside.get(name)) for name in names]


def _device(name: str, taken: Sequence[DeviceFigure | None], beside: list[dict] | None) -> tuple[dict, dict]:
    first = next(one for one in taken if one is not None)
    settings = device_settings(name, first.device)
    about = {"profile": name, "device": first.device, "clock_mhz": first.clock_mhz, "runtime": first.runtime}
    about |= {"version": first.version, "has": device_limits(settings), "supply": _supply(first, settings)}
    rows = [None if one is None else [getattr(one, field) for field in TAKEN] for one in taken]
    return about, {"rows": rows, "beside": beside}


def _beside(hub: AnyHub, entries: Sequence[Entry]) -> dict[str, list[dict]]:
    """Of each model, what a run takes beside its MACs on profiles of the user's own; see `predictors.fitted`."""
    if not own_folders() or lacking("pandas", "sklearn") is not None:
        return {}
    from predictors.device import own_profiles
    from predictors.fitted import beside_macs

    archs = [(hub.config(entry).arch, entry.task) for entry in entries]
    return {name: [beside_macs(own, arch, task) for arch, task in archs] for name, own in own_profiles().items()}


def _supply(one: DeviceFigure, settings: Mapping[str, float]) -> dict:
    """By what the power of a stream is known there, or why it is not."""
    try:
        found = supply_of(one.device, settings, one.clock_mhz, one.energy_uj is not None, one.latency_ms is not None)
    except (InvalidQuery, UnknownName) as error:
        return {"error": str(error)}
    known = {"by": found.by, "sleep_power_uw": found.sleep_power_uw, "active_power_uw": found.active_power_uw}
    anchor = found.anchor and {name: getattr(found.anchor, name) for name in ANCHORED}
    return {**known, "anchor": anchor}
