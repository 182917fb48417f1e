"""What helps words of which there are few recordings?

    python scripts/study.py rare_words ../shared/data --spoken runs/spoken

Speakers of the training list are dealt into parts. Without each part in turn a small network learns all words, by each
way: clips drawn as they are or rarer words more often, without or with clips made from text (scripts/speak.py), of the
rare words alone or of others that are none of the task, too. It starts from the slice of a bundled supernet; that of
version 0.21 had heard no speaker of the rare words, and of other words it had, in all ways alike. Told is the share of
right answers for the rare words, those that are spoken from text, for all others, and for words that are none of the
task, by cross-validation over all parts together, with intervals by speaker. The lists for validation and testing are
not looked at. Rows: `rare_words.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from long_run import TASKS, load_words, only_training
from studies.base import HUB, RUNS, SCENES, SPOKEN, Shown, Study, option, value
from studies.networks import uniform_archs
from studies.rows import Rows, paired_bootstrap
from supernet.constants import UNKNOWN
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData, Split
from supernet.data.scenes import Scenes
from supernet.data.speech_commands import list_files
from supernet.errors import InvalidData
from supernet.files import digest
from supernet.frontend.logmel import LogMel
from supernet.nn.network import Network
from supernet.nn.store import load_supernet
from supernet.train.calibration import fit_frontend, scene_features
from supernet.train.evaluate import hits
from supernet.train.heads import with_outputs
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe

WAYS = {
    "as they are": (0.0, False, False),
    "balanced": (0.5, False, False),
    "balanced, spoken": (0.5, True, False),
    "balanced, spoken, others": (0.5, True, True),
}
"""How far rarer words are drawn more often (see ClipData), and whether clips made from text are heard: of rare words,
and of words that are none of the task."""
FIRST = next(iter(WAYS))
SUPERNET, NETWORK = "kws-temporal-map", "map-1M"
PARTS, CALIBRATED = 3, 512


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure all ways without each part of the speakers."""
    torch.set_num_threads(1)
    with only_training(options.runs):
        data = load_words(options.data, options.spoken)
        speakers = speakers_of(data, options.data / "speech_commands")
        frontend = fit_frontend(data, 8, LogMel, Scenes())

        @cache
        def right(way: str) -> np.ndarray:
            return np.concatenate([_hits(way, part, data, speakers, frontend, options) for part in range(PARTS)])

        for way in WAYS:
            keys = {"way": way, "epochs": options.epochs}
            rows.once("rare_words", keys, lambda way=way: _figures(right(way), right(FIRST), data, speakers, options))


def _figures(
    right: np.ndarray, first: np.ndarray, data: ClipData, speakers: np.ndarray, options: argparse.Namespace
) -> dict:
    """Shares of kinds of words that are right, and how far they differ from those of the first way."""
    tested, values = [held_out(data, speakers, part)[1] for part in range(PARTS)], {}
    targets, rows = (np.concatenate([getattr(one, name) for one in tested]) for name in ("targets", "rows"))
    rare = [place for place, word in enumerate(data.labels) if word != UNKNOWN and (options.spoken / word).is_dir()]
    kinds = {"rare": np.isin(targets, rare), "unknown": targets == data.unknown_class}
    kinds["others"] = ~kinds["rare"] & ~kinds["unknown"]
    for name, chosen in kinds.items():
        change, low, high = paired_bootstrap(right[chosen], first[chosen], groups=speakers[rows[chosen]])
        values |= {name: round(100 * float(right[chosen].mean()), 2), f"{name}_clips": int(chosen.sum())}
        values |= {f"{name}_change": change, f"{name}_low": low, f"{name}_high": high}
    return values


def speakers_of(data: ClipData, root: Path) -> np.ndarray:
    """(rows,) a number for each training clip's speaker; -1 for clips made from text, and for all other rows."""
    numbers, targets, keywords = np.full(len(data.audio), -1), data.splits["train"].targets, data.labels[:-2]
    files = list_files(root, keywords)["train"]
    for target, word in enumerate(keywords):
        rows = data.splits["train"].rows[targets == target][: len(files[word])]  # recordings come first
        numbers[rows] = [_number(path) for path in files[word]]
    others = [path for word in sorted(files) if word not in keywords for path in files[word]]
    numbers[data.unknown[-len(others) :]] = [_number(path) for path in others]  # behind those from text
    return numbers


