"""How often a stream answers, and what each answer computes of what one on a whole clip does. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from predictors.estimate import frontend_macs
from supernet.arch import Arch
from supernet.cost import answer_interval, macs, macs_per_second, stream_macs

__all__ = ["Pace", "clip_ms", "own_ms", "pace_of"]

ROUNDING = 1e-9
"""Of how many intervals there are in a time."""


@dataclass(frozen=True)
class Pace:
    """How often answers are wanted, and what one computes.

    every_ms: from answer to answer. own_ms: in a stream, from one answer to the next that it can give; None where each
    answer computes a whole clip. macs, frontend_macs: of one answer. network, frontend: these as shares of a clip's.
    """

    every_ms: float
    own_ms: float | None
    macs: int
    frontend_macs: int
    network: float = 1.0
    frontend: float = 1.0

    @property
    def runs(self) -> int:
        """Of the network for one answer."""
        return 1 if self.own_ms is None else round(self.every_ms / self.own_ms)

    @property
    def macs_per_second(self) -> float:
        """Of the network and the front end."""
        return 1000 * (self.macs + self.frontend_macs) / self.every_ms

    def too_often(self, every_ms: float) -> bool:
        """True where a stream cannot answer each `every_ms`, for which this is its own."""
        return self.own_ms is not None and every_ms / self.own_ms + ROUNDING < 1

    def share(self, beside: float) -> float:
        """Of what the network takes on a clip, where that share of it comes with each run."""
        return self.runs * beside + (1 - beside) * self.network


def clip_ms(arch: Arch) -> int:
    """How long a clip is, in whole frames."""
    return arch.frames * arch.features.step_ms


def own_ms(arch: Arch) -> float | None:
    """From one answer to the next that a stream of the network can give; None where it answers on whole clips only."""
    return answer_interval(arch) * arch.features.step_ms if macs_per_second(arch) else None


def pace_of(arch: Arch, every_ms: float | None = None) -> Pace:
    """What a network computes for an answer each `every_ms`; once a clip, and of a whole one, where that is None.

    A stream answers at multiples of its own interval, to which every_ms is rounded down; where it is less than that, as
    often as it can (see `Pace.too_often`). From a clip on a clip is computed for each answer, as at any pace of what
    looks ahead.
    """
    clip = clip_ms(arch)
    every = clip if every_ms is None else every_ms
    own = own_ms(arch) if every < clip else None
    if own is None:
        return Pace(every, None, macs(arch), frontend_macs(arch))
    count = max(1, int(every / own + ROUNDING))
    frames = count * answer_interval(arch)
    network, front = stream_macs(arch, frames), frontend_macs(arch, frames)
    return Pace(count * own, own, network, front, network / macs(arch), front / max(1, frontend_macs(arch)))
