"""Who speaks, and splits that no speaker is torn by, whatever else lies beside."""

import pytest
import soundfile
from conftest import RATE, tone
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from supernet.data.folder import load_folder
from supernet.data.recordings import Recording
from supernet.data.speakers import known_speakers, split_by_speaker
from supernet.data.survey import SPLITS
from supernet.errors import InvalidData

NAMES = [f"{name}{number}" for number in range(10) for name in ("alice", "bob", "carol", "dan")]
FORMS = {
    "nohash": "{label}/{speaker}_nohash_{take}.wav",
    "folder": "{label}/{speaker}/take{take}.wav",
    "deep folder": "{label}/{speaker}/day{take}/{take}.wav",
    "common folder": "{label}/takes/{speaker}/{take}.wav",
    "underscore": "{label}/{speaker}_{take}.wav",
    "dash": "{label}/{speaker}-0{take}.wav",
    "space": "{label}/{speaker} {take}.wav",
    "brackets": "{label}/{speaker}({take}).wav",
    "dot": "{label}/{speaker}.{take}.flac",
    "behind the class": "{label}/{label}_{speaker}_{take}.wav",
    "behind the class in capitals": "{label}/{label}-{speaker}-{take}.wav",
}


def recordings(form, speakers=NAMES, takes=2, labels=("yes", "no")):
    made = [(label, form.format(label=label, speaker=speaker, take=take))
            for label in labels for speaker in speakers for take in range(takes)]  # fmt: skip
    return [Recording(name, label, name) for label, name in made]


UNUSUAL = {
    "take first": ("{label}/{take}_{speaker}.wav", True),
    "take, class, speaker": ("{label}/{take:04}_{label}_{speaker}.wav", True),
    "session": ("{label}/session{session}/{speaker}_{take}.wav", True),
    "called speaker": ("{label}/speaker_{speaker}_take_{take}.wav", False),
    "called spk": ("{label}/spk-{speaker}-{take}.wav", False),
    "called subject, a take each": ("{label}/subject_{speaker}.wav", False),
    "common beginning": ("{label}/lab2024_{speaker}_{take}.wav", False),
    "number first": ("{label}/{speaker}_{take}.wav", False),
    "number, then mood": ("{label}/{speaker}_mood{take}x.wav", False),
    "folder, then take and date": ("{label}/{speaker}/{take}_2024.wav", False),
    "folder, then session": ("{label}/{speaker}/s{take}_{session}.wav", False),
}


@pytest.mark.parametrize("speaker", ["{:03}", "s{:02}x", "{:04x}a"])
@pytest.mark.parametrize(("form", "unsure"), UNUSUAL.values(), ids=UNUSUAL)
def test_no_speaker_is_torn_wherever_the_name_tells_it(form, unsure, speaker):
    takes = 1 if "{take" not in form else 4
    made = [(label, number, form.format(label=label, speaker=speaker.format(number), take=take, session=take % 3))
            for label in ("up", "down") for number in range(20) for take in range(takes)]  # fmt: skip
    items, found = [Recording(name, label, name) for label, _, name in made], []
    assert split_by_speaker(items, found).startswith("the speaker, as names or folders say (")
    splits = [{item.split for item, (_, own, _) in zip(items, made, strict=True) if own == number}
              for number in range(20)]  # fmt: skip
    assert all(len(own) == 1 for own in splits)
    assert set.union(*splits) == set(SPLITS)
    assert [finding.text.startswith("two parts of names or folders") for finding in found] == [True] * unsure


def split_as(form, labels=("up", "down"), speakers=5, takes=30, called=str):
    """Recordings in splits with their speakers, the rule and what was found. takes: a number, or one for a speaker."""
    many = takes if callable(takes) else lambda speaker: takes
    made = [(label, speaker, take) for label in labels for speaker in range(speakers) for take in range(many(speaker))]
    items = [Recording(form.format(label=label, speaker=called(who), take=take, count=50 * who + take), label, "")
             for label, who, take in made]  # fmt: skip
    rule = split_by_speaker(items, found := [])
    splits = {speaker: {item.split for item, (_, own, _) in zip(items, made, strict=True) if own == speaker}
              for speaker in range(speakers)}  # fmt: skip
    return splits, rule, found


