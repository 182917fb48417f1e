"""One walk for all folders: links, hidden files, what is not read, and classes that are told apart by capitals only."""

import unicodedata

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone

from supernet.data.audio import read_audio
from supernet.data.folder import load_folder
from supernet.data.rooms import recorded_rooms
from supernet.data.speech_commands import list_files
from supernet.data.survey import SPLITS
from supernet.data.walk import EXTENSIONS, HIDDEN, LINK, LOCKED, tell_left_out, twins, walk, walk_classes
from supernet.errors import InvalidData

CLIP_MS = 100
OTHER_SUFFIXES = (".m4a", ".aac", ".wma", ".txt", ".json", "")


def write(path, seed=0, seconds=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(400, seconds, seed), RATE)
    return path


def fill(root, classes=("bed", "cat"), clips=12):
    for number, label in enumerate(classes):
        for clip in range(clips):
            write(root / label / f"take{clip}.wav", 1000 * number + clip)
    return root


@pytest.fixture
def load(tmp_path):
    return lambda root, **options: load_folder(root, clip_ms=CLIP_MS, cache=tmp_path / "cache", **options)


def names(found, root):
    return [path.relative_to(root).as_posix() for path in found.recordings]


def kinds(found):
    return [(item.kind, item.path.name) for item in found.left_out]


def faults(survey):
    """All but those of few clips."""
    return [finding.names for finding in survey.faults if "fewer than" not in finding.text]


def findings(survey, text):
    return [finding for finding in survey.findings if text in finding.text]


def test_links_to_files_and_folders_are_followed_wherever_they_stand(tmp_path):
    far = tmp_path / "far"
    for name in ("class/1.wav", "deep/2.wav", "deep/inner/3.wav", "4.wav"):
        write(far / name)
    root = tmp_path / "words"
    (root / "bed" / "inside").mkdir(parents=True)
    (root / "bed" / "inside" / "linked").symlink_to(far / "deep")
    (root / "bed" / "one.wav").symlink_to(far / "4.wav")
    (root / "cat").symlink_to(far / "class")
    assert names(walk(root / "bed"), root) == [
        "bed/inside/linked/2.wav",
        "bed/inside/linked/inner/3.wav",
        "bed/one.wav",
    ]
    assert names(walk(root), root)[-1] == "cat/1.wav"
    assert len(walk(root).recordings) == 4
    (tmp_path / "all").symlink_to(root)
    assert len(walk(tmp_path / "all").recordings) == 4


@pytest.mark.parametrize("target", [".", "..", "../..", "../bed", "/"])
def test_a_link_that_leads_back_ends(tmp_path, target):
    root = fill(tmp_path / "words", clips=2)
    (root / "bed" / "again").symlink_to(target)
    assert names(walk(root / "bed"), root) == ["bed/take0.wav", "bed/take1.wav"]
    assert kinds(walk(root / "bed")) == [(LINK, "again")]


@pytest.mark.parametrize("target", ["self", "gone", "gone.wav"])
def test_a_link_to_nothing_is_left_out(tmp_path, target):
    root = fill(tmp_path / "words", clips=2)
    (root / "bed" / "self").symlink_to(target)
    assert kinds(walk(root / "bed")) == [(LINK, "self")]


def test_folders_that_link_to_each_other_many_times_are_entered_once(tmp_path):
    """Doubling links would be 2 to the 40 paths."""
    for number in range(40):
        write(tmp_path / "rooms" / f"{number:02}" / f"{number}.wav")
        for name in "ab":
            (tmp_path / "rooms" / f"{number:02}" / name).symlink_to(f"../{(number + 1) % 40:02}")
    assert len(walk(tmp_path / "rooms").recordings) == 40
    assert len(walk(tmp_path / "rooms" / "00").recordings) == 40


def test_a_folder_keeps_its_own_name_beside_a_link_to_it(tmp_path):
    write(tmp_path / "bed" / "z" / "1.wav")
    (tmp_path / "bed" / "a").symlink_to("z")
    assert names(walk(tmp_path), tmp_path) == ["bed/z/1.wav"]


