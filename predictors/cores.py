"""Cores: which compute alike, and what none of them can do, by which wrong units in measurements are found."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

__all__ = ["core_family", "doubts", "possible"]

CORE = re.compile(r"(?<![a-z])(m0|m33|m3|m4|m55|m7|m85|lx6|lx7|a7|a9|a53|a55)(?!\d)")
ACCELERATORS = ("npu", "accel", "hifi")
OTHER_CORES = {
    **dict.fromkeys(ACCELERATORS, "npu"),
    "risc": "risc-v", "andes": "risc-v", "xuantie": "risc-v", "big": "phone",
    "oryon": "phone", "kryo": "phone", "cortex-a": "phone", "x86": "host", "epyc": "host", "xeon": "host",
    "ryzen": "host", "intel": "host", "one thread": "host",
}  # fmt: skip
FABRIC = re.compile(r"fpga|zynq|zcu\d|zedboard|pynq", re.IGNORECASE)
"""In a core, device or runtime: what computes is no core but a circuit."""
CLUSTER = re.compile(r"\bgap\s?[89]|cluster", re.IGNORECASE)
MOST_MACS_A_CYCLE = {
    "m0": 1, "m3": 1, "m4": 2, "m33": 2, "m7": 2, "m55": 8, "m85": 8, "lx6": 2, "lx7": 16, "a7": 16, "a9": 16,
    "a53": 32, "a55": 64, "risc-v": 16, "cluster": 128, "npu": 16_384, "phone": 4096, "host": 2048, "other": 16,
}  # fmt: skip
"""What cores can do at 8 bits, by the width of their multipliers; `other` is what any known core of a microcontroller
can do, for those that are not known."""
FASTEST_MHZ = {
    "m0": 300, "m3": 250, "m4": 300, "m33": 400, "m7": 1000, "m55": 1000, "m85": 1200, "lx6": 240, "lx7": 240,
    "risc-v": 2000, "cluster": 1000, "npu": 3000, "a7": 2000, "a9": 2000, "a53": 2500, "a55": 2500, "phone": 5000,
    "host": 6500, "other": 1000,
}  # fmt: skip
"""Clocks that no core of the family runs at; also what is taken where the clock is not stated."""
LARGE = {"npu", "a7", "a9", "a53", "a55", "phone", "host"}
"""Families of cores that are found in more than microcontrollers."""
LEAST_MACS, MOST_CYCLES, USUAL_MHZ, SLOW_MHZ = 500, 300, 200.0, 16.0
LEAST_INSTRUCTIONS, MOST_INSTRUCTIONS = 1 / 16, 300
"""A multiply-accumulate."""
LEAST_MHZ, LEAST_LARGE_MHZ = 1.0, 20.0
MARGIN = 1.5
"""Over the fastest clock, for what comes later."""
MOST_MILLIWATTS, MOST_LARGE_MILLIWATTS, LEAST_PICOJOULES = 2_500.0, 500_000.0, 2.0
"""Of a microcontroller, of a larger core, and what a cycle takes at least."""

KNOWN = ("macs", "latency_ms", "clock_mhz", "energy_uj", "instructions")
Doubt = tuple[np.ndarray, Callable[[pd.Series], str]]
"""Which rows, and what is said of one of them."""


def core_family(text: str) -> str:
    """Cores that compute alike: `m4` for any way to write Cortex-M4."""
    lower = text.lower().replace("no accelerator", "")
    found, helped = CORE.search(lower), any(key in lower for key in ACCELERATORS)
    if found and not helped:
        return found[1]
    return next((family for key, family in OTHER_CORES.items() if key in lower), "other")


def possible(rows: pd.DataFrame) -> np.ndarray:
    """(rows,) False where a row cannot be right: more multiply-accumulates a cycle than the core can do. Where no clock
    is stated nothing is said.
    """
    facts = _facts(rows)
    return ((facts["rate"] <= facts["most"]) | facts["clock_mhz"].isna()).to_numpy()


def doubts(rows: pd.DataFrame) -> list[str]:
    """What cannot be right in measurements, a line each: how many rows, the first of them with its value and the limit,
    and which unit was probably meant. The rows' index is their line in the file.
    """
    facts, found = _facts(rows), []
    for flags, say in _doubts(facts):
        if flags.any():
            place = facts.index[flags][0]
            found.append(f"{int(flags.sum())} of {len(rows)} rows (line {place} first): {say(facts.loc[place])}")
    return found


def _facts(rows: pd.DataFrame) -> pd.DataFrame:
    """What the checks compare, and the limits for each row's core."""
    core = rows["core"].fillna("")
    family = core.map(lambda text: "cluster" if CLUSTER.search(text) else core_family(text))
    names = [rows[name].fillna("") for name in ("core", "device", "runtime") if name in rows]
    family = family.where(~sum(names[1:], names[0]).str.contains(FABRIC), "npu")
    known = {name: _numbers(rows, name) for name in KNOWN}
    facts = pd.DataFrame(known, index=rows.index).assign(core=core, large=family.isin(LARGE))
    facts["most"], facts["fastest"] = family.map(MOST_MACS_A_CYCLE), family.map(FASTEST_MHZ)
    clock = facts["clock_mhz"]
    facts["rate"] = facts["macs"] / (facts["latency_ms"] * clock.fillna(facts["fastest"]) * 1e3)
    facts["cycles"] = facts["latency_ms"] * clock.fillna(USUAL_MHZ) * 1e3 / facts["macs"]
    facts["milliwatts"] = facts["energy_uj"] / facts["latency_ms"]
    return facts.assign(least_milliwatts=clock.fillna(SLOW_MHZ).clip(upper=facts["fastest"]) * LEAST_PICOJOULES / 1e3)


