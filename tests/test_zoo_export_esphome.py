"""Wake words for ESPHome: from samples to detections by `pymicro-wakeword`, beside the package's own integers."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import zoo
from supernet.bits import with_bits
from supernet.errors import InvalidQuery
from supernet.extras import has
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.frontend.mfcc import Mfcc
from supernet.frontend.micro import Micro
from supernet.space import Space
from zoo.cli import main
from zoo.export import check
from zoo.export.esphome.folder import OPERATORS, VARIABLES, wake_word
from zoo.export.esphome.head import Head, fit, word_of
from zoo.export.esphome.rule import Rule
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
