"""How often a model is right on recordings in folders of classes.

    FOLDER/CLASS/NAME.wav                           or .flac, .ogg, .opus, .mp3, .aiff
    FOLDER/testing_list.txt, validation_list.txt    CLASS/NAME.wav of each clip of a split, one a line
    FOLDER/meta/esc50.csv, FOLDER/audio/            or ESC-50, whose fold 4 is tested, or one that is named

Without lists, a split is that which the model had when it was made: it knows its clips by digests (zoo.run.known).
A recording that is longer than a clip counts once: its answer is the best of the mean over sliding windows, which
weigh as much as the sound that they hold, so that the silence around a word does not.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from supernet.constants import NOISE, SILENCE, UNKNOWN
from supernet.data.survey import SPLITS
from supernet.data.table import LISTS, named_files, read_list
from supernet.data.walk import printable, stem_of, tell_left_out, twins, walk, walk_classes
from supernet.errors import InvalidAudio, InvalidData, InvalidQuery, nearest_names
from supernet.files import digest, read_bytes
from zoo.keeping import HEARD, Kept, file_state
from zoo.package.read import CONFIG
from zoo.run.base import Hearing
from zoo.run.conditions import (
    SILENT,
    InCondition,
    Surroundings,
    chosen_conditions,
    heard_in,
    unheard_noise,
    unheard_rooms,
)
from zoo.run.hear import hear, hop_of, read_sound
from zoo.run.known import notes_of_training, notes_of_unknown, own_split, splits_known

__all__ = ["Evaluation", "evaluate", "recordings_of"]

ESC50_FOLDS = {f"fold{number}": number for number in range(1, 6)}
BY = "energy"
"""What windows of a recording weigh by; answers that were kept when all weighed the same are not taken."""
CONFUSIONS, LEFT_OUT = 5, 3
"""The most frequent confusions, and the first recordings that were left out, that are printed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model got right in a folder.

    split: as `evaluate` has it; None for all recordings. matrix: clips (classes, classes), rows are the truth,
    columns the answers. left_out: (file, reason) of recordings that cannot be used. notes: what else was found.
    conditions: share of right answers by condition (zoo.run.conditions), of the recordings that are clips, and how many
    these are; empty where they were not asked for.
    """

    model: str
    folder: str
    split: str | None
    labels: tuple[str, ...]
    matrix: np.ndarray
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    conditions: tuple[InCondition, ...] = ()

    @property
    def clips(self) -> int:
        """Recordings that have an answer."""
        return int(self.matrix.sum())

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return float(self.matrix.trace() / self.matrix.sum())

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        from supernet.metrics import accuracy_interval

        return accuracy_interval(self.accuracy, self.clips)

    @property
    def recall(self) -> dict[str, float | None]:
        """Share of each class that is heard as such, 0 to 1; None where it has no clips."""
        shares = self.matrix.diagonal() / np.maximum(1, self.matrix.sum(1))
        return {
            label: float(share) if row.any() else None
            for label, share, row in zip(self.labels, shares, self.matrix, strict=True)
        }

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {
            "name": self.model,
            "folder": self.folder,
            "split": self.split,
            "clips": self.clips,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "labels": list(self.labels),
            "matrix": self.matrix.tolist(),
            "recall": self.recall,
            "left_out": [{"file": file, "reason": reason} for file, reason in self.left_out],
            "notes": list(self.notes),
            **({"conditions": {one.condition: one.to_dict() for one in self.conditions}} if self.conditions else {}),
        }

    def __str__(self) -> str:
        low, high = self.interval
        split = f", {self.split}" if self.split else ""
        lines = [
            f"{self.model} on {self.folder}{split}",
            f"  accuracy {self.accuracy:.2%} ({low:.2%} to {high:.2%}) of {self.clips:,} clips",
            *self._recall_lines(),
            *self._confusion_lines(),
            *self._condition_lines(),
            *[f"  {note}" for note in self.notes],
        ]
        if self.left_out:
            lines.append(f"  recordings that cannot be used, left out: {len(self.left_out):,}")
            lines += [f"    {printable(reason)}" for _, reason in self.left_out[:LEFT_OUT]]
        return "\n".join(lines)

    def _recall_lines(self) -> list[str]:
        width = max(map(len, ("class", *self.labels)))
        shares = [f"{share:7.2%}" if share is not None else f"{'-':>7}" for share in self.recall.values()]
        rows = zip(self.labels, shares, self.matrix.sum(1), strict=True)
        header = f"  {'class':{width}}  {'recall':>7} {'clips':>7}"
        return [header, *(f"  {label:{width}}  {share} {clips:7,}" for label, share, clips in rows)]

    def _condition_lines(self) -> list[str]:
        rows = [f"  {one.condition:10}  {one.accuracy:7.2%}  {one.interval[0]:.2%} to {one.interval[1]:.2%}"
                for one in self.conditions]  # fmt: skip
        header = f"  {'condition':10} {'accuracy':>8}  95 % interval"
        return [header, *rows] if rows else []

    def _confusion_lines(self) -> list[str]:
        wrong = self.matrix - np.diag(self.matrix.diagonal())
        most = [divmod(int(place), len(wrong)) for place in np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]]
        texts = [f"{self.labels[i]} as {self.labels[j]} {wrong[i, j]:,}" for i, j in most if wrong[i, j]]
        return [f"  most frequent confusions: {', '.join(texts)}"] if texts else []


def evaluate(
    model: Hearing,
    folder: str | Path,
    split: str | None = None,
    resample: bool = False,
    progress: bool = True,
    run_dir: str | Path | None = None,
    conditions: Sequence[str] | bool = False,
    channel: int | None = None,
) -> Evaluation:
    """How often a model is right on FOLDER/CLASS/*.

    Folders that are no label of the model count as `_unknown_`, where it knows that. split: "validation" or "test"
    takes those that the folder's list names, "train" those that neither list names, and where there is no list, each
    those of the split that the model was made with; or those of ESC-50, whose folds are named, too, such as "fold5";
    recordings in `_silence_`, which the lists of Speech Commands do not name, are of its test. resample: take
    recordings of a lower rate than the model's. progress: show a bar on a terminal. run_dir: a folder in which answers
    are kept, so that no recording is heard again where this was stopped. conditions: names of zoo.run.conditions, or
    True for all that what is installed can measure, in which the recordings that are no longer than a clip are heard as
    well; noise is that of FOLDER/_background_noise_, where there is some, else coloured noise. channel: hear this one,
    from 1 on, not the mean of all.

    Raises InvalidData for a folder without recordings of the model's classes, or without the list of a split;
    InvalidQuery for another split, and for a model of which clips have several labels.
    """
    wanted = chosen_conditions(conditions)
    if model.multi_label:
        raise InvalidQuery(
            f"{model.name}: gives several labels a clip, and a folder of classes has one; earshot info tells its mean "
            "average precision on its own test split"
        )
    targets, notes = recordings_of(model, Path(folder), split, resample, channel)
    matrix, left_out = np.zeros((len(model.labels),) * 2, dtype=int), []
    found = _answers(model, list(targets), resample, channel, run_dir, progress)
    for file, target, answer in zip(targets, targets.values(), found, strict=True):
        if isinstance(answer, str):
            left_out.append((str(file), answer))
        else:
            matrix[target, answer] += 1
    if not matrix.any():
        raise InvalidData(f"{folder}: none of its {len(left_out):,} recordings can be used, such as {left_out[0][1]}")
    notes += notes_of_unknown(model, matrix)
    settings = wanted, resample, channel, run_dir, progress
    heard = _in_conditions(model, Path(folder), targets, *settings) if wanted else ()
    return Evaluation(model.name, str(folder), split, tuple(model.labels), matrix, tuple(left_out), tuple(notes), heard)


def recordings_of(
    model: Hearing, folder: Path, split: str | None = None, resample: bool = False, channel: int | None = None
) -> tuple[dict[Path, int], list[str]]:
    """Recording -> class index of what `evaluate` hears in a folder, and what there is to say about them."""
    from supernet.data import esc50

    notes: list[str] = []
    above = folder.resolve().parent
    if esc50.is_layout(above):
        raise InvalidData(f"{folder}: is one folder of ESC-50; give the whole, {above}")
    if esc50.is_layout(folder):
        return _of_esc50(model, folder, split, notes), notes
    targets = _targets(model, folder, notes)
    known = splits_known(model, targets, resample, channel)
    own = known and split in SPLITS and not all((folder / LISTS[name]).is_file() for name in _lists(split))
    targets = own_split(known, split, targets) if own else _listed(folder, split, targets, notes)
    return targets, notes + notes_of_training(known, split, targets)


def _in_conditions(
    model: Hearing,
    folder: Path,
    targets: dict[Path, int],
    names: Sequence[str],
    resample: bool,
    channel: int | None,
    run: str | Path | None,
    progress: bool,
) -> tuple[InCondition, ...]:
    """The clips among the recordings, heard in each condition."""
    from tqdm import tqdm

    from supernet.data.audio import to_int16

    clips: dict[Path, np.ndarray] = {}
    for path in targets:
        try:
            sound = read_sound(path, None, model.sampling_rate, resample, model.clip_samples, channel)
        except InvalidAudio:  # what cannot be used is left out above; what is longer is no clip
            continue
        clips[path] = to_int16(sound.samples)
    if not clips:
        raise InvalidData(
            f"{folder}: conditions need clips, and no recording is as short as {model.clip_ms / 1000:g} s"
        )
    noise, rooms = unheard_noise(_noise_in(model, folder, channel)), unheard_rooms(names, model.sampling_rate)
    sounds, classes = _sounds(model, folder, list(clips)), np.array([targets[path] for path in clips])
    around = Surroundings(np.stack(list(clips.values())), sounds, model.sampling_rate, noise, rooms)
    about = {**_about(model, resample, channel), "recordings": digest([file_state(path) for path in clips])}
    kept, found = Kept(run and Path(run) / HEARD), []
    for name in tqdm(names, "conditions", disable=None if progress else True, leave=False):

        def measure(name: str = name) -> int:
            return heard_in(name, around, classes, lambda samples: model.scores(model.features(samples))).right

        found.append(InCondition(name, kept.take({**about, "condition": name}, measure), len(classes)))
    return tuple(found)


def _sounds(model: Hearing, folder: Path, clips: Sequence[Path]) -> np.ndarray:
    """(clips,) a number for what is heard in each, whatever the model knows of it."""
    from supernet.data import esc50

    if esc50.is_layout(folder):
        table = esc50.fold_clips(folder, esc50.subset_of(model.knows))
        names = dict(zip(table.path, table.category, strict=True))
    else:
        names = {path: path.relative_to(folder).parts[0] for path in clips}
    numbers = {name: number for number, name in enumerate(sorted(set(names.values())))} | {SILENCE: SILENT}
    return np.array([numbers[names[path]] for path in clips])


def _noise_in(model: Hearing, folder: Path, channel: int | None = None) -> list[np.ndarray]:
    """Of FOLDER/_background_noise_: of each recording that can be used what training leaves."""
    from supernet.data.speech_commands import held_noise

    held = []
    for path in walk(folder / NOISE).recordings:
        try:
            sound = read_sound(path, None, model.sampling_rate, resample=True, channel=channel)
        except InvalidAudio as error:
            log.warning("left out: %s", printable(str(error)))
            continue
        held.append(held_noise(sound.samples))
    return [item for item in held if len(item)]


def _about(model: Hearing, resample: bool, channel: int | None) -> dict:
    """What an answer hangs on, beside the recording."""
    about = {"model": digest(read_bytes(model.path / CONFIG)), "words": model.words, "resample": resample, "by": BY}
    return about | ({} if channel is None else {"channel": channel})


def _answers(
    model: Hearing,
    files: list[Path],
    resample: bool,
    channel: int | None,
    run: str | Path | None,
    progress: bool,
) -> Iterator[int | str]:
    """The class of each recording, or why it cannot be used."""
    about = _about(model, resample, channel)
    known = ({**about, "recording": file_state(file)} for file in files)
    hop = hop_of(model)

    def answers(new: list[Path]) -> Iterator[int | str]:
        for heard in hear(model, new, hop, resample, progress, channel=channel, whole=True):
            yield str(heard.error) if heard.error is not None else int(heard.scores.mean(0).argmax())

    return Kept(run and Path(run) / HEARD).each(known, files, answers)


def _of_esc50(model: Hearing, folder: Path, split: str | None, notes: list[str]) -> dict[Path, int]:
    """Recording -> class index, of a split of ESC-50, of a fold, or of all."""
    from supernet.data import esc50

    subset, heard = esc50.subset_of(model.knows), model.folds
    if heard and split in ("train", "validation", "test"):
        folds = ", ".join(map(str, heard))
        raise InvalidQuery(f"split = {split!r}: {model.name} was trained on all of folds {folds}; name another fold")
    if split in ("train", "validation"):
        clips = esc50.list_clips(folder, subset)
        clips = clips.where(clips.split == split)
    elif split in (None, "test", *ESC50_FOLDS):
        fold = ESC50_FOLDS.get(split, esc50.TEST_FOLD)
        clips = esc50.fold_clips(folder, subset, fold if split else None)
        if set(clips.fold.tolist()) & set(heard or set(esc50.FOLDS) - {esc50.TEST_FOLD}):
            other = "name a fold that it was not trained on" if heard else "test is --split test"
            notes.append(f"clips of training are among them: {other}")
    else:
        raise InvalidQuery(
            f"split = {split!r} is not possible: ESC-50 has train, validation, test and fold1 to fold{len(ESC50_FOLDS)}"
        )
    known = dict(enumerate(model.knows))
    if [known.get(target) for target in clips.target.tolist()] != clips.category.tolist():
        raise InvalidData(
            f"{folder}: {model.name} knows other classes than these of ESC-50; take a model of aec or esc10"
        )
    answers = (name if name in model.labels else UNKNOWN for name in clips.category)
    return {path: model.labels.index(label) for path, label in zip(clips.path, answers, strict=True)}


def _targets(model: Hearing, folder: Path, notes: list[str]) -> dict[Path, int]:
    """Recording -> class index."""
    classes = walk_classes(folder, model.labels)
    heard = {name: found.recordings for name, found in classes.walks.items() if found.recordings}
    words = [name for name in heard if name not in model.labels]
    if words and UNKNOWN not in model.labels:
        raise InvalidData(f"{folder / words[0]}: no label of {model.name}: {nearest_names(words[0], model.labels)}")
    _note(notes, "left out, since they are no classes", classes.apart)
    _note(notes, "without a recording", classes.empty)
    _note(notes, f"counted as {UNKNOWN}", words)
    _note(notes, "names that differ in capitals or spaces only, taken for different ones", twins(heard, model.labels))
    _note(notes, "left out", filter(None, [tell_left_out(classes.left_out)]))
    place = {**dict.fromkeys(words, UNKNOWN), **{label: label for label in model.labels}}
    return {path: model.labels.index(place[name]) for name, paths in heard.items() for path in paths}


def _listed(folder: Path, split: str | None, targets: dict[Path, int], notes: list[str]) -> dict[Path, int]:
    """Those of a split."""
    if split is not None:
        targets = _of_split(folder, split, targets, notes)
    if not targets:
        where = f" of split {split}" if split else ""
        raise InvalidData(f"{folder}: no recordings{where}; put those of each class into a folder of its own")
    return targets


def _of_split(folder: Path, split: str, targets: dict[Path, int], notes: list[str]) -> dict[Path, int]:
    if split not in SPLITS:
        raise InvalidQuery(f"split = {split!r} is not possible: {nearest_names(split, SPLITS)}")
    names = {path: path.relative_to(folder).as_posix() for path in targets}
    listed = set().union(*(_in_list(folder, name, names.values(), notes) for name in _lists(split)))
    return {path: target for path, target in targets.items() if (names[path] in listed) == (split != "train")}


def _lists(split: str) -> tuple[str, ...]:
    """The splits of which the lists tell a split: training has what is in neither."""
    return tuple(LISTS) if split == "train" else (split,)


def _in_list(folder: Path, split: str, names: Collection[str], notes: list[str]) -> set[str]:
    """Those of the recordings, by their names below the folder, that are of a split which has a list."""
    if not (folder / LISTS[split]).is_file():
        raise InvalidData(
            f"{folder / LISTS[split]}: no such list; give it (CLASS/NAME.wav of each clip of the split, one a line), "
            "or leave --split out; without lists only a model that `earshot train` made knows its splits"
        )
    means = named_files(read_list(folder / LISTS[split]), names)
    missing = sorted({stem_of(name) for name, files in means.items() if not files})
    if missing:
        notes.append(f"lines of {LISTS[split]} that name no recording: {len(missing):,}, such as {missing[0]}")
    silent = split == "test" and not any(name.startswith(f"{SILENCE}/") for name in means)
    return {file for files in means.values() for file in files} | {
        name for name in names if silent and name.startswith(f"{SILENCE}/")
    }


def _note(notes: list[str], what: str, names: Iterable[str]) -> None:
    if names := list(names):
        notes.append(f"{what}: {', '.join(names)}")