def named(number):
    return ("ann", "bob", "Cat", "dan", "eve", "fay", "gus", "hal")[number]


@pytest.mark.parametrize(
    ("form", "speakers", "takes", "unsure"),
    [
        ("{label}/{speaker}_{take}.wav", 5, 30, True),
        ("{label}/{speaker}-{take}.wav", 4, 60, True),
        ("{label}/{label}_{speaker}_{take}.wav", 8, 20, True),
        ("{label}/{speaker}_{take}.wav", 6, lambda speaker: 10 + 3 * speaker, True),
        ("{label}/{speaker}_{take:03}.wav", 5, 4, False),
        ("{label}/{speaker}_{count}.wav", 6, 30, False),
        ("{label}/{speaker}_{count:04}.wav", 6, 30, False),
    ],
)
def test_of_two_numbers_the_first_is_the_speaker_however_many_takes(form, speakers, takes, unsure):
    splits, rule, found = split_as(form, speakers=speakers, takes=takes)
    assert rule.startswith("the speaker, as names or folders say (")
    assert all(len(own) == 1 for own in splits.values())
    assert set.union(*splits.values()) == set(SPLITS)
    assert [finding.text.startswith("two parts of names or folders") for finding in found] == [True] * unsure
    assert not any(finding.harmless for finding in found)


@pytest.mark.parametrize(
    "form",
    [
        "{label}/{label}{speaker}_{take}.wav",
        "{label}/{label}{speaker}-0{take}.wav",
        "{label}/{speaker}{label}_{take}.wav",
        "{label}/{label}_{speaker}/{take}.wav",
        "{label}/{speaker}-{label}/take{take}.wav",
        "{label}/{label}_{speaker}.wav",
        "{label}/{label}{speaker}.wav",
        "{label}/{label}-{speaker}.wav",
        "{label}/{speaker}_{label}.wav",
    ],
)
@pytest.mark.parametrize("labels", [("up", "down"), ("Lights On", "lights off", "stop")])
def test_a_speaker_that_the_class_is_glued_to_is_the_same_in_all_classes(form, labels):
    splits, rule, found = split_as(form, labels, 8, 4 if "take" in form else 1, named)
    assert rule.startswith("the speaker, as names or folders say (")
    assert found == []
    assert all(len(own) == 1 for own in splits.values())
    assert set.union(*splits.values()) == set(SPLITS)


@pytest.mark.parametrize(
    "form",
    [
        "{label}/{speaker}{take}.wav",
        "{label}/{speaker}Take{take:02}.wav",
        "{label}/{label}_{speaker}{take}.wav",
        "{label}/{label}{speaker}{take}.wav",
    ],
)
def test_the_number_of_a_take_may_be_glued_to_the_speaker(form):
    splits, rule, found = split_as(form, ("up", "down"), 8, 4, named)
    assert rule.startswith("the speaker, as names or folders say (")
    assert found == []
    assert all(len(own) == 1 for own in splits.values())
    assert set.union(*splits.values()) == set(SPLITS)


def test_two_speakers_whose_takes_are_glued_to_them_are_too_few_and_reported():
    _, rule, found = split_as("{label}/{speaker}{take}.wav", ("up", "down"), 2, 20, named)
    assert rule.startswith("a hash of the name")
    assert [finding.names for finding in found] == [("ann", "bob")]
    _, _, found = split_as(
        "{label}/{speaker}{take}.wav", ("up", "down"), 3, 20, ("take", "clip", "Recording").__getitem__
    )
    assert found == []


def test_names_that_only_happen_to_begin_with_a_class_stay_whole():
    items = recordings("{label}/{speaker}_{take}.wav", ("upton", "downey", "upson", "ann"), 4, ("up", "down"))
    assert set(known_speakers(items)) == {"upton", "downey", "upson", "ann"}


@pytest.mark.parametrize("form", ["{label}/{speaker}_{label}.wav", "{label}/0{speaker}-{label}.wav"])
def test_a_number_for_each_recording_of_a_class_is_not_called_a_speaker(form):
    """As one person may have counted takes, or many people spoken once: who has the same number stays together."""
    splits, rule, found = split_as(form, speakers=30, takes=1)
    assert rule == "a number in names, a speaker's or a take's (10 % validation, 10 % test)"
    assert all(len(own) == 1 for own in splits.values())
    (finding,) = found
    assert finding.text.startswith("numbers that names have once in each class, of a speaker or of a take")
    assert finding.harmless


