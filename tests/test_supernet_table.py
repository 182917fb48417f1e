"""Tables and lists as people write them: one reader, whatever separates, ends or heads them."""

import shutil

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone

from supernet.data.esc50 import list_clips
from supernet.data.folder import load_folder
from supernet.data.survey import SPLITS
from supernet.data.table import named_files, read_list, read_table, tidy_name
from supernet.errors import InvalidData

ROWS = [("door/take0.wav", "door", "train"), ("bell/take 1.wav", "bell;loud", "test")]


def write(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(400, 0.1, seed), RATE)


def text_of(separator, header=("file", "label", "split"), rows=ROWS):
    quoted = [[f'"{cell}"' if separator in cell else cell for cell in row] for row in rows]
    return "\n".join(separator.join(row) for row in [header, *quoted]) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", [("file", "label", "split"), ("Filename", "LABEL", " Split "), ("path", "label", "SPLIT")]
)
@pytest.mark.parametrize("how", ["plain", "mark", "windows", "old mac", "utf-16", "sep", "blank lines", "wide"])
def test_a_table_is_read_however_it_was_written(tmp_path, separator, header, how):
    text = text_of(separator, header)
    forms = {
        "mark": ("\ufeff" + text).encode(),
        "windows": text.replace("\n", "\r\n").encode(),
        "old mac": text.replace("\n", "\r").encode(),
        "utf-16": text.encode("utf-16"),
        "sep": f"sep={separator}\n{text}".encode(),
        "blank lines": text.replace("\n", "\n\n").encode(),
        "wide": text.replace("\n", separator * 2 + "\n").encode(),
    }
    (tmp_path / "table.csv").write_bytes(forms.get(how, text.encode()))
    rows = read_table(tmp_path / "table.csv", ("file", "label"))
    assert [(row["file"], row["label"], row["split"]) for row in rows] == ROWS


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"it is empty\); give the columns file, label"),
        (b"name,label\nx,y\n", "no column file; it has name, label"),
        (b"file,label,Label\nx,y,z\n", "two columns are 'label'"),
        (b"file,label\nx.wav\n", "line 2 has 1 cells for 2 columns"),
        (b"file,label\nx.wav,a\ny.wav,b,c\n", "line 3 has 3 cells for 2 columns"),
        (b'file,label\n"x.wav,a\n', "is no CSV"),
        (b"file,label\n\xff.wav,a\n", "not a text in UTF-8"),
        (b"file,label\nx.wav,a\n\ny\0.wav,a\n", "line 4 holds a NUL byte"),
        ("file,label\nx.wav,a\n".encode("utf-16-le"), "line 1 holds a NUL byte"),
        (b"file,label\n ,a\n", "an empty name of a file is not below"),
        (b"file,label\n/etc/x.wav,a\n", "/etc/x.wav is not below"),
        (b"file,label\n..\\x.wav,a\n", r"\.\.\\x\.wav is not below"),
        (b"file,label\ndoor/../../x.wav,a\n", "is not below"),
        (b"file,label,speaker,group\nx.wav,a,b,c\n", "has the columns speaker and group; give one of them"),
    ],
)
def test_a_table_of_no_use_is_named_with_its_line(tmp_path, data, message):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "table.csv").write_bytes(data)
    with pytest.raises(InvalidData, match=message) as caught:
        load_folder(tmp_path / "sounds", table=tmp_path / "table.csv", cache=tmp_path)
    assert str(caught.value).count("table.csv") == 1


def test_a_table_that_is_missing_is_named(tmp_path):
    with pytest.raises(InvalidData, match=r"none\.csv: cannot be read \(No such file"):
        read_table(tmp_path / "none.csv", ("file",))


@pytest.mark.parametrize(
    "form", ["door/take{}.wav", "door\\take{}.wav", "./door/take{}.mp3", " door//take{}.FLAC", "door/take{}"]
)
def test_names_mean_files_of_other_endings(tmp_path, form):
    """In tables; the files are .flac and .aiff."""
    root = tmp_path / "sounds"
    for clip in range(9):
        write(root / "door" / f"take{clip}.flac", clip)
        write(root / "bell" / f"take{clip}.aiff", 50 + clip)
    rows = [
        (form.replace("door", label).format(clip), label, SPLITS[clip % 3].title())
        for label in ("door", "bell")
        for clip in range(9)
    ]
    (tmp_path / "table.csv").write_text(text_of(";", rows=rows))
    data, survey = load_folder(root, table=tmp_path / "table.csv", clip_ms=100, cache=tmp_path)
    assert [len(data.splits[name]) for name in SPLITS] == [6, 6, 6]
    assert not [finding for finding in survey.findings if "fewer than" not in finding.text]


