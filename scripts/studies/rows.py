"""Rows of results: one a run, in `scripts/results/NAME.csv`, with its configuration, seed and commit."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from supernet.files import digest, read_json, write_bytes, write_json
from supernet.metrics import accuracy_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FOLDER", "NoRows", "Rows", "accuracy_columns", "load_hits", "paired_bootstrap", "save_hits", "seconds_of"]

FOLDER = Path(__file__).resolve().parent.parent / "results"
ORIGIN = ("configuration", "commit")
"""Columns of digests, some of which could be read as numbers."""


class NoRows(LookupError):
    """A table of which nothing was measured."""


class Rows:
    """The tables of a folder. again: rows that are there are measured again, too."""

    def __init__(self, folder: Path = FOLDER, again: bool = False) -> None:
        self.folder, self.again = folder, again

    def read(self, table: str, **how: object) -> pd.DataFrame:
        """All rows of a table. how: keywords of `pandas.read_csv`. Raises NoRows where there is none."""
        import pandas as pd

        path = self._path(table)
        if not path.is_file():
            raise NoRows(table)
        return pd.read_csv(path, **{"dtype": dict.fromkeys(ORIGIN, str), **how})

    def done(self, table: str, *keys: dict) -> bool:
        """True where rows with all these keys are there, and they are not to be measured again."""
        if self.again or not self._path(table).is_file():
            return False
        rows = self.read(table)
        return all(_same(rows, own).any() for own in keys)

    def once(
        self, table: str, keys: dict, measure: Callable[[], dict], run: Path | None = None, kept: Path | None = None
    ) -> None:
        """Measure a row and add it, where that is not done. kept: a file that must be there, too."""
        if not self.done(table, keys) or (kept and not kept.is_file()):
            self.add(table, keys, measure(), run)

    def add(self, table: str, keys: dict, values: dict, run: Path | None = None) -> None:
        """Write a row, in the place of an older one with the same keys; the table stays sorted by them.

        run: folder of the run that it measures; the row gets the digest of its configuration, and the commit that was
        checked out when it was first measured.
        """
        import pandas as pd

        self.folder.mkdir(parents=True, exist_ok=True)
        rows = pd.DataFrame([{**keys, **values, **_origin(run)}])
        with FileLock(self.folder / ".lock"):
            if self._path(table).is_file():
                old = self.read(table)
                rows = pd.concat([old[~_same(old, keys)], rows], ignore_index=True)
            text = rows.sort_values(list(keys), kind="stable").to_csv(index=False, lineterminator="\n")
            write_bytes(self._path(table), text.encode())
        print(f"{table}:", *keys.values(), values, flush=True)

    def _path(self, table: str) -> Path:
        return self.folder / f"{table}.csv"


def _same(table: pd.DataFrame, keys: dict) -> pd.Series:
    """(rows,) True where a row has these keys: none where a table of before lacks one of them."""
    known = table.reindex(columns=list(keys)).astype(str)
    return np.logical_and.reduce([known[key] == str(value) for key, value in keys.items()])


def seconds_of(*runs: Path) -> int:
    """What the epochs of some runs took together, of those that there are."""
    logs = [read_json(path) for run in runs if (path := run / "log.json").is_file()]
    return round(sum(row["seconds"] for log in logs for row in log))


def accuracy_columns(name: str, hits: np.ndarray) -> dict:
    """Share of clips that are right, in percent, with Wilson's 95 % interval. hits: (clips,) True where right."""
    low, high = accuracy_interval(float(hits.mean()), len(hits))
    return {
        name: round(100 * float(hits.mean()), 2),
        f"{name}_low": round(100 * low, 2),
        f"{name}_high": round(100 * high, 2),
    }


def paired_bootstrap(
    first: np.ndarray, second: np.ndarray, draws: int = 10_000, seed: int = 0, groups: np.ndarray | None = None
) -> tuple[float, ...]:
    """Difference first - second of two accuracies on the same clips in points, and its 95 % interval.

    first, second: (runs, clips) hits of each seed, True where right; clips are drawn anew, for all runs alike. groups:
    (clips,) such as speakers, of which all clips are drawn together.
    """
    difference = np.atleast_2d(first).mean(0, dtype=float) - np.atleast_2d(second).mean(0, dtype=float)
    own = np.arange(len(difference)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(own, difference), np.bincount(own)
    rng, means = np.random.default_rng(seed), []
    for _ in range(draws):
        drawn = rng.integers(0, len(sums), len(sums))
        means.append(sums[drawn].sum() / counts[drawn].sum())
    return tuple(round(100 * float(value), 2) for value in (difference.mean(), *np.percentile(means, [2.5, 97.5])))


def save_hits(run: Path, **hits: np.ndarray) -> None:
    """Keep which clips of each split a run got right, for paired intervals."""
    run.mkdir(parents=True, exist_ok=True)
    for split, right in hits.items():
        np.save(run / f"hits-{split}.npy", right)


def load_hits(run: Path, split: str) -> np.ndarray:
    """(clips,) what `save_hits` kept."""
    return np.load(run / f"hits-{split}.npy", allow_pickle=False)


def _origin(run: Path | None) -> dict[str, str]:
    """Where a row comes from: the digest of the run's configuration, and the commit."""
    if run is None or not (run / "recipe.json").is_file():
        return {"configuration": "", "commit": _commit()}
    kept = run / "commit.json"
    if not kept.is_file():
        write_json(kept, _commit())
    return {"configuration": digest(read_json(run / "recipe.json"))[:12], "commit": read_json(kept)}


def _commit() -> str:
    """The commit that is checked out, with a + where code differs from it. Exits where there is none."""
    here = {"cwd": FOLDER.parent, "capture_output": True, "text": True}
    commit = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], **here).stdout.strip()
    if not commit:
        raise SystemExit(f"results: {FOLDER.parent} is no git checkout; rows state the commit, so run from a clone")
    return commit + "+" * bool(subprocess.run(["git", "status", "--porcelain", "--", ":/*.py"], **here).stdout.strip())
