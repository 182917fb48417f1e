"""The detector, against a loop over answers and against what a person would count; and how settings are chosen."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import zoo
from supernet.errors import InvalidQuery, UnknownName
from supernet.frontend.mfcc import Mfcc
from supernet.memory import SMOOTHED, detector_bytes
from zoo.make.detection import choose_detection
from zoo.make.trials import THRESHOLDS, Trials
from zoo.run.alarms import Words
from zoo.run.along import answer_ms, logits_along
from zoo.run.detection import Detection, Detector
from zoo.run.parts import parts_of
from zoo.run.scores import ONE, IntegerScores, exponential_tables

LABELS = ("a", "b", "_unknown_")
SCALES = (1e-12, 1e-5, 5e-4, 0.01, 1.0, 1e6)
SCORES = arrays(np.int64, st.tuples(st.integers(0, 60), st.just(3)), elements=st.integers(0, ONE))


def test_settings_are_kept_as_numbers_however_they_are_given():
    given = Detection(threshold="80%", smoothing=np.int64(3), release="0.5", thresholds={"a": "90%"})
    assert given == Detection(0.8, 3, release=0.5, thresholds={"a": 0.9})
    assert [type(value) for value in (given.threshold, given.smoothing, given.thresholds["a"])] == [float, int, float]


def sure(*certain):
    """Scores (answers, 3): `certain` gives the class that is sure of each answer."""
    return (np.eye(3)[list(certain)] * 0.9 + 0.1 / 3) * ONE


def detector(threshold=0.5, smoothing=1, refractory_ms=300, **others):
    return Detector(Detection(threshold, smoothing, refractory_ms, 100, **others), LABELS, IntegerScores(1.0))


def found(one, *certain):
    return [(event.answer, LABELS[event.label]) for event in one.events(sure(*certain).astype(np.int64))[0]]


def of_a_loop(one: Detector, scores: np.ndarray) -> list[tuple[int, int]]:
    """What firmware does, an answer at a time."""
    count, classes = one.settings.smoothing, scores.shape[1]
    ring, rest, heard, events = np.zeros((count, classes), int), [0] * classes, [False] * classes, []
    for answer, row in enumerate(scores):
        ring = np.concatenate([ring[1:], [row]])
        sums = ring.sum(0)
        for label in range(classes):
            if heard[label] and sums[label] < one.releases[label]:
                heard[label], rest[label] = False, one.refractory
            elif not heard[label] and rest[label]:
                rest[label] -= 1
        free = [label for label in range(classes) if not heard[label] and not rest[label]]
        free = [label for label in free if sums[label] >= one.thresholds[label]]
        if answer >= count - 1 and free:
            best = max(free, key=lambda label: sums[label])
            events.append((answer, best))
            rest = [max(left, one.refractory) for left in rest]
            heard[best], rest[best] = True, 0
    return events


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("several", [False, True])
def test_scores_are_those_in_floating_point_within_four_units(scale, several):
    logits = np.random.default_rng(0).integers(-32768, 32768, (2000, 12)).astype(np.int16)
    logits[0], logits[1, ::2] = -32768, 32767
    scores, values = IntegerScores(scale, several)(logits), logits * scale
    powers = np.exp(np.clip(values - (0 if several else values.max(1, keepdims=True)), -700, 700))
    exact = powers / (1 + powers) if several else powers / powers.sum(1, keepdims=True)
    assert np.abs(scores - ONE * exact).max() < 4
    assert (scores.min(), scores.max()) >= (0, 0)
    assert scores.max() <= ONE


def test_tables_take_128_bytes():
    coarse, fine = exponential_tables()
    assert coarse.nbytes + fine.nbytes == 128
    np.testing.assert_allclose(coarse[8] / ONE, 2**-0.25, atol=2**-15)
    np.testing.assert_allclose(fine[16] / ONE, 2 ** -(1 / 64), atol=2**-15)


def test_one_sound_is_one_event_until_it_has_ended_and_a_pause_is_over():
    assert found(detector(), 0, 0, 0, 0, 0, 0, 0) == [(0, "a")]
    assert found(detector(), 0, 0, 2, 0, 0, 2) == [(0, "a")]
    assert found(detector(), 0, 0, 2, 2, 2, 0) == [(0, "a"), (5, "a")]
    assert found(detector(refractory_ms=100), 0, 2, 0) == [(0, "a"), (2, "a")]
    assert found(detector(0.95), 0, 0) == []


def test_another_label_waits_for_the_pause_alone():
    assert found(detector(), 0, 0, 1, 1, 1) == [(0, "a"), (3, "b")]
    assert found(detector(refractory_ms=0), 0, 1) == [(0, "a"), (1, "b")]


def test_a_label_is_released_at_a_share_of_its_threshold():
    scores = np.array([[0.9], [0.5], [0.9], [0.3], [0.9]]) * np.array([1, 0, 0]) * ONE
    rounded = scores.astype(np.int64)
    for release, answers in ((0.5, [0, 4]), (0.9, [0, 2, 4]), (0.3, [0])):
        one = detector(0.8, refractory_ms=0, release=release)
        assert [event.answer for event in one.events(rounded)[0]] == answers


def test_smoothing_asks_for_several_answers_and_holds_back_until_there_are_as_many():
    assert found(detector(0.6, 2), 2, 0, 0, 2) == [(2, "a")]
    assert found(detector(0.6, 3), 0, 0, 0) == [(2, "a")]
    assert found(detector(0.6, 3), 0, 0) == []


def test_labels_have_thresholds_of_their_own_and_unknown_is_none():
    assert found(detector(thresholds={"a": 0.95}), 0, 1) == [(1, "b")]
    assert found(detector(), 2, 2) == []
    listening = replace(detector(), listen=("b",))
    assert found(listening, 0, 1) == [(1, "b")]


@examples(150)
@given(
    SCORES,
    st.floats(0.05, 1.0),
    st.integers(1, SMOOTHED),
    st.integers(0, 700),
    st.floats(0.05, 1.0),
    st.lists(st.integers(0, 25), max_size=8),
)
def test_events_are_those_of_a_loop_in_any_cut(scores, threshold, smoothing, refractory_ms, release, cuts):
    one = detector(threshold, smoothing, refractory_ms, release=release)
    events, _ = one.events(scores)
    assert [(event.answer, event.label) for event in events] == of_a_loop(one, scores)
    state, parts = one.reset(), []
    for part in np.split(scores, np.cumsum(cuts)):
        some, state = one.events(part, state)
        parts += some
    assert parts == events


def test_the_state_takes_what_costs_state():
    one = detector(smoothing=SMOOTHED)
    ring = np.zeros((SMOOTHED, len(LABELS)), np.uint16)
    assert ring.nbytes + len(LABELS) * 4 + 8 == detector_bytes(len(LABELS))
    assert one.reset().ring.size < ring.size


@pytest.mark.parametrize(
    "values", [{"threshold": 0}, {"threshold": 1.1}, {"smoothing": 6}, {"hop_ms": 0}, {"refractory_ms": -1},
               {"release": 0}, {"thresholds": {"a": 2}}, {"smoothing": 1.5}, {"threshold": float("nan")}]
)  # fmt: skip
def test_settings_that_are_not_possible_are_named(values):
    name = next(iter(values.get("thresholds", values)))
    with pytest.raises(InvalidQuery, match=f"^{name} = "):
        Detection(**values)


def test_a_model_detects_each_word_once():
    model = zoo.get(task="kws", max_macs="1M", bits=8)
    clips = [f"zoo/clips/{word}.wav" for word in ("stop", "left")]
    sounds = [soundfile.read(clip, dtype="int16")[0] for clip in clips]
    quiet = np.zeros(16_000, np.int16)
    heard = model.detect(np.concatenate([quiet, sounds[0], quiet, sounds[1], quiet]), 16_000, threshold=0.5)
    assert [event["label"] for event in heard] == ["stop", "left"]
    assert 1.2 <= heard[0]["time_s"] <= 2.5 <= heard[1]["time_s"] <= 5
    assert [event["label"] for event in model.detect(clips[0])] == ["stop"]
    assert model.detect(clips[0], labels=["left"]) == []
    assert model.detect(clips[0], threshold=1.0) == []
    assert model.detect(clips[0], thresholds={"stop": 1.0}) == []
    with pytest.raises(UnknownName, match="does not detect 'zero'"):
        model.detect(clips[0], labels=["zero"])
    with pytest.raises(UnknownName, match="does not detect '_unknown_'"):
        model.detect(clips[0], thresholds={"_unknown_": 0.5})


@pytest.fixture
def frontend(integers):
    whole = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    return whole.select(integers.arch.features.coefficients, integers.arch.features.step_ms)


@pytest.mark.parametrize("part", [2**16, 1234])
def test_answers_along_a_recording_are_those_of_its_stream_or_of_its_windows(integers, frontend, monkeypatch, part):
    monkeypatch.setattr("zoo.run.parts.PART", part)
    monkeypatch.setattr("zoo.run.along.BATCH", 3)
    rng, step = np.random.default_rng(0), answer_ms(integers)
    recording = rng.integers(-9000, 9000, 40_000).astype(np.int16)
    features, _ = frontend.step(recording, frontend.reset())
    every, _ = integers.step(features[None], integers.reset())
    count = RATE // frontend.hop_samples
    for hop_ms in (step, 5 * step):
        got = np.concatenate(list(logits_along(integers, frontend, recording, hop_ms)))
        np.testing.assert_array_equal(got, every[0, 1000 // step - 1 :: hop_ms // step])
    hop = 3 * frontend.step_ms if step > frontend.step_ms else None
    if hop:
        starts = range(0, features.shape[1] - count + 1, hop // frontend.step_ms)
        windows = integers(np.stack([features[:, start : start + count] for start in starts]))
        got = np.concatenate(list(logits_along(integers, frontend, recording, hop)))
        np.testing.assert_array_equal(got, windows)


@pytest.mark.parametrize(("words", "smoothing"), [(4, 3), (60, 1)])
def test_of_few_words_the_threshold_is_the_least_that_is_quiet(words, smoothing):
    """All words score 0.99 at one answer and 0.9 in the mean of three, and the loudest of the negatives 0.64: whatever
    lies between finds all, and other people may say the word less well.
    """
    heard = np.zeros((words * 30 + 20, 2))
    heard[20::30, 0] = ONE * 99 // 100
    for beside in (19, 21):
        heard[beside::30, 0] = ONE * 86 // 100
    quiet = np.zeros((36_000, 2))
    quiet[500:510, 0] = ONE * 64 // 100
    ends = 100.0 * (20 + 30 * np.arange(words)) + 100
    said = Words(ends - 600, ends, np.tile([True, False], (words, 1)))
    base, scores = Detection(hop_ms=100, smoothing=3), IntegerScores(5e-4)
    stream = heard.astype(np.int32)

    def detector(settings):
        return Detector(settings, ("up", "_unknown_"), scores)

    trials = Trials(detector, base, 1000, [quiet.astype(np.int32)], {"clean": (stream, said)}, 0.0)
    chosen = trials.choose()
    assert chosen.threshold == min(one for one in THRESHOLDS if one > 0.64)
    assert chosen.smoothing == smoothing
    assert trials.curve(chosen)[THRESHOLDS.index(chosen.threshold)]["recall"] == 1


def test_settings_are_judged_on_parts_that_they_were_not_chosen_on(integers, frontend, speech_data, monkeypatch):
    """A model that hears `up` in all that is loud: in every clip, and in two seconds of the negatives, far apart."""
    quiet = np.random.default_rng(0).integers(-30, 30, 40 * RATE).astype(np.int16)
    loud = quiet.copy()
    loud[2 * RATE : 3 * RATE] = loud[35 * RATE : 36 * RATE] = np.round(tone(500) * 32767)
    data = replace(speech_data, held_negatives=[quiet, loud])

    def logits(network, frontend, recording, hop_ms):
        samples = np.concatenate(list(parts_of(recording)))
        starts = range(0, len(samples) - RATE + 1, RATE * hop_ms // 1000)
        sure = np.array([np.abs(samples[start : start + RATE].astype(int)).mean() > 300 for start in starts])
        yield np.stack([20_000 * sure, 0 * sure, 20_000 * ~sure, 0 * sure], 1).astype(np.int16)

    monkeypatch.setattr("zoo.make.detection.logits_along", logits)
    monkeypatch.setattr("zoo.make.trials.ENOUGH_WORDS", 1)
    figures = choose_detection(integers, frontend, IntegerScores(5e-4), data, 0.0)
    targets = data.splits["validation"].targets
    assert figures["recall_clips"] == np.isin(targets, (0, 1)).sum()
    assert figures["recall"] == np.mean(targets[targets < 2] == 0)
    assert figures["smoothing"] == 1
    assert figures["hours"] == pytest.approx(2 * 39 / 3600, rel=0.02)
    assert figures["alarms"] == 2
    assert figures["false_alarms_upper"] == pytest.approx(6.296 / figures["hours"], rel=1e-3)
