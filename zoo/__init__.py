"""The zoo: tiny audio models, asked by constraint.

>>> import zoo
>>> model = zoo.get(task="kws", max_ops=20e6, bits=4)
>>> model("zoo/clips/stop.wav")[0]["label"]
'stop'
"""

from __future__ import annotations

import logging
from pathlib import Path

from supernet.constants import OWN_HUB
from zoo.devices import Figure, device_constraints, figure
from zoo.entry import MEASURED, Entry, choose, constraints
from zoo.errors import EarshotError, InvalidQuery, NoModelFits, UnknownName
from zoo.hub import Hub, Hubs, open_hub
from zoo.run import Model
from zoo.units import limits_of, share

__all__ = ["EarshotError", "Entry", "Figure", "Hub", "Hubs", "Model", "NoModelFits", "find", "get", "open_hub", "train"]

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
    place = open_hub(hub)
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
    max_ram: float | str | None = None,
    bits: int | str | None = None,
    min_accuracy: float | str | None = None,
    family: str | None = None,
    device: str | None = None,
    max_latency_ms: float | str | None = None,
    max_energy_uj: float | str | None = None,
    sure: bool = False,
    hub: str | Path | None = None,
    specialize: bool = False,
    data: str | Path | None = None,
) -> Model:
    """The best model that meets all constraints: highest validation accuracy, then fewest MACs.

    task: such as "kws". name: of exactly one model. max_ops, max_macs: multiply-accumulates of one answer, such as
    20e6 or "20M". max_params: parameters. max_flash: bytes of weights and runtime, such as 64000, "64kB" or "64KiB".
    max_ram: bytes that the integer runtime works in, with a stream's state and the front end's, likewise. bits: of the
    weights in inner layers, or "mixed". min_accuracy: on validation, such as 0.955 or "95.5%". family: of networks.
    device: a device profile, by its name or the beginning of it. max_latency_ms, max_energy_uj: of one answer on that
    device, without the front end, such as 20, "20ms" or "0.5mJ"; the median keeps it, with sure=True the upper end of
    its interval. hub: folder of a hub; by default the user's own (EARSHOT_HUB), then the bundled one.

    specialize: where no measured model fits, search the hub's supernets for a network that does, quantise it, and keep
    it in the user's own hub (see zoo.specialize); that takes up to a minute, and the same wish gets the same model
    again. data: what the supernet was trained on, to measure and fine-tune it, which takes minutes. A model whose
    accuracy is only predicted comes behind all that were measured, and keeps no min_accuracy in later look-ups.

    Says in a warning of the log when the licence is non-commercial; `print(model)` says which words it knows, and with
    a device what it takes there, of which runtime and version, measured, predicted or indicative.

    Raises NoModelFits, which names the constraint that binds and the nearest model; UnknownName for a task or name
    that is not there; InvalidQuery for a constraint that cannot be meant; with specialize InfeasibleBudget, which names
    the limit that no network of a supernet keeps, and the least that one needs.
    """
    on_device = {"device": device, "max_latency_ms": max_latency_ms, "max_energy_uj": max_energy_uj, "sure": sure}
    sizes = {"max_ops": max_ops, "max_macs": max_macs, "max_params": max_params, "max_flash": max_flash}
    wanted = {**sizes, "max_ram": max_ram, "bits": bits, "min_accuracy": min_accuracy, "family": family}
    if data is not None and not specialize:
        raise InvalidQuery(f"data = {data}: only specialize needs data; give specialize as well, or leave data out")
    makes, place = specialize and task is not None and name is None, open_hub(hub)
    try:
        found = find(task, name=name, hub=hub, **on_device, **wanted)
    except (NoModelFits, UnknownName):
        if not makes:
            raise
        found = []
    if makes:  # a prediction of another wish is not as good as the best for this one
        found = [entry for entry in found if entry.basis == MEASURED]
    if not found:
        found, place = [_specialized(task, hub, data, on_device, wanted)], Hub(OWN_HUB)
    entry = found[0]
    if entry.non_commercial:
        log.warning("%s: licence %s does not allow commercial use", entry.name, entry.licence)
    return Model(place.config(entry), entry, device and figure(place, entry, device))


def _specialized(task: str, hub: str | Path | None, data: str | Path | None, on_device: dict, wanted: dict) -> Entry:
    """A model in the user's own hub for just this wish."""
    from zoo.specialize import specialize

    least = None if wanted["min_accuracy"] is None else share("min_accuracy", wanted["min_accuracy"])
    wish = {"bits": wanted["bits"], "family": wanted["family"], "min_accuracy": least}
    wish |= {"device": on_device["device"], "sure": on_device["sure"]}
    return specialize(task, limits_of({**wanted, **on_device}), **wish, hub=hub, data=data)


def __getattr__(name: str):
    """`zoo.train`, which needs torch, is loaded when it is first asked for."""
    if name == "train":
        from zoo.training import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
