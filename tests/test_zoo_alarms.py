"""Words found and false alarms, against a loop and published bounds; words in streams, and settings chosen on these."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supernet.metrics import poisson_upper
from zoo.make.trials import FINE_THRESHOLDS, Trials
from zoo.run.alarms import Words, count_events, hours_to_show, tally
from zoo.run.detection import Detection, Detector
from zoo.run.placed import CONDITIONS, Placed, word_span
from zoo.run.scores import ONE, IntegerScores

LABELS, RATE = ("a", "b", "_unknown_"), 16_000
PUBLISHED = {0: 2.996, 1: 4.744, 2: 6.296, 3: 7.754, 4: 9.154, 5: 10.51, 10: 16.96, 20: 29.06, 50: 63.29, 100: 118.1}
"""N. Gehrels, Astrophysical Journal 303, 1986, table 1: upper limits of Poisson numbers at 0.95."""


def detector(settings):
    return Detector(settings, LABELS, IntegerScores(1.0))


def random_scores(rng, answers):
    """Now and then one class is sure for a while."""
    scores = np.zeros((answers, 3), int)
    for start in rng.integers(0, answers, answers // 8):
        scores[start : start + rng.integers(1, 6), rng.integers(0, 2)] = rng.integers(ONE // 3, ONE)
    return scores


def by_loop(one, scores, first_ms, words, after_ms):
    """Event by event, word by word."""
    found, wrong, delays, beside = {}, [0] * len(words), {}, 0
    heard = set()
    for event in one.events(scores)[0]:
        time = first_ms + event.answer * one.settings.hop_ms
        started = [word for word in range(len(words)) if words.starts_ms[word] <= time]
        word = started[-1] if started else None
        if word is None or time > words.ends_ms[word] + after_ms:
            beside += 1
        elif word not in heard and words.right[word, event.label]:
            found[word], delays[word] = True, time - words.ends_ms[word]
        else:
            wrong[word] += 1
        heard.add(word)
    return found, wrong, delays, beside


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_words_and_alarms_are_those_of_a_loop(seed, count):
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.choice(150, count, replace=False)) * 100.0
    ends = starts + rng.integers(1, 9, count) * 100
    words = Words(starts, ends, np.eye(3, dtype=bool)[rng.integers(0, 2, count)])
    scores, one = random_scores(rng, 150), detector(Detection(0.5, 1, 200))
    got = tally(one, scores, 1000, words, 700)
    found, wrong, delays, beside = by_loop(one, scores, 1000, words, 700)
    assert np.flatnonzero(got.found).tolist() == sorted(found)
    assert got.wrong.tolist() == wrong
    assert {word: got.delays_ms[word] for word in found} == delays
    assert (got.beside, got.alarms) == (beside, beside + sum(wrong))
    assert got.hours == pytest.approx(150 * 0.1 / 3600)
    assert len(one.events(scores)[0]) == got.alarms + len(found)


def test_a_repeat_and_a_wrong_label_are_alarms_and_a_late_word_is_not_found():
    scores = np.zeros((60, 3), int)
    for answer, label in ((5, 0), (15, 0), (30, 1), (55, 0)):
        scores[answer, label] = ONE
    words = Words(np.array([100.0, 2500, 3700]), np.array([600.0, 3000, 4000]), np.eye(3, dtype=bool)[[0, 0, 0]])
    got = tally(detector(Detection(0.5, 1, 0)), scores, 0, words, 1000)
    assert got.found.tolist() == [True, False, False]
    assert got.wrong.tolist() == [1, 1, 0]
    assert (got.beside, got.alarms) == (1, 3)
    assert (got.recall, got.delay_ms(0.5)) == (1 / 3, -100)


@pytest.mark.parametrize("alarms", PUBLISHED)
def test_upper_bounds_are_those_that_are_published(alarms):
    assert poisson_upper(alarms) == pytest.approx(PUBLISHED[alarms], abs=0.006 if alarms < 20 else 0.06)


def test_upper_bounds_hold_for_any_number():
    bounds = [poisson_upper(alarms) for alarms in (0, 1, 7, 300, 10**5, 10**9, 2**53)]
    assert all(low < high for low, high in pairwise(bounds))
    assert poisson_upper(10**6) == pytest.approx(10**6 + 1.645 * 1000, abs=3)
    assert hours_to_show(4) == pytest.approx(2.996 / 4, rel=1e-3)
    rng = np.random.default_rng(0)
    assert (rng.poisson(poisson_upper(3), 200_000) <= 3).mean() == pytest.approx(0.05, abs=0.002)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.2, 1.0), st.integers(1, 5))
def test_streams_that_are_skipped_have_no_events(seed, threshold, smoothing):
    rng = np.random.default_rng(seed)
    streams = [random_scores(rng, int(length)) // rng.integers(1, 4) for length in rng.integers(5, 40, 8)]
    one, loudest = detector(Detection(threshold, smoothing, 300)), np.array([stream.max(0) for stream in streams])
    assert count_events(one, streams, loudest).tolist() == [len(one.events(stream)[0]) for stream in streams]


def spoken(rng, first, last, level=8000):
    """A clip of a second, in which something is said from `first` to `last` ms."""
    clip = rng.normal(0, 20, RATE)
    clip[16 * first : 16 * last] += rng.normal(0, level, 16 * (last - first))
    return clip.astype(np.int16)


def test_words_are_where_they_are_heard_in_the_stream():
    rng = np.random.default_rng(0)
    spans = [(200, 600), (0, 300), (540, 1000)]
    clips = [spoken(rng, *span) for span in spans]
    assert [word_span(clip, RATE) for clip in clips] == [(16 * first, 16 * last) for first, last in spans]
    assert word_span(np.zeros(RATE, np.int16), RATE) == (0, RATE)
    between = [rng.normal(0, 20, 3 * RATE).astype(np.int16)]
    placed = Placed(clips, np.eye(3, dtype=bool), between, [], RATE, RATE, "clean", 5)
    stream, words = np.concatenate(list(placed.parts)), placed.words
    loud = np.abs(stream.astype(int)) > 500
    for start, end in zip(words.starts_ms, words.ends_ms, strict=True):
        own = loud[round(16 * start) : round(16 * end)]
        assert own.mean() > 0.9
        loud[round(16 * start) : round(16 * end)] = False
    assert not loud.any()
    assert (words.starts_ms[1:] - words.ends_ms[:-1]).min() > 1000


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_set_levels_and_nothing_else(name):
    rng = np.random.default_rng(1)
    clips, noise = [spoken(rng, 300, 700)] * 4, [rng.normal(0, 700, 5 * RATE).astype(np.int16)]
    streams = [
        np.concatenate(list(Placed(clips, np.ones((4, 1)), noise, noise, RATE, RATE, one, 3).parts))
        for one in ("clean", name)
    ]
    gain, ratio = CONDITIONS[name]
    words = Placed(clips, np.ones((4, 1)), noise, noise, RATE, RATE, name, 3).words
    for start in words.starts_ms:
        first = round(16 * start)
        pair = [one[first : first + 6400].astype(float) for one in streams]
        added = pair[1] - pair[0] * 10 ** (gain / 20)
        level = 20 * np.log10(pair[0].std() / max(added.std(), 1))
        assert level == pytest.approx(ratio, abs=0.5) if ratio is not None else added.std() < 1
    assert len(streams[0]) == len(streams[1])


def trials(negatives, spoken, limit, sure=False):
    return Trials(detector, Detection(hop_ms=100), 1000, negatives, spoken, limit, sure)


def test_without_words_the_least_threshold_that_is_quiet_enough_is_chosen():
    scores = np.zeros((36_000, 3), int)
    scores[::1000, 0] = ONE // 2
    scores[500::9000, 0:1] = ONE
    base = Detection(0.9, 1, 500, 100)
    for limit, least in ((40, 0.3), (4, 0.54), (3, 0.54)):
        found = Trials(detector, base, 1000, [scores], {}, limit).figures()
        assert found["threshold"] == least
        assert "recall" not in found
    assert [point["alarms"] for point in found["curve"]][:6] == [40] * 6


@pytest.mark.parametrize(("quiet", "least"), [(0.04, 0.05), (0.9993, 0.9996)])
def test_fine_thresholds_tell_scores_apart_that_all_others_cannot(quiet, least):
    scores = np.zeros((36_000, 3), int)
    scores[::9000, 0] = int(quiet * ONE)
    base = Detection(0.9, 1, 500, 100)
    found = Trials(detector, base, 1000, [scores], {}, 0, thresholds=FINE_THRESHOLDS).choose().threshold
    assert quiet < found <= least


def test_parts_are_equal_stretches_of_all_recordings():
    rng = np.random.default_rng(0)
    pieces = [rng.integers(0, ONE, (length, 3)) for length in (7, 100, 33, 1, 59)]
    one = trials(pieces, {}, 1)
    assert [sum(map(len, part)) for part in one._parts] == [40] * 5
    np.testing.assert_array_equal(np.concatenate([piece for part in one._parts for piece in part]),
                                  np.concatenate(pieces))  # fmt: skip
    assert one.hours.sum() == pytest.approx(200 * 0.1 / 3600)


def test_a_part_is_judged_by_settings_that_are_chosen_on_the_others():
    """All alarms are in one part: the others allow low thresholds, which that part then pays for."""
    scores = np.zeros((36_000, 3), int)
    scores[100:7000:100, 1] = int(0.6 * ONE)
    found = Trials(detector, Detection(0.9, 1, 500, 100), 1000, [scores], {}, 0).figures()
    assert found["threshold"] > 0.6
    assert (found["alarms"], found["parts"]) == (69, 5)


def test_of_settings_that_are_as_quiet_those_that_repeat_no_word_are_chosen():
    """A word flickers: with little smoothing and rest it is found twice."""
    scores = np.zeros((600, 3), int)
    starts = np.arange(10, 590, 30)
    for start in starts:
        scores[start : start + 9, 0] = ONE
        scores[start + 4, 0] = 0
    words = Words(starts * 100.0, starts * 100.0 + 900, np.eye(3, dtype=bool)[[0] * len(starts)])
    found = trials([np.zeros((3600, 3), int)], {"clean": (scores[10:], words)}, 1).figures()
    assert found["recall"] == 1
    assert found["conditions"]["clean"]["wrong"] == 0


def test_where_the_bound_is_to_be_kept_fewer_alarms_are_allowed():
    scores = np.zeros((36_000, 3), int)
    scores[::9000, 0] = int(0.5 * ONE)
    base = Detection(0.9, 1, 500, 100)
    thresholds = [Trials(detector, base, 1000, [scores], {}, 5, sure).choose().threshold for sure in (False, True)]
    assert thresholds == [0.3, 0.54]
