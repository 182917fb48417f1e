"""How often a model answers, and what each answer takes at that rate, of what one on a whole clip takes.

A stream computes each frame once, so an answer takes the frames since the one before it. A device is charged that by
MACs, and each time a run of the network goes on by the frames of one more answer, what a run takes beside its MACs: its
start, each layer, and reading the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from predictors.names import TARGETS
from predictors.pace import Pace, clip_ms, pace_of
from supernet.arch import Arch
from supernet.errors import InvalidQuery
from zoo.ask.units import interval
from zoo.package.figures import DeviceFigure

__all__ = ["Rate", "rate_at", "rate_of"]

ASSUMED = "One answer a clip, each {clip:g} ms, is assumed and charged a whole clip; --every-ms states another rate."
UNHEARD = "Each answer is charged a whole clip of {clip:g} ms; {rest:g} ms between clips are not heard."
ROUNDED = "A stream of this model answers each {own:g} ms: every_ms = {asked:g} is taken as {every:g}."
NEW = (
    "An answer each {every:g} ms computes the frames that are new: {network:,} MACs in the network ({share:.1%} of a "
    "clip's) and {frontend:,} in the front end ({front_share:.1%}). Latency and energy are a clip's, scaled by these."
)
BESIDE = "What a run takes beside its MACs (its start, each layer, reading the weights), each {own:g} ms in a stream, "
NOT_KNOWN = (
    "is not known there and not counted: were it 1% of the network's latency on a clip, an answer would take "
    "{more:.3g} ms more."
)
NOT_COUNTED = "is not known there and not counted."
KNOWN = "is counted, by the measurements there: {shares} on a clip."
DEARER = "An answer on a whole clip takes less, {latency:.3g} ms."


@dataclass(frozen=True)
class Rate(Pace):
    """How often answers are wanted, and what one computes. notes: what is assumed."""

    notes: tuple[str, ...] = ()

    def charged(self, clip: DeviceFigure, beside: Mapping[str, float]) -> DeviceFigure:
        """What an answer takes, of what one on a whole clip takes. beside: see `predictors.fitted.beside_macs`."""
        if self.own_ms is None:
            return clip
        latency, energy, instructions = (self.share(beside.get(name, 0.0)) for name in TARGETS)
        return clip.in_stream(latency, energy, self.frontend, instructions)

    def told(self, clip: DeviceFigure, beside: Mapping[str, float]) -> tuple[str, ...]:
        """What is to be known of `charged`."""
        if self.own_ms is None:
            return self.notes
        new = NEW.format(
            every=self.every_ms, network=self.macs, share=self.network, frontend=self.frontend_macs,
            front_share=self.frontend,
        )  # fmt: skip
        taken = self.charged(clip, beside)
        more = clip.latency_ms is not None and taken.latency_ms > clip.latency_ms
        dearer = (DEARER.format(latency=clip.latency_ms),) if more else ()
        return *self.notes, new, BESIDE.format(own=self.own_ms) + self._beside(clip, beside), *dearer

    def _beside(self, clip: DeviceFigure, beside: Mapping[str, float]) -> str:
        if clip.latency_ms is None:
            known = beside.get("instructions")
            return NOT_COUNTED if known is None else KNOWN.format(shares=f"{known:.0%} of the network's instructions")
        if "latency_ms" not in beside:
            more = 0.01 * (clip.latency_ms - clip.frontend_ms) * (self.runs - self.network)
            return NOT_KNOWN.format(more=more)
        shares = f"{beside['latency_ms']:.0%} of the network's latency"
        if clip.energy_uj is not None:
            energy = f"{beside['energy_uj']:.0%}" if "energy_uj" in beside else "a share that is not known"
            shares += f" and {energy} of its energy"
        return KNOWN.format(shares=shares)


def rate_of(arch: Arch, every_ms: float | str | None) -> Rate:
    """The rate at which a network is asked; once a clip where every_ms is None.

    A stream answers at multiples of its own interval, to which every_ms is rounded down, and from a clip on a clip is
    computed for each answer. Raises InvalidQuery for what is no time, or is less than the interval.
    """
    asked = None if every_ms is None else interval("every_ms", every_ms)
    rate = rate_at(arch, asked)
    if asked is not None and rate.too_often(asked):
        raise InvalidQuery(
            f"every_ms = {asked:g} is not possible: a stream of this model answers each {rate.own_ms:g} ms; give that "
            "or more"
        )
    return rate


def rate_at(arch: Arch, every_ms: float | None) -> Rate:
    """The same, as often as the stream can where every_ms is less than that."""
    pace = pace_of(arch, every_ms)
    return Rate(**asdict(pace), notes=_assumed(pace, every_ms, clip_ms(arch)))


def _assumed(pace: Pace, asked: float | None, clip: float) -> tuple[str, ...]:
    if asked is None:
        return (ASSUMED.format(clip=clip),)
    if asked > clip:
        return (UNHEARD.format(clip=clip, rest=asked - clip),)
    return () if pace.every_ms == asked else (ROUNDED.format(own=pace.own_ms, asked=asked, every=pace.every_ms),)
