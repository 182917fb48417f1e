"""Make the bundled hub again from the data: train the supernets, search, fine-tune, quantise, publish.

    python scripts/make_hub.py ../shared/data/speech_commands

Every step keeps its state under `runs/` and is resumed or skipped when it is run again. Choosing is done on validation
alone; the test split is measured once for each published package. The seeds are those of the recipes below.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from supernet.data.clips import ClipData
from supernet.data.speech_commands import WORDS, load
from supernet.elastic import Supernet
from supernet.errors import EarshotError
from supernet.families import MIXED, space
from supernet.frontend import FRONT_ENDS
from supernet.quant.elastic import ElasticBitsRecipe
from supernet.train import SupernetRecipe, calibration_features, fit_frontend, train_supernet
from zoo.build import BITS, Build, make_candidates, publish_models, store, train_bits

FAMILY = "temporal"
MODELS, ELASTIC = "models", "elastic-bits"
FEW_BITS = (3, 2, 1, MIXED)
"""Published where no other model has better accuracy and less flash."""


@dataclass(frozen=True)
class Plan:
    """A supernet on a kind of features, and what is made of it.

    budgets: most MACs of each model, and the epochs of its fine-tune in float: small networks gain most from them.
    samples: sub-networks measured for the accuracy predictor. bits: of a copy that is trained at several widths at
    once, or None for no copy.
    """

    features: str
    recipe: SupernetRecipe
    budgets: dict[str, int]
    samples: int
    bits: ElasticBitsRecipe | None = None


PLANS = {
    "kws-temporal-map": Plan(
        "logmel",
        SupernetRecipe(epochs=40, unknown=2, sandwich=True),
        {"20M": 6, "3M": 12, "2M": 12, "1M": 20},
        300,
        ElasticBitsRecipe(unknown=2),
    ),
    "kws-temporal": Plan("mfcc", SupernetRecipe(epochs=48, sandwich=True), {"0.3M": 30}, 350),
}
NOTES = {
    "kws": "Bundled `kws` knows ten words; there was no training audio for the standard words yes, no, on and off.",
    "standard": "The ten words of the standard Speech Commands task.",
}
LIMITS = [
    "Made for one spoken word in a clip of one second at 16 kHz; it answers on nothing else.",
    "Trained on crowd-sourced English recordings; accents, children and far microphones are not measured.",
    "No detection threshold is set and false alarms an hour are not measured: test it in its place of use.",
]


def main() -> None:
    """Run all steps."""
    options = _options()
    torch.set_num_threads(options.threads)
    data, candidates, elastic = load(options.data, options.words), [], []
    for name, plan in PLANS.items():
        budgets = {budget: epochs for budget, epochs in plan.budgets.items() if budget in options.budgets}
        models, bits = MODELS in options.only and budgets, ELASTIC in options.only and plan.bits
        if models or bits:
            build = train(name, plan, data, options)
        if models:
            candidates += make_candidates(build, budgets, (*BITS, *FEW_BITS))
        if bits:
            elastic.append((build, bits))
    publish_models(candidates)
    for build, bits in elastic:
        train_bits(build, bits)


def train(name: str, plan: Plan, data: ClipData, options: argparse.Namespace) -> Build:
    """Train a supernet, or go on with it, and put it into the hub."""
    frontend, recipe = fit_frontend(data, kind=FRONT_ENDS[plan.features]), plan.recipe
    calibration = calibration_features(data, frontend, seed=recipe.seed)
    networks = space(FAMILY, len(data.labels), data.clip_ms, plan.features)
    supernet, run = Supernet(networks, calibration, recipe.seed), options.runs / name
    train_supernet(supernet, data, frontend, recipe, run)
    info = {
        "notes": [NOTES[options.words]],
        "limits": LIMITS,
        "dataset": {"name": data.name, "id": "speech_commands", "version": options.data_version},
        "origin": f"Slice of the supernet {name}: {recipe.epochs} epochs of {recipe.schedule}, seed {recipe.seed}.",
    }
    build = Build(name, options.task, supernet, recipe, data, frontend, run, options.hub, info, samples=plan.samples)
    store(build, build.folder)
    return build


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--words", choices=WORDS, default="kws", help="the keywords (default: %(default)s)")
    parser.add_argument("--task", default="kws", help="name of the task in the hub (default: %(default)s)")
    parser.add_argument("--data-version", default="v0.01 and v0.02, part", help="as the card states it")
    parser.add_argument("--hub", type=Path, default=Path("zoo/hub"), help="where to publish (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    budgets = [budget for plan in PLANS.values() for budget in plan.budgets]
    parser.add_argument(
        "--budgets", nargs="+", choices=budgets, default=budgets, metavar="MACS", help="default: %(default)s"
    )
    parts = (MODELS, ELASTIC)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="what to make of the supernets")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except EarshotError as error:
        sys.exit(f"make_hub: {error}")
