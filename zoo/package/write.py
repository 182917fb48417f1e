"""Writing packages whole or not at all: digests, card, picture and figures by device around a network's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from predictors import estimate
from supernet.arch import Arch
from supernet.files import digest, write_bytes, write_json
from supernet.folders import whole_folder
from supernet.frontend.mfcc import Mfcc
from zoo.package.card import card, pictures
from zoo.package.figures import DeviceFigure, write_figures
from zoo.package.read import CARD, CONFIG, FILES, MODEL, VECTORS
from zoo.package.schema import check_values

STATED = (
    "macs",
    "params",
    "weight_bytes",
    "runtime_bytes",
    "flash_bytes",
    "arena_bytes",
    "stream_state_bytes",
    "peak_ram_bytes",
)
"""Of the costs of a network, those that its package states."""
__all__ = ["exact_costs", "seal"]


def seal(
    parent: str | Path,
    values: dict,
    model: bytes,
    vectors: bytes,
    devices: Mapping[str, DeviceFigure] | None = None,
    drawn: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a package into a folder of its name under `parent`, whole or not at all; returns the folder.

    values: its `config.json`, of which the digests are made anew. devices: what it takes, by profile, which the card
    shows as well. drawn: the pictures, where they are not to be drawn anew.
    """
    check_values({**values, "digests": dict.fromkeys(FILES, digest(b""))})
    devices = devices or {}
    files = {MODEL: model, VECTORS: vectors, CARD: card(values, tuple(devices.values())).encode()}
    files |= pictures(values) if drawn is None else drawn
    values = {**values, "digests": {file: digest(data) for file, data in files.items()}}
    place = Path(parent) / values["name"]
    with whole_folder(place) as part:
        for file, data in files.items():
            write_bytes(part / file, data)
        write_json(part / CONFIG, values)
        if devices:
            write_figures(part, devices)
    return place


def exact_costs(arch: Arch, frontend: Mfcc) -> dict:
    """The costs that `config.json` states."""
    cost = estimate(arch)
    return {**{name: getattr(cost, name) for name in STATED}, "frontend_macs": frontend.macs(arch.frames)}
