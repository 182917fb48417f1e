"""Predictors fitted on the profiles at hand, each once, and asked for networks on a device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from predictors.boosting import OWN_ROWS, Own, Pooled, Prediction
from predictors.device import DeviceProfile, profiles
from supernet.space import Arch

__all__ = ["model_for", "predict", "predict_rows"]


def predict(
    profile: DeviceProfile, archs: Sequence[Arch], columns: dict[str, np.ndarray], task: str, folder: Path | None = None
) -> pd.DataFrame:
    """Latency and energy of networks on a device; see `predictors.estimate_many`. columns: of `cost_columns`."""
    bits = np.array([min(arch.weight_bits, default=32) for arch in archs], int)
    rows = profile.row_of(columns, task, bits)
    latency, energy = model_for(profile, "latency_ms", folder).predict(rows), None
    if profile.rows["energy_uj"].notna().any():
        energy = model_for(profile, "energy_uj", folder).predict(rows).median
    table = pd.DataFrame(
        {
            "latency_ms": latency.median,
            "latency_low_ms": latency.low,
            "latency_high_ms": latency.high,
            "energy_uj": np.nan if energy is None else energy,
            "in_range": latency.in_range & (bits >= profile.least_bits),
            "basis": "indicative" if profile.indicative else "predicted",
            "profile": profile.name,
        }
    )
    return _with_measured(table, profile, archs)


def _with_measured(table: pd.DataFrame, profile: DeviceProfile, archs: Sequence[Arch]) -> pd.DataFrame:
    """Figures of networks that were measured on the device themselves."""
    measured = {text: number for number, text in enumerate(profile.rows["arch"]) if text}
    for place, arch in enumerate(archs) if measured else ():
        number = measured.get(arch.to_json())
        if number is not None:
            row = profile.rows.iloc[number]
            spread = 0.0 if np.isnan(row["latency_iqr_ms"]) else row["latency_iqr_ms"] / 2
            ends = max(row["latency_ms"] - spread, 0.0), row["latency_ms"] + spread
            table.loc[place, ["latency_ms", "latency_low_ms", "latency_high_ms"]] = row["latency_ms"], *ends
            table.loc[place, "energy_uj"] = row["energy_uj"]
            table.loc[place, ["in_range", "basis"]] = True, "measured"
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
