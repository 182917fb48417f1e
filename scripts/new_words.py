"""Is it better to start from the bundled supernet than from random weights, where there are few clips of new words?

    python scripts/new_words.py ../shared/data/speech_commands

Four words that the bundled supernet was not trained to tell apart (it heard them as `_unknown_`), with so many training
clips each; validation and test are those of the lists. Both ways have the same clips, epochs and recipe but the
learning rate, which is higher from random weights. Rows: `scripts/results/new_words.csv`, and differences with
paired bootstrap intervals over the test clips in `new_words_intervals.csv`. Runs resume.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from plain import split_hits
from results import accuracy_columns, add_row, paired_bootstrap

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


def main() -> None:
    """Train and measure both ways for each seed."""
    options = _options()
    torch.set_num_threads(options.threads)
    right: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for seed in options.seeds:
        table = _table(options, seed)
        for start in options.starts:
            run = options.runs / TASK / f"{start}-{options.clips}-s{seed}"
            folder = train(options.data, TASK, table=table, from_scratch=start == "random", seed=seed, run_dir=run)
            for network, hits in _measure(options, table, folder, run, start, seed).items():
                right[network, start].append(hits)
    for network in NETWORKS if len(options.starts) == len(STARTS) else ():
        difference, low, high = paired_bootstrap(*(np.array(right[network, start]) for start in STARTS))
        values = {"difference": difference, "low": low, "high": high, "seeds": len(options.seeds)}
        add_row("new_words_intervals", {"network": network, "clips": options.clips}, values)


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


def _measure(
    options: argparse.Namespace, table: Path, folder: Path, run: Path, start: str, seed: int
) -> dict[str, np.ndarray]:
    """Accuracy of the largest and the smallest network of a supernet, as rows; returns their hits on test."""
    data, _ = load_folder(options.data, table)
    stored = load_supernet(folder, TASK)
    log, tested = read_json(run / "log.json"), {}
    for name in NETWORKS:
        network = stored.supernet.extract(getattr(stored.supernet.space, name)())
        right = split_hits(network, data, stored.frontend)
        figures = {**accuracy_columns("validation", right["validation"]), **accuracy_columns("test", right["test"])}
        early = {f"validation_{count}": round(100 * log[count - 1][name], 2) for count in EARLY if count <= len(log)}
        values = {"epochs": len(log), "seconds": round(sum(row["seconds"] for row in log)), **early, **figures}
        add_row("new_words", {"network": name, "start": start, "clips": options.clips, "seed": seed}, values, run)
        print(name, start, seed, figures, flush=True)
        tested[name] = right["test"]
    return tested


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--clips", type=int, default=100, help="of each word for training (default: %(default)s)")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=STARTS, help="default: both")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor")
    return parser.parse_args()


if __name__ == "__main__":
    main()
