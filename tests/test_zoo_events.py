"""Events: against means taken moment by moment, and a picture of them."""

from dataclasses import asdict

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import zoo
from supernet.constants import SILENCE, UNKNOWN
from supernet.errors import InvalidQuery
from zoo.cli import main
from zoo.package.plots import events_figure
from zoo.run.events import NO_EVENTS, Event, Loudness, event_hop, mark_events

FREQUENCIES = {"low_hz": 20.0, "high_hz": 8000.0}
LABELS = ("dog", "siren", UNKNOWN)


def sliding(scores, clip=5.0, hop=0.5):
    return [(hop * number, hop * number + clip) for number in range(len(scores))]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0.05, 1.0))
def test_events_are_the_moments_at_which_the_mean_of_their_windows_reaches_the_threshold(seed, count, threshold):
    """Each tenth of a second by itself."""
    rng = np.random.default_rng(seed)
    scores = rng.random((count, 3))
    times = [(start / 10, min(start + 20, 95) / 10) for start in range(0, 5 * count, 5)]
    events = mark_events(LABELS, scores, times, threshold)
    for index, label in enumerate(LABELS):
        for moment in range(95):
            middle = moment / 10 + 0.05
            holding = [row[index] for row, (start, end) in zip(scores, times, strict=True) if start < middle < end]
            wanted = label != UNKNOWN and bool(holding) and np.mean(holding) >= threshold
            inside = [event for event in events if event.label == label and event.start_s < middle < event.end_s]
            assert len(inside) == wanted
            assert not inside or np.mean(holding) <= inside[0].score + 1e-9
    assert [event.start_s for event in events] == sorted(event.start_s for event in events)


def test_a_sound_that_all_windows_hold_is_an_event_as_long_as_they_agree():
    scores = np.zeros((21, 3))
    scores[:, 2] = 1.0
    scores[6:16, 0] = 1.0  # a bark from 7.5 to 8 s is in the windows that begin at 3 to 7.5 s
    [event] = mark_events(LABELS, scores, sliding(scores))
    assert event == Event(5.0, 10.5, "dog", 1.0)


def test_labels_that_stand_for_no_sound_are_known_without_loading_torch():
    assert NO_EVENTS == (UNKNOWN, SILENCE)


@pytest.mark.parametrize(("clip", "step", "hop"), [(5000, 20, 500), (1000, 10, 100), (200, 20, 20), (100, 20, 20)])
def test_windows_move_on_by_a_tenth_of_a_clip(clip, step, hop):
    assert event_hop(clip, step) == hop


@pytest.fixture
def recording(tmp_path):
    """Two seconds of near silence, a word, two seconds of near silence."""
    word, _ = soundfile.read("zoo/clips/stop.wav", dtype="float32")
    rest = 1e-4 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate([rest, word, rest]), RATE)
    return path


