"""Files from elsewhere: what they claim is checked before it is believed, and nothing is waited for."""

import errno
import json
import os
import stat
import struct

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from supernet.errors import InvalidCheckpoint
from supernet.files import (
    ITEM_BYTES,
    load_tensors,
    read_bytes,
    read_json,
    save_tensors,
    write_bytes,
    write_json,
    write_output,
)

TYPES = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "float16",
    "int32",
    "uint32",
    "float32",
    "int64",
    "uint64",
    "float64",
]


def written(path, header, tensors: bytes = b"", length: int | None = None):
    """A safetensors file with that header, by hand."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + tensors)
    return path


def tensor(shape, offsets, kind="I8") -> dict:
    return {"dtype": kind, "shape": shape, "data_offsets": offsets}


@given(
    st.dictionaries(
        st.text("abc", min_size=1),
        st.sampled_from(TYPES).flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_side=0, max_side=3))),
        max_size=4,
    )
)
def test_what_is_saved_is_loaded(tmp_path_factory, tensors):
    path = save_tensors(tmp_path_factory.mktemp("saved") / "x", tensors, {"a": [1]})
    loaded, metadata = load_tensors(path)
    assert metadata == {"a": [1]}
    assert loaded.keys() == tensors.keys()
    for name, array in tensors.items():
        assert loaded[name].dtype == array.dtype
        assert np.array_equal(loaded[name], array, equal_nan=array.dtype.kind == "f")


def test_every_type_of_numpy_is_counted_as_safetensors_counts_it():
    for kind in TYPES:
        data = safetensors.numpy.save({"x": np.zeros(3, kind)})
        item = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["x"]
        assert ITEM_BYTES[item["dtype"]] * 3 == item["data_offsets"][1]


@pytest.mark.parametrize(
    ("header", "size", "said"),
    [
        ({"x": tensor([2**60], [0, 2**60])}, 8, "tensors take"),
        ({"x": tensor([2**31, 2**31], [0, 8])}, 8, "fill its bytes"),
        ({"x": tensor([2**70], [0, 8])}, 8, "fill its bytes"),
        ({"x": tensor([8], [4, 12])}, 12, "begins at byte 4"),
        ({"x": tensor([8], [0, 8]), "y": tensor([8], [4, 12])}, 12, "begins at byte 4"),
        ({"x": tensor([8], [0, 8])}, 12, "the file has 12"),
        ({"x": tensor([-1, -8], [0, 8])}, 8, "fill its bytes"),
        ({"x": tensor([8.0], [0, 8])}, 8, "fill its bytes"),
        ({"x": tensor([True], [0, 1])}, 1, "fill its bytes"),
        ({"x": tensor([2], [0, 4], "BF16")}, 4, "fill its bytes"),
        ({"x": tensor([2], [0, 4], ["I8"])}, 4, ""),
        ({"x": tensor([2], [0])}, 4, ""),
        ({"x": 3}, 0, ""),
        ({"__metadata__": 3}, 0, ""),
        ({"__metadata__": {"earshot": 3}}, 0, ""),
        ({"__metadata__": {"earshot": "[" * 10**5}}, 0, ""),
        ([], 0, ""),
        (b'{"x":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"x":{}}', 1, "stands twice"),
        (b"{" * 10**5, 0, ""),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, header, size, said):
    with pytest.raises(InvalidCheckpoint, match=f"not readable safetensors .*{said}") as error:
        load_tensors(written(tmp_path / "x", header, bytes(size)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("length", [2**60, 2**64 - 1, 17, 0])
def test_a_header_longer_than_its_file_is_refused(tmp_path, length):
    with pytest.raises(InvalidCheckpoint, match="not readable safetensors"):
        load_tensors(written(tmp_path / "x", b"{}", b"x" * 14, length))


@pytest.mark.parametrize("data", [b"", b"1234567", b"\0" * 8])
def test_a_file_without_a_header_is_refused(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(InvalidCheckpoint, match="not readable safetensors"):
        load_tensors(tmp_path / "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' stands twice"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "1e999"),
        ("[" + "1" * 5000 + "]", ""),
        ("[" * 10**5, ""),
        ("\x00", ""),
        ("", ""),
        ('["a\nb"]', ""),
    ],
)
def test_json_that_people_read_differently_is_refused(tmp_path, text, said):
    (tmp_path / "x").write_text(text)
    with pytest.raises(InvalidCheckpoint, match=f"x: not readable JSON .*{said}"):
        read_json(tmp_path / "x")


@pytest.mark.parametrize("read", [read_json, load_tensors])
def test_pipes_devices_and_folders_are_refused_at_once(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link", "."):
        with pytest.raises(InvalidCheckpoint, match=r"not a regular file|directory"):
            read(tmp_path / name)
    with pytest.raises(InvalidCheckpoint, match="no such file"):
        read(tmp_path / "none")
    with pytest.raises(InvalidCheckpoint, match="not readable"):
        read("a\0b")


def test_what_a_user_names_is_written_where_it_leads(tmp_path):
    """A link stays one, and a pipe and a device stay what they are."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept" / "file")
    for data in (b"first", b"2"):
        write_output(tmp_path / "link", data)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "kept" / "file").read_bytes() == data
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_output(tmp_path / "pipe", b"through")
    assert os.read(reader, 100) == b"through"
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    os.close(reader)
    with pytest.raises(OSError, match="No space left"):
        write_output("/dev/full", b"lost")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
    with (tmp_path / "out").open("wb") as file:
        file.write(b"before ")
        file.flush()
        write_output(f"/proc/self/fd/{file.fileno()}", b"behind")
    assert (tmp_path / "out").read_bytes() == b"before behind"


def test_a_file_over_its_limit_is_not_read(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**40)
    for read in (read_bytes, read_json, load_tensors):
        with pytest.raises(InvalidCheckpoint, match="1,099,511,627,776 bytes; the limit is"):
            read(path)
    (tmp_path / "small").write_bytes(b"12345")
    assert read_bytes(tmp_path / "small", 5) == b"12345"
    with pytest.raises(InvalidCheckpoint, match="of 5 bytes; the limit is 4"):
        read_bytes(tmp_path / "small", 4)


def test_a_link_to_a_file_is_followed(tmp_path):
    """Downloads from hubs are links into a cache."""
    (tmp_path / "file").write_text("[1]")
    (tmp_path / "link").symlink_to("file")
    assert read_json(tmp_path / "link") == [1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=JSON)
def test_json_comes_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert json.loads(path.read_text(encoding="utf-8")) == value == read_json(path)


def test_rows_of_figures_stand_on_one_line(tmp_path):
    """A table reads as one, whatever stands in its texts; texts alone have a line each."""
    value = {
        "confusion": [[7, 0, -1], [0.5, 1e-9, 3]],
        "empty": [],
        "words": ["[\n1,\n2\n]", "[1, 2]"],
        "row": ["a  b", 1, None],
    }
    lines = write_json(tmp_path / "value.json", value).read_text().splitlines()
    assert "  [7, 0, -1]," in lines
    assert "  [0.5, 1e-09, 3]" in lines
    assert ' "row": ["a  b", 1, null],' in lines
    assert '  "[1, 2]"' in lines
    assert read_json(tmp_path / "value.json") == value


def test_a_full_disk_is_told_with_the_file_and_leaves_what_was_there(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_bytes(tmp_path / "new" / "a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_bytes(path, b"new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert [(one.name, one.read_bytes()) for one in path.parent.iterdir()] == [("a", b"old")]
