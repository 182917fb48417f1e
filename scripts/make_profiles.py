"""Clean a table of published measurements into the bundled profiles.

    python scripts/make_profiles.py ../shared/data/devices/measurements.csv

Left out: rows without latency or MACs; rows that were not timed or whose device is not stated; rows of a network that
computes more often than once an answer (per step or per frame), since their MACs are of another span than their
latency; rows that need more MACs a cycle than the core can do; and repeats. Source, basis and runtime are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from predictors.device import BUNDLED, core_family, plain_runtime, possible, read_measurements, runtime_version, slug
from supernet.files import write_bytes

UNTIMED = "not timed|not stated|example output|per .* step|per .* frame|CNN part only"
KEPT = ["profile", "device", "device_key", "core", "clock_mhz", "runtime", "version", "task", "model", "bits", "macs",
        "params", "latency_ms", "energy_uj", "peak_ram_bytes", "basis", "source"]  # fmt: skip


def main() -> None:
    """Write predictors/profiles/published.csv, and say what was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    options = parser.parse_args()
    found = read_measurements(options.table, complete=False)
    rows = found.rows
    timed, right = ~rows["basis"].str.contains(UNTIMED), possible(rows)
    print(*found.warnings, f"{(~timed).sum()} rows not timed, {(timed & ~right).sum()} impossible", sep="\n")
    rows = rows[timed & right].copy()
    rows["version"] = rows["runtime"].map(runtime_version)
    rows["runtime"] = rows["runtime"].map(plain_runtime)
    rows["profile"] = [_name(row) for _, row in rows.iterrows()]
    several = rows["core"].map(core_family).groupby(rows["profile"]).transform("nunique") > 1
    rows["profile"] = rows["profile"].where(~several, rows["profile"] + "-" + rows["core"].map(slug))
    rows = rows.sort_values(["profile", "macs", "latency_ms"], kind="stable")
    write_bytes(BUNDLED / "published.csv", rows[KEPT].to_csv(index=False).encode())
    print(f"{len(rows)} rows, {rows['profile'].nunique()} profiles")


def _name(row: pd.Series) -> str:
    clock = "" if pd.isna(row["clock_mhz"]) else f"{row['clock_mhz']:g}mhz"
    return slug(" ".join([row["device_key"] or row["device"], clock, row["runtime"]]))[:100].strip("-.")


if __name__ == "__main__":
    main()