def _number(path: Path) -> int:
    return int(digest(path.stem.partition("_nohash_")[0].encode())[:8], 16)


def held_out(data: ClipData, speakers: np.ndarray, part: int) -> tuple[ClipData, Split]:
    """The data without a part of the speakers, and the clips of these, among them those of no word of the task.

    Near misses are left out: they are cut from any clips.
    """
    train, unknown = data.splits["train"], data.unknown
    held, other = ((speakers[rows] >= 0) & (speakers[rows] % PARTS == part) for rows in (train.rows, unknown))
    rows = np.concatenate([train.rows[held], unknown[other]])
    tested = Split(rows, np.concatenate([train.targets[held], np.full(other.sum(), data.unknown_class)]))
    other[-1] = False  # so that the versions of clips in the cache, which reach to the last row, are the same
    kept = {"train": Split(train.rows[~held], train.targets[~held]), "validation": tested, "choosing": tested}
    return replace(data, splits=kept, unknown=unknown[~other], joins=0), tested


def _hits(
    way: str, part: int, data: ClipData, speakers: np.ndarray, frontend: LogMel, options: argparse.Namespace
) -> np.ndarray:
    """(clips,) which clips of the part are right."""
    balance, spoken, others = WAYS[way]
    own, tested = held_out(data, speakers, part)
    train, unknown = own.splits["train"], own.unknown
    heard, other = (said | (speakers[rows] >= 0) for said, rows in ((spoken, train.rows), (others, unknown)))
    kept = {**own.splits, "train": Split(train.rows[heard], train.targets[heard])}
    own = replace(own, splits=kept, unknown=unknown[other])
    own = replace(own, balance=balance, digest=digest([data.digest, way, part]))
    stored = load_supernet(options.hub / "supernets" / SUPERNET, "kws")
    if known := sorted({path.name for path in options.spoken.iterdir()} & set(stored.labels)):
        heard = f"knows {', '.join(known)}, so it heard the speakers that are kept apart here"
        raise InvalidData(f"{options.hub}: supernet {SUPERNET} {heard}; give the hub of version 0.21 by --hub")
    arch = uniform_archs(len(stored.labels))[NETWORK]
    classes = len(data.labels) + sum(len(labels) for _, labels in TASKS)
    network, augmentation = with_outputs(stored.supernet.extract(arch), classes), Scenes()
    recipe = Recipe(
        epochs=options.epochs, learning_rate=2e-3, label_smoothing=0.05, augmentation=augmentation, tasks=TASKS
    )
    calibration = scene_features(own, frontend, augmentation, CALIBRATED)
    run = options.runs / "rare-words" / f"{way.replace(', ', '-').replace(' ', '-')}-{part}-e{options.epochs}"
    train_float(network, own, frontend, recipe, run, calibration, measure_every=options.epochs)
    answers = partial(_of_all_words, network, len(data.labels))
    return hits(answers, plain_features(data, tested.rows, frontend), tested.targets)


def _of_all_words(network: Network, classes: int, x: torch.Tensor) -> torch.Tensor:
    return network(x)[:, :classes]


def table_of_ways(found: Rows) -> Shown:
    """Shares of kinds of words by way, and what changes."""
    rows = [
        [
            row.way,
            *(text for name in ("rare", "others", "unknown") for text in (f"{row[name]:.2f}", _change(row, name))),
        ]
        for _, row in found.read("rare_words").iterrows()
    ]
    return ["way", "rare words", "change", "other words", "change", "no words of the task", "change"], rows


def _change(row: pd.Series, name: str) -> str:
    change, low, high = (row[f"{name}_{end}"] for end in ("change", "low", "high"))
    return f"{change:+.2f} ({low:+.2f} to {high:+.2f})"


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        option("--spoken", **{**SPOKEN[1], "required": True}),
        value("--epochs", 3, "of each network"),
        HUB,
        RUNS,
    ),
    tables={"rare_words": table_of_ways},
)