@pytest.mark.parametrize(
    "form", ["{label}/{label}_{speaker}.wav", "{label}/{label}{speaker}.wav", "{label}/{speaker}.wav"]
)
def test_numbers_alone_are_takes(form):
    _, rule, found = split_as(form, speakers=30, takes=1)
    assert rule == "a hash of the name (10 % validation, 10 % test)"
    assert found == []


def test_many_numbers_in_front_stay_speakers_but_are_doubted():
    numbers = [f"{number:03}" for number in range(20)]
    items = recordings(FORMS["underscore"], numbers, takes=40)
    split_by_speaker(items, found := [])
    assert all(len({item.split for item in items if f"/{number}_" in item.name}) == 1 for number in numbers)
    assert [finding.names for finding in found] == [("000, 001, 002 rather than 0, 1, 10",)]


def test_sessions_that_share_some_speakers_keep_both_together():
    """Three sites of two sessions; the speakers of a site are in both of its sessions, and in no other."""
    made = [(f"day{site}{day}", f"s{site}{number}") for site in range(3) for day in range(2) for number in range(8)]
    items = [Recording(f"{label}/{day}/{speaker}_{take}.wav", label, "")
             for label in ("up", "down") for day, speaker in made for take in range(2)]  # fmt: skip
    split_by_speaker(items, found := [])
    for part in {part for pair in made for part in pair}:
        assert len({item.split for item in items if f"/{part}" in item.name}) == 1
    assert [finding.names for finding in found] == [("s00, s01, s02 rather than day00, day01, day10",)]


def test_beginnings_that_repeat_but_are_too_few_in_a_class_are_reported():
    for begins, text, names in (
        ({"up": "a", "down": "b"}, "no speaker can be told from the names", ("a0x", "a1x", "b0x", "b1x")),
        ({"up": "up", "down": "down"}, "fewer than 3 speakers in a class, so that each is in several", ("0x", "1x")),
    ):
        items = [Recording(f"{label}/{begin}{number}x_{take}.wav", label, "")
                 for label, begin in begins.items() for number in range(2) for take in range(20)]  # fmt: skip
        assert split_by_speaker(items, found := []).startswith("a hash of the name")
        assert [finding.names for finding in found] == [names]
        assert found[0].text.startswith(text)


def texts(findings):
    return {finding.text.partition(",")[0]: finding.names for finding in findings}


def splits_of(items, speakers):
    return {speaker: {item.split for item in items if speaker in item.name} for speaker in speakers}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_speaker_is_in_one_split_whatever_lies_beside(form):
    items = recordings(form)
    others = [Recording(f"yes/{name}.wav", "yes", name) for name in ("mine", "take7", "Recording", "17")]
    findings = []
    rule = split_by_speaker([*items, *others], findings)
    assert all(len(splits) == 1 for splits in splits_of(items, NAMES).values())
    assert {item.split for item in items} == set(SPLITS)
    assert texts(findings) == {"recordings without a known speaker": tuple(item.name for item in others)}
    assert rule.startswith("the speaker, as names or folders say, else a hash of the name for 4 of 164 recordings")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_what_lies_beside_moves_no_speaker(form):
    alone, beside = recordings(form), recordings(form)
    split_by_speaker(alone, [])
    split_by_speaker([*beside, Recording("no/mine.wav", "no", "mine")], [])
    assert [item.split for item in alone] == [item.split for item in beside]


def test_all_ways_of_naming_a_speaker_mean_the_same_one():
    forms = [form for form in FORMS.values() if form != FORMS["common folder"]]
    items = [item for form in forms for item in recordings(form, ("Alice", "bob", "carol"), takes=1)]
    items += recordings(FORMS["dash"], ("alice", "BOB", "Carol"), takes=1)
    found = known_speakers(items)
    assert set(found) == {"Alice", "BOB", "Carol"}
    assert all(speaker.lower() in item.name.lower() for speaker, item in zip(found, items, strict=True))