def test_a_table_may_name_files_by_the_whole_path_and_behind_links(tmp_path):
    root = tmp_path / "sounds"
    for clip in range(6):
        write(tmp_path / "far" / f"{clip}.wav", clip)
        write(root / "bell" / f"{clip}.wav", 50 + clip)
    (root / "door").symlink_to(tmp_path / "far")
    rows = [
        (str(root / label / f"{clip}.wav"), label, SPLITS[clip % 3]) for label in ("door", "bell") for clip in range(6)
    ]
    (tmp_path / "table.csv").write_text(text_of(",", rows=rows))
    data, _ = load_folder(root, table=tmp_path / "table.csv", clip_ms=100, cache=tmp_path)
    assert [len(data.splits[name]) for name in SPLITS] == [4, 4, 4]


def test_a_file_that_is_nowhere_is_found_by_name(tmp_path):
    root = tmp_path / "sounds"
    for clip in range(6):
        for number, label in enumerate(("door", "bell")):
            write(root / label / f"{clip}.wav", clip + 50 * number)
    rows = [(f"{label}/{clip}.wav", label, SPLITS[clip % 3]) for label in ("door", "bell") for clip in range(6)]
    (tmp_path / "table.csv").write_text(text_of(",", rows=[*rows, ("door/nobody.wav", "door", "train")]))
    _, survey = load_folder(root, table=tmp_path / "table.csv", clip_ms=100, cache=tmp_path)
    (finding,) = (finding for finding in survey.findings if "unreadable" in finding.text)
    assert "door/nobody.wav: no such file" in finding.names[0]


def test_a_name_with_dots_is_its_own():
    there = ["a/take.1.wav", "a/take.2.wav", "a/x.flac", "a/x.wav", "a/tür.wav"]
    found = named_files(["a/take.1", "a/take.2.mp3", "a/take", "a/x.wav", "a/x.mp3", "a/tu\u0308r.wav"], there)
    assert found == {
        "a/take.1": ["a/take.1.wav"],
        "a/take.2.mp3": ["a/take.2.wav"],
        "a/take": [],
        "a/x.wav": ["a/x.wav"],
        "a/x.mp3": ["a/x.flac", "a/x.wav"],
        "a/tu\u0308r.wav": ["a/tür.wav"],
    }
    assert tidy_name(" .\\a\\b.wav\t") == "a/b.wav"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_list_is_read_however_it_was_written(tmp_path, encoding, end):
    path = tmp_path / "testing_list.txt"
    path.write_bytes(end.join(["tür/1.wav", ".\\bell\\2.wav", "", "bell/2.wav", " bell/3 "]).encode(encoding))
    assert read_list(path) == ("tür/1.wav", "bell/2.wav", "bell/3")


def test_a_recording_in_both_lists_is_reported(tmp_path):
    root = tmp_path / "sounds"
    for clip in range(6):
        for number, label in enumerate(("door", "bell")):
            write(root / label / f"{clip}.wav", clip + 50 * number)
    (root / "validation_list.txt").write_text("door/0.wav\nbell/0.wav\n")
    (root / "testing_list.txt").write_text("door/0.flac\ndoor/1.wav\nbell/1.wav\n")
    data, survey = load_folder(root, clip_ms=100, cache=tmp_path)
    (finding,) = (finding for finding in survey.findings if "both lists" in finding.text)
    assert finding.names == ("door/0.wav",)
    assert [len(data.splits[name]) for name in SPLITS] == [8, 2, 2]


@pytest.fixture(scope="module")
def esc(tmp_path_factory):
    root, rows = tmp_path_factory.mktemp("esc"), []
    for fold in range(1, 5):
        for target, label in enumerate(("dog", "rain")):
            for take in range(4):
                name = f"{fold}-{fold}{target}{take}-A-{target}"
                write(root / "audio" / f"{name}.flac")
                rows.append((f"{name}.wav", str(fold), str(target), label, "True", name, "A"))
    (root / "meta").mkdir()
    header = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    (root / "meta" / "esc50.csv").write_text(text_of(",", header, rows))
    return root


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("filename,fold,target", "File,FOLD,Target"),
        lambda text: text.replace(".wav", ".ogg").replace("\n1-", "\naudio\\1-"),
        lambda text: text.replace(".wav", ""),
    ],
)
def test_the_metadata_of_esc_50_is_read_likewise(esc, tmp_path, change):
    root = shutil.copytree(esc, tmp_path / "esc")
    (root / "audio" / "._1-100-A-0.flac").write_bytes(b"\0")
    path = root / "meta" / "esc50.csv"
    path.write_bytes(change(path.read_text()).encode())
    expected, found = list_clips(esc), list_clips(root)
    assert [path.name for path in found.path] == [path.name for path in expected.path]
    for column in ("target", "split", "category"):
        assert np.array_equal(getattr(found, column), getattr(expected, column))


def test_a_nul_byte_in_a_list_is_named_with_its_line(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"door/a.wav\r\ndoor/\0b.wav\r\n")
    with pytest.raises(InvalidData, match=r"list\.txt: line 2 holds a NUL byte"):
        read_list(tmp_path / "list.txt")
