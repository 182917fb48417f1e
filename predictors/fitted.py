"""Predictors fitted on the profiles at hand, each once, and asked for networks on a device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from predictors.boosting import OWN_ROWS, Own, Pooled, Prediction
from predictors.device import DeviceProfile, profiles
from predictors.estimate import UNITS
from supernet.space import Arch

__all__ = ["model_for", "predict", "predict_rows"]

AGAIN = 0.05
"""What a second measurement of the same network may differ by at least."""


def predict(
    profile: DeviceProfile, archs: Sequence[Arch], columns: dict[str, np.ndarray], task: str, folder: Path | None = None
) -> pd.DataFrame:
    """Latency and energy of networks on a device; see `predictors.estimate_many`. columns: of `cost_columns`."""
    bits = np.array([min(arch.weight_bits, default=32) for arch in archs], int)
    rows = profile.row_of(columns, task, bits)
    latency, count = model_for(profile, "latency_ms", folder).predict(rows), len(rows)
    energy = Prediction(*np.full((3, count), np.nan), np.zeros(count, bool))
    if profile.rows["energy_uj"].notna().any():
        energy = model_for(profile, "energy_uj", folder).predict(rows)
    few = bits < profile.least_bits
    table = pd.DataFrame(
        {
            "latency_ms": latency.median,
            "latency_low_ms": latency.low,
            "latency_high_ms": latency.high,
            "energy_uj": energy.median,
            "energy_low_uj": energy.low,
            "energy_high_uj": energy.high,
            "in_range": latency.in_range & ~few,
            "energy_in_range": energy.in_range & ~few,
            "basis": "indicative" if profile.indicative else "predicted",
            "profile": profile.name,
        }
    )
    return _with_measured(table, profile, archs)


def _with_measured(table: pd.DataFrame, profile: DeviceProfile, archs: Sequence[Arch]) -> pd.DataFrame:
    """Figures of networks that were measured on the device themselves, with what a second measurement may differ by."""
    measured = dict(list(profile.rows[profile.rows["arch"] != ""].groupby("arch")))
    for place, arch in enumerate(archs) if measured else ():
        own = measured.get(arch.to_json())
        if own is None:
            continue
        spread = max(AGAIN, float((own["latency_iqr_ms"] / own["latency_ms"]).fillna(0.0).max()))
        for name, unit in UNITS.items():
            value = own[f"{name}_{unit}"].median()
            if value == value:
                columns = [f"{name}_{unit}", f"{name}_low_{unit}", f"{name}_high_{unit}"]
                table.loc[place, columns] = value, value * (1 - min(spread, 1.0)), value * (1 + spread)
                table.loc[place, "in_range" if name == "latency" else "energy_in_range"] = True
        table.loc[place, "basis"] = "measured"
    return table


def predict_rows(rows: pd.DataFrame, folder: Path | None = None) -> Prediction:
    """Latency of measurements' own networks (rows with macs, core, clock_mhz, runtime, device, profile, task)."""
    return _pooled("latency_ms", *_known(folder)).predict(rows)


def model_for(profile: DeviceProfile, target: str, folder: Path | None = None) -> Own | Pooled:
    """The model that answers for a device: its own where it has rows enough, else that of all devices."""
    rows = profile.rows[profile.rows[target].notna()]
    if len(rows) >= OWN_ROWS:
        return _own(profile, target)
    return _pooled(target, *_known(folder))


def _known(folder: Path | None) -> tuple[DeviceProfile, ...]:
    return tuple(profiles(folder).values())


@lru_cache(maxsize=16)
def _own(profile: DeviceProfile, target: str) -> Own:
    return Own(target).fit(profile.rows[profile.rows[target].notna()])


@lru_cache(maxsize=4)
def _pooled(target: str, *known: DeviceProfile) -> Pooled:
    rows = pd.concat([profile.rows for profile in known], ignore_index=True)
    return Pooled(target).fit(rows[rows[target].notna()])
