"""Asking hubs: one model, all that fit, or everything about one. No torch here."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from supernet.constants import OWN_HUB, SILENCE, UNKNOWN
from supernet.errors import EarshotError, InvalidPackage, InvalidQuery, NoModelFits, UnknownName, listed, nearest_names
from supernet.extras import TRAINING, load, need
from supernet.files import read_json
from zoo.ask.device import DeviceLimits, Stream
from zoo.ask.folders import about_folder, holds_package
from zoo.ask.limits import BOUND, Constraint, cheaper_within, check_bits, checked_words, constraints, limits_of
from zoo.ask.query import choose
from zoo.ask.units import share, truth
from zoo.hubs.address import Hubs, open_hub
from zoo.hubs.base import AnyHub
from zoo.hubs.costs import figure, figures
from zoo.hubs.folder import Hub
from zoo.hubs.index import Index
from zoo.package.detected import rounded_up
from zoo.package.entry import KINDS, MEASURED, Entry
from zoo.package.facts import (
    PER_SECOND,
    Accuracy,
    Rivals,
    accuracies,
    confusion_text,
    confusions,
    detection_text,
    facts,
    recall_text,
    recalls,
    stream_text,
)
from zoo.package.figures import DeviceFigure
from zoo.package.read import CONFIG, Config, read_config
from zoo.run.model import Model

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Info", "device_columns", "find", "get", "info", "list_models", "named"]

Address = str | Path | AnyHub | Sequence[str | Path | AnyHub]
WAITS = (0.02, 0.1)
"""Seconds to wait for a publisher that is between two files."""
DEVICE_COLUMNS = (
    "latency_ms", "low_ms", "high_ms", "energy_uj", "instructions", "in_range", "frontend_ms", "as_bits",
    "device_basis",
)  # fmt: skip
POWER_COLUMNS = ("power_uw", "power_basis")
MAKE = "or give specialize (--specialize), which searches a supernet for one and needs the extra train"
"""What else there is where no model fits."""

log = logging.getLogger(__name__)


def find(task: str | None = None, *, hub: Address | None = None, **wanted) -> list[Entry]:
    """All models that meet the constraints of `get`, best first.

    name: here a pattern, such as "kws-*-w4a8-*", in which `*` is any text, `?` any character and `[ab]` one of these.
    most: only so many, the best. Raises as `get` does.
    """
    place = open_hub(hub)
    index = place.index
    return [index.entry(row) for row in _rows(place, index, task, **wanted)]


def list_models(
    task: str | None = None, *, device: str | None = None, hub: Address | None = None, **wanted
) -> pd.DataFrame:
    """All models that meet the constraints of `find`, best first, as a table with the fields of `Entry` as columns.

    device: adds what each takes there, with the front end: latency_ms with low_ms and high_ms, energy_uj, in_range,
    frontend_ms, as_bits and device_basis (see zoo.package.figures.DeviceFigure), and power_uw with power_basis where a
    limit on power, or the rate of a stream, is given. Raises as `get` does.
    """
    pd = load("pandas")
    place = open_hub(hub)
    index = place.index
    rows = _rows(place, index, task, device=device, **wanted)
    table = pd.DataFrame({field: index.values(field, rows) for field in KINDS})
    if device is not None:
        entries, stream = [index.entry(row) for row in rows], Stream.of(wanted)
        found = [stream.figure(place, entry, figure(place, entry, device)) for entry in entries]
        taken = [device_columns(*pair) for pair in zip(entries, found, strict=True)]
        table = pd.concat([table, pd.DataFrame(taken)], axis=1)
    return table


def device_columns(entry: Entry, taken: DeviceFigure) -> dict:
    """What a table of models shows of what one takes on a device."""
    names = (*DEVICE_COLUMNS, *(POWER_COLUMNS if taken.power else ()))
    return {name: fact.value for name, fact in facts(names, entry, figure=taken).items()}


def _rows(
    place: AnyHub,
    index: Index,
    task: str | None,
    *,
    name: str | None = None,
    device: str | None = None,
    max_latency_ms: float | str | None = None,
    max_energy_uj: float | str | None = None,
    max_instructions: float | str | None = None,
    max_power_uw: float | str | None = None,
    every_ms: float | str | None = None,
    sleep_power_uw: float | str | None = None,
    sure: bool = False,
    ignore_limits: bool = False,
    most: int | None = None,
    rival: tuple[Entry, float] | None = None,
    **wanted,
) -> list[int]:
    """The rows of an index that meet all constraints, best first.

    rival: a best model and the lower end of its interval; then those that it cannot be told from, cheapest first.
    """
    for asked, value in {"sure": sure, "ignore_limits": ignore_limits}.items():
        truth(asked, value)
    limits = {"max_latency_ms": max_latency_ms, "max_energy_uj": max_energy_uj, "max_instructions": max_instructions}
    limits |= {"max_power_uw": max_power_uw}
    stream = Stream.of({**limits, "every_ms": every_ms, "sleep_power_uw": sleep_power_uw})
    on_device = DeviceLimits(place, device, limits, sure, ignore_limits, stream)
    conditions = [*constraints(**wanted), *([cheaper_within(*rival)] if rival else [])]
    rows = choose(index, task, conditions, name, on_device, most, cheapest=rival is not None)
    if rival is None:
        on_device.tell()
        _tell_of_alarms(index, task, name, rows, conditions)
    return rows


def _tell_of_alarms(
    index: Index, task: str | None, name: str | None, rows: list[int], conditions: Sequence[Constraint]
) -> None:
    """Say in the log how many models have no figures of detection, and how many keep a limit by the estimate alone."""
    asked = {one.name: one.limit for one in conditions if one.remedy}
    own = np.isnan(index.columns[BOUND])
    own = own if task is None else own & index.has("task", task)
    unmeasured = int((own if name is None else own & index.like("name", name)).sum())
    if asked and unmeasured:
        log.warning(
            "%d models are left out: how they detect in a stream was not measured, which `earshot tune` does",
            unmeasured,
        )
    most = asked.get("max_false_alarms", np.inf)
    bounds = [bound for bound in index.values(BOUND, rows) if bound is not None and bound > most]
    if bounds:
        log.warning(
            "max_false_alarms = %g is kept by the estimate alone by %d of %d models; their 95 %% bounds are from %g",
            most, len(bounds), len(rows), rounded_up(min(bounds)),
        )  # fmt: skip


def get(
    task: str | None = None,
    *,
    name: str | None = None,
    max_ops: float | str | None = None,
    max_macs: float | str | None = None,
    max_params: float | str | None = None,
    max_flash: float | str | None = None,
    max_weights: float | str | None = None,
    max_ram: float | str | None = None,
    bits: int | str | None = None,
    activation_bits: int | str | None = None,
    min_accuracy: float | str | None = None,
    max_false_alarms: float | str | None = None,
    min_recall: float | str | None = None,
    unproven: bool = False,
    family: str | None = None,
    licence: str | None = None,
    commercial: bool | None = None,
    dataset: str | None = None,
    streaming: bool | None = None,
    words: str | Iterable[str] | None = None,
    device: str | None = None,
    max_latency_ms: float | str | None = None,
    max_energy_uj: float | str | None = None,
    max_instructions: float | str | None = None,
    max_power_uw: float | str | None = None,
    every_ms: float | str | None = None,
    sleep_power_uw: float | str | None = None,
    sure: bool = False,
    ignore_limits: bool = False,
    cheaper: bool = False,
    hub: Address | None = None,
    specialize: bool = False,
    data: str | Path | None = None,
) -> Model:
    """The best model that meets all constraints: highest validation accuracy, then fewest MACs.

    task: such as "kws"; without one, a name or words, accuracies of several tasks are compared, which were measured on
    different clips: a warning of the log then says how to name one, and `model.tasks` which fit. name: of exactly one
    model. max_ops, max_macs: multiply-accumulates of one answer, such as 20e6
    or "20M". max_params: parameters. max_flash: bytes of weights, and of code and tables of the
    generated C, such as 64000, "64k", "64kB" or "64KiB". max_weights: of weights alone, likewise.
    max_ram: bytes that answering takes, in a stream where the model can and else on whole clips, with the front end,
    likewise. bits: of the weights in inner layers, or "mixed"; activation_bits: between layers. min_accuracy: on
    validation, such as 0.955 or "95.5%". max_false_alarms: an hour in a stream, with the settings of the package: the
    95 % upper bound of what was counted keeps it, with unproven=True the estimate, which the log then says. min_recall:
    share of words that are found in a stream, such as 0.9 or "90%". Models of which these were not measured have none;
    `earshot tune` measures them. family: of networks. licence: such as "cc-by-4.0" or "cc-by-[0-9]*".
    commercial: True for models whose licence does not forbid commercial use, as those of names like cc-by-nc do.
    dataset: what it was trained on. streaming: True for models of which no layer looks ahead. words: that the model
    knows all, such as ["stop", "left"]; it then answers with these, `_unknown_` and `_silence_` (see Model.knowing).
    device: a device profile, by its name or the beginning of it; the flash and RAM that the device has, where they are
    known, are limits unless ignore_limits is True. max_latency_ms, max_energy_uj, max_instructions (of an emulated
    device): of one answer there, with the front end, whose part is guessed by its MACs, such as 20, "20ms", "0.5mJ" or
    2e6; the median keeps it, with sure=True the upper end of its interval; a model without a figure keeps none.
    max_power_uw: average power of an always-on stream there, with the front end, such as 500 or "0.5mW", with an answer
    each every_ms (default: one a clip, charged a whole one), which model and device have to keep up with;
    sleep_power_uw: of the device between answers, in place of that in its settings; without both it is taken as 0.
    `figure.power` says by what it is known: energy, active_power_uw of the settings, or a published stream, scaled.
    cheaper: of the models that fit, that take no more MACs, flash and RAM than the best
    one, and whose accuracy lies in its 95 % interval, the one of fewest MACs; `model.rivals` names both, and
    `print(model)` says without `cheaper`, too, that there is a cheaper one within noise. hub: a folder,
    "hf://OWNER/NAME@REVISION", or several, the first one first; by default the user's own (EARSHOT_HUB), then the
    bundled one.

    specialize: where no measured model fits, search the hub's supernets for a network that does, quantise it, and keep
    it in the user's own hub (see zoo.make.specialize); that takes up to a minute, and the same wish gets the same model
    again. data: what the supernet was trained on, to measure and fine-tune it, which takes minutes. A model whose
    accuracy is only predicted comes behind all that were measured, and keeps no min_accuracy in later look-ups.

    Says in a warning of the log when the licence is non-commercial; `print(model)` says which words it knows, and with
    a device what it takes there, of which runtime and version, measured, predicted or indicative.

    Raises NoModelFits, which names the constraint that binds and the nearest model; UnknownName for a task or name
    that is not there; InvalidQuery for a constraint that cannot be meant; HubUnavailable for a hub that cannot be
    reached; with specialize InfeasibleBudget, which names the limit that no network of a supernet keeps, and the least
    that one needs.
    """
    words = None if words is None else checked_words(words)  # of what may be read only once
    for asked, value in {"cheaper": cheaper, "specialize": specialize, "unproven": unproven}.items():
        truth(asked, value)
    on_device = {"device": device, "max_latency_ms": max_latency_ms, "max_energy_uj": max_energy_uj, "sure": sure}
    on_device |= {"max_instructions": max_instructions, "ignore_limits": ignore_limits, "max_power_uw": max_power_uw}
    on_device |= {"every_ms": every_ms, "sleep_power_uw": sleep_power_uw}
    sizes = {"max_ops": max_ops, "max_macs": max_macs, "max_params": max_params, "max_flash": max_flash}
    sizes |= {"max_weights": max_weights}
    wanted = {**sizes, "max_ram": max_ram, "bits": bits, "min_accuracy": min_accuracy, "family": family}
    only = {"activation_bits": activation_bits, "licence": licence, "commercial": commercial, "dataset": dataset}
    only |= {"streaming": streaming, "words": words, "max_false_alarms": max_false_alarms, "min_recall": min_recall}
    only |= {"unproven": unproven or None}
    if data is not None and not specialize:
        raise InvalidQuery(f"data = {data}: only specialize needs data; give specialize as well, or leave data out")
    if specialize and (task is None or name is not None):
        raise InvalidQuery("specialize needs a task and no name: it makes a model that has none yet")
    place = open_hub(hub)
    if specialize:
        return _answering(words, _get_or_make(place, task, data, on_device, wanted, only, cheaper))
    for wait in (*WAITS, None):
        try:
            model = _get(place, task, name, on_device, wanted, only, cheaper)
            if task or name or words:
                return _answering(words, model)
            return _of_tasks(place, model, {**on_device, **wanted, **only})
        except InvalidPackage:  # perhaps another version was just being published
            if wait is None:
                raise
            time.sleep(wait)


def _get(
    place: AnyHub, task: str | None, name: str | None, on_device: dict, wanted: dict, only: dict, cheaper: bool
) -> Model:
    if name is not None:
        place.entry(name)
    asked = {**on_device, **wanted, **only}
    try:
        best = find(task, name=name, hub=place, most=1, **asked)[0]
    except NoModelFits as error:
        if name is None and _can_make(place, task, only):
            error.add_note(MAKE)
        raise
    return _chosen(place, best, name, asked, cheaper)


def _can_make(place: AnyHub, task: str | None, only: dict) -> bool:
    """Whether a supernet of a folder is for this task and these words; those of other hubs would be downloaded."""
    words = only["words"] or ()
    if any(value is not None for name, value in only.items() if name != "words"):
        return False
    hubs = place.hubs if isinstance(place, Hubs) else (place,)
    with suppress(EarshotError, OSError):
        known = [tasks[task] for hub in hubs if isinstance(hub, Hub) for tasks in _tasks_of(hub) if task in tasks]
        return any({*own["labels"]}.issuperset(words) for own in known)
    return False


def _tasks_of(place: AnyHub) -> list[dict]:
    """What each supernet says of its tasks, by their names."""
    return [read_json(folder / CONFIG).get("tasks", {}) for folder in place.supernets()]


def _of_tasks(place: AnyHub, model: Model, wanted: dict) -> Model:
    """A model with the tasks that it was chosen from, where those are several; the log says how to name one."""
    index = place.index
    counts = Counter(index.values("task", _rows(place, index, None, **wanted)))
    if len(counts) > 1:
        model.tasks = tuple(sorted(counts))
        log.warning(
            "no task was named, and models of %d tasks fit (%s), whose accuracies cannot be compared: %s is for %s; "
            "name one by task, such as --task %s",
            len(counts), listed(model.tasks), model.name, model.task, max(model.tasks, key=counts.__getitem__),
        )  # fmt: skip
    return model


def _chosen(place: AnyHub, best: Entry, name: str | None, wanted: dict, cheaper: bool) -> Model:
    """The best model, or the cheaper one where that is wanted and within noise."""
    found = None if name is not None or best.basis != MEASURED else _rivals(place, best, wanted)
    return _opened(place, found.cheaper if found and cheaper else best, wanted, found)


def _rivals(place: AnyHub, best: Entry, wanted: dict) -> Rivals | None:
    """The best model, and the cheapest of its task that fits and is within noise of it; None where that is the best one
    itself.
    """
    validation = accuracies(place.home(best).config(best).values["accuracy"])[0]
    index = place.index
    try:
        other = index.entry(_rows(place, index, best.task, most=1, rival=(best, validation.low), **wanted)[0])
    except NoModelFits:  # the best one was just taken out
        return None
    return None if other == best else Rivals(best, other, validation.low, validation.high, validation.clips)


def _answering(words: str | Iterable[str] | None, model: Model) -> Model:
    return model if words is None else model.knowing(words)


def _opened(place: AnyHub, entry: Entry, wanted: dict, rivals: Rivals | None = None) -> Model:
    home, device = place.home(entry), wanted["device"]
    taken = None if device is None else Stream.of(wanted).figure(home, entry, figure(home, entry, device))
    model = Model(home.config(entry), entry, taken, home.address, rivals)
    if entry.non_commercial:
        log.warning("%s: licence %s does not allow commercial use", entry.name, entry.licence)
    return model


def _get_or_make(
    place: AnyHub, task: str, data: str | Path | None, on_device: dict, wanted: dict, only: dict, cheaper: bool
) -> Model:
    """A measured model that fits, or one that is made for just this wish, in the user's own hub."""
    need(*TRAINING)
    from zoo.make.specialize import specialize

    try:  # a prediction of another wish is not as good as the best for this one
        found = [entry for entry in find(task, hub=place, **on_device, **wanted, **only) if entry.basis == MEASURED]
    except (NoModelFits, UnknownName):
        found = []
    if found:
        return _chosen(place, found[0], None, {**on_device, **wanted, **only}, cheaper)
    words = only.pop("words")
    if words is not None:
        _check_words(place, task, words)
    for name, value in only.items():
        if value is not None:
            raise InvalidQuery(
                f"{name} = {value}: no published model fits, and one that is made has no choice of it; leave it or "
                "specialize out"
            )
    least = None if wanted["min_accuracy"] is None else share("min_accuracy", wanted["min_accuracy"])
    wish = {
        "bits": None if wanted["bits"] is None else check_bits(wanted["bits"]),
        "family": wanted["family"],
        "min_accuracy": least,
    }
    wish |= {name: on_device[name] for name in ("device", "sure", "ignore_limits")}
    stream = Stream.of(on_device)
    wish |= {"every_ms": stream.every_ms, "sleep_power_uw": stream.sleep_power_uw}
    entry = specialize(task, limits_of({**wanted, **on_device}), **wish, hub=place, data=data)
    return _opened(Hub(OWN_HUB), entry, on_device)