@pytest.mark.parametrize(
    "form",
    [
        "{label}/take{take}.wav",
        "{label}/take_{take}.wav",
        "{label}/{label}_{take}.wav",
        "{label}/{label} ({take}).wav",
        "{label}/Recording {take}.wav",
        "{label}/wav/{take}.wav",
        "{label}/wav/{label}-{take}.wav",
        "{label}/5f3-{label}{take}.wav",
    ],
)
def test_names_that_name_nobody_are_split_by_themselves(form):
    items, findings = recordings(form, ("",), takes=40), []
    assert split_by_speaker(items, findings) == "a hash of the name (10 % validation, 10 % test)"
    assert findings == []
    assert {item.split for item in items if item.label == "no"} == set(SPLITS)


@pytest.mark.parametrize("form", [FORMS["nohash"], FORMS["folder"], FORMS["dash"]])
def test_two_speakers_are_too_few_and_reported(form):
    items, findings = recordings(form, ("alice", "bob"), takes=20), []
    assert split_by_speaker(items, findings).startswith("a hash of the name")
    assert texts(findings) == {"fewer than 3 speakers in a class": ("alice", "bob")}
    assert all({item.split for item in items if item.label == label} == set(SPLITS) for label in ("yes", "no"))


def test_a_class_of_fewer_speakers_takes_those_of_the_others():
    items = recordings(FORMS["dash"]) + recordings(FORMS["dash"], NAMES[:2], 5, ("maybe",))
    split_by_speaker(items, [])
    assert all(len(splits) == 1 for splits in splits_of(items, NAMES).values())


@examples(60)
@given(st.lists(st.tuples(st.sampled_from(("yes", "no")), st.integers(0, 15), st.booleans()), min_size=1, max_size=60))
def test_no_speaker_of_speech_commands_is_torn(clips):
    """Any clips of any speakers, some files without one: where three or more are known, each has one split."""
    items = [
        Recording(f"{label}/{f'{speaker:04x}_nohash_{number}' if known else f'take{number}'}.wav", label, "")
        for number, (label, speaker, known) in enumerate(clips)
    ]
    split_by_speaker(items, findings := [])
    speakers = {item.name.split("/")[1].split("_")[0] for item in items if "_nohash_" in item.name}
    torn = [name for name in speakers if len({item.split for item in items if f"/{name}_" in item.name}) > 1]
    assert not torn or len(speakers) < 3
    unknown = tuple(item.name for item in items if "take" in item.name)
    if len(speakers) > 2 and unknown:
        assert texts(findings)["recordings without a known speaker"] == unknown


@pytest.fixture
def folder(tmp_path):
    """40 files of 10 speakers, of whom names say nothing, and the text of a table of them."""
    for number, label in enumerate(("yes", "no")):
        (tmp_path / "words" / label).mkdir(parents=True)
        for clip in range(20):
            soundfile.write(tmp_path / "words" / label / f"{clip}.wav", tone(400, 0.1, 100 * number + clip), RATE)
    return tmp_path / "words"


def load(folder, rows, header):
    table = folder.parent / "table.csv"
    table.write_text("\n".join([header, *(",".join(row) for row in rows)]))
    return load_folder(folder, table, clip_ms=100, cache=folder.parent / "cache")


def rows_of(column):
    return [[f"{label}/{clip}.wav", label, column(label, clip)] for label in ("yes", "no") for clip in range(20)]


def splits_by(data, group):
    """Group -> splits of its clips, which are in the order of `rows_of`."""
    found = {}
    for name in SPLITS:
        for row in data.splits[name].rows:
            found.setdefault(group("yes" if row < 20 else "no", int(row) % 20), set()).add(name)
    return found


@pytest.mark.parametrize(
    "header",
    [
        "file,label,speaker",
        "file,label,Group",
        "Filename,Label,SPEAKER",
        "path,label,client_id",
        "file,label,Speaker_ID",
    ],
)
def test_a_column_of_a_table_groups_recordings(folder, header):
    group = lambda label, clip: f"s{clip % 10}"  # noqa: E731
    data, survey = load(folder, rows_of(group), header)
    assert survey.rule == "the speaker, as the table says (10 % validation, 10 % test)"
    found = splits_by(data, group)
    assert len(found) == 10
    assert all(len(splits) == 1 for splits in found.values())
    assert set.union(*found.values()) == set(SPLITS)