def _numbers(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[name].astype(float) if name in rows else pd.Series(np.nan, index=rows.index)


def _doubts(facts: pd.DataFrame) -> list[Doubt]:
    clock, power = facts["clock_mhz"], facts["milliwatts"]
    least_clock = np.where(facts["large"], LEAST_LARGE_MHZ, LEAST_MHZ)
    most_power = np.where(facts["large"], MOST_LARGE_MILLIWATTS, MOST_MILLIWATTS)
    return [
        (facts["macs"] < LEAST_MACS, _few_macs),
        (clock > MARGIN * facts["fastest"], _fast_clock),
        (clock < least_clock, _slow_clock),
        (facts["cycles"] > MOST_CYCLES, _slow),
        (facts["rate"] > facts["most"], _fast),
        (facts["instructions"] < LEAST_INSTRUCTIONS * facts["macs"], _few_instructions),
        (facts["instructions"] > MOST_INSTRUCTIONS * facts["macs"], _many_instructions),
        (power > most_power, _much_power),
        (power < facts["least_milliwatts"], _little_power),
    ]


def _few_macs(row: pd.Series) -> str:
    return f"macs = {row['macs']:,.10g} are fewer than {LEAST_MACS}, which no network has; are these millions?"


def _fast_clock(row: pd.Series) -> str:
    unit = "Hz" if row["clock_mhz"] >= 1e6 else "kHz"
    return (
        f"clock_mhz = {row['clock_mhz']:,.10g}, but {_core(row)} runs at {row['fastest']:,} at most; is this in {unit}?"
    )


def _slow_clock(row: pd.Series) -> str:
    least = LEAST_LARGE_MHZ if row["large"] else LEAST_MHZ
    return f"clock_mhz = {row['clock_mhz']:.10g}, but {_core(row)} runs at {least:g} at least; is this in GHz?"


def _slow(row: pd.Series) -> str:
    return (
        f"{_work(row)} are {row['cycles']:,.3g} cycles a MAC, more than the {MOST_CYCLES} that any code takes; "
        "is latency_ms in microseconds?"
    )


def _fast(row: pd.Series) -> str:
    in_ghz = row["clock_mhz"] < 10 and 1e3 * row["clock_mhz"] <= MARGIN * row["fastest"]
    meant = "clock_mhz in GHz" if in_ghz else "latency_ms in seconds"
    return (
        f"{_work(row)} are {row['rate']:,.3g} MACs a cycle, more MACs a cycle than {_core(row)} can do, which is "
        f"{row['most']:,}; is {meant}?"
    )


def _few_instructions(row: pd.Series) -> str:
    return (
        f"{_counted(row)}, fewer than the {LEAST_INSTRUCTIONS:.3g} of any code; are they of one step of a stream, "
        "not of a whole clip?"
    )


def _many_instructions(row: pd.Series) -> str:
    return f"{_counted(row)}, more than the {MOST_INSTRUCTIONS} of any code; are they of several clips?"


def _counted(row: pd.Series) -> str:
    each = row["instructions"] / row["macs"]
    return f"{row['macs']:,.10g} macs in instructions = {row['instructions']:,.10g} are {each:.3g} a MAC"


def _work(row: pd.Series) -> str:
    clock = "" if np.isnan(row["clock_mhz"]) else f" at {row['clock_mhz']:,.10g} MHz"
    return f"{row['macs']:,.10g} macs in latency_ms = {row['latency_ms']:.10g}{clock}"


def _core(row: pd.Series) -> str:
    return row["core"] or "a core that is not stated"


def _much_power(row: pd.Series) -> str:
    most = MOST_LARGE_MILLIWATTS if row["large"] else MOST_MILLIWATTS
    return (
        f"{_power(row)}, more than the {most:,.0f} mW of any such device; is energy_uj in nJ, or latency_ms in seconds?"
    )


def _little_power(row: pd.Series) -> str:
    least = row["least_milliwatts"]
    return f"{_power(row)}, less than the {least:.2g} mW that any core takes while it computes; is energy_uj in mJ?"


def _power(row: pd.Series) -> str:
    return (
        f"energy_uj = {row['energy_uj']:.10g} in latency_ms = {row['latency_ms']:.10g} are {row['milliwatts']:,.3g} mW"
    )
