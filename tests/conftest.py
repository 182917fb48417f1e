"""Shared fixtures: a small space, a tiny data set in the official layout, and a package of a random network."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process a core runs the tests
os.environ["EARSHOT_HUB"] = os.devnull  # no hub of the user's own
os.environ["EARSHOT_PROFILES"] = "/nowhere/profiles"  # nor profiles

import numpy as np
import pytest
import soundfile
from fuzzing import examples
from hypothesis import settings

from supernet.families.blocks import BlockChoices, StageChoices
from supernet.space import Space
from zoo.hubs.folder import BUNDLED

settings.register_profile("all tests", examples())
settings.load_profile("all tests")

RATE = 16_000
KEYWORDS = ("up", "down")


def bundled(kind: str = "models", start: str = "") -> list[str]:
    """Names of what is bundled, by its folders: `models` or `supernets` that begin so."""
    return sorted(one.name for one in (BUNDLED / kind).iterdir() if one.name.startswith(start))


@pytest.fixture(scope="session", autouse=True)
def quick_disk():
    """Files are not forced onto the disk, which only a loss of power would tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def torchaudio():
    """torchaudio, an independent truth for our tables; tests of it are skipped where it does not load beside torch."""
    try:
        import torchaudio
        import torchaudio.functional
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        pytest.skip(f"torchaudio does not load beside this torch: {str(error)[:100]}")
    return torchaudio


@pytest.fixture(scope="session")
def small_space() -> Space:
    """A space of family temporal that is small enough for fast tests, with every elastic dimension."""
    stages = (
        StageChoices((8, 16), (1, 2), (3, 5, 9), (1, 2)),
        StageChoices((8, 16), (1, 2), (3, 7), (1, 3)),
    )
    return Space("temporal", 4, 1000, (10, 20), (10, 20), BlockChoices((8, 16), stages, (16, 32)))


@pytest.fixture(scope="session")
def map_space() -> Space:
    """A space of family temporal on maps of 16 frequencies and 200 ms, with every elastic dimension but features."""
    stages = (
        StageChoices((8, 16), (1, 2), (3, 5), (1,)),
        StageChoices((8, 16), (1, 2), (3, 5), (1, 2)),
        StageChoices((8, 16), (1, 2), (3, 7), (1, 3)),
    )
    return Space("temporal", 4, 200, (16,), (10, 20), BlockChoices((8, 16), stages, (16, 32)), "logmel")


@pytest.fixture(scope="session")
def square_space() -> Space:
    """A space of family mbconv on maps of one second, with every elastic dimension."""
    stages = (
        StageChoices((8, 16), (1, 2), (3, 5, 7), (1, 2), 2),
        StageChoices((8, 16), (1, 2), (3, 7), (1, 3), 2, (False, True)),
    )
    return Space("mbconv", 4, 1000, (20, 40), (10, 20), BlockChoices((8, 16), stages, (16, 32)), "logmel")


def tone(frequency: float, seconds: float = 1.0, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """A noisy tone: something that a tiny network learns in a few steps."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * frequency * time + rng.random()) + 0.01 * rng.standard_normal(len(time))).astype(
        np.float32
    )


@pytest.fixture(scope="session")
def speech_folder(tmp_path_factory):
    """Words as tones, in the official layout: 2 keywords and an unknown word, 15 speakers, .wav, .flac and .opus."""
    root = tmp_path_factory.mktemp("speech")
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for index, word in enumerate((*KEYWORDS, "cat")):
        (root / word).mkdir()
        for speaker in range(15):
            name = f"{speaker:08x}_nohash_0"
            kind = (".wav", ".flac", ".opus")[speaker % 3]
            seconds = 1.0 if speaker % 4 else 0.8
            path, samples = root / word / (name + kind), tone(300 * 2**index, seconds, seed=100 * index + speaker)
            coding = {"format": "OGG", "subtype": "OPUS"} if kind == ".opus" else {}
            soundfile.write(path, samples, RATE, **coding)
            if speaker >= 9:
                lists["validation_list.txt" if speaker < 12 else "testing_list.txt"].append(f"{word}/{name}.wav")
    for file, names in lists.items():
        (root / file).write_text("\n".join(names) + "\n")
    (root / "_background_noise_").mkdir()
    noise = np.random.default_rng(1).standard_normal(RATE * 8).astype(np.float32) * 0.1
    soundfile.write(root / "_background_noise_" / "hiss.wav", noise, RATE)
    return root


@pytest.fixture(scope="session")
def speech_data(speech_folder, tmp_path_factory):
    """`speech_folder`, loaded."""
    from supernet.data.speech_commands import load

    return load(speech_folder, KEYWORDS, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def package_info() -> dict:
    """What a card states of a package that tests make, without its confusions."""
    figures = {"accuracy": 0.75, "interval": [0.5, 0.9], "clips": 8}
    return {
        "task": "tones",
        "labels": ["up", "down", "_unknown_", "_silence_"],
        "licence": "cc-by-4.0",
        "attribution": "made by the tests",
        "notes": ["Knows tones."],
        "limits": ["Of no use."],
        "dataset": {"name": "Tones", "id": "tones", "version": "1"},
        "accuracy": {"validation": figures, "test": figures},
        "training": {"summary": ["Not trained."]},
    }


@pytest.fixture(scope="session")
def integers(small_space):
    """An integer network with random weights at 4 bits."""
    import torch

    from supernet.bits import with_bits
    from supernet.nn.frontend import dequantise_features, quantise_features
    from supernet.nn.network import Network, recalibrate
    from supernet.quant.fake import FakeQuantNetwork

    generator = torch.Generator().manual_seed(0)
    features = dequantise_features(quantise_features(torch.randn(16, 40, 100, generator=generator)))
    arch = small_space.from_genes(small_space.sample(np.random.default_rng(3)))[0]
    network = recalibrate(Network(arch), features)
    return FakeQuantNetwork(network, with_bits(arch, 4)).calibrate(features).to_integer()


@pytest.fixture(scope="session")
def package(integers, package_info, tmp_path_factory):
    """A package of `integers` in a folder; tests that alter it copy it first."""
    from supernet.frontend.mfcc import Mfcc
    from zoo.make.package import write_package

    samples = np.stack([np.round(tone(f) * 32767).astype(np.int16) for f in (300, 600)])
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    return write_package(tmp_path_factory.mktemp("packages"), integers, frontend, samples, package_info)
