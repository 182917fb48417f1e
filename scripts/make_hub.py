"""Make the bundled hub again from the data: train the supernets, search, fine-tune, quantise, publish.

    python scripts/make_hub.py ../shared/data/speech_commands --spoken runs/spoken  the words
    python scripts/make_hub.py --esc50 ../shared/data/esc50                         four folds
    python scripts/make_hub.py --esc50 ESC-50-master --folds 1 2 3 4 5             the usual five, of the whole data set

Every step keeps its state under `runs/` and is resumed or skipped when it is run again. Choosing is done on validation
alone; the test split is measured once for each published package. Supernets are stored in 16 bits. The seeds are those
of the recipes below.

Words are heard in scenes, for which negatives/ and rooms/ may lie beside the folder of Speech Commands; of those of
which there are few, some are spoken (scripts/speak.py). The supernet of scripts/long_run.py is not trained here: its
weights are kept beside the scripts. Those of the other families are trained from random weights, or for fewer epochs
from the supernets of another hub (`--start`): the bundled ones began from version 0.21, which knew other words.

ESC-50 has too few clips to keep some from training for good. So all is done once without each fold, on which the result
is tested, and then once more with all folds, which is published with the figures of the others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import torch

import long_run
from supernet.bits import MIXED
from supernet.data import esc50
from supernet.data.augment import Augmentation
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.data.speech_commands import COMMANDS, WORDS
from supernet.errors import EarshotError, InvalidData
from supernet.files import write_json
from supernet.frontend import front_end
from supernet.frontend.base import FrontEnd
from supernet.nn.store import StoredSupernet, load_supernet, retarget, round_to_half
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBitsRecipe
from supernet.space import default_space
from supernet.train.calibration import features_as_heard, fit_frontend
from supernet.train.recipe import SupernetRecipe
from supernet.train.supernets import train_supernet
from zoo.keeping import with_notes
from zoo.make.candidates import Candidate, make_candidates, publish_models, with_test
from zoo.make.package import pooled_figures
from zoo.make.pipeline import Build, store, train_bits
from zoo.make.recipe import HUB, MakeRecipe

MODELS, ELASTIC = "models", "elastic-bits"
KWS, EVENTS, TEN_EVENTS = "kws", "aec", "esc10"
IN_A_STREAM = ", in a stream"
"""Behind the names of tasks whose clips are as long as networks that stream want them."""
FEW_BITS = (3, 2, 1, MIXED)
"""Published where no other model has better accuracy and less flash."""
OUTDOORS = Augmentation(
    shift_ms=2500, roll=True, gain_db=6.0, colour_db=6.0, mix_share=0.5, noise_share=0.5, time_mask=50, mel_mask=8,
    mask_share=0.6,
)  # fmt: skip
"""Of sounds that may begin anywhere in a clip, at any loudness, and have no words."""
SETTLED = replace(HUB, samples=400, finalists=6, quant_epochs=3)
"""Of models whose clips are heard in scenes."""


@dataclass(frozen=True)
class Plan:
    """A supernet of a family on a kind of features, and what is made of it.

    task: KWS, COMMANDS, EVENTS or TEN_EVENTS, those of events also IN_A_STREAM. budgets: most MACs of each model, or
    MACs and RAM, and the epochs of its fine-tune in float: small networks gain most from them. making: what else is
    chosen when models are made. bits: of a copy that is trained at several widths at once, or None for no copy.
    few_bits: of models, beside those of HUB. stored: clips that are stored with the supernet. kept: a plan of
    scripts/long_run.py whose weights are taken. further: the recipe where training goes on from another hub's supernet.
    """

    task: str
    family: str
    features: str
    recipe: SupernetRecipe
    budgets: dict[str, int]
    making: MakeRecipe
    bits: ElasticBitsRecipe | None = None
    few_bits: tuple[int | str, ...] = FEW_BITS
    stored: int = 512
    kept: str | None = None
    further: SupernetRecipe | None = None

    @property
    def all_bits(self) -> tuple[int | str, ...]:
        """Of the weights of models that are made."""
        return (*self.making.bits, *self.few_bits)


def in_scenes(epochs: int, rate: float = SupernetRecipe.learning_rate, **scenes) -> SupernetRecipe:
    """The recipe of supernets of words that are not the long run's."""
    return SupernetRecipe(
        epochs=epochs, learning_rate=rate, sandwich=True, random=1, label_smoothing=0.05, augmentation=Scenes(**scenes)
    )


