"""What is known of a model: each fact with its name, value, unit and text, for texts, lists, cards and pages alike.

A new fact is one more entry of KINDS, which says where it is shown. Accuracies by split and condition, recalls,
confusions and detection come from `config.json` as well. No torch or pandas here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.estimate import frontend_macs_per_second
from predictors.runtime import measured_with
from supernet.arch import Arch
from supernet.bits import MIXED
from supernet.cost import macs_per_second
from supernet.errors import InvalidQuery, nearest_names
from zoo.package.detected import detection_figures, rounded_up
from zoo.package.entry import MEASURED, PREDICTED, Entry
from zoo.package.figures import DeviceFigure
from zoo.run.conditions import known_conditions

__all__ = [
    "CHEAPER_BY",
    "KINDS",
    "PER_SECOND",
    "Accuracy",
    "Fact",
    "Kind",
    "Rivals",
    "accuracies",
    "accuracy_text",
    "column_names",
    "confusion_text",
    "confusions",
    "cost_rows",
    "costs_text",
    "detection_rows",
    "detection_text",
    "device_table",
    "facts",
    "last_confusion",
    "listed",
    "percent",
    "precision",
    "recall_text",
    "recalls",
    "stream_text",
]

ENTRY, CONFIG, FIGURE = "entry", "config", "figure"
"""Where a fact is read: in the index, in `config.json`, or in what a model takes on a device."""
UNKNOWN_TEXT = "-"
PER_SECOND = ("macs_per_second", "frontend_macs_per_second")
"""Facts of a second of a stream."""


@dataclass(frozen=True)
class Fact:
    """One fact of one model. value: plain, None where it is not known. text: the value for people, without its unit."""

    name: str
    value: Any
    unit: str
    text: str


@dataclass(frozen=True)
class Kind:
    """A fact that models have, and where it is shown.

    head: of its column in lists and on pages. of: its value, from an Entry, the values of `config.json` or a
    DeviceFigure, as `source` says. unit: of numbers. show: the text of a value. words: its values are words, not
    amounts. listed: it is a column of lists without a wish, and of pages. card: its line in a card's table of costs,
    or, of a DeviceFigure, the head of its column in the table of devices, whose cells are `cell`. line: what texts say
    of it among the costs. cost: less is better, and accuracy can be drawn over it.
    """

    head: str
    of: Callable[[Any], Any]
    unit: str = ""
    show: Callable[[Any], str] = str
    source: str = ENTRY
    words: bool = False
    listed: bool = False
    card: str = ""
    line: Callable[[Entry], str] | None = None
    cost: bool = False
    cell: Callable[[DeviceFigure], str] | None = None

    @property
    def packaged(self) -> bool:
        """True where the package of a model has to be read for it."""
        return self.source == CONFIG

    @property
    def on_device(self) -> bool:
        """True where it is of a model on a device."""
        return self.source == FIGURE


def precision(bits: int | str) -> str:
    """Bits as people say them."""
    return "mixed-precision" if bits == MIXED else f"{bits}-bit"


def percent(share: float) -> str:
    """A share (0 to 1) as it is printed everywhere."""
    return f"{share:.2%}"


def _count(value: int) -> str:
    return f"{value:,}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _bound(value: float) -> str:
    return f"{rounded_up(value):g}"


def _three(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 1000 else f"{float(f'{value:.3g}'):,.0f}"


def _span(interval: tuple[float, float]) -> str:
    return f"{percent(interval[0])} to {percent(interval[1])}"


def _form(entry: Entry) -> str:
    return " in a stream" if entry.stream_ram_bytes else ""


def _yes(whether: bool) -> str:
    return "yes" if whether else "no"


def _detected(name: str) -> Callable[[Mapping], Any]:
    return lambda values: (values.get("detection") or {}).get(name)


def _of_stream(count: Callable[[Arch], int]) -> Callable[[Mapping], int | None]:
    """A count of a network's stream; None where it answers on whole clips only."""
    return lambda values: count(Arch.from_dict(values["arch"])) or None