def test_a_word_in_a_long_recording_is_marked_where_it_is(recording, tmp_path, capsys):
    events = zoo.get("kws", max_ops=20e6, bits=4).events(recording)
    assert [event["label"] for event in events] == ["stop"]
    assert abs((events[0]["start_s"] + events[0]["end_s"]) / 2 - 2.5) < 0.4
    assert main(["run", "kws", str(recording), "--events", "--hop-ms", "100", "--plot", str(tmp_path / "a.png")]) == 0
    line = capsys.readouterr().out.split("\t")
    assert line[2].startswith("stop 0.")
    picture = np.array(Image.open(tmp_path / "a.png").convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    assert main(["run", "kws", str(recording), "--events", "1.0", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "file,start_s,end_s,rank,label,score\n"
    assert main(["run", "kws", "zoo/clips/stop.wav", "--events", "--format", "json"]) == 0
    assert '"start_s": 0.0' in capsys.readouterr().out


def test_a_word_at_either_end_is_marked_there(tmp_path):
    """As many windows hold the ends as the middle, since they begin and end in silence."""
    word, _ = soundfile.read("zoo/clips/stop.wav", dtype="float32")
    rest, model = np.zeros(4 * RATE, np.float32), zoo.get("kws", max_ops=20e6, bits=4)
    for place, samples in ((0.5, np.concatenate([word, rest])), (4.5, np.concatenate([rest, word]))):
        [event] = [event for event in model.events(samples, RATE) if event["label"] == "stop"]
        assert event["start_s"] <= place <= event["end_s"]
        assert 0 <= event["start_s"] < event["end_s"] <= 5.0


def test_events_of_a_short_recording_end_where_it_ends(tmp_path, capsys):
    word, _ = soundfile.read("zoo/clips/stop.wav", dtype="float32")
    soundfile.write(tmp_path / "short.wav", word[:8000], RATE)
    assert main(["run", "kws", str(tmp_path / "short.wav"), "--events", "0.05"]) == 0
    assert "\t0.00-0.50 s\tstop" in capsys.readouterr().out
    assert zoo.get("kws").events(tmp_path / "short.wav", threshold=0.05)[0]["end_s"] == 0.5
    soundfile.write(tmp_path / "tiny.wav", word[:100], RATE)
    assert main(["run", "kws", str(tmp_path / "tiny.wav"), "--plot", str(tmp_path / "a.png")]) == 1
    said = capsys.readouterr()
    assert "shorter than a frame" in said.err
    assert not said.out


def test_nothing_is_heard_in_silence():
    """A model of sounds has a name for silence, too: a window that is nowhere as loud as the floor holds no event."""
    rng, rest = np.random.default_rng(0), np.zeros(10 * RATE, np.int16)
    for model in (zoo.get("esc10"), zoo.get("aec", bits=4)):
        assert model(rest[: 5 * RATE], RATE)[0]["score"] > 0.5
        assert model.events(rest, RATE) == []
        faint = np.round(8 * rng.standard_normal(10 * RATE)).astype(np.int16)
        assert model.events(faint, RATE) == []
        assert model.events(faint, RATE, threshold=0.05, floor_db=-90)


def audible(samples, starts_ms, floor_db):
    """Of windows of 1 s, heard in parts that are no multiples of 20 ms."""
    loudness = Loudness(RATE, floor_db)
    heard = list(loudness.over(samples[first : first + 777] for first in range(0, len(samples), 777)))
    assert np.array_equal(np.concatenate([samples[:0], *heard]), samples)
    assert loudness.samples == len(samples)
    return loudness.audible(starts_ms, 1000)


@pytest.mark.parametrize(
    ("first_ms", "floor_db", "wanted"),
    [
        (0, -60, [True, False, False, False]),
        (480, -60, [True, False, False, False]),
        (500, -60, [False, True, False, False]),
        (1999, -60, [False, False, True, True]),
        (2480, -60, [False, False, True, True]),
        (500, -39, [False, False, False, False]),
    ],
)
def test_windows_are_audible_where_20_ms_of_them_are_loud(first_ms, floor_db, wanted):
    """Of windows of 1 s each 500 ms, one that begins before the recording among them; the tone has -40 dB."""
    samples = np.zeros(5 * RATE // 2, np.float32)
    first = first_ms * RATE // 1000
    samples[first : first + RATE // 50] = 0.01 * np.sqrt(2) * np.sin(np.arange(RATE // 50))[: len(samples) - first]
    starts = [-500, 500, 1500, 2000]
    assert audible(samples, starts, floor_db).tolist() == wanted


def test_a_constant_is_silent():
    """Many converters add one, which no front end hears: not at the end of the recording either."""
    samples = (0.01 + 1e-4 * np.random.default_rng(0).standard_normal(3 * RATE // 2 + 100)).astype(np.float32)
    assert not audible(samples, [0, 500, 1000], -60.0).any()
    assert audible(samples, [0], -90.0).all()
    assert not audible(samples[:0], [0], -60.0).any()
    assert zoo.get("aec", bits=8).events(np.tile(samples, 5), RATE, threshold=0.05) == []


@given(st.floats(0.1, 0.9), st.floats(0.1, 2.0))
def test_an_event_is_longer_than_its_sound_by_what_the_docs_say(threshold, length):
    """Of windows of 5 s all are sure that hold any of the sound, as its beginning and end are off the most."""
    times = [(start / 10, start / 10 + 5.0) for start in range(0, 300)]
    scores = np.array([[start < 15.0 + length and end > 15.0, 0, 0] for start, end in times], dtype=float)
    [event] = mark_events(LABELS, scores, times, threshold)
    early, late = 15.0 - event.start_s, event.end_s - 15.0 - length
    assert max(early, late) <= (1 - threshold) * 5.0 + 0.15
    assert min(early, late) >= (1 - threshold) * 5.0 - 0.25


def test_windows_that_are_all_sure_make_an_event_of_1(tmp_path):
    """Whatever other windows there are: no rounding is left over from them."""
    rng = np.random.default_rng(0)
    scores = rng.random((300, 3))
    scores[100:130, 0] = 1.0
    found = [event for event in mark_events(LABELS, scores, sliding(scores), 1.0) if event.label == "dog"]
    assert [event.score for event in found] == [1.0]
    figure = events_figure(np.zeros((40, 100)), 160.0, [asdict(event) for event in found], FREQUENCIES, "sure")
    figure.savefig(tmp_path / "a.png")
    bar = figure.axes[1].patches[0]
    assert (bar.get_x(), bar.get_x() + bar.get_width()) == (found[0].start_s, found[0].end_s)


def test_without_events_the_text_says_so(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", 0.001 * tone(300, 3), RATE)
    assert main(["run", "kws", str(tmp_path / "a.wav"), "--events", "0.99"]) == 0
    assert capsys.readouterr().out.split("\t")[1:] == ["no events\n"]


def test_a_picture_has_a_row_for_each_label_and_one_without_any():
    events = [
        {"start_s": s, "end_s": s + 1, "label": label, "score": 0.8} for s, label in ((0, "$a$"), (2, "b"), (4, "b"))
    ]
    for found, rows in ((events, ["$a$", "b"]), ([], [])):
        figure = events_figure(np.zeros((40, 5000)), 50.0, found, FREQUENCIES, "$x")
        marks = figure.axes[1]
        assert [text.get_text() for text in marks.get_yticklabels()] == rows
        assert marks.get_xlim() == (0, 50)
        assert figure.axes[0].images[0].get_array().shape == (40, 1666)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--events", "0"], "threshold = 0.0 is not possible"),
        (["--events", "1.5"], "threshold = 1.5 is not possible"),
        (["--events", "0.5", "--top", "2"], "--top 2: events have one label each"),
        (["--floor-db", "-50"], "--floor-db -50: is of events"),
        (["--events", "--floor-db", "6"], "floor_db = 6.0 is not possible: give dB of full scale from -120 to 0"),
        (["--plot", "a.svg", "--out", "a.svg"], "--plot a.svg: is the file of --out"),
        (["--plot", "a.txt"], "--plot a.txt: give a name that ends with"),
        (["zoo/clips/left.wav", "--plot", "a.png"], "shows one recording, and 2 are given"),
    ],
)
def test_what_cannot_be_marked_is_refused(options, message, capsys):
    assert main(["run", "kws", "zoo/clips/stop.wav", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_threshold_that_is_none_is_refused():
    model = zoo.get("kws", bits=4)
    for threshold in ("high", True, 0.0, float("nan")):
        with pytest.raises(InvalidQuery, match="threshold"):
            model.events("zoo/clips/stop.wav", threshold=threshold)
    assert model.events("zoo/clips/stop.wav", threshold=np.float32(0.5))
    assert model.events("zoo/clips/stop.wav", threshold="50%") == model.events("zoo/clips/stop.wav")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"events": 0.5, "top": 2}, "top = 2"),
        ({"detect": True, "top": 2}, "top = 2"),
        ({"detect": True, "events": 0.5}, "give no events or hop_ms beside"),
        ({"detect": True, "hop_ms": 20}, "give no events or hop_ms beside"),
        ({"detect": True, "floor_db": -30}, "floor_db = -30: is of events"),
        ({"floor_db": -20}, "floor_db = -20: is of events"),
    ],
)
def test_what_another_way_of_hearing_would_leave_out_is_refused(given, said):
    with pytest.raises(InvalidQuery, match=said):
        zoo.get("kws", bits=4).run("zoo/clips/stop.wav", **given)


def test_a_share_of_the_score_is_a_threshold_of_events(capsys):
    told = []
    for score in ("0.5", "50%"):
        assert main(["run", "kws", "zoo/clips/stop.wav", "--events", score]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
