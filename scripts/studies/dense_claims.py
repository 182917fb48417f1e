"""Do dense networks of 8, 5, 4 and 1 bits keep up with floating point, and what do they save?

    python scripts/study.py dense_claims ../shared/data
    python scripts/study.py dense_claims ../shared/data --networks 67k --epochs 2 --quant-epochs 2      # a look

The claims of Zeng et al. (arXiv 2207.06920) of a streaming, state-free network of 250,000 parameters, whose weights are
trained in two stages: parity with floating point on the detection-error curve, up to 3 times less processor time, more
than 4 times less memory. Here a network of family `dense` is trained in float on the labels alone, and from it one at
each width by the method `two-stage`, half of the epochs a stage. All hear the same 8-bit features. False alarms are
counted as `alarm_ratio` does, at thresholds that miss as many words; intervals are of its bootstrap. Time is that of an
answer behind the front end, of the generated C and of the float network as C, by one compiler on the machine at hand;
instructions are those of an emulated Cortex-M4 with a unit for floating point. Memory is that of weights and of what a
stream keeps and works in behind the front end. Test is measured once a network. Rows: `dense_claims.csv`,
`dense_alarms.csv`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import torch

from studies.alarm_ratio import MISSED, curve_of, figures
from studies.base import RUNS, THREADS, Shown, Study, option, seeds, several, value
from studies.float_c import FloatProgram, integer_microseconds
from studies.heard import Streams
from studies.networks import Setting
from studies.rows import Rows
from supernet.arch import Arch, FeatureSpec
from supernet.bits import FLOAT_BITS, with_bits
from supernet.cost import weight_bytes
from supernet.data.speech_commands import load
from supernet.errors import InvalidQuery
from supernet.families.dense import Dense
from supernet.frontend.base import dequantise
from supernet.frontend.logmel import LogMel
from supernet.integer.packing import default_grid
from supernet.integer.runtime import IntegerNetwork
from supernet.memory import detector_bytes, frontend_bytes, stream_ram_bytes
from supernet.nn.frontend import quantise_features
from supernet.nn.network import Network
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe
from zoo.export.c.emulator import instructions
from zoo.export.c.write import Sources
from zoo.run.along import answer_ms
from zoo.run.detection import Detection, Detector
from zoo.run.scores import IntegerScores

CLAIMS, ALARMS = "dense_claims", "dense_alarms"
BITS, METHOD = (8, 5, 4, 1), "two-stage"
NETWORKS = {"241k": (10, Dense(800, 40, 64, (96, 96, 96), 96)), "67k": (20, Dense(400, 40, 64, (64, 64), 96))}
"""By their parameters: step of the frames, shape."""


class FloatHearing(Streams):
    """What a float network hears, by its C: logits in 16 bits of `scale`, of the features that integers hear."""

    def __init__(self, model: SimpleNamespace, program: FloatProgram, scale: float, data: Path, run: Path) -> None:
        super().__init__(model, data, run)
        self.program, self.scale = program, scale

    def _scores(self, name: str, parts: Callable[[], Iterable[np.ndarray]]) -> np.ndarray:
        return self.detector(self.base).scores(self.kept(name, lambda: self._logits(parts())))

    def _logits(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        state, features = self.frontend.reset(), []
        for part in parts:
            new, state = self.frontend.step(part, state)
            features.append(new)
        logits = self.program.logits(dequantise(np.concatenate(features, 1)))
        step_ms = answer_ms(self.program.network)
        steps = np.round(logits[self.model.clip_ms // step_ms - 1 :: self.hop_ms // step_ms] / self.scale)
        return np.clip(steps, -(2**15), 2**15 - 1).astype(np.int16)


def heard_by(name: str, network: IntegerNetwork | Network, scale: float, setting: Setting) -> SimpleNamespace:
    """What `Streams` takes for a model. scale: of its logits."""
    arch, labels = network.arch, setting.data.labels
    return SimpleNamespace(
        name=name, network=network, labels=labels, frontend=own_frontend(arch, setting),
        clip_ms=arch.frames * arch.features.step_ms,
        detector=lambda: Detector(Detection(), labels, IntegerScores(scale)),
    )  # fmt: skip


def own_frontend(arch: Arch, setting: Setting) -> LogMel:
    """Of the frames that a network reads."""
    return setting.frontend.select(arch.features.coefficients, arch.features.step_ms)


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and compare what is not done."""
    data = load(options.data / "speech_commands", options.words)
    for name in options.networks:
        for seed in options.seeds:
            keys = {"network": name, "seed": seed, "epochs": options.epochs, "quant_epochs": options.quant_epochs}
            wanted = [bits for bits in options.bits if not _done(rows, {**keys, "bits": bits})]
            if wanted:
                frontend = fit_frontend(data, kind=LogMel)
                setting = Setting(options, rows, data, frontend, calibration_features(data, frontend))
                _compare(name, seed, keys, wanted, setting)


