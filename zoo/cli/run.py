"""The part of the command `earshot` that hears recordings: `run` and `evaluate`."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import BinaryIO

import zoo
from supernet.data.walk import Spooled, printable
from supernet.errors import InvalidAudio, InvalidQuery, UnknownName
from supernet.files import digest, read_bytes, write_output
from zoo.ask.units import share
from zoo.keeping import HEARD, Kept, command_run, file_state, options_of
from zoo.package.plots import check_file, check_picture, confusion_figure, events_figure, write_picture
from zoo.package.read import CONFIG
from zoo.run.conditions import CONDITIONS
from zoo.run.detection import Detector
from zoo.run.events import FLOOR_DB, THRESHOLD, check_floor, threshold_of
from zoo.run.hear import PIPE, Heard, check_top, find_recordings

__all__ = [
    "add_channel",
    "add_detection",
    "add_model",
    "add_run_commands",
    "check_pipe",
    "detector_of",
    "find_model",
]

RUN_HELP = """\
Run a model on recordings and print labels with scores, best first.

  earshot run kws zoo/clips/stop.wav                  the best model of a task
  earshot run NAME clip.wav other.flac --top 3        a model of the hub by its name, the three best labels
  earshot run ./my-model recordings/ --format csv     a package in a folder, on a whole folder of recordings
  earshot run kws meeting.flac --hop-ms 250           a long recording by sliding windows, with times in seconds
  earshot run aec night.flac --events                 sounds with their beginnings and ends, at scores from 0.5 on
  earshot run aec night.flac --events 0.3 --plot night.png        and a picture: the spectrogram, and the events
  earshot run kws night.flac --detect                 words as firmware detects them, once each, by the model's settings
  earshot run kws night.flac --detect --threshold 0.8 --threshold stop=0.9 --labels stop left
  earshot run kws clip.wav --words stop left            all other words are _unknown_
  earshot run kws recordings/ --format json --out answers.json
  arecord -f S16_LE -r 16000 -d 1 | earshot run kws -

A recording that is longer than a clip is heard by windows of one clip; one that is shorter is followed by silence. A
file that cannot be used is reported on standard error, and in JSON with its "error"; the others go on, and the exit
status is 1. An only file that cannot be used gives no output. What was stopped goes on when the same command is given
again.

An event is a label from the moment on at which the mean score of the windows that hold it reaches a threshold until it
falls below; _unknown_ and _silence_ are none. Windows move on by a tenth of a clip, or by --hop-ms. Where sounds follow
one another within a clip, windows that hold several are sure of none: ask for less, such as 0.3. Windows that are
nowhere as loud as --floor-db hold no event; louder noise may be taken for one, since models of sounds know no noise.

With --detect there is one event a word, at the time when it is known, which is after the word; `earshot listen` gives
the same while sound comes.

