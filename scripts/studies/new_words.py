"""Is it better to start from the bundled supernet than from random weights, where there are few clips of new words?

    python scripts/study.py new_words ../shared/data/speech_commands

Four words that the bundled supernet was not trained to tell apart (it heard them as `_unknown_`), with so many training
clips each; validation and test are those of the lists. Both ways have the same clips, epochs and recipe but the
learning rate, which is higher from random weights. Rows: `new_words.csv`, and differences with paired bootstrap
intervals over the test clips in `new_words_intervals.csv`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from studies.base import KEYWORDS, RUNS, THREADS, Shown, Study, seeds, several, value
from studies.networks import split_hits
from studies.rows import Rows, accuracy_columns, load_hits, paired_bootstrap, save_hits
from supernet.data.folder import load_folder
from supernet.data.speech_commands import list_files
from supernet.files import read_json, write_bytes
from supernet.nn.store import load_supernet
from zoo.make.train import train

STARTS = ("bundled", "random")
WORDS = ("backward", "bed", "cat", "happy")
TASK = "new-words"
NETWORKS = ("largest", "smallest")
EARLY = (3, 10)
"""Epochs after which validation is reported as well."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure both ways for each seed."""
    for seed in options.seeds:
        for start in options.starts:
            _measure(options, rows, start, seed)
    for network in NETWORKS if len(options.starts) == len(STARTS) else ():
        right = [
            [load_hits(_folder(options, start, seed) / network, "test") for seed in options.seeds] for start in STARTS
        ]
        difference, low, high = paired_bootstrap(*map(np.array, right))
        values = {"difference": difference, "low": low, "high": high, "seeds": len(options.seeds)}
        rows.add("new_words_intervals", {"network": network, "clips": options.clips}, values)


def _folder(options: argparse.Namespace, start: str, seed: int) -> Path:
    return options.runs / TASK / f"{start}-{options.clips}-s{seed}"


def _table(options: argparse.Namespace, seed: int) -> Path:
    """A table of the files: `clips` of each word for training, drawn by the seed, and all of validation and test."""
    rng, rows = np.random.default_rng(seed), []
    for split, by_word in list_files(options.data, WORDS).items():
        for word in WORDS:
            files = by_word[word]
            chosen = rng.permutation(len(files))[: options.clips] if split == "train" else range(len(files))
            rows += [(files[index].relative_to(options.data).as_posix(), word, split) for index in sorted(chosen)]
    path = options.runs / TASK / f"{options.clips}-s{seed}.csv"
    text = pd.DataFrame(rows, columns=["file", "label", "split"]).to_csv(index=False)
    write_bytes(path, text.encode())
    return path


def _measure(options: argparse.Namespace, rows: Rows, start: str, seed: int) -> None:
    """Train a supernet, and write the rows of its largest and its smallest network."""
    folder = _folder(options, start, seed)
    keys = {name: {"network": name, "start": start, "clips": options.clips, "seed": seed} for name in NETWORKS}
    kept = all((folder / name / "hits-test.npy").is_file() for name in NETWORKS)
    if kept and rows.done("new_words", *keys.values()):
        return
    table = _table(options, seed)
    trained = train(options.data, TASK, table=table, from_scratch=start == "random", seed=seed, run_dir=folder)
    data, _ = load_folder(options.data, table)
    stored, log = load_supernet(trained, TASK), read_json(folder / "log.json")
    for name in NETWORKS:
        network = stored.supernet.extract(getattr(stored.supernet.space, name)())
        right = split_hits(network, data, stored.frontend)
        save_hits(folder / name, **right)
        figures = {**accuracy_columns("validation", right["validation"]), **accuracy_columns("test", right["test"])}
        early = {f"validation_{count}": round(100 * log[count - 1][name], 2) for count in EARLY if count <= len(log)}
        values = {"epochs": len(log), "seconds": round(sum(row["seconds"] for row in log)), **early, **figures}
        rows.add("new_words", keys[name], values, folder)


def table_of_starts(found: Rows) -> Shown:
    """Accuracy by network and start, and what the bundled weights gain."""
    intervals, rows = found.read("new_words_intervals"), []
    for (network, clips, start), part in found.read("new_words").groupby(["network", "clips", "start"]):
        early = [f"{part[name].mean():.2f}" for name in ("validation_3", "validation_10", "validation")]
        test = ", ".join(f"{value:.2f}" for value in part.sort_values("seed").test)
        pair = intervals[(intervals.network == network) & (intervals.clips == clips)].iloc[0]
        gain = f"{pair.difference:+.2f} ({pair.low:+.2f} to {pair.high:+.2f})" if start == "bundled" else ""
        rows.append([network, f"{start} weights", *early, test, gain, f"{part.seconds.mean() / 60:.0f}"])
    early = [f"validation %, {when}" for when in ("3 epochs", "10 epochs", "end")]
    return ["network", "started from", *early, "test %, end, each seed", "gain on test", "minutes"], rows


STUDY = Study(
    __doc__,
    run,
    (
        KEYWORDS,
        value("--clips", 100, "of each word for training"),
        several("--starts", STARTS, "ways"),
        seeds(3),
        RUNS,
        THREADS,
    ),
    tables={"new_words": table_of_starts},
)