def test_a_class_may_be_a_link_to_the_folder_of_classes_without_an_end(load, tmp_path):
    root = fill(tmp_path / "words")
    (root / "all").symlink_to(".")
    data, survey = load(root)
    assert data.labels == ("bed", "cat")
    assert findings(survey, "links that lead")[0].names == ("all",)


@pytest.mark.parametrize("name", ["._take0.wav", ".hidden.wav", ".trash/one.wav", "inside/._x.flac"])
def test_hidden_recordings_are_left_out_everywhere(load, tmp_path, name):
    root = fill(tmp_path / "words")
    radio = tmp_path / "radio"
    for folder, pitch in ((root / "_background_noise_", 300), (radio, 500)):
        folder.mkdir()
        soundfile.write(folder / "hum.wav", tone(pitch, 3.0), RATE)
    for folder in (root / "bed", root / "_background_noise_", radio):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0\5\26\7 of a Mac")
    assert len(walk(root / "bed").recordings) == 12
    data, survey = load(root, negatives=radio)
    assert len(data.noise) == len(data.negatives) == 1
    assert not findings(survey, "unreadable")
    assert not faults(survey)


def test_a_mac_s_archive_and_system_files_are_no_fault(load, tmp_path):
    root = fill(tmp_path / "words")
    for name in (".DS_Store", "bed/.DS_Store", ".git/config", "__MACOSX/bed/._take0.wav"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\0")
    _, survey = load(root)
    assert not faults(survey)
    write(root / "bed" / "._take1.wav")
    hidden = findings(load(root)[1], "hidden recordings")
    assert [finding.names for finding in hidden] == [("bed/._take1.wav",)]
    assert hidden[0].harmless


@pytest.mark.parametrize("suffix", OTHER_SUFFIXES)
@pytest.mark.parametrize("place", ["bed", "bed/inside", "_background_noise_"])
def test_what_is_not_read_is_reported_once_with_its_count(load, tmp_path, place, suffix):
    root = fill(tmp_path / "words")
    (root / place).mkdir(exist_ok=True)
    for number in range(7):
        (root / place / f"take{number}{suffix}").write_text("no WAV")
    _, survey = load(root)
    (finding,) = findings(survey, f"(7 {suffix or 'without an ending'})")
    assert finding.names == tuple(f"{place}/take{number}{suffix}" for number in range(7))
    assert ("convert them" in finding.text) == (suffix in (".m4a", ".aac", ".wma"))
    assert str(finding).endswith("and 2 more")
    assert finding in survey.faults


def test_recordings_beside_the_classes_are_reported_whatever_they_are(load, tmp_path):
    root = fill(tmp_path / "words")
    write(root / "loose.wav")
    (root / "loose.m4a").write_bytes(b"\0")
    (root / "LICENSE").write_text("free")
    _, survey = load(root)
    assert findings(survey, "in no class")[0].names == ("loose.wav",)
    assert findings(survey, "not read")[0].names == ("loose.m4a",)


def test_where_all_recordings_are_of_another_format_it_says_so(load, tmp_path):
    for label in ("bed", "cat"):
        (tmp_path / "words" / label).mkdir(parents=True)
        (tmp_path / "words" / label / "take.m4a").write_bytes(b"\0")
    with pytest.raises(InvalidData, match=r"not read \(2 \.m4a\), left out; convert them[^\0]*no recordings; put"):
        load(tmp_path / "words")


@pytest.mark.parametrize("suffix", EXTENSIONS)
def test_every_suffix_is_read_in_any_capitals(tmp_path, suffix):
    """Those that soundfile cannot write by their names are WAV or Ogg under another name."""
    known = {".wave": "WAV", ".oga": "OGG", ".opus": "OGG", ".aif": "AIFF", ".aifc": "AIFF", ".snd": "AU"}
    form = known.get(suffix, suffix[1:].upper())
    kind = {"format": form, **({"subtype": "OPUS"} if suffix == ".opus" else {})}
    path = tmp_path / f"take{suffix.upper()}"
    soundfile.write(path, tone(400), RATE, **kind)
    (found,) = walk(tmp_path).recordings
    samples, rate = read_audio(found)
    assert rate == RATE
    assert abs(len(samples) - RATE) < 2000
    assert np.abs(np.fft.rfft(samples[:, 0])).argmax() * RATE / len(samples) == pytest.approx(400, abs=1)


def test_aiff_is_trained_on(load, tmp_path):
    root = fill(tmp_path / "words", classes=("bed",))
    for clip in range(12):
        write(root / "cat" / f"take{clip}.aiff", 500 + clip)
    data, survey = load(root)
    assert sum(survey.counts["cat"].values()) == 12
    assert data.labels == ("bed", "cat")


def test_a_folder_that_cannot_be_opened_is_reported(tmp_path, monkeypatch):
    root = fill(tmp_path / "words", clips=1)
    real = type(root).iterdir

    def refuse(path):
        if path.name == "cat":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(type(root), "iterdir", refuse)
    assert kinds(walk(root)) == [(LOCKED, "cat")]


@pytest.mark.parametrize("other", ["Bed", "BED", "bED"])
def test_classes_that_differ_in_capitals_only_get_a_hint(load, tmp_path, other):
    data, survey = load(fill(tmp_path / "words", ("bed", other, "cat")))
    assert len(data.labels) == 3
    (finding,) = findings(survey, "differ in capitals")
    assert set(finding.names[0].split(" and ")) == {"bed", other}
    assert finding in survey.faults


def test_accents_that_are_stored_in_two_ways_get_a_hint():
    both = [unicodedata.normalize(form, "tür") for form in ("NFC", "NFD")]
    assert len(twins(both)) == 1
    assert twins(["tür", "tur"]) == []
    assert twins(["bed"], ["cat", "Cat"]) == []
    assert twins(["bed"], ["Bed"]) == ["Bed and bed"]


def test_labels_of_a_table_get_the_hint_too(load, tmp_path):
    root = fill(tmp_path / "words")
    rows = [
        f"{label}/take{clip}.wav,{label if clip % 2 else label.title()}"
        for label in ("bed", "cat")
        for clip in range(12)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["file,label", *rows]))
    _, survey = load(root, table=tmp_path / "table.csv")
    assert findings(survey, "differ in capitals")[0].names == ("Bed and bed", "Cat and cat")