def _thresholds(values: Mapping) -> list[str] | None:
    """Of labels that have one of their own, as `--threshold` takes them."""
    return [f"{label}={value:g}" for label, value in (_detected("thresholds")(values) or {}).items()] or None


def _delay(values: Mapping) -> float | None:
    """The median of clean words."""
    return ((values.get("detection") or {}).get("conditions") or {}).get("clean", {}).get("delay_ms")


def _with_interval(unit: str, *values: float) -> str:
    """Value, low, high, four digits each."""
    rounded = [float(f"{value:.4g}") for value in values]
    value, low, high = (f"{value:,.0f}" if value >= 1000 else f"{value:g}" for value in rounded)
    return f"{value} {unit} ({low} to {high})"


def _clock(one: DeviceFigure) -> str:
    return f"{one.clock_mhz:g} MHz" if one.clock_mhz else "not known"


def _latency(one: DeviceFigure) -> str:
    """Or the instructions of a core that was emulated."""
    if one.latency_ms is not None:
        return _with_interval("ms", one.latency_ms, one.low_ms, one.high_ms)
    return _with_interval("instructions", one.instructions, one.instructions_low, one.instructions_high)


def _energy(one: DeviceFigure) -> str:
    if one.energy_uj is None:
        return "not known"
    return _with_interval("uJ", one.energy_uj, one.energy_low_uj, one.energy_high_uj)


def _in_range(one: DeviceFigure) -> str:
    if not one.in_range:
        return "no"
    return "latency only" if one.energy_uj is not None and not one.energy_in_range else "yes"


