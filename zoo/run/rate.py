"""How often a model answers, and what each answer takes at that rate, of what one on a whole clip takes.

A stream computes each frame once, so an answer takes the frames since the one before it. A device is charged that by
MACs, and each time a run of the network goes on by the frames of one more answer, what a run takes beside its MACs: its
start, each layer, and reading the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from predictors.estimate import frontend_macs
from predictors.names import TARGETS
from supernet.arch import Arch
from supernet.cost import answer_interval, macs, macs_per_second, stream_macs
from supernet.errors import InvalidQuery
from zoo.ask.units import milliseconds
from zoo.package.figures import Figure

__all__ = ["Rate", "rate_of"]

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
class Rate:
    """How often answers are wanted, and what one computes. every_ms: from answer to answer. notes: what is assumed.

    own_ms: in a stream, from one answer to the next that it can give; None on whole clips. macs, frontend_macs: of one
    answer. network, frontend: the same as shares of those of a clip.
    """

    every_ms: float
    notes: tuple[str, ...] = ()
    own_ms: float | None = None
    macs: int = 0
    frontend_macs: int = 0
    network: float = 1.0
    frontend: float = 1.0

    @property
    def runs(self) -> int:
        """Of the network for one answer."""
        return 1 if self.own_ms is None else round(self.every_ms / self.own_ms)

    def charged(self, clip: Figure, beside: Mapping[str, float]) -> Figure:
        """What an answer takes, of what one on a whole clip takes. beside: see `predictors.fitted.beside_macs`."""
        if self.own_ms is None:
            return clip
        latency, energy, instructions = (self._share(beside.get(name, 0.0)) for name in TARGETS)
        return clip.in_stream(latency, energy, self.frontend, instructions)

    def _share(self, beside: float) -> float:
        """Of what the network takes on a clip, where that share of it comes with each run."""
        return self.runs * beside + (1 - beside) * self.network

    def told(self, clip: Figure, beside: Mapping[str, float]) -> tuple[str, ...]:
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

    def _beside(self, clip: Figure, beside: Mapping[str, float]) -> str:
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
    clip = arch.frames * arch.features.step_ms
    if every_ms is None:
        return Rate(clip, (ASSUMED.format(clip=clip),))
    asked = milliseconds("every_ms", every_ms)
    if asked > clip:
        return Rate(asked, (UNHEARD.format(clip=clip, rest=asked - clip),))
    return _in_stream(arch, asked) if macs_per_second(arch) and asked < clip else Rate(asked)


def _in_stream(arch: Arch, asked: float) -> Rate:
    interval = answer_interval(arch)
    own = interval * arch.features.step_ms
    count = int(asked / own + 1e-9)
    if not count:
        raise InvalidQuery(
            f"every_ms = {asked:g} is not possible: a stream of this model answers each {own:g} ms; give that or more"
        )
    every, notes = count * own, ()
    if every != asked:
        notes = (ROUNDED.format(own=own, asked=asked, every=every),)
    network, frontend = stream_macs(arch, count * interval), frontend_macs(arch, count * interval)
    shares = network / macs(arch), frontend / max(1, frontend_macs(arch))
    return Rate(every, notes, own, network, frontend, *shares)