def test_a_folder_of_noise_in_other_capitals_is_named(load, tmp_path):
    root = fill(tmp_path / "words")
    write(root / "_Background_Noise_" / "hum.wav", seconds=2.0)
    _, survey = load(root)
    assert findings(survey, "begin with _")[0].names == (
        "_Background_Noise_ (rename it to _background_noise_, if it is that)",
    )


def test_speech_commands_and_rooms_walk_likewise(tmp_path, caplog):
    far, root = tmp_path / "far", tmp_path / "words"
    for number in range(4):
        write(far / f"{number}_nohash_0.wav", number)
    root.mkdir()
    (root / "bed").symlink_to(far)
    (root / ".git").mkdir()
    (far / "._0_nohash_0.wav").write_bytes(b"\0")
    (root / "validation_list.txt").write_text("bed\\0_nohash_0.flac\r\n")
    (root / "testing_list.txt").write_text("\ufeffbed/1_nohash_0.wav\n", encoding="utf-8")
    found = list_files(root, ("bed",))
    assert {name: [path.name for path in found[name]["bed"]] for name in SPLITS} == {
        "train": ["2_nohash_0.wav", "3_nohash_0.wav"],
        "validation": ["0_nohash_0.wav"],
        "test": ["1_nohash_0.wav"],
    }
    assert len(recorded_rooms(far, RATE, 100)) == 4


def test_kinds_are_counted_with_an_example(tmp_path):
    for name in ("a.m4a", "b.M4A", "._c.wav", "notes"):
        (tmp_path / name).write_bytes(b"\0")
    found = walk(tmp_path)
    assert tell_left_out(found.left_out) == (
        f"2 .m4a (such as a.m4a), 1 {HIDDEN} (such as ._c.wav), 1 without an ending (such as notes)"
    )
    assert tell_left_out([]) == ""
    assert walk(tmp_path / "nowhere").recordings == ()
    with pytest.raises(InvalidData, match="no such folder"):
        walk_classes(tmp_path / "nowhere")
