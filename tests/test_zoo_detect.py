"""Detection in a stream, against what a person would count."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import RATE, tone
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from supernet.frontend.base import FEATURE_SCALE
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import quantise_features, torch_twin
from zoo.run.detection import Detection, choose_detection, detections, stream_scores


def scores_of(*certain):
    """(windows, 3) scores of classes a, b and _unknown_: `certain` gives the one that is sure in each window."""
    return np.eye(3)[list(certain)] * 0.9 + 0.1 / 3


def test_a_detection_is_followed_by_a_pause():
    scores = scores_of(2, 0, 0, 2, 2, 1, 2)
    assert detections(scores, Detection(0.5, 1, 300), (0, 1)) == [(1, 0), (5, 1)]
    assert detections(scores, Detection(0.5, 1, 100), (0, 1)) == [(1, 0), (2, 0), (5, 1)]
    assert detections(scores, Detection(0.5, 1, 500), (0, 1)) == [(1, 0)]
    assert detections(scores, Detection(0.95, 1, 100), (0, 1)) == []


def test_smoothing_asks_for_several_windows():
    scores = scores_of(2, 0, 0, 2, 2, 1, 2)
    assert detections(scores, Detection(0.6, 2, 100), (0, 1)) == [(2, 0)]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 5), st.floats(0.1, 0.9))
def test_detections_are_those_of_a_loop(certain, smoothing, threshold):
    scores, expected, free = scores_of(*certain), [], 0
    for window in range(len(scores)):
        mean = scores[max(0, window - smoothing + 1) : window + 1, :2].mean(0)
        assume(abs(mean[0] - mean[1]) > 1e-9)
        if window >= free and mean.max() >= threshold + 1e-9:
            expected.append((window, int(mean.argmax())))
            free = window + 4
    assert detections(scores, Detection(threshold + 1e-9, smoothing, 400), (0, 1)) == expected


@pytest.mark.parametrize("block", [1000, 3])
def test_a_window_of_a_stream_is_scored_as_the_clip_that_it_holds(integers, monkeypatch, block):
    """But for its first frames, before which a clip has silence and a stream what came before."""
    monkeypatch.setattr("zoo.run.detection.BATCH", block)
    monkeypatch.setattr("zoo.run.parts.PART", 7 * block)
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    frontend = frontend.select(integers.arch.features.coefficients, integers.arch.features.step_ms)
    rng = np.random.default_rng(0)
    recording = np.concatenate([rng.integers(-900, 900, 2000), np.round(tone(700, seconds=2.0) * 32767)]).astype(
        np.int16
    )
    streamed = stream_scores(integers, frontend, lambda logits: logits, recording)
    assert streamed.shape == (12, 4)
    context = 400
    for window in (0, 5, 11):
        start = window * 1600
        lead = recording[max(0, start - context) : start]
        clip = torch.from_numpy(np.concatenate([lead, recording[start : start + RATE]]).astype(np.float32) / 32768)
        samples = torch.nn.functional.pad(clip, (frontend.hop_samples * 10 - len(lead), 0))
        features = quantise_features(torch_twin(frontend)(samples[None]))[:, :, 10:]
        assert np.abs(streamed[window] - integers(features.numpy())[0]).max() <= (40 if window else 0)


def test_settings_are_chosen_on_one_half_of_the_negatives_and_measured_on_the_other(integers, speech_data):
    """A model that hears `up` in all that is loud: in every clip, and in one second of the second half."""
    quiet = np.random.default_rng(0).integers(-30, 30, 40 * RATE).astype(np.int16)
    loud = quiet.copy()
    loud[35 * RATE : 36 * RATE] = np.round(tone(500) * 32767)
    data = replace(speech_data, held_negatives=[quiet, loud])
    frontend = Mfcc(mean=(-60.0,) * 40, deviation=(30.0,) * 40)
    frontend = frontend.select(integers.arch.features.coefficients, integers.arch.features.step_ms)
    levels = [
        torch_twin(frontend)(torch.from_numpy(part[:RATE] / 32768.0)[None].float())[0, 0].mean()
        for part in (quiet, loud[-5 * RATE :])
    ]

    class Loudness:
        arch = integers.arch

        def __call__(self, features):
            return features[:, 0].astype(np.float32).mean(1)

    def scores(values):
        sure = values * FEATURE_SCALE > float(sum(levels)) / 2
        return np.stack([0.6 * sure, 0 * sure, 1 - 0.6 * sure, 0 * sure], 1)

    figures = choose_detection(Loudness(), frontend, scores, data, 0.0)
    targets = data.splits["validation"].targets
    assert figures["recall_clips"] == np.isin(targets, (0, 1)).sum()
    assert figures["recall"] == np.mean(targets[targets < 2] == 0)
    assert figures["threshold"] <= 0.6
    assert figures["smoothing"] == 1
    assert figures["hours"] == pytest.approx(2 * 191 * 0.1 / 3600, rel=0.02)
    assert 1 <= round(figures["false_alarms_per_hour"] * figures["hours"]) <= 4
