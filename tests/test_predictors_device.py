"""Measurements as users bring them: what is read, what is refused, and that nothing is half added."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from predictors import settings
from predictors.device import (
    BUNDLED,
    add_profile,
    core_family,
    find_profile,
    own_profiles,
    plain_runtime,
    possible,
    profiles,
    read_measurements,
    remove_profile,
    runtime_family,
    runtime_version,
)
from predictors.settings import device_settings
from supernet.cost import MAC_KINDS
from supernet.errors import InvalidProfile, UnknownName
from supernet.space import default_space

GOOD = "macs,latency_ms\n1000000,10\n2000000,19\n4000000,37.5\n"


def write(folder, text, name="mine.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("macs,latency_us\n1,2\n", "no column latency_ms"),
        ("macs,latency_ms,latancy\n1000000,2,3\n", "unknown columns .*latancy.*did you mean"),
        ("latency_ms,core\n2,a\n", "no column says how large"),
        ("macs,latency_ms\n1000000,-2\n2000000,3\n", "line 2, column latency_ms: '-2'; give a number above 0"),
        ("macs,latency_ms\n1000000,2\n2000000,fast\n", "line 3, column latency_ms: 'fast'"),
        ("macs,latency_ms\n1000000,2\n,3\n", "line 3, column macs: empty"),
        ("macs,latency_ms\n1000000,nan\n", "line 2, column latency_ms"),
        ("macs,latency_ms\n1e99,2\n", "line 2, column macs"),
        ("arch,latency_ms\n{},2\n", "line 2, column arch: not an architecture"),
        ("macs,latency_ms\n", "no row of measurements"),
        ("", "no column latency_ms"),
        (b"\xff\xfe\x00macs", "not a text in UTF-8; save it as such"),
        (b"latency_ms,macs\n\0\0\0", "line 2 holds a NUL byte"),
        ("macs,latency_ms,bits\n1e6,2,8\n2e6,3,99\n", "line 3, column bits: '99'; give a whole number of 1 to 8"),
        ("macs,latency_ms,bits\n1e6,2,8.5\n2e6,3,8\n", "line 2, column bits: '8.5'"),
        ("macs,latency_ms,bits\n1e6,2,0\n2e6,3,-4\n", "line 2, column bits: '0'.*\n.*line 3, column bits: '-4'"),
        ("macs latency_ms\n1e6 2\n", "one column alone"),
        ("macs;latency_ms\n1000000;2,5\n", "line 2, column latency_ms: '2,5'; give a number above 0, with a point"),
        ('macs,latency_ms\n"1,2\n', "not a CSV|line 2"),
    ],
)
def test_what_cannot_be_used_is_refused_by_row_and_column_and_nothing_is_kept(tmp_path, text, message):
    path, kept = write(tmp_path, text), tmp_path / "kept"
    with pytest.raises(InvalidProfile, match=message):
        read_measurements(path)
    with pytest.raises(InvalidProfile, match=message):
        add_profile("mine", path, kept)
    assert not kept.exists()


def test_a_line_with_too_many_cells_is_named(tmp_path):
    for text in ("macs,latency_ms\n1200000,36\n1200000,36,1\n", "macs,latency_ms\n1000,36\n1,200,000,36\n"):
        with pytest.raises(InvalidProfile, match=r"line 3 has [34] cells, more than the 2 columns; no separators"):
            read_measurements(write(tmp_path, text))


def test_junk_of_10_megabytes_is_refused_in_a_line(tmp_path):
    junk = np.random.default_rng(0).integers(32, 127, 10_000_000, dtype=np.uint8).tobytes()
    with pytest.raises(InvalidProfile, match="no column latency_ms") as caught:
        read_measurements(write(tmp_path, junk))
    assert len(str(caught.value)) < 400
    with pytest.raises(InvalidProfile, match=r"line \d+ has \d+ cells, more than the 2 columns|not a CSV") as caught:
        read_measurements(write(tmp_path, b"macs,latency_ms\n" + junk))
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("row", "question"),
    [
        ("macs,latency_ms,clock_mhz\n1000000,80000,80\n2000000,160000,80\n", "microseconds"),
        ("macs,latency_ms,clock_mhz\n1000000,0.00001,80\n2000000,0.00002,80\n", "seconds"),
        ("macs,latency_ms\n1,10\n2,19\n", "millions"),
        ("macs,latency_ms,clock_mhz\n1000000,10,80000000\n2000000,19,80000000\n", "Hz"),
        ("macs,latency_ms,energy_uj\n1000000,10,0.1\n2000000,20,0.2\n", "mJ"),
    ],
)
def test_units_that_are_far_from_all_that_is_known_are_questioned(tmp_path, row, question):
    assert any("WARNING" in text and question in text for text in read_measurements(write(tmp_path, row)).warnings)


def test_sound_rows_are_not_questioned_and_repeats_are_left_out(tmp_path):
    found = read_measurements(write(tmp_path, GOOD))
    assert found.warnings == ()
    assert found.rows["macs"].tolist() == [1e6, 2e6, 4e6]
    twice = read_measurements(write(tmp_path, GOOD + "1000000,10\n"))
    assert len(twice.rows) == 3
    assert "line 5" in twice.warnings[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_write_is_read_like_plain_text(tmp_path, encoding, separator, end):
    """With the line that names the separator, which counts as a line of the file."""
    text = (f"sep={separator}\n" + GOOD.replace(",", separator)).replace("\n", end)
    found = read_measurements(write(tmp_path, text.encode(encoding)))
    pd.testing.assert_frame_equal(found.rows, read_measurements(write(tmp_path, GOOD)).rows)
    with pytest.raises(InvalidProfile, match="line 6, column latency_ms"):
        read_measurements(write(tmp_path, (text + separator.join(("3", "x")) + end).encode(encoding)))


def test_one_network_is_no_profile(tmp_path):
    with pytest.raises(InvalidProfile, match="measure 2 or more"):
        add_profile("mine", write(tmp_path, "macs,latency_ms\n1000000,2\n"), tmp_path / "kept")
    one = "macs,latency_ms,instructions\n312480,9.8,\n919968,,8100000\n"
    with pytest.raises(InvalidProfile, match="has latency_ms of one size of network"):
        add_profile("mine", write(tmp_path, one), tmp_path / "kept", core="Cortex-M4", clock_mhz="80")


@pytest.mark.parametrize("known", [{"clock_mhz": "-5"}, {"clock_mhz": "abc"}, {"core": "a", "clock_mhz": "nan"}])
def test_what_is_said_beside_a_file_is_checked_like_it(tmp_path, known):
    kept = tmp_path / "kept"
    with pytest.raises(InvalidProfile, match="column clock_mhz"):
        add_profile("mine", write(tmp_path, GOOD), kept, **known)
    assert not kept.exists()


def test_what_is_said_beside_a_file_fills_only_what_it_leaves_empty(tmp_path):
    path = write(tmp_path, "macs,latency_ms,core\n1000000,10,Cortex-M7\n2000000,20,\n")
    (profile,) = add_profile("mine", path, tmp_path / "kept", core="Cortex-M4", clock_mhz="80")
    assert profile.rows["core"].tolist() == ["Cortex-M7", "Cortex-M4"]
    assert profile.clock_mhz == 80


def test_units_are_questioned_with_what_is_said_beside_the_file(tmp_path, caplog):
    """1.5 cycles a MAC at 80 MHz, in seconds; the file itself says neither core nor clock."""
    rows = "".join(f"{macs},{macs * 1.5 / 80e6}\n" for macs in (400_000, 800_000, 1_600_000))
    path, kept = write(tmp_path, "macs,latency_ms\n" + rows), tmp_path / "kept"
    with pytest.raises(InvalidProfile, match=r"line 2 first.*0\.0075.*which is 2; is latency_ms in seconds\?\n.*--yes"):
        add_profile("mine", path, kept, core="Cortex-M4", clock_mhz="80")
    with pytest.raises(InvalidProfile, match=r"clock_mhz = 80,000,000, .*in Hz"):
        add_profile("mine", write(tmp_path, GOOD, "other.csv"), kept, clock_mhz="80000000")
    assert not kept.exists()
    add_profile("mine", path, kept, yes=True, core="Cortex-M4", clock_mhz="80")
    assert "in seconds?" in caplog.text
    add_profile("mine", path, kept, yes=True, core="Cortex-M4", clock_mhz="80")
    assert "takes the place" in caplog.text


@pytest.mark.parametrize(
    ("core", "clock", "rows", "unit"),
    [
        ("2x Xtensa LX7", "240", {"latency_ms": (0.0294, 0.061)}, "latency_ms in seconds"),
        ("", "", {"latency_ms": (0.0294, 0.061)}, "latency_ms in seconds"),
        ("NewCore X1", "64", {"latency_ms": (0.5, 1.1)}, "latency_ms in seconds"),
        ("Cortex-M0+", "48", {"latency_ms": (0.4, 0.8)}, "latency_ms in seconds"),
        ("RISC-V", "160", {"latency_ms": (0.426, 0.9)}, "latency_ms in seconds"),
        ("NewCore X1", "64000000", {"latency_ms": (500, 1100)}, "in Hz"),
        ("Cortex-M4", "80000", {"latency_ms": (200, 400)}, "in kHz"),
        ("Cortex-M7", "0.48", {"latency_ms": (20, 40)}, "in GHz"),
        ("Cortex-M7", "1.2", {"latency_ms": (8, 16)}, "clock_mhz in GHz"),
        ("Intel x86", "2.4", {"latency_ms": (3, 6)}, "in GHz"),
        ("Cortex-M4", "80", {"latency_ms": (90_000, 180_000)}, "microseconds"),
        ("Cortex-M4", "80", {"latency_ms": (90, 180), "energy_uj": (3, 6)}, "energy_uj in mJ"),
        ("", "", {"latency_ms": (90, 180), "energy_uj": (0.003, 0.006)}, "energy_uj in mJ"),
        ("Cortex-M7", "216", {"latency_ms": (90, 180), "energy_uj": (1e7, 2e7)}, "energy_uj in nJ"),
    ],
)
def test_what_no_such_core_can_do_is_refused_with_the_unit_that_was_meant(tmp_path, core, clock, rows, unit):
    """Networks of 2.66 and 5.3 million MACs."""
    table = pd.DataFrame({"macs": (2_656_768, 5_300_000), **rows})
    known = {name: value for name, value in (("core", core), ("clock_mhz", clock)) if value}
    path, kept = write(tmp_path, table.to_csv(index=False)), tmp_path / "kept"
    with pytest.raises(InvalidProfile, match=rf"line 2 first(.|\n)*is .*{unit.removeprefix('in ')}"):
        add_profile("mine", path, kept, **known)
    assert not kept.exists()
    add_profile("mine", path, kept, yes=True, **known)


@pytest.mark.parametrize(
    ("core", "clock", "latency", "energy"),
    [
        ("2x Xtensa LX7", "240", (29.4, 58), None),
        ("Ethos-U55 NPU", "500", (0.3, 0.5), None),
        ("NewCore X1", "64", (500, 1000), (15_000, 31_000)),
        ("", "", (29.4, 58), (900, 1800)),
        ("Cortex-M0+", "1", (60_000, 120_000), None),
        ("Neoverse-N1 (aarch64, one thread)", "", (0.05, 0.1), None),
    ],
)
def test_what_such_cores_do_is_taken(tmp_path, core, clock, latency, energy):
    table = pd.DataFrame({"macs": (2_656_768, 5_300_000), "latency_ms": latency})
    table = table if energy is None else table.assign(energy_uj=energy)
    known = {name: value for name, value in (("core", core), ("clock_mhz", clock)) if value}
    assert add_profile("mine", write(tmp_path, table.to_csv(index=False)), tmp_path / "kept", **known)


@pytest.mark.parametrize("value", ["0", "-3", "nan", "inf", "1e-400", "1e400", "true", ""])
@pytest.mark.parametrize("column", ["latency_ms", "macs"])
def test_numbers_that_are_none_are_refused_even_with_yes(tmp_path, column, value):
    row = {"macs": "1000000", "latency_ms": "10"} | {column: value}
    path = write(tmp_path, f"macs,latency_ms\n{row['macs']},{row['latency_ms']}\n2000000,20\n")
    with pytest.raises(InvalidProfile, match=f"line 2, column {column}"):
        add_profile("mine", path, tmp_path / "kept", yes=True)
    assert not (tmp_path / "kept").exists()


def test_a_profile_is_removed_with_what_was_said_of_it(tmp_path):
    path, kept = write(tmp_path, GOOD), tmp_path / "kept"
    add_profile("mine", path, kept)
    add_profile("other", path, kept)
    (kept / "mine.json").write_text('{"ram_bytes": 128000}')
    assert {file.name for file in remove_profile("mine", kept)} == {"mine.csv", "mine.json"}
    assert set(own_profiles(kept)) == {"other"}
    for name, message in (
        ("mine", "your own are other"), ("../other", "none of your own"), ("stm32f746-tflm-cmsis-nn", "others stay")
    ):  # fmt: skip
        with pytest.raises(UnknownName, match=message):
            remove_profile(name, kept)
    assert (kept / "other.csv").is_file()


def test_a_profile_takes_no_others_place(tmp_path):
    bundled = "stm32f746-tflm-cmsis-nn"
    text = f"profile,macs,latency_ms\n{bundled},1000000,10\n{bundled},2000000,20\n"
    (profile,) = add_profile("mine", write(tmp_path, text), tmp_path / "kept")
    assert profile.name == f"mine-{bundled}"
    assert len(profiles(tmp_path / "kept")[bundled].rows) == 11
    with pytest.raises(InvalidProfile, match="comes with Earshot"):
        add_profile(bundled, write(tmp_path, GOOD), tmp_path / "kept")


def test_a_broken_file_is_left_out_with_a_word(tmp_path, caplog):
    write(tmp_path, GOOD, "my_board.csv")
    write(tmp_path, "macs,latency_ms\n1,\n", "broken.csv")
    write(tmp_path, GOOD, "other.csv")
    (tmp_path / "other.json").write_text('{"flash_bytes": "1 MB"}')
    found = profiles(tmp_path)
    assert "my_board" in found
    assert not {"broken", "other"} & set(found)
    assert "broken.csv" in caplog.text
    assert "flash_bytes = '1 MB'" in caplog.text
    assert find_profile("my_b", tmp_path).name == "my_board"


@pytest.mark.parametrize("name", ["../mine", "My Board", "", "a/b", "x" * 65])
def test_names_are_safe(tmp_path, name):
    with pytest.raises(InvalidProfile, match="is not possible"):
        add_profile(name, write(tmp_path, GOOD), tmp_path / "kept")


def test_an_added_profile_is_found_with_what_the_user_said_of_it(tmp_path):
    path, kept = write(tmp_path, GOOD), tmp_path / "kept"
    add_profile("my-board", path, kept, core="Cortex-M4", clock_mhz="80", runtime="TFLM v2.3.1")
    (kept / "my-board.json").write_text('{"ram_bytes": 128000}')
    profile = find_profile("my-bo", kept)
    assert (profile.core, profile.clock_mhz, profile.version) == ("Cortex-M4", 80.0, "2.3.1")
    assert profile.settings == {"ram_bytes": 128000}
    assert profile.indicative
    assert profile.rows["latency_ms"].tolist() == [10, 19, 37.5]
    write(kept, GOOD + "8000000,70\n", "my-board.csv")
    assert len(find_profile("my-board", kept).rows) == 4
    assert find_profile("my-board", kept) != profile


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("macs,latency_ms,Latency_MS\n1000000,10,10\n", "two columns are 'latency_ms'; rename or remove one"),
        ('macs,latency_ms,device\n1000000,10,"a\nb"\n2000000,20,"a\nb"\n', "column device: 'a\\nb'; give letters"),
        ("macs,latency_ms,device\n1000000,10,a\x1b[31mb\n2000000,20,a\n", "column device: 'a\\x1b[31mb'; give letters"),
    ],
)
def test_columns_and_texts_that_cannot_be_meant_are_refused(tmp_path, text, said):
    with pytest.raises(InvalidProfile, match=re.escape(said)):
        add_profile("mine", write(tmp_path, text), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_setting_that_is_not_known_is_told(tmp_path, caplog):
    add_profile("board", write(tmp_path, GOOD), tmp_path / "kept")
    (tmp_path / "kept" / "board.json").write_text('{"flash_byts": 5, "ram_bytes": 6}')
    assert device_settings("board", "", tmp_path / "kept")["ram_bytes"] == 6
    assert "'flash_byts' is not known: did you mean flash_bytes" in caplog.text


def test_a_device_has_the_settings_of_its_own_file(tmp_path):
    """A file is of the profiles whose names begin with its own, but for those of a file that fits better."""
    for name in ("board", "board-v2"):
        add_profile(name, write(tmp_path, GOOD), tmp_path / "kept")
    (tmp_path / "kept" / "board.json").write_text('{"ram_bytes": 128000}')
    found = [device_settings(name, "", tmp_path / "kept") for name in ("board", "board-1", "board-v2", "board-v2-1")]
    assert found == [{"ram_bytes": 128000}, {"ram_bytes": 128000}, {}, {}]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_give_the_same_rows(tmp_path, separator):
    text = "macs,latency_ms,bits,notes\n1000000,10,8.0,\n2000000,19.5,hybrid 8/1,a b\n4000000,37.5,32,\n"
    expected = read_measurements(write(tmp_path, text)).rows
    found = read_measurements(write(tmp_path, text.replace(",", separator), "other.csv")).rows
    pd.testing.assert_frame_equal(found, expected)
    assert found["bits"].tolist() == ["8", "hybrid 8/1", "32"]
    assert found["latency_ms"].tolist() == [10, 19.5, 37.5]


def test_an_arch_gives_all_counts(tmp_path):
    arch = default_space("temporal", 12).smallest()
    text = pd.DataFrame({"arch": [arch.to_json()], "latency_ms": [2.0]}).to_csv(index=False)
    row = read_measurements(write(tmp_path, text)).rows.iloc[0]
    assert row["macs"] == sum(row[f"{kind}_macs"] for kind in MAC_KINDS) > 0
    assert row["params"] > 0
    indented = text.replace(csv_quoted(arch.to_json()), csv_quoted(json.dumps(arch.to_dict(), indent=1)))
    assert indented != text
    assert read_measurements(write(tmp_path, indented)).rows.iloc[0]["arch"] == arch.to_json()
    with pytest.raises(InvalidProfile, match="line 2, column arch: not an architecture"):
        read_measurements(write(tmp_path, "arch,latency_ms\n" + 5000 * "[" + ",3\n"))


def csv_quoted(text):
    return '"' + text.replace('"', '""') + '"'


def test_operations_are_two_a_mac_and_incomplete_rows_may_be_left_out(tmp_path):
    path = write(tmp_path, "\ufeffops,latency_ms,core\n2000000,10,Cortex-M4\n,4,\n6000000,,\n")
    found = read_measurements(path, complete=False)
    assert found.rows["macs"].tolist() == [1e6]
    assert "2 rows without latency_ms or macs" in found.warnings[0]
    assert "ops are taken as two a MAC" in found.warnings[1]


def test_another_package_brings_profiles_by_an_entry_point(tmp_path, monkeypatch):
    class Point:
        def load(self):
            return tmp_path

    write(tmp_path, GOOD, "their-board.csv")
    monkeypatch.setattr("predictors.settings.entry_points", lambda group: [Point()] * (group == "earshot.profiles"))
    monkeypatch.setattr("predictors.settings._of_packages", settings._of_packages.__wrapped__)
    assert find_profile("their-board", "/nowhere").rows["macs"].tolist() == [1e6, 2e6, 4e6]


def test_a_name_that_several_have_is_answered_with_them():
    with pytest.raises(UnknownName, match="has 5 profiles"):
        find_profile("stm32f746")
    with pytest.raises(UnknownName, match=r"near: .*stm32f746"):
        find_profile("stm32f747-tflm")


def test_bundled_profiles_are_clean_and_say_where_they_come_from():
    found = profiles("/nowhere")
    assert len(found) > 80
    for profile in found.values():
        assert possible(profile.rows).all()
        assert (profile.rows["source"] != "").all()
        assert profile.rows[["device", "runtime"]].nunique().max() == 1
        assert profile.rows["core"].map(core_family).nunique() == 1
        assert plain_runtime(profile.runtime) == profile.runtime
    rows = read_measurements(BUNDLED / "published.csv")
    assert rows.warnings == ()


def test_a_row_with_more_macs_a_cycle_than_the_core_has_is_not_possible():
    rows = pd.DataFrame({"core": ["Cortex-M4"] * 3 + ["NPU"], "clock_mhz": [100.0, 100.0, np.nan, 100.0]})
    rows = rows.assign(macs=1e6, latency_ms=[4.0, 5.5, 0.1, 0.1])
    assert possible(rows).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ARM®32-bit Cortex®-M4 CPU with FPU", "m4"), ("32-bit Arm® Cortex®-M0+", "m0"), ("Cortex-M33", "m33"),
        ("Cortex-M33 + MVP accelerator", "npu"), ("Cortex-M33 (no accelerator)", "m33"), ("2x Xtensa LX7", "lx7"),
        ("Cortex-A53 4 threads", "a53"), ("Ethos-U55 NPU", "npu"), ("HiFi3 + M0", "npu"), ("Cortex-M7", "m7"),
        ("Intel(R) Xeon(R) Processor (x86_64, one thread)", "host"), ("Z80", "other"),
    ],
)  # fmt: skip
def test_cores_that_compute_alike_have_one_name(text, family):
    assert core_family(text) == family


@pytest.mark.parametrize(
    ("text", "family", "version"),
    [
        ("STMicroelectronics: X-CUBE-AI v10.2", "cube.ai", "10.2"), ("STEdgeAI 3.0.0", "cube.ai", "3.0.0"),
        ("STM32Cube.AI 10.0.0", "cube.ai", "10.0.0"), ("TFLM + CMSIS-NN", "tflm cmsis-nn", ""),
        ("reference: TensorFlow Lite for Microcontrollers v2.3.1", "tflm", "2.3.1"), ("kai_jiang:", "kai jiang", ""),
        ("GAPflow/AutoTiler", "gapflow autotiler", ""),
    ],
)  # fmt: skip
def test_runtimes_that_compute_alike_have_one_name(text, family, version):
    assert (runtime_family(text), runtime_version(text)) == (family, version)