def _check_words(place: AnyHub, task: str, words: Sequence[str]) -> None:
    """Raise UnknownName for a word that no supernet for a task knows."""
    known = [tasks[task] for tasks in _tasks_of(place) if task in tasks]
    labels = [set(own["labels"]) - {UNKNOWN, SILENCE} for own in known]
    if labels and not any(own.issuperset(words) for own in labels):
        best = max(labels, key=lambda own: len(own.intersection(words)))
        missing = next(word for word in words if word not in best)
        raise UnknownName(
            f"no supernet for task {task!r} knows the word {missing!r:.140}: {nearest_names(missing, best)}"
        )


def named(place: AnyHub, text: str) -> dict[str, str]:
    """{"task": text} for a task of a hub's models, {"name": text} for one of its names. Raises UnknownName."""
    index = place.index
    if text in index.words["task"]:
        return {"task": text}
    if not isinstance(text, str) or index.find(text) is not None:
        return {"name": text}
    known = index.other_task(text, *index.values("name"))
    raise UnknownName(f"no model {text!r:.140} and no such task in hub {place.address}: {known}")


@dataclass(frozen=True)
class Info:
    """Everything that a hub says of one model.

    entry: its figures. config: its checked `config.json`. devices: what it takes, by device profile. hub: the address
    of its hub, with the commit where it is remote; empty for a folder of its own. path: the folder of its package.
    """

    entry: Entry
    config: Config
    devices: dict[str, DeviceFigure]
    hub: str
    path: Path

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        values = self.config.values
        own = {name: value for name, value in values.items() if name not in self.entry.to_dict()}
        taken = {name: asdict(found) for name, found in self.devices.items()}
        answered = (
            {"recall": {label: share for label, (share, _) in recalls(values).items()}} if recalls(values) else {}
        )
        wrong = [{"label": label, "answer": answer, "clips": clips} for label, answer, clips in confusions(values)]
        answered |= {"confusions": wrong} if wrong else {}
        answered |= {name: fact.value for name, fact in facts(PER_SECOND, self.entry, values).items()}
        place = {"devices": taken, "hub": self.hub, "path": str(self.path)}
        return {**self.entry.to_dict(), **own, **answered, **place}

    def __str__(self) -> str:
        values = self.config.values
        known = accuracies(values["accuracy"])
        lines = [
            f"data {values['dataset']['name']} ({values['dataset']['version']})",
            *stream_text(self.entry, values),
            *map(_accuracy_line, known),
            *[f"{split.name}, {one.name}: {one.text} ({one.interval})" for split in known for one in split.conditions],
            *recall_text(values),
            *confusion_text(values),
            *detection_text(values.get("detection")),
            *values["training"]["summary"],
            *values["limits"],
            *self._device_lines(),
            *[f"hub {self.hub}"] * bool(self.hub),
            f"path {self.path}",
        ]
        return "\n".join([str(Model(self.config, self.entry)), *(f"  {line}" for line in lines)])

    def _device_lines(self) -> list[str]:
        if len(self.devices) > 1:
            return [f"has figures for {len(self.devices)} device profiles; name one with --device"]
        return list(map(str, self.devices.values()))