KINDS: dict[str, Kind] = {
    "name": Kind("name", lambda entry: entry.name, words=True, listed=True),
    "task": Kind("task", lambda entry: entry.task, words=True, listed=True),
    "family": Kind("family", lambda entry: entry.family, words=True),
    "bits": Kind("bits", lambda entry: entry.bits, listed=True),
    "activation_bits": Kind("activation bits", lambda entry: entry.activation_bits),
    "macs": Kind(
        "MACs", lambda entry: entry.macs, show=_count, listed=True, cost=True,
        card='multiply-accumulates (MACs, "ops")', line=lambda entry: f"{entry.macs:,} MACs",
    ),
    "frontend_macs": Kind(
        "front end MACs", lambda entry: entry.frontend_macs, show=_count, card="front end, beside them", cost=True
    ),
    "macs_per_second": Kind(
        "MACs a second", _of_stream(macs_per_second), show=_count, source=CONFIG, cost=True,
        card="MACs a second in a stream that answers as often as it can",
    ),
    "frontend_macs_per_second": Kind(
        "front end MACs a second", _of_stream(frontend_macs_per_second), show=_count, source=CONFIG, cost=True,
        card="front end a second, beside them",
    ),
    "params": Kind(
        "parameters", lambda entry: entry.params, show=_count, card="parameters", cost=True,
        line=lambda entry: f"{entry.params:,} parameters",
    ),
    "weight_bytes": Kind(
        "weight bytes", lambda entry: entry.weight_bytes, "bytes", _count, cost=True,
        card="flash: weights as packed, biases, multipliers, shifts",
    ),
    "runtime_bytes": Kind(
        "runtime bytes", lambda entry: entry.flash_bytes - entry.weight_bytes, "bytes", _count, cost=True,
        card="flash: code and tables as C",
    ),
    "runtime_measured": Kind(
        "runtime measured", lambda entry: measured_with(), words=True, card="code and tables were measured for"
    ),
    "flash_bytes": Kind(
        "flash bytes", lambda entry: entry.flash_bytes, "bytes", _count, listed=True, cost=True,
        line=lambda entry: f"{entry.flash_bytes:,} bytes of flash",
    ),
    "ram_bytes": Kind(
        "RAM bytes", lambda entry: entry.ram_bytes, "bytes", _count, listed=True, cost=True,
        line=lambda entry: f"{entry.ram_bytes:,} of RAM{_form(entry)}",
    ),
    "stream_ram_bytes": Kind(
        "RAM in a stream", lambda entry: entry.stream_ram_bytes or None, "bytes", _count, cost=True,
        card="RAM in a stream, with the front end",
    ),
    "clip_ram_bytes": Kind(
        "RAM on clips", lambda entry: entry.clip_ram_bytes, "bytes", _count, cost=True,
        card="RAM on whole clips, with the front end",
    ),
    "streamable": Kind("streams", lambda entry: entry.streamable, show=_yes),
    "validation": Kind("validation", lambda entry: entry.validation, show=percent, listed=True),
    "interval": Kind(
        "95 % interval", lambda values: tuple(values["accuracy"]["validation"]["interval"]), show=_span, source=CONFIG
    ),
    "clips": Kind("clips", lambda values: values["accuracy"]["validation"]["clips"], show=_count, source=CONFIG),
    "test": Kind("test", lambda entry: entry.test, show=percent, listed=True),
    "basis": Kind("basis", lambda entry: entry.basis, words=True),
    "detection_recall": Kind("found in a stream", lambda entry: entry.detection_recall, show=percent),
    "false_alarms_per_hour": Kind(
        "false alarms an hour", lambda entry: entry.false_alarms_per_hour, "an hour", _three, cost=True
    ),
    "false_alarms_upper": Kind(
        "their 95 % bound", lambda entry: entry.false_alarms_upper, "an hour", _bound, cost=True
    ),
    "detection_hours": Kind("hours heard", _detected("hours"), "h", _three, source=CONFIG),
    "delay_ms": Kind("delay", _delay, "ms", _count, source=CONFIG),
    "threshold": Kind("threshold", _detected("threshold"), show=_three, source=CONFIG),
    "thresholds": Kind("thresholds of labels", _thresholds, show=", ".join, source=CONFIG, words=True),
    "smoothing": Kind("smoothing", _detected("smoothing"), "answers", source=CONFIG),
    "release": Kind("release", _detected("release"), show=_three, source=CONFIG),
    "refractory_ms": Kind("refractory ms", _detected("refractory_ms"), "ms", "{:g}".format, CONFIG),
    "hop_ms": Kind("hop ms", _detected("hop_ms"), "ms", "{:g}".format, CONFIG),
    "dataset": Kind("dataset", lambda entry: entry.dataset, words=True),
    "licence": Kind("licence", lambda entry: entry.licence, words=True, listed=True),
    "labels": Kind("labels", lambda entry: list(entry.labels), show=", ".join, words=True),
    "config_sha256": Kind("config.json", lambda entry: entry.config_sha256, words=True),
    "device": Kind(
        "device", lambda one: one.device, source=FIGURE, words=True, card="device", cell=lambda one: one.device
    ),
    "clock_mhz": Kind(
        "clock", lambda one: one.clock_mhz, "MHz", "{:g}".format, FIGURE, card="clock", cell=_clock
    ),
    "runtime": Kind(
        "runtime", lambda one: one.runtime, source=FIGURE, words=True,
        card="runtime", cell=lambda one: one.runtime or "not known",
    ),
    "version": Kind(
        "version", lambda one: one.version, source=FIGURE, words=True, card="version", cell=lambda one: one.version
    ),
    "latency_ms": Kind(
        "latency", lambda one: one.latency_ms, "ms", _three, FIGURE, cost=True,
        card="latency", cell=_latency,
    ),
    "low_ms": Kind("low", lambda one: one.low_ms, "ms", _three, FIGURE),
    "high_ms": Kind("high", lambda one: one.high_ms, "ms", _three, FIGURE, cost=True),
    "energy_uj": Kind(
        "energy", lambda one: one.energy_uj, "uJ", _three, FIGURE, cost=True, card="energy", cell=_energy
    ),
    "instructions": Kind("instructions", lambda one: one.instructions, "", _whole, FIGURE, cost=True),
    "power_uw": Kind("power", lambda one: one.power and one.power.power_uw, "uW", _three, FIGURE, cost=True),
    "power_basis": Kind("power basis", lambda one: one.power and one.power.basis, source=FIGURE, words=True),
    "frontend_ms": Kind("front end", lambda one: one.frontend_ms, "ms", _three, FIGURE, cost=True),
    "as_bits": Kind("as at bits", lambda one: one.as_bits, "", str, FIGURE),
    "device_basis": Kind(
        "device basis", lambda one: one.basis, source=FIGURE, words=True, card="basis", cell=lambda one: one.basis
    ),
    "in_range": Kind(
        "in range", lambda one: one.in_range, "", _yes, FIGURE, card="in range", cell=_in_range
    ),
}  # fmt: skip
"""All facts of models, in the order in which they are shown."""


