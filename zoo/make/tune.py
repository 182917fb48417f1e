"""Settings of a detector for a place of use: chosen on recordings of it, and shown to keep a limit. No torch here.

What is heard in the place and must trigger nothing are the negatives. The same weights become a package with other
settings, in a hub of the user's own, under the same name: look-ups ask the user's own hub before the bundled one.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from supernet.constants import OWN_HUB
from supernet.data.walk import walk_classes
from supernet.errors import InvalidAudio, InvalidData, InvalidQuery
from supernet.extras import has
from supernet.files import digest, read_bytes, write_bytes
from supernet.samples import as_int16, to_int16
from zoo.ask.lookup import get, named
from zoo.ask.units import an_hour
from zoo.hubs.address import open_hub
from zoo.hubs.base import AnyHub
from zoo.hubs.folder import BUNDLED
from zoo.keeping import LAST_STEP, file_state, going_on
from zoo.make.change import address_of, change, check_target
from zoo.make.detection import MOST_WORDS, rights
from zoo.make.trials import Trials
from zoo.package.detected import limits_with_detection, rounded_up
from zoo.package.figures import COSTS, read_figures
from zoo.package.read import CONFIG, MODEL, PICTURE, VECTORS, read_config
from zoo.package.write import seal
from zoo.run.alarms import hours_to_show
from zoo.run.along import answer_ms, logits_along, shown
from zoo.run.detection import NEVER, Detection
from zoo.run.events import event_hop
from zoo.run.hear import SoundParts, check_channel, find_recordings, open_sound, read_sound
from zoo.run.model import Model
from zoo.run.parts import Parts
from zoo.run.placed import CONDITIONS, Placed

__all__ = ["tune"]

BED_S, SEED = 1200, 2026
"""Seconds of negatives that words are placed in, and the seed of their places."""

log = logging.getLogger(__name__)


def tune(
    model: Model | str | Path,
    negatives: str | Path | Sequence[str | Path],
    max_false_alarms: float | str,
    *,
    words: str | Path | None = None,
    into: str | Path | AnyHub | None = None,
    unproven: bool = False,
    resample: bool = False,
    channel: int | None = None,
    run_dir: str | Path | None = None,
    progress: bool = False,
) -> Model:
    """Choose how a model detects in a place, and keep it with these settings in a hub; returns it.

    model: or its name, a task, or the folder of a package. negatives: recordings of the place, or folders of them, in
    which nothing is said that the model knows; settings are chosen on all, and judged by cross-fitting, so that all
    hours count (see zoo.make.trials). max_false_alarms: an hour; their 95 % upper bound keeps it, with unproven the
    estimate. words: FOLDER/LABEL/*.wav of words that the model detects; without them it is not known how many are
    found, and the least threshold that keeps the limit is taken. into: a hub, by default the user's own. resample,
    channel: as of `Model.run`. run_dir: a folder in which what was heard is kept, so that it is not heard again.

    Raises InvalidData where the hours, or the alarms in them, do not show what was asked, with what can be shown;
    InvalidQuery for a limit that cannot be meant, and for the bundled hub.
    """
    limit, target = an_hour("max_false_alarms", max_false_alarms), OWN_HUB if into is None else into
    _check_hub(target)
    model = model if isinstance(model, Model) else _opened(model)
    run, channel = run_dir and Path(run_dir), check_channel(channel)
    place = _Place(model, find_recordings(negatives), resample, channel, run, progress)
    hours = place.seconds() / 3600
    if not unproven:
        _check_hours(hours, limit)
    heard = place.heard()
    found = _trials(model, place, heard, words, limit, not unproven).figures()
    _check_shown(found, limit, unproven)
    if "recall" not in found:
        log.warning("how many words are found is not known; give words (--words FOLDER with FOLDER/LABEL/*.wav) for it")
    with going_on(*filter(None, [run_dir]), errors=LAST_STEP):
        return _kept(model, {**found, "sound": _told(negatives, words)}, target)


@dataclass(frozen=True)
class _Place:
    """Recordings of a place that a model hears."""

    model: Model
    files: Sequence[str | Path]
    resample: bool
    channel: int | None
    run: Path | None
    progress: bool

    @property
    def hop_ms(self) -> int:
        """From answer to answer."""
        return event_hop(self.model.clip_ms, answer_ms(self.model.network))

    def seconds(self) -> float:
        """About how long they are, as far as files tell. Raises InvalidAudio where none can be used."""
        known = [self._seconds(file) for file in self.files]
        usable = [one for one in known if not isinstance(one, InvalidAudio)]
        if known and not usable:
            raise known[0]
        return sum(usable)

    def heard(self) -> list[np.ndarray]:
        """Scores (answers, classes) of each recording that can be used."""
        found = [one for file in tqdm(self.files, "hearing", disable=None if self.progress else True, leave=False)
                 if (one := self._logits(file)) is not None and len(one)]  # fmt: skip
        once = {one.tobytes(): one for one in found}
        if sum(map(len, once.values())) * self.hop_ms < self.model.clip_ms:
            raise InvalidData(f"no recording of the negatives is as long as a clip, {self.model.clip_ms / 1000:g} s")
        if len(once) < len(found):
            log.warning("%d of %d negatives are copies of others, and count once", len(found) - len(once), len(found))
        return [self.model.detector().scores(logits) for logits in once.values()]

    def bed(self) -> list[np.ndarray]:
        """The first twenty minutes of them, (samples,) int16 each."""
        found, left = [], BED_S * self.model.sampling_rate
        for file in self.files:
            if left > 0 and (samples := self._first(file, left)) is not None:
                found.append(samples)
                left -= len(samples)
        return found

    def along(self, recording: Parts) -> Iterator[np.ndarray]:
        """Logits (answers, classes) int16, a part at a time."""
        return logits_along(self.model.network, self.model.frontend, recording, self.hop_ms)

    def open(self, file: str | Path) -> AbstractContextManager[SoundParts]:
        """A recording, a part at a time."""
        return open_sound(file, None, self.model.sampling_rate, self.resample, self.channel)

    def _seconds(self, file: str | Path) -> float | InvalidAudio:
        try:
            with self.open(file) as sound:
                return sound.seconds
        except InvalidAudio as error:  # said when it is heard
            return error

    def _first(self, file: str | Path, most: int) -> np.ndarray | None:
        parts = []
        try:
            with self.open(file) as sound:
                for part in sound.parts:
                    parts.append(as_int16(part))
                    if sum(map(len, parts)) >= most:
                        break
        except InvalidAudio:
            return None
        return np.concatenate(parts)[:most] if parts else None

    @property
    def _silence(self) -> np.ndarray:
        """What follows a recording, so that its end is heard as `Model.detected` hears it; as many answers as hops of
        the recording.
        """
        return np.zeros(self.model.clip_samples - self.hop_ms * self.model.sampling_rate // 1000, np.float32)

    def _logits(self, file: str | Path) -> np.ndarray | None:
        """(answers, classes) int16 of a recording, kept in the folder of the run; None of one that cannot be used."""
        how = [self.resample, self.channel, "and silence"]
        about = [digest(read_bytes(self.model.path / CONFIG)), file_state(file), *how]
        path = self.run and self.run / f"{digest(about)[:24]}.npy"
        if path and path.is_file():
            return np.load(path, allow_pickle=False)
        try:
            with self.open(file) as sound:
                parts = chain(sound.parts, [self._silence])
                own = shown(self.along(parts), self.hop_ms, self.progress, sound.seconds)
                logits = _joined(own, len(self.model.knows))
        except InvalidAudio as error:
            log.warning("left out: %s", error)
            return None
        if path:
            data = BytesIO()
            np.save(data, logits, allow_pickle=False)
            self.run.mkdir(parents=True, exist_ok=True)
            write_bytes(path, data.getvalue())
        return logits


def _joined(parts: Iterator[np.ndarray], classes: int) -> np.ndarray:
    return np.concatenate([np.zeros((0, classes), np.int16), *parts])


def _opened(model: str | Path) -> Model:
    if (Path(model) / CONFIG).is_file():
        return Model.from_folder(model)
    place = open_hub()
    return get(**named(place, str(model)), hub=place)


def _check_hub(hub: str | Path | AnyHub) -> None:
    address = address_of(hub)
    if Path(address).resolve() == BUNDLED.resolve():
        raise InvalidQuery(f"hub {address}: holds the bundled models, which stay as they are; give one of your own")
    check_target(hub, False)


def _check_hours(hours: float, limit: float) -> None:
    """Raise InvalidData for so few hours that not even silence in all of them shows the limit."""
    needed = hours_to_show(limit) if limit else math.inf
    if hours >= needed:
        return
    least = rounded_up(hours_to_show(1) / hours) if hours else None
    advice = f"ask for {least:g} or more, " if least else ""
    more = f"give at least {rounded_up(needed):g} hours" if limit else "no number of hours does"
    raise InvalidData(
        f"{hours:.3g} hours of negatives cannot show at most {limit:g} false alarms an hour: not one in all of them "
        f"would bound the rate at {least or math.inf:g} (95 %); {more}, {advice}or give unproven (--unproven), which "
        "takes the estimate"
    )


def _check_shown(found: Mapping, limit: float, unproven: bool) -> None:
    """Raise InvalidData, or with `unproven` warn, where alarms were too many to show the limit."""
    bound = found["false_alarms_upper"]
    if bound <= limit:
        return
    said = (
        f"at most {limit:g} false alarms an hour are not shown: there were {found['alarms']:,} in {found['hours']:.3g} "
        f"hours that the settings were not chosen on, so that the rate is at most {rounded_up(bound):g} (95 %)"
    )
    if not unproven:
        raise InvalidData(f"{said}; ask for that, give more hours, or give unproven (--unproven)")
    log.warning("%s", said)


def _trials(
    model: Model, place: _Place, heard: list[np.ndarray], words: str | Path | None, limit: float, sure: bool
) -> Trials:
    base = replace(model.detection, hop_ms=place.hop_ms, thresholds={})
    spoken = {} if words is None else _spoken(model, place, Path(words))

    def detector_of(settings: Detection):
        return replace(model.detector(), settings=settings)

    return Trials(detector_of, base, model.clip_ms, heard, spoken, limit, sure)


def _spoken(model: Model, place: _Place, folder: Path) -> dict:
    """Scores of streams of the words in each condition, and the words."""
    clips, right = _clips(model, folder, place)
    bed, found = place.bed(), {}
    for name in tqdm(CONDITIONS, "words", disable=None if place.progress else True, leave=False):
        placed = Placed(clips, right, bed, bed, model.sampling_rate, model.clip_samples, name, SEED)
        logits = _joined(place.along(placed.parts), len(model.knows))
        found[name] = model.detector().scores(logits), placed.words
    return found


def _clips(model: Model, folder: Path, place: _Place) -> tuple[list[np.ndarray], np.ndarray]:
    """Clips of the words, and whether an event of each class is right."""
    walks = walk_classes(folder).walks
    known = {label: walks[label].recordings for label in walks if label in model.knows and label not in NEVER}
    if others := sorted(set(walks) - set(known)):
        log.warning("%s: left out, since %s does not detect them: %s", folder, model.name, ", ".join(others[:6]))
    files = [(path, model.knows.index(label)) for label, paths in known.items() for path in paths]
    chosen = np.linspace(0, len(files) - 1, min(len(files), MOST_WORDS)).round().astype(int)
    read = [(_clip(files[number][0], place), files[number][1]) for number in chosen]
    usable = [(clip, label) for clip, label in read if clip is not None]
    if not usable:
        detected = ", ".join(label for label in model.knows if label not in NEVER)
        raise InvalidData(f"{folder}: no clip of a word that {model.name} detects; give FOLDER/LABEL/*.wav: {detected}")
    return [clip for clip, _ in usable], rights(np.array([label for _, label in usable]), model.knows)


def _clip(file: Path, place: _Place) -> np.ndarray | None:
    model = place.model
    try:
        sound = read_sound(file, None, model.sampling_rate, place.resample, model.clip_samples, place.channel)
    except InvalidAudio as error:
        log.warning("left out: %s", error)
        return None
    return to_int16(sound.samples)


def _told(negatives: str | Path | Sequence[str | Path], words: str | Path | None) -> str:
    """What was heard, by the names of folders and files alone."""
    given = [negatives] if isinstance(negatives, str | Path) else list(negatives)
    names = [Path(one).resolve().name for one in [*given, *([] if words is None else [words])]]
    return ascii(", ".join(names))[1:-1][:1000]


def _kept(model: Model, detection: dict, hub: str | Path | AnyHub) -> Model:
    """The package with these settings, in a hub."""
    stated = read_config(model.path).values
    values = {**stated, "limits": limits_with_detection(stated["limits"]), "detection": detection}
    folder = model.path
    devices = read_figures(folder / COSTS) if (folder / COSTS).is_file() else None
    stays = {PICTURE: read_bytes(folder / PICTURE)} if (folder / PICTURE).is_file() else {}
    drawn = None if has("matplotlib", "PIL") else stays
    files = (read_bytes(folder / file) for file in (MODEL, VECTORS))
    with tempfile.TemporaryDirectory() as staging:
        package = seal(staging, values, *files, devices, drawn)
        place = change(hub, [package], None)
    return get(name=model.name, hub=place)
