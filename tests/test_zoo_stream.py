"""A model in a stream: one answer a frame, whatever the chunks, and of a clip the clip's own."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

import zoo
from supernet.errors import InvalidArch, InvalidAudio

CLIPS = sorted((Path(__file__).parent.parent / "zoo" / "clips").glob("*.wav"))
WORDS = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in CLIPS])


@pytest.fixture(scope="module")
def models() -> dict[str, zoo.Model]:
    """The smallest models of words: on log-mel and on MFCC."""
    found = [zoo.get(name=entry.name) for entry in zoo.find("kws", bits=8, family="temporal")]
    return {kind: min((one for one in found if one.frontend.kind == kind), key=lambda one: one.entry.macs)
            for kind in ("logmel", "mfcc")}  # fmt: skip


def whole(model: zoo.Model) -> np.ndarray:
    return model.step(WORDS, model.reset())[0]


@pytest.mark.parametrize("kind", ["logmel", "mfcc"])
@pytest.mark.parametrize("size", [1, 7, 160, 16_000])
def test_chunks_of_any_size_give_equal_answers(models, kind, size):
    model, samples = models[kind], WORDS[:4000] if size == 1 else WORDS
    chunks = (samples[first : first + size] for first in range(0, len(samples), size))
    found = np.concatenate(list(model.stream(chunks)))
    assert found.dtype == np.int16
    assert np.array_equal(found, model.step(samples, model.reset())[0])


@examples(10)
@given(st.lists(st.integers(0, len(WORDS)), max_size=20).map(sorted))
def test_random_cuts_give_equal_answers(models, cuts):
    model = models["logmel"]
    assert np.array_equal(np.concatenate(list(model.stream(np.split(WORDS, cuts)))), whole(model))


@pytest.mark.parametrize("kind", ["logmel", "mfcc"])
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_a_clip_is_a_stream_from_reset(models, kind, path):
    model = models[kind]
    samples = np.resize(soundfile.read(path, dtype="int16")[0], model.clip_samples)
    logits, _ = model.step(samples, model.reset())
    assert np.array_equal(logits[-1], model.logits(model.features(samples[None]))[0])


def test_samples_may_be_floats(models):
    model = models["logmel"]
    assert np.array_equal(model.step(WORDS / np.float32(32768), model.reset())[0], whole(model))


def test_the_state_keeps_its_size(models):
    model = models["logmel"]
    state = model.reset()
    sizes = set()
    for chunk in np.split(WORDS[:32_000], range(1600, 32_000, 1600)):
        _, state = model.step(chunk, state)
        held = [
            np.asarray(part) for kept in state.layers.values() for part in (kept if isinstance(kept, tuple) else [kept])
        ]
        sizes.add((len(state.samples[0]), *(part.shape for part in held)))
    assert len(sizes) == 1


def test_long_streams_cut_at_random_do_not_drift_apart(integers):
    frames, rng = 100_000, np.random.default_rng(0)
    features = rng.integers(-128, 128, (1, integers.arch.features.coefficients, frames), dtype=np.int8)

    def run(pieces):
        state, answers = integers.reset(), []
        for part in np.split(features, np.sort(rng.integers(0, frames, pieces)), 2):
            logits, state = integers.step(part, state)
            answers.append(logits[0])
        return np.concatenate(answers)

    one, other = run(20), run(300)
    assert len(one) > frames // 10
    assert np.array_equal(one, other)
    end, _ = integers.step(features[:, :, -12 * integers.arch.frames :], integers.reset())
    assert np.array_equal(end[0, -1], one[-1])


def test_a_model_that_hears_whole_clips_has_no_stream():
    model = zoo.get(task="esc10", family="mbconv")
    with pytest.raises(InvalidArch, match="hears whole clips; it answers in no stream"):
        model.reset()


@pytest.mark.parametrize(
    "samples",
    [np.zeros(9, np.int64), np.zeros((9, 2), np.int16), np.array([0.5, np.nan]), np.zeros(9, np.uint8), "abc"],
)
def test_samples_that_are_none_are_refused(models, samples):
    model = models["mfcc"]
    with pytest.raises(InvalidAudio, match="are not possible in a stream"):
        model.step(samples, model.reset())