def facts(
    names: Iterable[str], entry: Entry, values: Mapping | None = None, figure: DeviceFigure | None = None
) -> dict[str, Fact]:
    """The facts of a model by their names.

    values: of `config.json`, for facts that are `packaged`. figure: what it takes on a device,
    for those that are `on_device`.
    """
    sources = {ENTRY: entry, CONFIG: values, FIGURE: figure}
    return {name: _fact(name, KINDS[name], sources[KINDS[name].source], entry) for name in names}


def _fact(name: str, kind: Kind, source: Any, entry: Entry) -> Fact:
    value = kind.of(source)
    text = UNKNOWN_TEXT if value is None else kind.show(value)
    predicted = name == "validation" and entry.basis == PREDICTED
    return Fact(name, value, kind.unit, f"{text} predicted" if predicted else text)


def column_names(names: Iterable[str], device: bool = False) -> list[str]:
    """Names of facts, checked. device: one is named.

    Raises InvalidQuery for a name that no fact has, one given twice, and one on a device where none is named.
    """
    chosen = list(names)
    for name in chosen:
        if name not in KINDS:
            raise InvalidQuery(f"column {name!r:.140} is not known: {nearest_names(name, KINDS)}")
        if KINDS[name].on_device and not device:
            raise InvalidQuery(f"column {name} needs a device; `earshot profile list` shows all")
        if chosen.count(name) > 1:
            raise InvalidQuery(f"column {name} is given twice; give it once")
    return chosen


CHEAPER_BY = ("macs", "flash_bytes", "ram_bytes")
"""By what a model is cheaper than another, first by the first."""


def listed() -> list[str]:
    """The columns of lists without a wish, and of pages."""
    return [name for name, kind in KINDS.items() if kind.listed]


def costs_text(entry: Entry, names: Iterable[str] | None = None) -> str:
    """What a model costs, in one line. names: of some facts that have a `line` (default: all)."""
    kinds = KINDS.values() if names is None else [KINDS[name] for name in names]
    return ", ".join(kind.line(entry) for kind in kinds if kind.line)


def stream_text(entry: Entry, values: Mapping) -> list[str]:
    """What a second of a stream takes, in a line, where there is a stream. values: of `config.json`."""
    if not entry.streamable:
        return []
    own, front = (fact.text for fact in facts(PER_SECOND, entry, values).values())
    return [f"{own} MACs a second in a stream that answers as often as it can, front end {front}"]


def cost_rows(entry: Entry, values: Mapping) -> list[tuple[str, str]]:
    """What a model costs, line by line, as cards show it; without what it does not have. values: of `config.json`."""
    rows = facts((name for name, kind in KINDS.items() if kind.card and not kind.on_device), entry, values)
    known = {name: fact for name, fact in rows.items() if fact.value is not None}
    return [(KINDS[name].card, f"{fact.text} {fact.unit}".strip()) for name, fact in known.items()]


