"""How well predictors do: on a user's own measurements, and by cross-validation on a profile's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from predictors.boosting import OWN_ROWS, SEED, Own, Pooled
from predictors.device import DeviceProfile, beside, core_family, plain_runtime, profiles, slug
from predictors.fitted import model_for, predict_rows

__all__ = ["check", "cross_validate", "errors", "line", "match", "measured"]

FOLDS = 5


def errors(said: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    """Median absolute percentage error, and shares within 10 and 30 percent. said, measured: (rows,) in one unit."""
    off = np.abs(np.asarray(said) / np.asarray(measured) - 1)
    return {
        "rows": len(off),
        "median_ape_percent": round(100 * float(np.median(off)), 2),
        "within_10_percent": round(100 * float((off <= 0.1).mean()), 2),
        "within_30_percent": round(100 * float((off <= 0.3).mean()), 2),
    }


def check(rows: pd.DataFrame, folder: str | Path | None = None) -> pd.DataFrame:
    """The rows with `profile`, the one at hand that is of their device, clock and runtime or a name of their own, and
    what is predicted: said, low, high and in_range, of latency_ms or, where no row has any, of instructions.
    """
    known, target = profiles(folder), measured(rows)
    rows = match(rows[rows[target].notna()].reset_index(drop=True), known)
    found = [np.zeros(len(rows)) for _ in range(3)] + [np.zeros(len(rows), bool)]
    for name, places in rows.groupby("profile").indices.items():
        part = rows.iloc[places]
        own = model_for(known[name], target, folder) if name in known and _has(known[name].rows, target) else None
        unusable = own is None or (isinstance(own, Own) and part[own.columns_].isna().any(axis=None))
        said = predict_rows(part, folder, target) if unusable else own.predict(part)
        for column, values in zip(found, (said.median, said.low, said.high, said.in_range), strict=True):
            column[places] = values
    names = ("said", "low", "high", "in_range")
    return rows.assign(**dict(zip(names, found, strict=True)))


def measured(rows: pd.DataFrame) -> str:
    """What rows are of: latency_ms where any has it, else instructions."""
    return "latency_ms" if _has(rows, "latency_ms") else "instructions"


def _has(rows: pd.DataFrame, target: str) -> bool:
    return bool(rows[target].notna().any())


def match(rows: pd.DataFrame, known: dict[str, DeviceProfile]) -> pd.DataFrame:
    """Rows of measurements, with the profile at hand that they belong to: of equal device, clock and runtime."""
    own = {}
    for name, one in known.items():
        key = one.device.lower(), _clock(one.clock_mhz), plain_runtime(one.runtime).lower()
        own[(*key, core_family(one.core))] = name
        own.setdefault(key, name)
    device, found = rows["device_key"].where(rows["device_key"] != "", rows["device"]), []
    columns = device, rows["clock_mhz"], rows["runtime"], rows["core"], rows["profile"]
    for place, clock, runtime, core, named in zip(*columns, strict=True):
        key = place.lower(), _clock(clock), plain_runtime(runtime).lower()
        new = f"(no profile) {slug(' '.join([key[0], f'{key[1]:g}mhz' if key[1] else '', key[2]]))}".rstrip()
        found.append(named if named in known else own.get((*key, core_family(core)), own.get(key, new)))
    return rows.assign(device=device, profile=found)


def _clock(value: float | None) -> float:
    return 0.0 if value is None or np.isnan(value) else round(float(value), 1)


def cross_validate(profile: DeviceProfile, folder: str | Path | None = None) -> pd.DataFrame:
    """The profile's rows, and what each method says of those that it has not seen: ours, line (a + b MACs), constant.

    Of the profile's target, in five parts; where there are fewer rows, each row by itself.
    """
    target = profile.target
    rows = profile.rows[profile.rows[target].notna()].reset_index(drop=True)
    others = [one.rows for name, one in beside(profile, folder).items() if name != profile.name]
    others = [other[other[target].notna()] for other in others if _has(other, target)]
    folds = np.random.default_rng(SEED).permutation(np.arange(len(rows)) % min(FOLDS, len(rows)))
    said = pd.DataFrame(0.0, index=rows.index, columns=["ours", "line", "constant"])
    for fold in np.unique(folds):
        train, test = rows[folds != fold], rows[folds == fold]
        model = Own(target) if len(train) >= OWN_ROWS else Pooled(target)
        fitted = model.fit(train if len(train) >= OWN_ROWS else pd.concat([*others, train], ignore_index=True))
        said.loc[test.index, "ours"] = np.exp(fitted.predict_log(test))
        said.loc[test.index, "line"] = line(train, test, target)
        said.loc[test.index, "constant"] = train[target].median()
    return rows.join(said)


def line(train: pd.DataFrame, test: pd.DataFrame, target: str = "latency_ms") -> np.ndarray:
    """(rows,) of the target by a + b MACs of one profile, of least relative error; by its median a MAC where all have
    as many.
    """
    if train["macs"].nunique() < 2:
        return np.median(train[target] / train["macs"]) * test["macs"].to_numpy()
    design = np.column_stack([np.ones(len(train)), train["macs"]]) / train[target].to_numpy()[:, None]
    overhead, each = np.linalg.lstsq(design, np.ones(len(train)), rcond=None)[0]
    return np.maximum(overhead + each * test["macs"].to_numpy(), 1e-4)