PLAIN, FURTHER = in_scenes(48), in_scenes(20, rate=2e-3)
PLANS = {
    "kws-temporal-map": Plan(
        KWS, "temporal", "logmel", long_run.PLANS["settled"], {"10M": 10, "3M": 16, "1M": 24, "0.4M": 40},
        SETTLED, ElasticBitsRecipe(epochs=6, label_smoothing=0.05, augmentation=Scenes()), stored=64, kept="settled",
    ),
    "kws-temporal": Plan(
        KWS, "temporal", "mfcc", PLAIN, {"0.3M": 30, "0.15M": 40}, replace(SETTLED, quant_epochs=4),
        few_bits=(2,), stored=256, further=FURTHER,
    ),
    "commands-temporal-map": Plan(
        COMMANDS, "temporal", "logmel", long_run.PLANS["settled"], {"10M": 3, "3M": 4, "1M": 6, "0.4M": 8},
        replace(SETTLED, samples=150, quant_epochs=1), few_bits=(2,), stored=64, kept="settled",
    ),
    "kws-micro": Plan(
        KWS, "temporal", "micro", in_scenes(48, warps=(1.0,)), {"3M": 12, "1M": 20},
        replace(SETTLED, bits=(8,), samples=200, calibration_clips=1024), few_bits=(), stored=256,
        further=in_scenes(20, rate=2e-3, warps=(1.0,)),
    ),
    "kws-lmu": Plan(
        KWS, "lmu", "mfcc", PLAIN, {"1.1M": 20, "0.4M": 30}, SETTLED, few_bits=(2,), stored=256, further=FURTHER,
    ),
    "kws-dense": Plan(
        KWS, "dense", "logmel", PLAIN, {"2M": 20, "1M": 30}, SETTLED, few_bits=(2,), stored=256, further=FURTHER,
    ),
    "kws-sinc": Plan(
        KWS, "sinc", "raw", PLAIN, {"3M": 12, "1M": 20},
        replace(SETTLED, calibration_clips=256), few_bits=(2,), stored=64, further=FURTHER,
    ),
    "aec-mbconv": Plan(
        EVENTS, "mbconv", "logmel",
        SupernetRecipe(epochs=160, batch=32, learning_rate=3e-3, sandwich=True, random=1, augmentation=OUTDOORS),
        {"40M": 20, "8M": 100, "3M/64kB": 100, "1M/64kB": 260},
        replace(HUB, quant_epochs=6, calibration_clips=256),
        few_bits=(2,), stored=48,
    ),
    "aec-temporal": Plan(
        EVENTS + IN_A_STREAM, "temporal", "logmel",
        SupernetRecipe(epochs=100, batch=32, learning_rate=3e-3, sandwich=True, random=1, augmentation=OUTDOORS),
        {"8M": 30, "3M": 40},
        replace(HUB, quant_epochs=4, calibration_clips=256),
        few_bits=(), stored=64,
    ),
    "esc10-temporal": Plan(
        TEN_EVENTS + IN_A_STREAM, "temporal", "logmel",
        SupernetRecipe(epochs=200, batch=16, learning_rate=2e-3, sandwich=True, random=1, augmentation=OUTDOORS),
        {"8M": 100, "3M": 200},
        replace(HUB, quant_epochs=12, calibration_clips=217),
        few_bits=(), stored=20,
    ),
    "esc10-mbconv": Plan(
        TEN_EVENTS, "mbconv", "logmel",
        SupernetRecipe(epochs=300, batch=16, learning_rate=2e-3, sandwich=True, random=1, augmentation=OUTDOORS),
        {"40M": 40, "5M": 300},
        replace(HUB, quant_epochs=12, calibration_clips=217),
        few_bits=(2,), stored=48,
    ),
}  # fmt: skip
NOTES = {
    "kws": "The ten words of the standard Speech Commands task.",
    "commands": "All words of Speech Commands of which there are enough clips.",
}
SPOKEN_NOTE = (
    "There are few recordings of yes, no, on and off, so clips made from text were trained on as well, and some of "
    "other words (scripts/speak.py)."
)
LONG_RUN = (
    "They began from its weights after 56 epochs at a high rate, and these from a network that was trained alone for "
    "38 (scripts/long_run.py)."
)
OWNERS = {
    "negatives": "spoken orders, Picovoice, Apache-2.0",
    "rooms": "impulse responses of a room, Institute of Sound Recording, Surrey, MIT",
    "spoken": "clips spoken by the engines of scripts/speak.py",
}
"""Of what else is heard in scenes."""
WORD_LIMITS = [
    "Made for one spoken word in a clip of one second at 16 kHz; it answers on nothing else.",
    "Trained on crowd-sourced English recordings; accents, children and far microphones are not measured.",
    "No detection threshold is set and false alarms an hour are not measured: test it in its place of use.",
]
UNKNOWN_LIMIT = "Most words that it does not know are taken for one of its own."
"""Of models of many words, of which few are left to learn others from."""
EVENT_LIMITS = [
    "Made for one sound in a clip of {seconds:g} seconds at 16 kHz; it names the likeliest class, whatever it hears.",
    "Trained on some tens of recordings a class; rooms and microphones other than theirs are not measured.",
    "No detection threshold is set and false alarms an hour are not measured: no alarm should rest on it alone.",
]
NOT_COMMERCIAL = "Not for commercial use, as the data set is not."
EVENT_SETS = (
    (EVENTS, "esc50", "ESC-50", "", [NOT_COMMERCIAL]),
    (TEN_EVENTS, "esc10", "ESC-10", ", of its subset ESC-10 alone", []),
)
"""Task, subset and its name, and what notes say of it."""
CLIPS_MS = {"": esc50.CLIP_MS, IN_A_STREAM: 5120}
"""Of clips of events; those of networks that stream must be whole strides."""


