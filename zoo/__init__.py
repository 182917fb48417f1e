"""The zoo: tiny audio models, asked by constraint.

>>> import zoo
>>> model = zoo.get(task="kws", max_ops=20e6, bits=4)
>>> model("zoo/clips/stop.wav")[0]["label"]
'stop'
"""

from __future__ import annotations

import logging
from pathlib import Path

from zoo.devices import Figure, device_constraints, figure
from zoo.entry import Entry, choose, constraints
from zoo.errors import EarshotError, NoModelFits
from zoo.hub import Hub
from zoo.run import Model

__all__ = ["EarshotError", "Entry", "Figure", "Hub", "Model", "NoModelFits", "find", "get", "train"]

log = logging.getLogger(__name__)


def find(
    task: str | None = None,
    *,
    name: str | None = None,
    hub: str | Path | None = None,
    device: str | None = None,
    max_latency_ms: float | str | None = None,
    max_energy_uj: float | str | None = None,
    sure: bool = False,
    **wanted,
) -> list[Entry]:
    """All models that meet the constraints of `get`, best first. Raises as `get` does."""
    place = Hub(hub)
    entries = place.entries if name is None else [place.entry(name)]
    on_device = device_constraints(place, entries, device, max_latency_ms, max_energy_uj, sure)
    return choose(entries, task, constraints(**wanted) + on_device)


def get(
    task: str | None = None,
    *,
    name: str | None = None,
    max_ops: float | str | None = None,
    max_macs: float | str | None = None,
    max_params: float | str | None = None,
    max_flash: float | str | None = None,
    bits: int | str | None = None,
    min_accuracy: float | str | None = None,
    family: str | None = None,
    device: str | None = None,
    max_latency_ms: float | str | None = None,
    max_energy_uj: float | str | None = None,
    sure: bool = False,
    hub: str | Path | None = None,
) -> Model:
    """The best model that meets all constraints: highest validation accuracy, then fewest MACs.

    task: such as "kws". name: of exactly one model. max_ops, max_macs: multiply-accumulates of one answer, such as
    20e6 or "20M". max_params: parameters. max_flash: bytes of weights and runtime, such as 64000, "64kB" or "64KiB".
    bits: of the weights in inner layers, or "mixed". min_accuracy: on validation, such as 0.955 or "95.5%". family: of
    networks. device: a device profile, by its name or the beginning of it. max_latency_ms, max_energy_uj: of one answer
    on that device, without the front end; the median keeps it, with sure=True the interval's upper end of latency.
    hub: folder of a hub; the bundled one by default.

    Says in a warning of the log when the licence is non-commercial; `print(model)` says which words it knows, and with
    a device what it takes there, of which runtime and version, measured, predicted or indicative.

    Raises NoModelFits, which names the constraint that binds and the nearest model; UnknownName for a task or name
    that is not there; InvalidQuery for a constraint that cannot be meant.
    """
    on_device = {"device": device, "max_latency_ms": max_latency_ms, "max_energy_uj": max_energy_uj, "sure": sure}
    wanted = {"max_ops": max_ops, "max_macs": max_macs, "max_params": max_params, "max_flash": max_flash}
    wanted |= {"bits": bits, "min_accuracy": min_accuracy, "family": family}
    entry, place = find(task, name=name, hub=hub, **on_device, **wanted)[0], Hub(hub)
    if entry.non_commercial:
        log.warning("%s: licence %s does not allow commercial use", entry.name, entry.licence)
    return Model(place.config(entry), entry, device and figure(place, entry, device))


def __getattr__(name: str):
    """`zoo.train`, which needs torch, is loaded when it is first asked for."""
    if name == "train":
        from zoo.training import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
