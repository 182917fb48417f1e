"""The bill of a model on a device: what it takes, line by line, against what the device has."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from predictors.names import resolve
from predictors.settings import device_settings
from supernet.extras import lacking
from zoo.ask.units import milliseconds
from zoo.package.figures import COSTS, Figure, figure_of, read_figures, short

__all__ = ["Bill", "Line", "fit"]


@dataclass(frozen=True)
class Line:
    """One line of a bill. limit: what the device has, or None where that is not known."""

    name: str
    need: float
    unit: str
    limit: float | None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`pass`, `fail`, or `-` where there is no limit."""
        return "-" if self.limit is None else "pass" if self.need <= self.limit else "fail"

    @property
    def text(self) -> str:
        """The line as it is printed."""
        need = f"{self.need:,.0f}" if self.unit == "bytes" else _text(self.need)
        limit = "" if self.limit is None else f"{self.limit:,.0f}"
        return f"{self.name:14} {need + ' ' + self.unit:>22} {limit:>14}  {self.verdict:4}  {self.note}".rstrip()


@dataclass(frozen=True)
class Bill:
    """What a model takes of a device."""

    model: str
    figure: Figure
    lines: tuple[Line, ...]

    @property
    def passes(self) -> bool:
        """True where no line fails."""
        return all(line.verdict != "fail" for line in self.lines)

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        lines = [{**asdict(line), "verdict": line.verdict} for line in self.lines]
        return {"model": self.model, "passes": self.passes, "device": asdict(self.figure), "lines": lines}

    def __str__(self) -> str:
        text = [line.text for line in self.lines]
        head = f"{'':14} {'takes':>22} {'limit':>14}"
        return "\n".join([f"{self.model}", f"  {self.figure}", head, *text])


def fit(model, device: str, every_ms: float | None = None, folder: str | Path | None = None) -> Bill:
    """What a model takes of a device, against what the device has.

    device: a profile, by its name or the beginning of it. every_ms: how often an answer is wanted (default: once a
    clip), which latency must keep and average power is counted by. folder: of the user's profiles.
    Latency and energy are predicted anew, or, without pandas and scikit-learn, those that lie beside the package.
    Raises UnknownName for a device without a profile, InvalidQuery for an every_ms that cannot be meant, MissingExtra
    where nothing lies beside the package and nothing can be predicted.
    """
    from predictors import estimate
    from predictors.power import EXAMPLES, average_power_uw

    arch, macs = model.arch, model.entry.macs
    every = arch.frames * arch.features.step_ms if every_ms is None else milliseconds("every_ms", every_ms)
    cost, (found, has) = estimate(arch), _on_device(model, device, folder)
    whole, span = (macs + model.entry.frontend_macs) / macs, f"{_text(found.low_ms)} to {_text(found.high_ms)}"
    form = "in a stream" if cost.stream_ram_bytes else "on whole clips"
    lines = [
        Line("flash", model.entry.flash_bytes, "bytes", has.get("flash_bytes"), "weights, without the runtime's code"),
        Line("RAM", cost.ram_bytes, "bytes", has.get("ram_bytes"), f"answering {form}, with the front end"),
        Line("  as a stream", cost.stream_ram_bytes, "bytes", None) if cost.stream_ram_bytes else None,
        Line("  on clips", cost.clip_ram_bytes, "bytes", None),
        Line("latency", found.latency_ms, "ms", every, f"{span}; an answer is wanted every {every:g} ms"),
        Line("  + front end", short(whole * found.latency_ms), "ms", every, f"guessed: {whole - 1:.0%} more MACs"),
    ]
    if found.energy_uj is not None:
        with_frontend = whole * found.energy_uj
        power = average_power_uw(with_frontend, 1000 / every, has.get("sleep_power_uw", 0.0))
        asleep = "" if "sleep_power_uw" in has else "; sleep not known, taken as 0"
        lines.append(Line("energy", found.energy_uj, "uJ", None, "of one answer"))
        lines.append(Line("  + front end", short(with_frontend), "uJ", None, "guessed likewise"))
        lines.append(Line("power", short(power), "uW", None, f"on average, with the front end{asleep}"))
        lines += [Line("  published", one.power_uw, "uW", None, f"{one.system} ({one.source})") for one in EXAMPLES]
    return Bill(model.name, found, tuple(line for line in lines if line))


def _on_device(model, device: str, folder: str | Path | None) -> tuple[Figure, dict]:
    """What a model takes on a device, and what the device has."""
    missing = lacking("pandas", "sklearn")
    if missing is None:
        from predictors.device import find_profile

        profile = find_profile(device, folder)
        return figure_of(model.arch, profile.name, model.task, folder), profile.settings
    if not (model.path / COSTS).is_file():
        raise missing
    stored = read_figures(model.path / COSTS)
    figure = stored[resolve(device, stored, f"{model.path / COSTS}")]
    return figure, device_settings(figure.profile, figure.device, folder)


def _text(value: float) -> str:
    """Three digits, as people write them."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"