def _accuracy_line(one: Accuracy) -> str:
    predicted = ", predicted" * one.predicted
    return f"{one.name}: {one.text} ({one.interval}) of {one.clips:,} clips{predicted}{_average(one)}"


def _average(one: Accuracy) -> str:
    """Beside the share of clips of which all labels are right, for what may have several."""
    return "" if one.average is None else f", all labels right; mean average precision {one.average:.3f}"


def info(name: str, *, hub: Address | None = None, device: str | None = None) -> Info:
    """Everything about the model of exactly that name, the best one of a task, or that of a package in a folder; with a
    device, of its figures those for it.

    Raises UnknownName for a name or device that is not there, and for a folder that holds no model, of which it says
    what it holds; InvalidPackage for what is altered.
    """
    place = open_hub(hub)
    try:
        asked = named(place, name)
        entry = find(asked["task"], hub=place, most=1)[0] if "task" in asked else place.entry(name)
    except UnknownName:
        if not _is_folder(name):
            raise
        return _info_of_folder(Path(name), device)
    home = place.home(entry)
    return Info(entry, home.config(entry), _taken(home, entry, device), home.address, home.path(entry))


def _is_folder(name: str) -> bool:
    try:
        return isinstance(name, (str, Path)) and str(name) != "" and Path(name).is_dir()
    except (OSError, ValueError):  # of a name that no folder can have
        return False


def _info_of_folder(folder: Path, device: str | None) -> Info:
    if not holds_package(folder):
        raise UnknownName(about_folder(folder))
    config = read_config(folder)
    entry = config.entry("")
    return Info(entry, config, _taken(folder, entry, device), "", folder)


def _taken(place: AnyHub | Path, entry: Entry, device: str | None) -> dict[str, DeviceFigure]:
    """What a model takes by profile: on all of them, or on one."""
    return figures(place, entry) if device is None else {(own := figure(place, entry, device)).profile: own}
