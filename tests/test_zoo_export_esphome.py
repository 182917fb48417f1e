"""Wake words for ESPHome: from samples to detections by `pymicro-wakeword`, beside the package's own integers."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import zoo
from supernet.bits import with_bits
from supernet.extras import has
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.frontend.mfcc import Mfcc
from supernet.frontend.micro import Micro
from supernet.space import Space
from zoo.export import check
from zoo.export.esphome.folder import wake_word
from zoo.export.esphome.head import Head
from zoo.export.tflite.emulate import Emulator
from zoo.export.tflite.run import stepped
from zoo.make.package import write_package

pytestmark = pytest.mark.skipif(
    not has("tflite_micro"), reason="tflite-micro is not installed: pip install tflite-micro"
)
CLIPS = Path(__file__).parent.parent / "zoo" / "clips"


def speech():
    """Some seconds of words, in a row."""
    return np.concatenate([soundfile.read(file, dtype="int16")[0] for file in sorted(CLIPS.glob("*.wav"))])


def integers(bits, kind, frontend):
    """A small network with random weights, whose ranges are those of words."""
    import torch

    from supernet.nn.frontend import torch_twin
    from supernet.nn.network import Network, recalibrate
    from supernet.quant.fake import FakeQuantNetwork

    maps = StageChoices((8,), (1,), (3,), (1,))
    stages = (
        (maps, maps, StageChoices((16,), (2,), (5,), (2,)))
        if kind == "micro"
        else (StageChoices((16,), (2,), (5,), (2,)),) * 2
    )
    space = Space("temporal", 4, 1000, (40,), (10,), BlockChoices((8,), stages, (16,)), kind)
    words = speech()
    clips = np.stack([words[start : start + 16_000] for start in range(0, len(words) - 16_000, 4000)])
    features = torch_twin(frontend)(torch.from_numpy(clips.astype(np.float32) / 32768))
    network = recalibrate(Network(space.smallest(), 5), features)
    return FakeQuantNetwork(network, with_bits(network.arch, bits)).calibrate(features).to_integer()


@pytest.fixture(scope="module")
def models(tmp_path_factory, package_info):
    """Of 8 bits and of 4 on `micro`, and one on other features."""
    found, samples = {}, speech()[: 2 * 16_000].reshape(2, 16_000)
    for name, bits, frontend in (
        (8, 8, Micro()),
        (4, 4, Micro()),
        ("mfcc", 8, Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)),
    ):
        network = integers(bits, frontend.kind, frontend)
        place = write_package(tmp_path_factory.mktemp("packages"), network, frontend, samples, package_info)
        found[name] = zoo.Model.from_folder(place)
    return found


def test_it(models, tmp_path):
    for bits in (8, 4):
        place = models[bits].export("esphome", tmp_path / f"up{bits}", word="up")
        print(json.loads((place / "report.json").read_text()))
        print((place / "README.md").read_text())
        print(*check(models[bits], "esphome", place).found)


def heard(place, samples):
    """What pymicro-wakeword gives of samples behind silence: outputs (answers,), and whether it wakes at each."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

    [config] = place.glob("[!r]*.json")
    wake, outputs, wakes = MicroWakeWord.from_config(config), [], []
    silence = np.zeros(320, np.int16)
    for features in MicroWakeWordFeatures().process_streaming(np.concatenate([silence, samples]).tobytes()):
        wakes.append(bool(wake.process_streaming(features)))
        if not wake._features:
            outputs.append(round(wake._probabilities[-1] * 256))
    return np.array(outputs), np.array(wakes)


def test_pym(models, tmp_path):
    for bits in (8, 4):
        model = models[bits]
        place = model.export("esphome", tmp_path / f"up{bits}", word="up")
        samples = speech()
        report = json.loads((place / "report.json").read_text())
        head = Head(**{**report["head"], "others": tuple(report["head"]["others"])})
        scale = model.network.activations[model.network.specs[-1].name].scale
        found, wakes = heard(place, samples)
        own = head.outputs(model.step(samples, model.reset())[0], scale).astype(int)
        emu = stepped(Emulator(wake_word(model, head).graphs), model.front_end.run(samples[None])[0].T[None], 2)[:, 0]
        print(bits, len(found), len(own), np.abs(found - own).max(), (found == own).mean(), 'emu', np.abs(emu-own).max(), (emu==found).mean(), own.min(), own.max(), np.percentile(own,[5,25,50,75,95]), len(wakes))
