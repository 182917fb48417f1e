"""The page of a model: its card's facts, confusions, curve, costs, devices, and what can be taken, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote

from supernet.bits import inner_bits
from supernet.cost import LayerCost, layer_costs
from supernet.families import family
from supernet.layer import LayerSpec, layers
from zoo.package.entry import Entry
from zoo.package.facts import (
    Accuracy,
    accuracies,
    accuracy_text,
    confusion_text,
    cost_rows,
    costs_text,
    detection_rows,
    detection_text,
    device_table,
    last_confusion,
    percent,
    precision,
)
from zoo.package.figures import BASES, DeviceFigure
from zoo.package.read import Config
from zoo.site.curve import curve
from zoo.site.markup import Markup, items, joined, page, section, table, tag
from zoo.site.takes import Take

__all__ = ["model_page"]

ROOT = "../../"
STYLES = ("static/style.css", "static/try.css")
SCRIPTS = ("static/text.js", "static/copy.js")
MICROPHONE = "Browsers may give the microphone to served pages alone; `earshot page --serve` serves this one here."
DETECTED = ("words", "found", "of", "ms after their end, median", "wrong or repeated")
LAYER = ("layer", "kind", "bits", "MACs", "parameters", "bytes")
SHADES = 10
"""Classes of the style for the share of a row that a cell has."""


def model_page(
    entry: Entry,
    config: Config,
    taken: Sequence[DeviceFigure],
    takes: Sequence[Take],
    hubs: Sequence[str] = (),
    tried: Sequence[str] | str = "It was not asked for.",
) -> str:
    """The whole page.

    taken: what it takes on devices, with the front end. hubs: their addresses in commands, none for the usual. tried:
    the scripts of the panel that runs it, from the folder of the site, or why it has none.
    """
    values = config.values
    parts = [
        _head(entry, config, hubs),
        section("Try it", *_try(entry.name, tried), id_="try"),
        section("What it knows", _labels(config), *_lines(values["notes"]), id_="knows"),
        section("Accuracy", *_accuracy(values), id_="accuracy"),
        section("What is taken for what", *_confusion(values), id_="confusion"),
        section("Where it is less quiet and near", *_conditions(values["accuracy"]), id_="conditions"),
        section("Detection in a stream", *_detection(values.get("detection")), id_="detection"),
        section("Costs of one answer", *_costs(entry, config), id_="costs"),
        section("On devices", *_devices(taken), id_="devices"),
        section("Take it", *_takes(takes), id_="take"),
        section("How it was trained and searched", items(values["training"]["summary"]), id_="made"),
        section("Limits", items(values["limits"]), id_="limits"),
        section("Licence and attribution", *_licence(values, config), id_="licence"),
    ]
    home = tag("nav", tag("a", "Find a model", href=f"{ROOT}index.html"), aria_label="Site")
    skip = tag("a", "Skip to the model", href="#main", class_="skip")
    body = joined([skip, tag("header", home), tag("main", *parts, id_="main")])
    return page(f"{entry.name} - Earshot", body, ROOT, STYLES, [*SCRIPTS, *([] if isinstance(tried, str) else tried)])


def _try(name: str, tried: Sequence[str] | str) -> list[Markup]:
    if isinstance(tried, str):
        return _lines([f"This model does not run in a page: {tried}"])
    return [tag("div", data_earshot_try=name), tag("p", MICROPHONE, class_="fact")]


def _head(entry: Entry, config: Config, hubs: Sequence[str]) -> Markup:
    weights, activations = inner_bits(config.arch)
    said = f"{entry.task}, {precision(weights)} weights, {precision(activations)} activations, family {entry.family}"
    more = [said, costs_text(entry), f"accuracy {accuracy_text(entry)}; licence {entry.licence}"]
    lines = [tag("p", tag("bdi", line), class_="fact") for line in more]
    commands = [_command("Python", _python(entry.name, hubs)), _command("Shell", _shell(entry.name, hubs))]
    return joined([tag("h1", tag("bdi", entry.name)), *lines, *commands])


def _python(name: str, hubs: Sequence[str]) -> str:
    place = "" if not hubs else f", hub={hubs[0]!a}" if len(hubs) == 1 else f", hub={list(hubs)!a}"
    return f'model = zoo.get(name="{name}"{place})'


def _shell(name: str, hubs: Sequence[str]) -> str:
    return " ".join(["earshot run", name, "clip.wav", *(f"--hub {quote(one)}" for one in hubs)])


def _command(title: str, text: str) -> Markup:
    """A line to copy."""
    button = tag("button", "Copy", type="button", class_="copy", aria_label=f"Copy the line for {title}")
    return tag("div", tag("span", title, class_="what"), tag("code", text, tabindex="0"), button, class_="command")


def _lines(texts: Sequence[str]) -> list[Markup]:
    return [tag("p", tag("bdi", text)) for text in texts]


def _labels(config: Config) -> Markup:
    return tag("ul", *(tag("li", tag("bdi", label)) for label in config.labels), class_="labels")


def _accuracy(values: Mapping) -> list[Markup | None]:
    known, dataset = accuracies(values["accuracy"]), values["dataset"]
    noise = "90 % interval of the prediction" if known[0].predicted else "95 % interval, by clip"
    said = f"Of the integer package, on {dataset['name']} ({dataset['version']}). Models are chosen by validation."
    averages = [
        f"Mean average precision on {one.name}: {percent(one.average)}." for one in known if one.average is not None
    ]
    rows = [(_split(one), one.text, one.interval, f"{one.clips:,}") for one in known]
    return [*_lines([said]), table("Accuracy by split", ("split", "accuracy", noise, "clips"), rows), *_lines(averages)]


def _split(one: Accuracy) -> str:
    return f"{one.name}, predicted, not measured" if one.predicted else one.name


def _confusion(values: Mapping) -> list[Markup | None]:
    """Counts by label and answer, or, where a clip may have several labels, how many of each are found."""
    found = last_confusion(values["accuracy"])
    if found is None:
        return []
    if found.confusion.ndim == 3:
        return [_several(found, values["labels"])]
    rows = [
        _counts(label, row, at)
        for at, (label, row) in enumerate(zip(values["labels"], found.confusion.tolist(), strict=True))
    ]
    head = ["truth", *values["labels"], "recall"]
    drawn = table(f"Clips of {found.name} by label (rows) and answer (columns)", head, rows)
    return [*_lines(confusion_text(values)), tag("div", drawn, class_="confusion")]


def _counts(label: str, row: Sequence[int], at: int) -> list[str]:
    total = sum(row)
    cells = [_count(count, total, place == at) for place, count in enumerate(row)]
    return [label, *cells, percent(row[at] / total) if total else "-"]


def _count(count: int, total: int, right: bool) -> Markup:
    """A cell, shaded by its share of the row."""
    shade = round(SHADES * count / total) if total else 0
    shade = max(shade, 1) if count else 0
    return tag("td", f"{count:,}" if count else "", class_=f"{'right' if right else 'wrong'} shade{shade}")


def _several(found: Accuracy, labels: Sequence[str]) -> Markup | None:
    rows = []
    for label, ((_, extra), (missed, right)) in zip(labels, found.confusion.tolist(), strict=True):
        shares = [percent(right / whole) if whole else "-" for whole in (right + missed, right + extra)]
        rows.append((label, *shares, f"{right + missed:,}"))
    return table(f"Labels of clips of {found.name}", ("label", "recall", "precision", "clips"), rows)


def _conditions(accuracy: Mapping) -> list[Markup | None]:
    """The share of right answers in each condition, of splits that were heard so."""
    head = ("condition", "accuracy", "95 % interval", "points from above")
    return [
        table(f"Accuracy on {split.name} by condition", head, [_condition(one, split) for one in split.conditions])
        for split in accuracies(accuracy)
        if split.conditions
    ]


def _condition(one: Accuracy, plain: Accuracy) -> tuple[str, ...]:
    return one.name, one.text, one.interval, f"{100 * (one.share - plain.share):+.1f}"


def _detection(figures: Mapping | None) -> list[Markup | None]:
    rows = detection_rows(figures)
    return [*_lines(detection_text(figures)), table("Words found by condition", DETECTED, rows), curve(figures)]


def _costs(entry: Entry, config: Config) -> list[Markup | None]:
    bill = [_layer(cost, spec) for cost, spec in zip(layer_costs(config.arch), layers(config.arch), strict=True)]
    layered = tag("details", tag("summary", f"Layer by layer ({len(bill)})"), table("Costs by layer", LAYER, bill))
    return [table("Costs", ("figure", "value"), cost_rows(entry, config.values)), layered]


def _layer(cost: LayerCost, spec: LayerSpec) -> tuple[str, ...]:
    bits = str(spec.weight_bits) if spec.has_weights else ""
    return cost.name, cost.kind, bits, f"{cost.macs:,}", f"{cost.params:,}", f"{cost.weight_bytes:,}"


def _devices(taken: Sequence[DeviceFigure]) -> list[Markup | None]:
    """Those in range first, measured before predicted before indicative."""
    if not taken:
        return []
    ordered = sorted(taken, key=lambda one: (not one.in_range, BASES.index(one.basis), one.device, one.profile))
    said = (
        "Of one answer with the front end, which is guessed by its MACs; in brackets an interval. Indicative figures "
        "are of runtimes that cannot load this package; in range: networks of its size and bits were measured there."
    )
    inside = sum(one.in_range for one in taken)
    drawn = table("Latency and energy by device", *device_table(ordered))
    summary = tag("summary", f"{len(taken)} devices, {inside} in range")
    return [*_lines([said]), tag("details", summary, drawn, open=len(taken) < SHADES)]


def _takes(takes: Sequence[Take]) -> list[Markup | None]:
    rows = [(one.title, _link(one), f"{one.bytes:,} bytes", one.sha256) for one in takes if one.file]
    told = [f"{one.title}: {one.note}" for one in takes if one.note]
    return [table("Downloads", ("what", "file", "size", "SHA-256"), rows), items(told)]


def _link(one: Take) -> Markup:
    return tag("td", tag("a", one.file, href=one.file, download=True))


def _licence(values: Mapping, config: Config) -> list[Markup | None]:
    said = [f"{values['licence']}. {values['attribution']}.", family(config.arch.family).notice]
    return _lines([text for text in said if text])
