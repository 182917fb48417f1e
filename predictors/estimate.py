"""One call for all costs of a network, without building it. No torch here, and without a device no scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from predictors.names import TARGETS
from predictors.runtime import runtime_bytes
from supernet import cost, memory
from supernet.arch import Arch
from supernet.extras import need
from supernet.frontend import front_end
from supernet.layer import layers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = [
    "Cost",
    "DeviceCost",
    "estimate",
    "estimate_many",
    "exact",
    "frontend_macs",
    "frontend_macs_of",
    "frontend_macs_per_second",
    "with_rest",
]


@dataclass(frozen=True)
class Cost:
    """The exact costs of one answer on one clip.

    macs: multiply-accumulates of the network ("ops" in the publications that Earshot follows); params: parameters;
    weight_bytes: all tensors as packed; runtime_bytes: code and tables of the generated C (see predictors.runtime);
    flash_bytes: both. arena_bytes: what the integer runtime
    computes in on a whole clip; stream_state_bytes: what a stream keeps from frame to frame; peak_ram_bytes: both, and
    what the front end works in, as packages state it: more than either form takes. stream_ram_bytes, clip_ram_bytes:
    what each form takes (see supernet.memory); the first is 0 where there is no such form. ram_bytes: of the stream
    where there is one, else of clips.
    """

    macs: int
    params: int
    weight_bytes: int
    runtime_bytes: int
    flash_bytes: int
    arena_bytes: int
    stream_state_bytes: int
    peak_ram_bytes: int
    stream_ram_bytes: int
    clip_ram_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class DeviceCost(Cost):
    """A Cost, and what the network takes on a device, without the front end.

    latency_ms: of one answer, the median; interval: in ms, which holds `predictors.boosting.COVERAGE` of networks.
    energy_uj: of one answer; instructions: of one answer on an emulated core; energy_interval, instructions_interval
    likewise. Each is None where nobody measured it on the device. in_range: False where the network is outside of what
    was measured there, of latency or else what there is, in size or bits. basis: `measured`, `predicted`, or
    `indicative` where the profile's runtime cannot load our packages.
    """

    profile: str
    latency_ms: float | None
    interval: tuple[float, float] | None
    energy_uj: float | None
    energy_interval: tuple[float, float] | None
    in_range: bool
    basis: str
    instructions: float | None = None
    instructions_interval: tuple[float, float] | None = None


def exact(arch: Arch) -> Cost:
    """What is known without a device."""
    own = arch.features
    columns = with_rest(cost.cost_columns([arch]), [own.kind], [own.coefficients], [arch.classes])
    return Cost(**{field.name: int(columns[field.name][0]) for field in fields(Cost)})


def frontend_macs(arch: Arch, frames: int | None = None) -> int:
    """Multiply-accumulates of the front end for one answer, which stand beside those of the network.

    frames: that are new (default: all of a clip).
    """
    own = arch.features
    return frontend_macs_of(own.kind, own.coefficients, own.step_ms, arch.frames if frames is None else frames)


def frontend_macs_per_second(arch: Arch) -> int:
    """Of a second of a stream, rounded; 0 where the network answers on whole clips only."""
    if not all(spec.causal for spec in layers(arch)):
        return 0
    return round(1000 * frontend_macs(arch, 1) / arch.features.step_ms)


@cache
def frontend_macs_of(kind: str, coefficients: int, step_ms: int, frames: int) -> int:
    """The same of a front end by its kind, for so many frames."""
    return front_end(kind)().select(coefficients, step_ms).macs(frames)


def with_rest(
    columns: dict[str, np.ndarray], kinds: Sequence[str], coefficients: Sequence[int], classes: Sequence[int]
) -> dict[str, np.ndarray]:
    """(count,) those of `supernet.cost.COLUMNS`, and what the runtime, the front end and the detector add to them.

    kinds, coefficients: of front ends. classes: of the networks. One of each for all, or one each.
    """
    import numpy as np

    arena, step, kept = (columns[f"{name}_bytes"] for name in ("arena", "stream_arena", "stream_state"))
    front = np.array([memory.frontend_bytes(kind) for kind in kinds])
    detector = np.array([memory.detector_bytes(own) for own in classes])
    stream = memory.whole_words(step + kept + columns["stream_extra_bytes"] + front + detector) * (step > 0)
    clip = memory.whole_words(arena + memory.LOGIT_BYTES * np.array(classes) + front)
    runtime = runtime_bytes(columns, kinds, coefficients, classes)
    return {
        **columns,
        "runtime_bytes": runtime,
        "flash_bytes": columns["weight_bytes"] + runtime,
        "peak_ram_bytes": arena + kept + front,
        "stream_ram_bytes": stream,
        "clip_ram_bytes": clip,
        "ram_bytes": np.where(stream > 0, stream, clip),
    }


def estimate(
    arch: Arch, device: str | None = None, task: str = "kws", folder: str | Path | None = None
) -> Cost | DeviceCost:
    """The costs of `arch` at its bits; with the name of a device profile, a DeviceCost.

    task: what the network is for, since networks for one task are alike. folder: of the user's profiles.
    Raises UnknownName for a device that has no profile.
    """
    if device is None:
        return exact(arch)
    row = estimate_many([arch], device, task, folder).iloc[0]
    known = {target: ends for target, ends in TARGETS.items() if row[target] == row[target]}
    spans = {target: (float(row[low]), float(row[high])) for target, (low, high, _) in known.items()}
    return DeviceCost(
        **asdict(exact(arch)),
        **{target: float(row[target]) if target in known else None for target in TARGETS},
        profile=row["profile"],
        interval=spans.get("latency_ms"),
        energy_interval=spans.get("energy_uj"),
        instructions_interval=spans.get("instructions"),
        in_range=bool(row[next(iter(known.values()))[-1]]),
        basis=row["basis"],
    )


def estimate_many(
    archs: Sequence[Arch], device: str | None = None, task: str = "kws", folder: str | Path | None = None
) -> pd.DataFrame:
    """A row for each network, with the columns of `supernet.cost.cost_columns` and all fields of Cost.

    With a device also latency_ms, energy_uj and instructions (NaN where nobody measured any), each with its interval as
    latency_low_ms and so on, in_range, energy_in_range, instructions_in_range, basis and profile. 10,000 networks take
    about a second.
    """
    need("pandas", "sklearn")
    import pandas as pd

    features, classes = [arch.features for arch in archs], [arch.classes for arch in archs]
    kinds, coefficients = [one.kind for one in features], [one.coefficients for one in features]
    columns = with_rest(cost.cost_columns(archs), kinds, coefficients, classes)
    table = pd.DataFrame(columns)
    if device is None:
        return table
    from predictors.device import find_profile
    from predictors.fitted import predict

    return table.join(predict(find_profile(device, folder), archs, columns, task, folder))