Columns of CSV: file, start_s, end_s (empty for a clip), rank, label, score; with --detect file, time_s, label, score.
"""
EVALUATE_HELP = """\
Tell how often a model is right on a folder that holds a folder of recordings for each class.

  earshot evaluate kws my-recordings/                            FOLDER/CLASS/*.wav, .flac, .ogg, .opus, .mp3, .aiff
  earshot evaluate kws speech_commands/ --split test             those that FOLDER/testing_list.txt names
  earshot evaluate aec esc50/ --split test                       fold 4 of ESC-50; fold5 is that which none heard
  earshot evaluate kws my-recordings/ --plot confusion.png --format json
  earshot evaluate kws my-recordings/ --conditions               fainter, louder, in noise, beside a voice, in a room
  earshot evaluate kws my-recordings/ --conditions noise-10 room
  earshot evaluate kws my-recordings/ --words stop left            folders of other words count as _unknown_

Folders with names that the model does not know count as _unknown_, where it knows that. Printed are the accuracy with
its 95 % interval, the recall of each class, and which classes are taken for which most often. What was stopped goes on
when the same command is given again.
"""
COLUMNS = ("file", "start_s", "end_s", "rank", "label", "score")
DETECT = {True: "not for --detect; leave one of them out", False: "for --detect alone; give that as well"}
DETECTED_COLUMNS = ("file", "time_s", "label", "score")
MAX_PIPED_BYTES, BLOCK_BYTES = 2**30, 2**20


def add_run_commands(commands, command, add_hub, add_words) -> None:
    """Add the commands to a parser. command: makes one; add_hub, add_words: add the options of which hub is asked, and
    for which words.
    """
    sub = command(commands, "run", _run, RUN_HELP, "labels of recordings", ("text", "json", "csv"))
    add_model(sub, add_hub, add_words)
    sub.add_argument("--detect", action="store_true", help="events as firmware gives them, with the time of each")
    add_detection(sub, add_words, " (with --detect)")
    sub.add_argument(
        "files", metavar="FILE", nargs="+",
        help="recordings (WAV, FLAC, Ogg, Opus, MP3 or AIFF), folders of them, or - for a recording on standard input",
    )  # fmt: skip
    sub.add_argument("--top", type=int, help="how many labels a recording (default: 1; not with --events)")
    sub.add_argument(
        "--hop-ms",
        help="from window to window of long recordings, such as 250 (default: half a clip, with --events a tenth)",
    )
    sub.add_argument(
        "--events", nargs="?", type=_score, const=THRESHOLD, metavar="SCORE",
        help="mark events in time, from this score on; without a score, as the last option: %(const)s",
    )  # fmt: skip
    sub.add_argument(
        "--floor-db", type=float, metavar="DB",
        help=f"loudness of a window's loudest 20 ms from which on it holds events (default: {FLOOR_DB:g} dB of full "
        "scale; less for faint microphones)",
    )  # fmt: skip
    sub.add_argument(
        "--plot", metavar="FILE", help="picture of one recording: spectrogram and events; .svg, .png or .pdf"
    )
    sub.add_argument("--out", metavar="FILE", help="write there, whole or not at all (default: standard output)")
    sub = command(commands, "evaluate", _evaluate, EVALUATE_HELP, "accuracy on a folder of classes")
    add_model(sub, add_hub, add_words)
    sub.add_argument("folder", metavar="FOLDER", help="holds a folder of recordings for each class")
    sub.add_argument(
        "--split",
        help="test or validation: what FOLDER/testing_list.txt or validation_list.txt names; train: what neither "
        "names; without these, what `earshot train` took for it; of ESC-50 also fold1 to fold5",
    )
    sub.add_argument(
        "--conditions", nargs="*", metavar="NAME",
        help=f"also where it is less quiet and near; all, or some of {', '.join(CONDITIONS)}",
    )  # fmt: skip
    sub.add_argument("--plot", metavar="FILE", help="picture of the confusion matrix: .svg, .png or .pdf")


def _score(text: str) -> float:
    try:
        return share("threshold", text) if text.endswith("%") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give a score from 0 to 1, or put --events last") from None


def add_model(sub: argparse.ArgumentParser, add_hub, add_words=None) -> None:
    """Add which model hears, and how."""
    sub.add_argument("model", metavar="MODEL", help="a task, a name in the hub, or the folder of a package")
    sub.add_argument("--resample", action="store_true", help="accept recordings of a lower rate than the model's")
    add_channel(sub)
    if add_words:
        add_words(sub, "answer with these, and _unknown_ for all others: stop,left (or stop left as the last option)")
    add_hub(sub)


def add_channel(sub: argparse.ArgumentParser) -> None:
    """Add the option of which channel of the recordings is heard."""
    sub.add_argument(
        "--channel", type=int, metavar="N", help="hear this channel, 1 for the left one (default: the mean of all)"
    )


def add_detection(sub: argparse.ArgumentParser, add_words, when: str = "") -> None:
    """Add which events a detector gives, and from which score on. when: this is of use."""
    add_words(sub, f"events of these labels alone, such as stop,left{when}", "--labels", "LABEL")
    sub.add_argument(
        "--threshold", action="append", metavar="[LABEL=]SCORE",
        help=f"mean score of events, such as 0.8, or of those of a label, such as stop=0.9; may be given again{when}",
    )  # fmt: skip


def detector_of(model: zoo.Model, options: argparse.Namespace) -> Detector:
    """The detector that is asked for. Raises InvalidQuery, UnknownName."""
    values: dict[str, float] = {}
    for text in options.threshold or ():
        label, _, score = text.rpartition("=")
        name = f"--threshold {label}".strip()
        if label in values:
            raise InvalidQuery(f"{name} is given twice; give it once")
        values[label] = share(name, score)
    return model.detector(values.pop("", None), values, options.labels)


def find_model(name: str, hub: list[str] | None, words: list[str] | None = None) -> zoo.Model:
    """A model by the folder of its package, by its name, or the best of a task, that knows all `words`.

    Raises UnknownName, and InvalidPackage for a folder that holds none.
    """
    if Path(name).name != name or (Path(name) / CONFIG).is_file():
        model = zoo.Model.from_folder(name)
        return model.knowing(words) if words else model
    place = zoo.open_hub(hub)
    index = place.index
    if name in index.words["task"]:
        return zoo.get(task=name, hub=place, words=words)
    if index.find(name) is None:
        known = index.other_task(name, *index.values("name"))
        raise UnknownName(f"no model {name!r} and no such task in hub {place.address}: {known}")
    model = zoo.get(name=name, hub=place)
    return model.knowing(words) if words else model


def _run(options: argparse.Namespace) -> None:
    check_file("--out", options.out)
    check_picture("--plot", options.plot)
    model = find_model(options.model, options.hub, options.words)
    with _with_pipe(options.files) as files:
        _run_on(options, model, find_recordings(files))


def _check_detect(options: argparse.Namespace) -> None:
    """Raise InvalidQuery for options that go without, or only with, --detect."""
    only = {"--labels": options.labels, "--threshold": options.threshold}
    others = {"--events": options.events, "--top": options.top, "--hop-ms": options.hop_ms, "--plot": options.plot}
    for name, value in (others if options.detect else only).items():
        if value is not None:
            raise InvalidQuery(f"{name} is {DETECT[options.detect]}")


def _run_on(options: argparse.Namespace, model: zoo.Model, files: list[str | Path]) -> None:
    _check_detect(options)
    if options.events is not None:
        threshold_of(options.events)
    if options.floor_db is not None:
        check_floor(options.floor_db)
    if options.events is not None and options.top is not None:
        raise InvalidQuery(f"--top {options.top}: events have one label each; leave it or --events out")
    if options.plot and len(files) != 1:
        raise InvalidQuery(f"--plot {options.plot}: shows one recording, and {len(files):,} are given; name one")
    if options.floor_db is not None and options.events is None and not options.plot:
        raise InvalidQuery(f"--floor-db {options.floor_db:g}: is of events; give --events as well")
    if options.out and options.plot and _is_same(options.plot, options.out):
        raise InvalidQuery(f"--plot {options.plot}: is the file of --out; give another one")
    if options.out and any(_is_same(file, options.out) for file in files):
        raise InvalidQuery(f"--out {options.out}: is one of the recordings; give another file")
    quiet = bool(options.out) or options.format == "json" or not sys.stdout.isatty()
    floor_db = FLOOR_DB if options.floor_db is None else options.floor_db
    settings = {
        "floor_db": None if options.events is None else floor_db,
        "hop_ms": options.hop_ms,
        "top": 1 if options.top is None else options.top,
        "resample": options.resample,
        "channel": options.channel,
        "progress": quiet or len(files) == 1,
        "events": options.events,
        "detect": detector_of(model, options) if options.detect else False,
    }
    errors: list[InvalidAudio] = []
    with command_run("run", options_of(options)) as run:
        found = _heard(model, files, settings, run if options.out or len(files) > 1 else None)
        _give(options, model, files, floor_db, _usable(found, errors, len(files), options.format == "json"))
    if errors:
        raise InvalidAudio(f"{len(errors):,} of {len(files):,} files cannot be used")


def _heard(model: zoo.Model, files: list, settings: dict, run: Path | None) -> Iterator[dict]:
    """The items of `model.run`, with windows as rows; what was heard before is taken from the folder of the run."""
    about = {"model": digest(read_bytes(model.path / CONFIG)), "words": model.words, "windows": "rows", **settings}
    about["detect"] = _settings_of(settings["detect"])
    known = ({**about, "recording": file_state(file)} for file in files)
    items = Kept(run and run / HEARD).each(known, files, partial(_hear_new, model, settings))
    return ({**item, "error": InvalidAudio(item["error"])} if "error" in item else item for item in items)


def _settings_of(detector: Detector | bool) -> list | bool:
    """Of a detector as plain values."""
    return detector and [asdict(detector.settings), detector.listen]


def _hear_new(model: zoo.Model, settings: dict, files: list) -> Iterator[dict]:
    top = settings["top"]
    check_top(top)
    found = model.heard(files, **{name: value for name, value in settings.items() if name != "top"})
    return (_plain(model, heard, top, settings["events"]) for heard in found)


def _plain(model: zoo.Model, heard: Heard, top: int, threshold: float | None) -> dict:
    """For JSON; dicts of the windows of a long recording would take hundreds of megabytes."""
    if heard.error is not None:
        return {"file": heard.file, "error": str(heard.error)}
    if threshold is None and heard.times:
        return {"file": heard.file, "windows": heard.rows(model.labels, top)}
    return heard.to_dict(model.labels, top, threshold)


def _give(options: argparse.Namespace, model: zoo.Model, files: list, floor_db: float, items: Iterable[dict]) -> None:
    """Write the items, and the picture of an only file."""
    items = list(items) if len(files) == 1 else items  # where an only file cannot be used, nothing is written
    output = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") if options.out else sys.stdout
    picture = _picture(model, files[0], items[0].get("events"), floor_db, options) if options.plot else None
    (_write_detected if options.detect and options.format == "csv" else WRITERS[options.format])(items, output)
    if picture:
        write_picture(picture, options.plot)
    if options.out:
        output.flush()
        with output.buffer.getbuffer() as data:
            write_output(options.out, data)
    sys.stdout.flush()


def _picture(
    model: zoo.Model, file: str | Path, found: list[dict] | None, floor_db: float, options: argparse.Namespace
):
    """Of a recording and what is heard in it. found: its events, where they were asked for."""
    heard = {"resample": options.resample, "channel": options.channel}
    log_mel, seconds = model.spectrogram(file, **heard)
    name = PIPE if isinstance(file, Spooled) else Path(file).name
    if not log_mel.shape[1]:
        raise InvalidAudio(f"--plot {options.plot}: {name} is shorter than a frame; there is nothing to draw")
    threshold = THRESHOLD if options.events is None else options.events
    if found is None:
        settings = {"threshold": threshold, "floor_db": floor_db, "hop_ms": options.hop_ms}
        found = model.events(file, **settings, **heard)
    title = f"{printable(name)}: {model.name}, scores from {threshold:g} on"
    return events_figure(log_mel, seconds, found, model.drawn.to_dict(), title)


def _is_same(file: str | Path, out: str) -> bool:
    return Path(file).resolve() == Path(out).resolve()


@contextmanager
def _with_pipe(files: list[str]) -> Iterator[list[str]]:
    """The files, with one of what standard input holds in the place of `-`, which is removed at the end."""
    if files.count(PIPE) > 1:
        raise InvalidQuery(f"{PIPE} is given twice: standard input holds one recording")
    if PIPE not in files:
        yield files
        return
    check_pipe()
    with TemporaryDirectory(prefix="earshot-") as folder:
        piped = _piped(Path(folder) / "piped")
        yield [piped if file == PIPE else file for file in files]


def check_pipe() -> None:
    """Raise InvalidQuery where standard input is no pipe or file."""
    if sys.stdin.isatty():
        raise InvalidQuery(f"{PIPE}: standard input is a terminal; pipe a recording into it, as of arecord")


def _piped(place: Path) -> Spooled:
    """A file of what standard input holds."""
    left = MAX_PIPED_BYTES
    with place.open("wb") as file:
        while block := sys.stdin.buffer.read(min(left + 1, BLOCK_BYTES)):
            left -= len(block)
            if left < 0:
                raise InvalidAudio(f"{PIPE}: more than {MAX_PIPED_BYTES:,} bytes; write it to a file, and give that")
            _keep(block, file)
    return Spooled(place)


def _keep(block: bytes, file: BinaryIO) -> None:
    try:
        file.write(block)
        file.flush()
    except OSError as error:
        file.raw.truncate(0)
        raise OSError(error.errno, f"{error.strerror}; set TMPDIR to a folder that has room", gettempdir()) from None


def _usable(items: Iterable[dict], errors: list[InvalidAudio], count: int, keep: bool) -> Iterator[dict]:
    """The items with answers; the errors of others are reported as they come. Raises that of an only file.

    keep: give those of others too, with the error as text.
    """
    from tqdm import tqdm

    for item in items:
        if "error" not in item:
            yield item
            continue
        if count == 1:
            raise item["error"]
        errors.append(item["error"])
        tqdm.write(f"earshot: {printable(str(item['error']))}", file=sys.stderr)
        if keep:
            yield {**item, "error": str(item["error"])}


def _write_text(items: Iterable[dict], output) -> None:
    for item in items:
        for times, answers in _windows(item):
            found = "  ".join(f"{one['label']} {one['score']:.3f}" for one in answers) or "no events"
            when = [f"{'-'.join(f'{time:.2f}' for time in times)} s"] if times else []
            print(printable(item["file"]), *when, found, sep="\t", file=output, flush=True)


def _write_csv(items: Iterable[dict], output) -> None:
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow(COLUMNS)
    for item in items:
        for times, answers in _windows(item):
            for rank, one in enumerate(answers, 1):
                rows.writerow([item["file"], *(times or ("", "")), rank, one["label"], f"{one['score']:.6f}"])
        output.flush()


def _write_detected(items: Iterable[dict], output) -> None:
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow(DETECTED_COLUMNS)
    for item in items:
        rows.writerows([item["file"], one["time_s"], one["label"], f"{one['score']:.6f}"] for one in item["detected"])
        output.flush()


def _write_json(items: Iterable[dict], output) -> None:
    """What json.dumps gives, a window at a time; nothing before all is heard."""
    output.writelines(_array(map(_item_text, list(items)), 1))
    output.write("\n")


def _item_text(item: dict) -> Iterator[str]:
    if "windows" not in item:
        yield _indented(item, 1)
        return
    yield f'{{\n  "file": {json.dumps(item["file"])},\n  "windows": '
    yield from _array(([_indented(_window(row), 3)] for row in item["windows"]), 3)
    yield "\n }"


def _array(items: Iterable[Iterable[str]], depth: int) -> Iterator[str]:
    """The text of an array of which each item comes in pieces."""
    before = "["
    for item in items:
        yield f"{before}\n{' ' * depth}"
        yield from item
        before = ","
    yield f"\n{' ' * (depth - 1)}]"


def _indented(value: dict, depth: int) -> str:
    return json.dumps(value, indent=1).replace("\n", "\n" + " " * depth)  # no string holds a bare line end


WRITERS = {"text": _write_text, "json": _write_json, "csv": _write_csv}


def _window(row: list) -> dict:
    """A window of `Model.slide` of its row."""
    pairs = zip(row[2::2], row[3::2], strict=True)
    return {
        "start_s": row[0],
        "end_s": row[1],
        "answers": [{"label": label, "score": score} for label, score in pairs],
    }


def _windows(item: dict) -> Iterable[tuple[tuple, list[dict]]]:
    """Times and answers of a long recording's windows, or of its events; () and the answers of a clip.

    Without an event there are no times and no answers.
    """
    if "detected" in item:
        return [((event["time_s"],), [event]) for event in item["detected"]] or [((), [])]
    if "events" in item:
        return [((event["start_s"], event["end_s"]), [event]) for event in item["events"]] or [((), [])]
    if "answers" in item:
        return [((), item["answers"])]
    return ((tuple(row[:2]), _window(row)["answers"]) for row in item["windows"])


def _evaluate(options: argparse.Namespace) -> None:
    check_picture("--plot", options.plot)
    model = find_model(options.model, options.hub, options.words)
    settings = {"split": options.split, "resample": options.resample, "channel": options.channel}
    settings["conditions"] = options.conditions is not None and (options.conditions or True)
    with command_run("evaluate", options_of(options)) as run:
        found = model.evaluate(options.folder, **settings, run_dir=run)
        if options.plot:
            title = f"{found.model}\n{found.accuracy:.2%} of {found.clips:,} clips"
            write_picture(confusion_figure(found.matrix, found.labels, title), options.plot)
        print(json.dumps(found.to_dict(), indent=1) if options.format == "json" else found, flush=True)
