"""How long does a look-up take, on the bundled hub as a user has it, and on made-up indexes of 10^2 to 10^6 models?

    python scripts/bench.py lookup
    python scripts/bench.py lookup --models 1000 --rounds 5

On the bundled hub: the whole process, from its start to the answer, and `zoo.get` when it has answered before. On
made-up ones, each in processes of their own: reading the index for the first time, reading its columns from the cache
in a later process, with the memory of that process, and then look-ups of each kind, medians over different limits.
Rows: `lookup.csv`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

import zoo
from studies.base import Shown, Study, option, value
from studies.rows import Rows
from zoo.hubs.index import SCHEMA

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
TABLE, QUERIES = "lookup", 15
SETS, LABELS = 500, 12
"""Different sets of labels of made-up models, and how many labels each has."""
FIRST = "import zoo; zoo.get(task='kws', max_ops=20e6, bits=4)"


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure and write the rows."""
    if options.worker:
        print(json.dumps(_worker(options.worker)))
        return
    rows.add(TABLE, {"hub": "bundled", "models": len(zoo.Hub().index)}, _bundled(options.rounds))
    for models in options.models:
        with tempfile.TemporaryDirectory() as folder:
            rows.add(TABLE, {"hub": "made up", "models": models}, _made_up(Path(folder), models, options.rounds))


def _bundled(rounds: int) -> dict:
    started = [_seconds(lambda: subprocess.run([sys.executable, "-c", FIRST], check=True)) for _ in range(rounds)]
    limits = (20e6 + number for number in count())
    answers = [_seconds(lambda: zoo.get(task="kws", max_ops=next(limits), bits=4)) for _ in range(20 * rounds)]
    return {"process_ms": _ms(started), "get_ms": _ms(answers)}


def _made_up(folder: Path, models: int, rounds: int) -> dict:
    _write(folder / "index.json", models)
    environment = {**os.environ, "EARSHOT_CACHE": str(folder / "cache")}
    command = [sys.executable, sys.argv[0], "lookup", "--worker", str(folder)]
    found = [
        json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
        for _ in range(max(3, rounds // 3))
    ]
    later = {name: round(float(np.median([one[name] for one in found[1:]])), 3) for name in found[0]}
    first = {"first_load_ms": found[0]["load_ms"], "first_process_mb": found[0]["process_mb"]}
    return {"index_mb": round((folder / "index.json").stat().st_size / 1e6, 2), **first, **later}


def _worker(folder: Path) -> dict:
    """What one process takes."""
    before = _memory()
    load = _seconds(lambda: zoo.Hub(folder).index)
    index, hub = zoo.Hub(folder).index, zoo.Hub(folder)
    macs = np.linspace(1e6, 9e6, QUERIES)
    kinds = {
        "best_ms": lambda most: zoo.find("kws", max_macs=most, bits=4, hub=hub, most=1),
        "five_limits_ms": lambda most: zoo.find(
            "kws", max_macs=most, max_flash="64kB", max_ram="64kB", bits=4, min_accuracy=0.8, hub=hub, most=1
        ),
        "words_ms": lambda most: zoo.find(words=["word20", "word25"], max_macs=most, hub=hub, most=1),
        "none_ms": lambda most: _none(hub, most),
        "name_ms": lambda most: zoo.find(name=f"*-w?a8-{int(most) % 100:08x}", hub=hub, most=1),
        "list_ms": lambda most: zoo.list("kws", max_macs=most, bits=4, hub=hub, most=1000),
    }
    spent = {name: _ms([_seconds(partial(ask, most)) for most in macs]) for name, ask in kinds.items()}
    whole = {"process_mb": round(_memory() / 1e6, 1), "before_mb": round(before / 1e6, 1)}
    return {"load_ms": _ms([load]), "columns_mb": round(index.bytes / 1e6, 2), **whole, **spent}


def _none(hub: zoo.Hub, most: float) -> None:
    try:
        zoo.find("kws", max_macs=most, min_accuracy=1, hub=hub, most=1)
    except zoo.NoModelFits:
        return
    raise SystemExit("bench_lookup: a model that cannot be was found")


def _write(path: Path, models: int) -> None:
    """An index of made-up models of several tasks and sizes."""
    rng = np.random.default_rng(0)
    macs = np.exp(rng.uniform(np.log(1e5), np.log(1e7), models)).astype(int)
    accuracy, bits = rng.uniform(0.7, 0.99, models).round(6), rng.choice([1, 2, 3, 4, 8], models)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"models":[\n')
        for number in range(models):
            task, size = ("kws", "aec", "doors", "birds")[number % 4], int(macs[number])
            row = {
                "name": f"{task}-temporal-{size / 1e6:.2g}M-w{bits[number]}a8-{number:08x}", "task": task,
                "family": "temporal", "bits": int(bits[number]), "activation_bits": 8, "macs": size,
                "params": size // 80, "frontend_macs": 1_072_400, "weight_bytes": size // 90,
                "flash_bytes": size // 90, "stream_ram_bytes": size // 100, "clip_ram_bytes": size // 50,
                "streamable": True, "dataset": task,
                "validation": float(accuracy[number]), "test": float(accuracy[number]), "basis": "measured",
                "licence": "cc-by-4.0", "config_sha256": f"{number:064x}",
                **dict.fromkeys(("detection_recall", "false_alarms_per_hour", "false_alarms_upper")),
                "labels": [f"word{word}" for word in range(number % SETS, number % SETS + LABELS)],
            }  # fmt: skip
            file.write(json.dumps(row, separators=(",", ":")) + ",\n" * (number < models - 1))
        file.write(f'\n],"schema":{SCHEMA}}}\n')


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _ms(seconds: list[float]) -> float:
    return round(1000 * float(np.median(seconds)), 3)


def _memory() -> int:
    """Bytes that this process had at most; `ru_maxrss` would count those of the process that started it."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def table_of_sizes(found: Rows) -> Shown:
    """Made-up indexes: reading them, and asking them."""
    table = found.read(TABLE)
    names = {
        "first_load_ms": "read first, ms",
        "load_ms": "from the cache, ms",
        "columns_mb": "columns, MB",
        "process_mb": "process, MB",
        "best_ms": "task, MACs, bits",
        "five_limits_ms": "five limits",
        "none_ms": "nothing fits",
        "name_ms": "a name's pattern",
        "list_ms": "table of 1,000",
    }
    rows = [
        [f"{row['models']:,}", *(f"{row[name]:,.3g}" if row[name] < 1000 else f"{row[name]:,.0f}" for name in names)]
        for row in table[table["hub"] == "made up"].to_dict("records")
    ]
    return ["models", *names.values()], rows


STUDY = Study(
    __doc__,
    run,
    (
        option("--models", type=int, nargs="+", default=SIZES, help="of the made-up indexes (default: %(default)s)"),
        value("--rounds", 9, "processes that are started"),
        option("--worker", type=Path, help=argparse.SUPPRESS),
    ),
    always=True,
    tables={TABLE: table_of_sizes},
)