@dataclass(frozen=True)
class Task:
    """A task whose data are at hand: its name in the hub, its clips, and what cards say.

    load: the clips; of a task with folds, without the one that is given as `test_fold`, or with all where that is None.
    """

    name: str
    load: Callable[..., ClipData]
    notes: list[str]
    limits: list[str]
    dataset: dict
    folds: tuple[int, ...] = ()


def main() -> None:
    """Run all steps."""
    options = _options()
    torch.set_num_threads(options.threads)
    tasks, candidates, elastic = _tasks(options), {}, []
    for name, plan in _chosen(options, tasks).items():
        task = tasks[plan.task]
        budgets = {budget: epochs for budget, epochs in plan.budgets.items() if budget in options.budgets}
        models, bits = MODELS in options.only and budgets, ELASTIC in options.only and plan.bits
        if not models and not bits:
            continue
        tested = cross_validated(name, plan, task, options.runs, budgets) if models and task.folds else {}
        build = train(name, plan, task, task.load(), options.runs, options.hub, options.start)
        if models:
            made = make_candidates(build, budgets, plan.all_bits)
            candidates.setdefault(plan.task, []).extend(with_figures(item, tested) for item in made)
        if bits:
            elastic.append((build, bits))
    for own in candidates.values():
        publish_models(own)
    for build, bits in elastic:
        train_bits(build, bits)