def _done(rows: Rows, keys: dict) -> bool:
    return rows.done(CLAIMS, keys) and rows.done(ALARMS, *({**keys, "missed": missed} for missed in MISSED))


def _compare(name: str, seed: int, keys: dict, widths: list[int], setting: Setting) -> None:
    step_ms, shape = NETWORKS[name]
    arch = Arch("dense", FeatureSpec("logmel", 40, step_ms), 1000 // step_ms, len(setting.data.labels), shape)
    folder = setting.options.runs / "dense" / f"{name}-s{seed}-e{setting.options.epochs}"
    recipe = Recipe(epochs=setting.options.epochs, seed=seed)
    network = train_float(Network(arch, seed), setting.data, setting.frontend, recipe, folder, setting.calibration)
    with TemporaryDirectory() as place:
        program = FloatProgram(network, Path(place))
        program.build()
        costs = {"us": program.microseconds(), "instructions": counted(program.instructions)}
        costs |= {"weights": program.weight_bytes, "ram": program.ram_bytes}
        float_keys = {**keys, "bits": FLOAT_BITS}
        setting.rows.once(CLAIMS, float_keys, lambda: {**_costs(costs), **setting.measured(network, folder)}, folder)
        reference = curve_of(_float_hearing(folder.name, program, setting), setting.options.smoothing)
    for bits in widths:
        _compare_width(bits, network, {**keys, "bits": bits}, folder, (reference, costs), setting)


def _float_hearing(name: str, program: FloatProgram, setting: Setting) -> FloatHearing:
    with torch.no_grad():
        scale = 2 * float(program.network(setting.calibration).abs().max()) / 2**15
    options, model = setting.options, heard_by(f"{name}-float", program.network, scale, setting)
    return FloatHearing(model, program, scale, options.data, options.runs / "dense")


def _compare_width(
    bits: int, network: Network, keys: dict, folder: Path, beside: tuple[tuple, dict], setting: Setting
) -> None:
    """beside: the curve of floating point, and its costs."""
    (reference, costs), options = beside, setting.options
    run = folder.with_name(f"{folder.name}-w{bits}-e{options.quant_epochs}")
    recipe = QuantRecipe.at_bits(bits, epochs=options.quant_epochs, seed=keys["seed"], method=METHOD, distillation=0.0)
    parts = None, setting.data, setting.frontend, setting.calibration
    integers = quantise(network, with_bits(network.arch, bits), *parts, recipe, run).to_integer()
    last, scale = run / "stage2", integers.activations[integers.specs[-1].name].scale
    right = setting.measured(lambda x: torch.from_numpy(integers(quantise_features(x).numpy())), last)
    setting.rows.add(CLAIMS, keys, {**_costs(_integer_costs(integers, scale, setting), costs), **right}, last)
    hearing = Streams(heard_by(run.name, integers, scale, setting), options.data, options.runs / "dense")
    own = curve_of(hearing, options.smoothing)
    for missed in MISSED:
        setting.rows.add(ALARMS, {**keys, "missed": missed}, figures(own, reference, missed), last)


def _integer_costs(network: IntegerNetwork, scale: float, setting: Setting) -> dict:
    arch, detection = network.arch, Detection(hop_ms=answer_ms(network))
    detector = Detector(detection, setting.data.labels, IntegerScores(scale))
    grids = {spec.name: default_grid(spec.weight_bits) for spec in network.specs if spec.has_weights}
    with TemporaryDirectory() as place:
        sources = Sources(network, own_frontend(arch, setting), detector, grids, "model")
        taken = integer_microseconds(sources, Path(place))
    ram = stream_ram_bytes(arch) - frontend_bytes(arch.features.kind) - detector_bytes(arch.classes)
    count = counted(lambda: instructions(sources)["network"])
    return {"us": taken, "instructions": count, "weights": weight_bytes(arch), "ram": ram}


def counted(count: Callable[[], int]) -> int:
    """Instructions, or 0 where there is no emulator."""
    try:
        return count()
    except InvalidQuery as error:
        print(f"instructions are not counted: {error}", file=sys.stderr)
        return 0


def _costs(own: dict, other: dict | None = None) -> dict:
    """Columns, and how many times less than the other's they are."""
    names = {"us": "microseconds", "instructions": "instructions", "weights": "weight_bytes", "ram": "ram_bytes"}
    found, other = {name: round(own[key], 3) for key, name in names.items()}, other or own
    less = {"faster": other["us"] / own["us"], "fewer": other["instructions"] / max(1, own["instructions"])}
    less["smaller"] = (other["weights"] + other["ram"]) / (own["weights"] + own["ram"])
    return {**found, **{f"times_{how}": round(times, 2) for how, times in less.items()}}


def table_of_claims(found: Rows) -> Shown:
    """A row a width: accuracy, time and memory."""
    rows = [
        [row.network, "float" if row.bits == FLOAT_BITS else f"{row.bits}", _epochs(row),
         f"{row.test:.2f} ({row.test_low:.2f} to {row.test_high:.2f})", f"{row.microseconds:.1f}",
         f"{row.times_faster:.2f}", f"{row.instructions:,}", f"{row.times_fewer:.2f}", f"{row.weight_bytes:,}",
         f"{row.ram_bytes:,}", f"{row.times_smaller:.1f}"]
        for row in found.read(CLAIMS).itertuples()
    ]  # fmt: skip
    header = ["parameters", "bits", "epochs", "test, %", "us an answer", "times less", "instructions", "times less"]
    return [*header, "weights, bytes", "RAM, bytes", "times less"], rows


def _epochs(row) -> str:
    return f"{row.epochs}" if row.bits == FLOAT_BITS else f"{row.epochs} + {row.quant_epochs}"


def table_of_alarms(found: Rows) -> Shown:
    """By bits and words that are missed."""
    rows = [
        [row["network"], f"{row.bits}", f"{100 * row.missed:g} %", f"{row.alarms / row.hours:.1f}",
         f"{row.reference_alarms / row.hours:.1f}", f"{row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"]
        for _, row in found.read(ALARMS).iterrows()
    ]  # fmt: skip
    return ["parameters", "bits", "words missed", "false alarms an hour", "in float", "ratio"], rows


STUDY = Study(
    __doc__,
    run,
    (
        option("data", type=Path, help="folder of speech_commands/, negatives/orders/ and wuw/"),
        several("--networks", NETWORKS, "which networks, by their parameters"),
        several("--bits", BITS, "which widths"),
        value("--words", "numbers", "the keywords"),
        value("--epochs", 40, "in float"),
        value("--quant-epochs", 20, "of both stages together"),
        value("--smoothing", 3, "answers that are averaged"),
        seeds(1),
        RUNS,
        THREADS,
    ),
    tables={CLAIMS: table_of_claims, ALARMS: table_of_alarms},
)