def test_columns_that_are_not_read_are_told_and_harmless(folder):
    rows = [[*row, "x", "y"] for row in rows_of(lambda label, clip: f"s{clip % 10}")]
    _, survey = load(folder, rows, "file,label,client_id,age,person")
    (finding,) = (finding for finding in survey.findings if "not read" in finding.text)
    assert finding.names == ("age", "person")
    assert finding not in survey.faults


def test_a_column_goes_before_lists_and_names(folder):
    (folder / "validation_list.txt").write_text("yes/1.wav\nno/1.wav\n")
    (folder / "testing_list.txt").write_text("yes/2.wav\nno/2.wav\n")
    group = lambda label, clip: f"s{clip % 5}"  # noqa: E731
    data, survey = load(folder, rows_of(group), "file,label,speaker")
    assert all(len(splits) == 1 for splits in splits_by(data, group).values())
    assert "as the table says" in survey.rule
    [unused] = [one.names for one in survey.findings if "lists that are not used" in one.text]
    assert unused == ("validation_list.txt", "testing_list.txt")


def test_a_column_of_two_groups_is_never_torn(folder):
    with pytest.raises(
        InvalidData, match=r"fewer than 3 speakers in the table, .*: s0, s1[^\0]*no (validation|test) clip"
    ) as caught:
        load(folder, rows_of(lambda label, clip: f"s{clip % 2}"), "file,label,speaker")
    assert "record more people, or give a column split, or leave out this column" in str(caught.value)


def test_two_groups_go_the_ways_that_the_refusal_names(folder):
    rows = [row[:2] for row in rows_of(lambda label, clip: "")]
    data, survey = load(folder, rows, "file,label")
    assert survey.rule.startswith("a hash of the name")
    assert all(len(data.splits[name]) for name in SPLITS)
    fixed = [[*row, f"s{number % 2}", SPLITS[number % 4 % 3]] for number, row in enumerate(rows)]
    _, survey = load(folder, fixed, "file,label,speaker,split")
    assert torn(survey) == ("s0 (train, test)", "s1 (train, validation)")


def test_rows_without_a_group_are_reported(folder):
    group = lambda label, clip: f"s{clip % 10}" if clip < 18 else ""  # noqa: E731
    data, survey = load(folder, rows_of(group), "file,label,group")
    (finding,) = (finding for finding in survey.findings if "without a known speaker" in finding.text)
    assert finding.names == ("yes/18.wav", "yes/19.wav", "no/18.wav", "no/19.wav")
    assert all(len(splits) == 1 for name, splits in splits_by(data, group).items() if name)


def test_groups_that_a_table_tears_are_reported(folder):
    rows = [[*row, SPLITS[int(row[0][:-4].split("/")[1]) % 3]] for row in rows_of(lambda label, clip: f"s{clip % 6}")]
    assert not torn(load(folder, rows, "file,label,speaker,split")[1])
    rows[0][3], rows[7][3] = "test", "train"
    assert torn(load(folder, rows, "file,label,speaker,split")[1]) == ("s0 (train, test)", "s1 (train, validation)")


def torn(survey):
    found = [finding.names for finding in survey.faults if "in several splits" in finding.text]
    return found[0] if found else ()


@pytest.mark.parametrize("fixed", ["table", "lists"])
def test_speakers_by_name_that_fixed_splits_tear_are_reported(folder, fixed):
    rows = []
    for label in ("yes", "no"):
        for clip in range(20):
            name = f"{label}/s{clip % 6}_nohash_{clip}.wav"
            (folder / label / f"{clip}.wav").rename(folder / name)
            rows.append([name, label, SPLITS[clip % 3] if clip else "test"])
    if fixed == "lists":
        for split, file in (("validation", "validation_list.txt"), ("test", "testing_list.txt")):
            (folder / file).write_text("\n".join(row[0] for row in rows if row[2] == split))
        _, survey = load_folder(folder, clip_ms=100, cache=folder.parent / "cache")
    else:
        _, survey = load(folder, rows, "file,label,split")
    assert torn(survey) == ("s0 (train, test)",)