def cross_validated(name: str, plan: Plan, task: Task, runs: Path, budgets: dict[str, int]) -> dict[tuple, dict]:
    """Figures by budget and bits, of models made without each fold in turn and tested on it, all folds together."""
    found: dict[tuple, list[dict]] = {}
    for fold in task.folds:
        folder = runs / f"without-fold{fold}"
        build = train(name, plan, task, task.load(test_fold=fold), folder, folder / "hub")
        for item in map(with_test, make_candidates(build, budgets, plan.all_bits)):
            for budget in item.budgets:
                found.setdefault((budget, item.bits), []).append(item.accuracy)
    return {
        key: {split: pooled_figures([one[split] for one in parts], task.folds) for split in ("validation", "test")}
        for key, parts in found.items()
    }


def with_figures(item: Candidate, tested: dict[tuple, dict]) -> Candidate:
    """A candidate with the figures that a cross-validation gave for its budget and bits, where there was one."""
    accuracy = tested.get((item.budgets[0], item.bits))
    return replace(item, accuracy=accuracy) if accuracy else item


def word_task(folder: Path, words: str, spoken: Path | None = None, version: str = "") -> Task:
    """Words of Speech Commands in `folder`, heard in scenes: a set of WORDS, which names the task, a folder of clips
    made from text, and the version of the data.
    """
    dataset = {"name": "Speech Commands", "id": "speech_commands", "version": version}
    notes = [NOTES[words], *([SPOKEN_NOTE] if spoken else [])]
    limits = [*WORD_LIMITS, UNKNOWN_LIMIT] if words == COMMANDS else WORD_LIMITS
    return Task(words, partial(words_with_owners, folder, words, spoken), notes, limits, dataset)


def words_with_owners(folder: Path, words: str, spoken: Path | None) -> ClipData:
    """The clips, with the owners of all that is heard in them."""
    beside = long_run.beside(folder.parent)
    around = {name: path for name, path in beside.items() if path.is_dir()}
    if missing := [str(path) for name, path in beside.items() if name not in around]:
        print(f"{words}: scenes without {' and '.join(missing)}", file=sys.stderr)
    data = long_run.words_in_scenes(folder, around, spoken, words)
    heard = {"negatives": bool(data.negatives), "rooms": data.rooms is not None, "spoken": spoken is not None}
    owners = [owner for name, owner in OWNERS.items() if heard[name]]
    return replace(data, attribution="; ".join([data.attribution, *owners]))


def event_tasks(folder: Path, folds: tuple[int, ...] = esc50.FOLDS) -> dict[str, Task]:
    """Acoustic events by ESC-50 in `folder`, and by its subset ESC-10, each in clips of both lengths."""
    version, found = f"folds {', '.join(map(str, folds))}", {}
    for (task, subset, name, about, more), (kind, clip_ms) in product(EVENT_SETS, CLIPS_MS.items()):
        found[task + kind] = Task(
            task,
            partial(esc50.load, folder, subset, test_fold=None, folds=folds, clip_ms=clip_ms),
            [f"Trained on {version} of ESC-50{about}, all but a tenth that it was chosen by.", *more],
            [line.format(seconds=clip_ms / 1000) for line in EVENT_LIMITS],
            {"name": name, "id": subset, "version": version, "folds": list(folds)},
            folds,
        )
    return found


def _tasks(options: argparse.Namespace) -> dict[str, Task]:
    """Those whose data were given."""
    found = event_tasks(options.esc50, tuple(sorted(set(options.folds)))) if options.esc50 else {}
    for words in WORDS if options.data else ():
        if any(plan.task == words for plan in PLANS.values()):
            found[words] = word_task(options.data, words, options.spoken, options.data_version)
    return found


def _chosen(options: argparse.Namespace, tasks: dict[str, Task]) -> dict[str, Plan]:
    found = {name: plan for name, plan in PLANS.items() if plan.task in tasks and name in options.supernets}
    if not found:
        raise InvalidData(f"the data of {', '.join(options.supernets)} were not given; give their folder, see --help")
    return found


