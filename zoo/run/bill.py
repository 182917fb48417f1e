"""The bill of a model on a device: what it takes, line by line, against what the device has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from predictors.names import resolve
from predictors.power import EXAMPLES, Anchor, plain
from predictors.settings import device_settings
from supernet.errors import InvalidQuery, UnknownName
from supernet.extras import lacking
from zoo.ask.units import power, power_or_none
from zoo.package.figures import COSTS, DeviceFigure, Power, bits_note, figure_of, own_figures, read_figures, short
from zoo.run.power import power_of
from zoo.run.rate import Rate, rate_of

__all__ = ["Bill", "Line", "fit"]


@dataclass(frozen=True)
class Line:
    """One line of a bill. limit: what the device has, or None where that is not known. of: the line that it is a part
    of, or stands under.
    """

    name: str
    need: float
    unit: str
    limit: float | None
    note: str = ""
    of: str | None = None

    @property
    def verdict(self) -> str:
        """`pass`, `fail`, or `-` where there is no limit."""
        return "-" if self.limit is None else "pass" if self.need <= self.limit else "fail"

    @property
    def text(self) -> str:
        """The line as it is printed."""
        need = f"{self.need:,.0f}" if self.unit == "bytes" else _text(self.need)
        limit = "" if self.limit is None else f"{self.limit:,.10g}"
        name = f"  {self.name}" if self.of else self.name
        return f"{name:14} {need + ' ' + self.unit:>22} {limit:>14}  {self.verdict:4}  {self.note}".rstrip()


@dataclass(frozen=True)
class Bill:
    """What a model takes of a device. figure: of one answer at the bill's rate. notes: what the lines assume."""

    model: str
    figure: DeviceFigure
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """True where no line fails."""
        return all(line.verdict != "fail" for line in self.lines)

    def to_dict(self) -> dict:
        """Plain values for JSON, without a verdict where there is no limit."""
        lines = [
            {**asdict(line), "verdict": None if line.limit is None else line.verdict} for line in self.lines
        ]  # fmt: skip
        found = {"name": self.model, "passes": self.passes, "device": asdict(self.figure), "lines": lines}
        return found | {"notes": list(self.notes)}

    def __str__(self) -> str:
        text = [line.text for line in self.lines]
        head = f"{'':14} {'takes':>22} {'limit':>14}"
        return "\n".join([f"{self.model}", f"  {self.figure}", head, *text, *self.notes])


def fit(
    model,
    device: str,
    every_ms: float | None = None,
    folder: str | Path | None = None,
    cycles_per_instruction: float | None = None,
    clock_mhz: float | None = None,
    max_power_uw: float | str | None = None,
    sleep_power_uw: float | str | None = None,
) -> Bill:
    """What a model takes of a device, against what the device has.

    device: a profile, by its name or the beginning of it. every_ms: how often an answer is wanted (default: once a
    clip), which latency must keep and average power is counted by; a model that streams then computes only the frames
    that are new (see zoo.run.rate). Latency and energy are those of look-ups at that rate: of the network and its front
    end, whose part is guessed by its MACs. folder: of the user's profiles. cycles_per_instruction, clock_mhz: by which
    the instructions of an emulated core become time; both or none. max_power_uw: that the average power must keep, such
    as 500 or "0.5mW"; sleep_power_uw: of the device, in place of that in its settings, likewise.
    Latency and energy are predicted anew, or, without pandas and scikit-learn, those that lie beside the package.
    Raises UnknownName for a device without a profile, and for max_power_uw where nothing is known of its power,
    InvalidQuery for an every_ms or a power that cannot be meant, MissingExtra where nothing lies beside the package and
    nothing can be predicted.
    """
    most = None if max_power_uw is None else power("max_power_uw", max_power_uw)
    asleep = None if sleep_power_uw is None else power_or_none("sleep_power_uw", sleep_power_uw)
    rate, (clip, beside, has) = rate_of(model.arch, every_ms), _on_device(model, device, folder)
    found = _timed(rate.charged(clip, beside), cycles_per_instruction, clock_mhz)
    found = _powered(found, rate, has, asleep, most)
    lines = (*_memory(model, has), *_latency(model, found, rate), *_instructions(found), *_power(found, most))
    return Bill(model.name, found, lines, rate.told(clip, beside))


def _powered(found: DeviceFigure, rate: Rate, has: dict, asleep: float | None, most: float | None) -> DeviceFigure:
    """With its average power, where that is known. most: where that is wanted, UnknownName is raised else."""
    try:
        return replace(found, power=power_of(found, rate, has, asleep))
    except UnknownName as error:
        if most is not None:
            raise UnknownName(f"max_power_uw = {most:g}: {error}") from None
        return found


