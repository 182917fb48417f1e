"""What helps words of which there are few recordings: cross-validation over the speakers of training.

    python scripts/rare_words.py ../shared/data --spoken runs/spoken

Speakers of the training list are dealt into parts. Without each part in turn a small network learns all words, by each
way: clips drawn as they are or rarer words more often, without or with clips made from text (scripts/speak.py). Told
is the recall of the rare words, those that are spoken from text, and of all others, over all parts together. The lists
for validation and testing are not looked at. Rows: `scripts/results/rare_words.csv`. Runs resume.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from long_run import load_words
from results import add_row, paired_bootstrap

from supernet.data.augment import plain_features
from supernet.data.clips import ClipData, Split
from supernet.data.scenes import Scenes
from supernet.data.speech_commands import list_files
from supernet.elastic import Network
from supernet.evaluate import hits
from supernet.frontend import LogMel
from supernet.space import digest
from supernet.store import load_supernet
from supernet.train import Recipe, fit_frontend, scene_features, train_float
from zoo.lookup import get

WAYS = {
    "as they are": (0.0, False),
    "balanced": (0.5, False),
    "balanced, spoken": (0.5, True),
}
"""How far rarer words are drawn more often (see ClipData), and whether clips made from text are heard."""
SUPERNET, MODEL = "kws-temporal-map", "kws-temporal-0.92M-w8a8-658be39d"
PARTS, CALIBRATED = 3, 512


def main() -> None:
    """Train and measure all ways without each part of the speakers."""
    options = _options()
    torch.set_num_threads(1)
    data = load_words(options.data, options.spoken)
    speakers = speakers_of(data, options.data / "speech_commands")
    rare = [data.labels.index(folder.name) for folder in sorted(options.spoken.iterdir()) if folder.is_dir()]
    frontend = fit_frontend(data, 8, LogMel, Scenes())
    found = {
        way: np.concatenate([_hits(way, part, data, speakers, frontend, options) for part in range(PARTS)])
        for way in WAYS
    }
    targets = np.concatenate([held_out(data, speakers, part)[1].targets for part in range(PARTS)])
    for way, right in found.items():
        values = {}
        for name, chosen in (("rare", np.isin(targets, rare)), ("others", ~np.isin(targets, rare))):
            first = found[next(iter(WAYS))][chosen][None].astype(float)
            change, low, high = paired_bootstrap(right[chosen][None].astype(float), first)
            values |= {
                name: round(100 * float(right[chosen].mean()), 2), f"{name}_clips": int(chosen.sum()),
                f"{name}_change": round(change, 2), f"{name}_low": round(low, 2), f"{name}_high": round(high, 2),
            }  # fmt: skip
        add_row("rare_words", {"way": way, "epochs": options.epochs}, values)
        print(way, values, flush=True)


def speakers_of(data: ClipData, root: Path) -> np.ndarray:
    """(rows,) the part of each training clip's speaker; -1 for clips made from text, and for all other rows."""
    parts, targets = np.full(len(data.audio), -1), data.splits["train"].targets
    files = list_files(root, data.labels[:-2])["train"]
    for target, word in enumerate(data.labels[:-2]):
        rows = data.splits["train"].rows[targets == target][: len(files[word])]  # recordings come first
        parts[rows] = [_part(path) for path in files[word]]
    return parts


def _part(path: Path) -> int:
    return int(digest(path.stem.partition("_nohash_")[0].encode())[:8], 16) % PARTS


def held_out(data: ClipData, parts: np.ndarray, part: int) -> tuple[ClipData, Split]:
    """The data without the words of a part of the speakers, and these."""
    train = data.splits["train"]
    held = parts[train.rows] == part
    tested = Split(train.rows[held], train.targets[held])
    kept = {"train": Split(train.rows[~held], train.targets[~held]), "validation": tested, "choosing": tested}
    return replace(data, splits=kept), tested


def _hits(
    way: str, part: int, data: ClipData, speakers: np.ndarray, frontend: LogMel, options: argparse.Namespace
) -> np.ndarray:
    """(clips,) which clips of the part are right."""
    balance, spoken = WAYS[way]
    own, tested = held_out(data, speakers, part)
    if not spoken:
        train = own.splits["train"]
        real = speakers[train.rows] >= 0
        own = replace(own, splits={**own.splits, "train": Split(train.rows[real], train.targets[real])})
    own = replace(own, balance=balance, digest=digest([data.digest, way, part]))
    stored = load_supernet(options.hub / "supernets" / SUPERNET, "kws")
    arch = get(name=MODEL, hub=options.hub).arch.without_bits()
    network = with_outputs(stored.supernet.extract(arch), len(data.labels))
    recipe = Recipe(epochs=options.epochs, learning_rate=2e-3, label_smoothing=0.05, augmentation=Scenes())
    calibration = scene_features(own, frontend, recipe.augmentation, CALIBRATED)
    run = options.runs / "rare-words" / f"{way.replace(', ', '-').replace(' ', '-')}-{part}"
    train_float(network, own, frontend, recipe, run, calibration, measure_every=options.epochs)
    return hits(network, plain_features(data, tested.rows, frontend), tested.targets)


def with_outputs(network: Network, classes: int) -> Network:
    """The network with a new last layer of so many outputs."""
    made, last = Network(replace(network.arch, classes=classes)), network.specs[-1].name
    own = dict(made.named_parameters())
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if not name.startswith(f"layers.{last}."):
                own[name].copy_(tensor)
    return made


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of speech_commands/, negatives/orders/ and rooms/")
    parser.add_argument(
        "--spoken", type=Path, required=True, metavar="FOLDER", help="clips made from text, FOLDER/WORD/*.flac"
    )
    parser.add_argument("--epochs", type=int, default=3, help="of each network (default: %(default)s)")
    parser.add_argument("--hub", type=Path, default=Path("zoo/hub"), help="default: %(default)s")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