def train(name: str, plan: Plan, task: Task, data: ClipData, runs: Path, hub: Path, start: Path | None = None) -> Build:
    """Train a supernet, or go on with it, and put it into the hub.

    start: a hub whose supernet it begins from, where the plan says how training goes on.
    """
    run = runs / name
    if plan.kept:
        recipe, begun = plan.recipe, LONG_RUN
        supernet, frontend, log = long_run.kept_supernet(plan.kept, data, task.name, plan.stored)
        write_json(run / "log.json", log)
    else:
        before = load_supernet(start / "supernets" / name, task.name) if start and plan.further else None
        recipe, begun = (plan.further, _begun(before, data)) if before else (plan.recipe, "")
        supernet, frontend = _untrained(plan, recipe, data, before)
        train_supernet(supernet, data, frontend, recipe, run)
    round_to_half(supernet)
    epochs = f"the last {len(log)} epochs" if plan.kept else f"{recipe.epochs} epochs"
    origin = f"Slice of the supernet {name}: {epochs} of {recipe.schedule}, seed {recipe.seed}. {begun}".strip()
    info = {"notes": task.notes, "limits": task.limits, "dataset": task.dataset, "origin": origin}
    build = Build(
        name, task.name, supernet, recipe, data, frontend, run, hub, info, plan.making,
        give_clips=plan.task in WORDS,
    )  # fmt: skip
    store(build, build.folder)
    return build


def _untrained(
    plan: Plan, recipe: SupernetRecipe, data: ClipData, before: StoredSupernet | None
) -> tuple[Supernet, FrontEnd]:
    """A supernet of random weights, or of those of another, and its front end."""
    frontend = before.frontend if before else fit_frontend(data, kind=front_end(plan.features))
    calibration = features_as_heard(data, frontend, recipe.augmentation, plan.stored, recipe.seed)
    if before:
        known = len(data.labels), data.clip_ms, calibration, recipe.seed, data.labels
        return retarget(before, *known), frontend
    networks = default_space(plan.family, len(data.labels), data.clip_ms, plan.features)
    return Supernet(networks, calibration, recipe.seed), frontend


def _begun(before: StoredSupernet, data: ClipData) -> str:
    """What cards say of the weights at the start."""
    other = " of other words" if before.labels != data.labels else ""
    return f"They began from the weights of a supernet of the same name{other}."


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder of Speech Commands in its official layout")
    parser.add_argument("--spoken", type=Path, metavar="FOLDER", help="clips made from text, FOLDER/WORD/*.flac")
    parser.add_argument("--esc50", type=Path, metavar="FOLDER", help="folder of ESC-50")
    parser.add_argument(
        "--folds", type=int, nargs="+", default=esc50.FOLDS, help="of ESC-50, two or more (default: %(default)s)"
    )
    parser.add_argument("--data-version", default="v0.01 and v0.02, part", help="as the card of keywords states it")
    parser.add_argument("--hub", type=Path, default=Path("zoo/hub"), help="where to publish (default: %(default)s)")
    parser.add_argument(
        "--start", type=Path, metavar="HUB", help="whose supernets of the same names training begins from"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    budgets = list(dict.fromkeys(budget for plan in PLANS.values() for budget in plan.budgets))
    parser.add_argument(
        "--budgets", nargs="+", choices=budgets, default=budgets, metavar="MACS", help="default: %(default)s"
    )
    parser.add_argument(
        "--supernets", nargs="+", choices=PLANS, default=list(PLANS), metavar="NAME", help="default: %(default)s"
    )
    parts = (MODELS, ELASTIC)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="what to make of the supernets")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor")
    options = parser.parse_args()
    if len(set(options.folds)) < 2:
        parser.error("give two folds or more: each is tested by what the others train")
    if not options.data and not options.esc50:
        parser.error("give the folder of Speech Commands, of ESC-50, or of both")
    return options


if __name__ == "__main__":
    try:
        main()
    except EarshotError as error:
        sys.exit(f"make_hub: {with_notes(error, str(error))}")