def _timed(found: DeviceFigure, cycles: float | None, clock_mhz: float | None) -> DeviceFigure:
    """With latency by instructions, where that is wanted."""
    if (cycles is None) != (clock_mhz is None):
        raise InvalidQuery("cycles_per_instruction and clock_mhz make milliseconds of instructions together: give both")
    return found if cycles is None else found.timed(cycles, clock_mhz)


def _memory(model, has: dict) -> list[Line]:
    from predictors import estimate
    from predictors.runtime import measured_with

    cost = estimate(model.arch)
    form = "in a stream" if cost.stream_ram_bytes else "on whole clips"
    stream = [Line("as a stream", cost.stream_ram_bytes, "bytes", None, of="RAM")] if cost.stream_ram_bytes else []
    return [
        Line("flash", cost.flash_bytes, "bytes", has.get("flash_bytes"), "weights, code and tables"),
        Line("weights", cost.weight_bytes, "bytes", None, of="flash"),
        Line("code", cost.runtime_bytes, "bytes", None, f"with tables, as C ({measured_with()})", "flash"),
        Line("RAM", cost.ram_bytes, "bytes", has.get("ram_bytes"), f"answering {form}, with the front end"),
        *stream,
        Line("on clips", cost.clip_ram_bytes, "bytes", None, of="RAM"),
    ]


def _latency(model, found: DeviceFigure, rate: Rate) -> list[Line]:
    """None where nobody measured it on the device."""
    if found.latency_ms is None:
        return []
    span = f"{_text(found.low_ms)} to {_text(found.high_ms)}, with the front end"
    wanted = f"{span}; an answer is wanted every {rate.every_ms:g} ms"
    guess = f"guessed: {rate.frontend_macs / rate.macs:.0%} more MACs than the network's"
    return [
        Line("latency", found.latency_ms, "ms", rate.every_ms, wanted),
        Line("network", short(found.latency_ms - found.frontend_ms), "ms", None, _bits_note(found), "latency"),
        Line("front end", found.frontend_ms, "ms", None, guess, "latency"),
    ]


def _instructions(found: DeviceFigure) -> list[Line]:
    """None where nobody counted them on the device."""
    if found.instructions is None:
        return []
    span = f"{_text(found.instructions_low)} to {_text(found.instructions_high)}, with the front end"
    timeless = "" if found.latency_ms is not None else "; cycles an instruction and a clock make them milliseconds"
    return [Line("instructions", found.instructions, "", None, span + timeless)]


def _power(found: DeviceFigure, most: float | None) -> list[Line]:
    """Of energy and power, where they are known on the device. most: that the power must keep."""
    energy = Line("energy", found.energy_uj, "uJ", None, "of one answer, with the front end")
    lines = [] if found.energy_uj is None else [energy]
    own = found.power
    if own is None:
        return lines
    others = [Line("published", one.power_uw, "uW", None, _beside_ours(one, own), "power") for one in EXAMPLES]
    return [
        *lines,
        Line("power", own.power_uw, "uW", most, f"on average, with the front end; {own.workload}; {own.about}"),
        *others,
    ]


def _beside_ours(one: Anchor, own: Power) -> str:
    """What a published stream is, and what it would take for ours."""
    scaled = plain(one.draw().power_uw(own.macs_per_second))
    return f"{one.system} ({one.source}); scaled to ours {scaled} uW, an estimate ({one.assumed})"


def _bits_note(found: DeviceFigure) -> str:
    """Of the bits that the network's latency is of, where those are not its own."""
    return "" if found.as_bits is None else bits_note(found.as_bits)


def _on_device(model, device: str, folder: str | Path | None) -> tuple[DeviceFigure, dict, dict]:
    """What an answer on a clip takes on a device, what of it comes with each run, and what the device has."""
    missing = lacking("pandas", "sklearn")
    if missing is None:
        from predictors.device import find_profile
        from predictors.fitted import beside_macs

        profile = find_profile(device, folder)
        beside = beside_macs(profile, model.arch, model.task, folder)
        has = profile.settings | device_settings(profile.name, profile.device, folder)
        return figure_of(model.arch, profile.name, model.task, folder), beside, has
    stored = read_figures(model.path / COSTS) if (model.path / COSTS).is_file() else {}
    stored = stored | own_figures(model.name, folder)
    if not stored:
        raise missing
    figure = stored[resolve(device, stored, f"{model.path / COSTS}")]
    figure = figure.with_frontend(model.entry.macs, model.entry.frontend_macs)
    return figure, {}, device_settings(figure.profile, figure.device, folder)


def _text(value: float) -> str:
    """Three digits, as people write them."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"
