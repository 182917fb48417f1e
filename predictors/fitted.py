"""Predictors fitted on the profiles at hand, each once, and asked for networks on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from predictors.boosting import OWN_ROWS, Own, Pooled, PooledAt, Prediction
from predictors.device import DeviceProfile, beside, profiles
from predictors.names import TARGETS
from supernet.arch import Arch
from supernet.bits import FLOAT_BITS
from supernet.cost import cost_columns
from supernet.errors import UnknownName

__all__ = ["OnDevice", "beside_macs", "model_for", "predict", "predict_rows"]

SIZES = ("macs", "params")
AGAIN = 0.05
"""What a second measurement of the same network may differ by at least."""


def predict(
    profile: DeviceProfile, archs: Sequence[Arch], columns: dict[str, np.ndarray], task: str, folder: Path | None = None
) -> pd.DataFrame:
    """What networks take on a device; see `predictors.estimate_many`. columns: of `cost_columns`."""
    bits = np.array([min(arch.weight_bits, default=FLOAT_BITS) for arch in archs], int)
    return _with_measured(OnDevice(profile, task, folder)(columns, bits), profile, archs)


class OnDevice:
    """What predictors say of whole populations on a device. task: what the networks are for."""

    def __init__(self, profile: DeviceProfile, task: str, folder: Path | None = None) -> None:
        self.profile, self.task = profile, task
        targets = [target for target in TARGETS if profile.rows[target].notna().any()]
        self.models = {target: model_for(profile, target, folder) for target in targets}

    def __call__(self, columns: Mapping[str, np.ndarray], bits: np.ndarray) -> pd.DataFrame:
        """What networks take, from columns of costs and the least bits of each one's weights, (count,); see
        `predictors.estimate_many`. Nothing is as measured.
        """
        few = bits < self.profile.least_bits
        table = {}
        for target, (low, high, in_range) in TARGETS.items():
            said = self._predicted(target, columns, bits)
            table |= {target: said.median, low: said.low, high: said.high, in_range: said.in_range & ~few}
        basis = "indicative" if self.profile.indicative else "predicted"
        return pd.DataFrame(table).assign(basis=basis, profile=self.profile.name)

    def beside_macs(self, columns: Mapping[str, np.ndarray], bits: np.ndarray) -> dict[str, np.ndarray]:
        """(count,) each: of what networks take, what `beside_macs` says of one."""
        own = {target: model for target, model in self.models.items() if isinstance(model, Own)}
        if self.profile.in_steps or not own:
            return {}
        row = self.profile.row_of(columns, self.task, bits)
        return {target: model.beside_macs(row) for target, model in own.items()}

    def _predicted(self, target: str, columns: Mapping[str, np.ndarray], bits: np.ndarray) -> Prediction:
        count, model = len(bits), self.models.get(target)
        if model is None:
            return Prediction(*np.full((3, count), np.nan), np.zeros(count, bool))
        if isinstance(model, Own):
            return model.predict(self.profile.row_of(columns, self.task, bits))
        found = *np.zeros((3, count)), np.zeros(count, bool)
        for floating in (False, True):
            rows = (bits == FLOAT_BITS) == floating
            if rows.any():
                at = _pooled_at(model, self.profile, self.task, floating)
                said = at.predict({name: columns[name][rows] for name in SIZES})
                for part, own in zip(found, (said.median, said.low, said.high, said.in_range), strict=True):
                    part[rows] = own
        return Prediction(*found)


@lru_cache(maxsize=1024)
def _pooled_at(model: Pooled, profile: DeviceProfile, task: str, floating: bool) -> PooledAt:
    """The model of all devices at one of them."""
    return model.at(profile.row_of(dict.fromkeys(SIZES, np.ones(1)), task, [FLOAT_BITS if floating else 8]))


def _with_measured(table: pd.DataFrame, profile: DeviceProfile, archs: Sequence[Arch]) -> pd.DataFrame:
    """Figures of networks that were measured on the device themselves, with what a second measurement may differ by.

    Measured is one of which all was, that is known of others there.
    """
    texts = [arch.to_json() for arch in archs] if (profile.rows["arch"] != "").any() else []
    there = profile.rows["arch"].isin(texts)
    measured = dict(list(profile.rows[there].groupby("arch"))) if there.any() else {}
    known = [target for target in TARGETS if profile.rows[target].notna().any()]
    for place, text in enumerate(texts):
        own = measured.get(text)
        if own is None:
            continue
        spread = max(AGAIN, float((own["latency_iqr_ms"] / own["latency_ms"]).fillna(0.0).max()))
        for target, (low, high, in_range) in TARGETS.items():
            value = own[target].dropna().median()
            if value == value:
                ends = value * (1 - min(spread, 1.0)), value * (1 + spread)
                table.loc[place, [target, low, high]] = value, *ends
                table.loc[place, in_range] = True
        if own[known].notna().any().all():
            table.loc[place, "basis"] = "measured"
    return table


def beside_macs(profile: DeviceProfile, arch: Arch, task: str, folder: Path | None = None) -> dict[str, float]:
    """Of what a network takes on a device, by TARGETS, the share that each run takes however few frames it computes:
    its start, each layer, and reading the weights. Only of what the device has a model of its own for; where clips were
    measured in the steps of a stream it is zero, since each frame has it already.
    """
    row = profile.row_of(cost_columns([arch]), task, [min(arch.weight_bits, default=FLOAT_BITS)])
    counts = {target: int(profile.rows[target].notna().sum()) for target in TARGETS}
    if profile.in_steps:
        return {target: 0.0 for target, count in counts.items() if count}
    own = [target for target, count in counts.items() if count >= OWN_ROWS]
    return {target: float(_own(profile, target).beside_macs(row)[0]) for target in own}


def predict_rows(rows: pd.DataFrame, folder: Path | None = None, target: str = "latency_ms") -> Prediction:
    """The target of measurements' own networks (rows with macs, core, clock_mhz, runtime, device, profile, task) by all
    profiles at hand.
    """
    return _pooled(target, *profiles(folder).values()).predict(rows)


def model_for(profile: DeviceProfile, target: str, folder: Path | None = None) -> Own | Pooled:
    """The model that answers for a device: its own where it has rows enough, else that of all published devices, and
    of what the user measured together with it.
    """
    if profile.rows[target].notna().sum() >= OWN_ROWS:
        return _own(profile, target)
    return _pooled(target, *beside(profile, folder).values())


@lru_cache(maxsize=16)
def _own(profile: DeviceProfile, target: str) -> Own:
    return Own(target).fit(profile.rows[profile.rows[target].notna()])


@lru_cache(maxsize=16)
def _pooled(target: str, *known: DeviceProfile) -> Pooled:
    rows = pd.concat([profile.rows for profile in known], ignore_index=True)
    if not (measured := rows[target].notna()).any():
        raise UnknownName(f"no profile at hand has {target}; `earshot profile add` adds measurements of it")
    return Pooled(target).fit(rows[measured])