def device_table(figures: Iterable[DeviceFigure]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a card's table of devices."""
    kinds = [kind for kind in KINDS.values() if kind.cell]
    return [kind.card for kind in kinds], [[kind.cell(one) for kind in kinds] for one in figures]


def accuracy_text(entry: Entry) -> str:
    """The accuracies of a model as they are printed."""
    if entry.basis == PREDICTED:
        return f"{percent(entry.validation)} predicted for validation, not measured"
    test = "" if entry.test is None else f", {percent(entry.test)} test"
    return f"{percent(entry.validation)} validation{test}"


@dataclass(frozen=True)
class Accuracy:
    """How good a model is on a split, or in one condition on it.

    share: of right answers (0 to 1), with its interval from low to high, of so many clips. predicted: not measured.
    average: mean average precision, where a clip may have several labels. conditions: on the same clips. confusion:
    their counts by label and answer, or None.
    """

    name: str
    share: float
    low: float
    high: float
    clips: int
    predicted: bool = False
    average: float | None = None
    conditions: tuple[Accuracy, ...] = ()
    confusion: np.ndarray | None = None

    @property
    def text(self) -> str:
        """The share."""
        return percent(self.share)

    @property
    def interval(self) -> str:
        """From where to where."""
        return _span((self.low, self.high))


def accuracies(accuracy: Mapping) -> list[Accuracy]:
    """Of the splits that are known, validation first. accuracy: of `config.json`."""
    return [_accuracy(split, accuracy[split]) for split in ("validation", "test") if split in accuracy]


def _accuracy(name: str, one: Mapping) -> Accuracy:
    heard = tuple(_accuracy(condition, own) for condition, own in known_conditions(one).items())
    counts = np.array(one["confusion"]) if "confusion" in one else None
    predicted, average = one.get("basis", MEASURED) == PREDICTED, one.get("mean_average_precision")
    return Accuracy(name, one["accuracy"], *one["interval"], one["clips"], predicted, average, heard, counts)


def last_confusion(accuracy: Mapping) -> Accuracy | None:
    """The accuracy on test, else on validation, whose confusion is known; None where neither is."""
    known = [one for one in accuracies(accuracy) if one.confusion is not None]
    return known[-1] if known else None


def recalls(values: Mapping) -> dict[str, tuple[float | None, int]]:
    """Label -> share of its clips that are answered so (None without clips), and how many these are.

    values: of `config.json`; of the split of `last_confusion`. Empty where no confusion is known.
    """
    found = last_confusion(values["accuracy"])
    if found is None:
        return {}
    several = found.confusion.ndim == 3
    right = found.confusion[:, 1, 1] if several else found.confusion.diagonal()
    clips = found.confusion[:, 1].sum(1) if several else found.confusion.sum(1)
    pairs = zip(right.tolist(), clips.tolist(), strict=True)
    shares = [(own / total if total else None, total) for own, total in pairs]
    return dict(zip(values["labels"], shares, strict=True))


def confusions(values: Mapping, most: int = 5) -> list[tuple[str, str, int]]:
    """(label, answer, clips): what is taken for what most often; nothing where a clip may have several labels."""
    found, labels = last_confusion(values["accuracy"]), values["labels"]
    if found is None or found.confusion.ndim == 3:
        return []
    wrong = found.confusion - np.diag(found.confusion.diagonal())
    places = [divmod(int(place), len(wrong)) for place in np.argsort(-wrong, axis=None, kind="stable")[:most]]
    return [
        (labels[truth], labels[answer], int(wrong[truth, answer])) for truth, answer in places if wrong[truth, answer]
    ]


def recall_text(values: Mapping) -> list[str]:
    """The recall of each label in a line, lowest first, where it is known."""
    known = {label: own for label, own in recalls(values).items() if own[0] is not None}
    ordered = sorted(known.items(), key=lambda item: item[1][0])
    said = ", ".join(f"{label} {percent(share)} of {clips:,}" for label, (share, clips) in ordered)
    return [f"recall on {last_confusion(values['accuracy']).name}, lowest first: {said}"] if said else []


def confusion_text(values: Mapping) -> list[str]:
    """What is taken for what most often in a line, where it is known."""
    said = ", ".join(f"{label} as {answer} {clips:,}" for label, answer, clips in confusions(values))
    return [f"most frequent confusions: {said}"] if said else []


@dataclass(frozen=True)
class Rivals:
    """The best model of a look-up, and the cheapest of those whose accuracy is within noise of it.

    low, high: the 95 % interval of the best one's accuracy on validation, of so many clips, in which the cheaper one's
    lies.
    """

    best: Entry
    cheaper: Entry
    low: float
    high: float
    clips: int

    def to_dict(self) -> dict:
        """Plain values for JSON: names and accuracies of both, and the interval."""
        pair = {"best": self.best, "cheaper": self.cheaper}
        said = {which: {"name": one.name, "validation": one.validation} for which, one in pair.items()}
        return {**said, "interval": [self.low, self.high], "clips": self.clips}

    def text(self, chosen: str) -> str:
        """What to know where the model of that name was chosen of the two."""
        noise = f"within noise ({_span((self.low, self.high))} on {self.clips:,} clips)"
        if chosen == self.cheaper.name:
            return f"chosen as the cheaper one {noise} of {self.best.name}, which has {percent(self.best.validation)}"
        costs = costs_text(self.cheaper, CHEAPER_BY)
        return (
            f"{noise}, and cheaper: {self.cheaper.name} has {percent(self.cheaper.validation)} for {costs}; "
            "`cheaper` takes it"
        )


def detection_text(figures: Mapping | None) -> list[str]:
    """How a model is used in a stream, and how good that is, where it was chosen. figures: of `config.json`."""
    if not figures:
        return []
    own = ", ".join(f"{label} from {value:g}" for label, value in figures.get("thresholds", {}).items())
    again = f", again once it has fallen below {figures['release']:g} of that" if "release" in figures else ""
    return [
        f"A window of one clip each {figures['hop_ms']} ms; scores averaged over {figures['smoothing']} windows; a "
        f"label is detected from {figures['threshold']} on{own and f' ({own})'}, then nothing for "
        f"{figures['refractory_ms']} ms{again}.",
        f"{_alarms_text(figures)}; {_recall_text(figures)}. {_chosen_text(figures)}",
        *_delay_text(figures),
    ]


def _alarms_text(figures: Mapping) -> str:
    bound = detection_figures(figures)["false_alarms_upper"]
    shown = f" (95 %: at most {_bound(bound)})" if bound is not None else ""
    count = f"{figures['alarms']:,} in" if "alarms" in figures else "on"
    hours = f"{count} {figures['hours']:.2g} held-out hours of negatives"
    return f"{figures['false_alarms_per_hour']:.3g} false alarms an hour{shown}, {hours}"


def _recall_text(figures: Mapping) -> str:
    if "recall" not in figures:
        return "how many words are found was not measured"
    clips = f"{figures['recall_clips']:,} " if "recall_clips" in figures else ""
    return f"{percent(figures['recall'])} of {clips}validation clips found"


def _chosen_text(figures: Mapping) -> str:
    if "parts" in figures:
        what = "negatives and clips" if "recall" in figures else "negatives"
        return f"Of {figures['parts']} parts of the {what}, each was judged by settings chosen on the others."
    return f"The settings were chosen on these clips and on {figures['chosen_on_hours']:.2g} other held-out hours."


def _delay_text(figures: Mapping) -> list[str]:
    """How late a word is known."""
    clean = figures.get("conditions", {}).get("clean", {})
    if not {"delay_ms", "late_ms"} <= clean.keys():
        return []
    return [
        f"A word is known {clean['delay_ms']:,} ms after its end in the median, 95 % of those found within "
        f"{clean['late_ms']:,} ms; {clean['wrong']:,} wrong or repeated events at {clean['words']:,} clean words."
    ]


def detection_rows(figures: Mapping | None) -> list[tuple[str, ...]]:
    """Of each condition of the words: its name, the recall, the words, the delay, and wrong or repeated events."""
    found = (figures or {}).get("conditions", {})
    return [
        (name, percent(one["recall"]), _count(one["words"]), str(one.get("delay_ms", UNKNOWN_TEXT)), str(one["wrong"]))
        for name, one in found.items()
    ]
