"""How many files a second does a model hear, and where does the time go?

    python scripts/bench.py run                           # copies of the bundled clips
    python scripts/bench.py run FOLDER --models NAME NAME

Recordings in FOLDER that are no longer than a clip go through in batches, as in `earshot run`: decoded, turned into
features, and answered by the network, here one stage after the other, by one thread, in that thread's own time, so that
other work on the machine does not count (`earshot run` decodes in other threads meanwhile). Models take turns; figures
are medians of the rounds. Files are read once before, so that they lie in memory; each counts as one clip of audio.
Rows: `run_speed.csv`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import zoo
from studies.base import Shown, Study, option, value
from studies.rows import Rows
from supernet.data.walk import walk
from supernet.errors import InvalidAudio
from supernet.files import write_json
from zoo.run.hear import BATCH, read_sound

TABLE, STAGES, COPIES = "run_speed", ("decoding", "features", "network"), 64
CLIPS = Path(zoo.__file__).parent / "clips"


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure and write the rows."""
    with threadpool_limits(1), tempfile.TemporaryDirectory() as place:
        folder = Path(options.folder) if options.folder else _copies(Path(place) / "clips")
        models = [zoo.get(name=name) for name in options.models or _ends()]
        _measure(folder, models, options.rounds, Path(place), rows)


def _copies(folder: Path) -> Path:
    folder.mkdir()
    for clip in CLIPS.glob("*.wav"):
        for index in range(COPIES):
            shutil.copyfile(clip, folder / f"{clip.stem}-{index}.wav")
    return folder


def _ends() -> list[str]:
    """The models of fewest and of most MACs, the better ones of these."""
    entries = zoo.find(task="kws")
    return [end(entries, key=lambda entry: entry.macs).name for end in (min, max)]


def _measure(folder: Path, models: list[zoo.Model], rounds: int, place: Path, rows: Rows) -> None:
    files = [path for path in walk(folder).recordings if _is_clip(path, models[0])]
    names = " ".join(sorted({path.suffix[1:] for path in files}))
    spent = {model.name: [] for model in models}
    for _ in range(rounds):
        for model in models:
            spent[model.name].append(_stages(model, files))
    for model in models:
        run = place / model.name
        write_json(run / "recipe.json", {"batch": BATCH, "rounds": rounds, "model": model.entry.to_dict()})
        keys = {"files": f"{folder.name}, {names}", "model": model.name}
        row = _row(np.array(spent[model.name]), len(files), model.clip_ms / 1000)
        rows.add(TABLE, keys, {"clips": len(files), **row, "threads": 1, "rounds": rounds}, run)


def _is_clip(path: Path, model: zoo.Model) -> bool:
    try:
        read_sound(path, None, model.sampling_rate, length=model.clip_samples)
    except InvalidAudio:
        return False
    return True


def _stages(model: zoo.Model, files: list[Path]) -> list[float]:
    """Seconds of decoding, features and network."""
    spent = [0.0] * len(STAGES)
    for first in range(0, len(files), BATCH):
        value = files[first : first + BATCH]
        for stage, step in enumerate((lambda part: _decode(model, part), model.features, model.scores)):
            start = time.thread_time()
            value = step(value)
            spent[stage] += time.thread_time() - start
    return spent


def _decode(model: zoo.Model, files: list[Path]) -> np.ndarray:
    return np.stack([read_sound(file, None, model.sampling_rate, length=model.clip_samples).samples for file in files])


def _row(seconds: np.ndarray, count: int, clip_s: float) -> dict:
    """seconds: (rounds, stages)."""
    each, total = np.median(seconds, axis=0), float(np.median(seconds.sum(1)))
    shares = zip(STAGES, each / each.sum(), strict=True)
    return {
        "files_per_s": round(count / total),
        "audio_s_per_s": round(count * clip_s / total),
        **{f"{name}_percent": round(100 * float(share), 1) for name, share in shares},
    }


def table_of_stages(found: Rows) -> Shown:
    """Files a second, and where the time goes."""
    names = ["files", "model", "files a second", "decoding, %", "features, %", "network, %"]
    columns = ["files", "model", "files_per_s", "decoding_percent", "features_percent", "network_percent"]
    rows = [[f"{value:,}" if column == "files_per_s" else str(value) for column, value in row.items()]
            for row in found.read(TABLE)[columns].to_dict("records")]  # fmt: skip
    return names, rows


STUDY = Study(
    __doc__,
    run,
    (
        option("folder", nargs="?", help="of recordings (default: copies of the bundled clips)"),
        option("--models", nargs="+", metavar="NAME", help="default: the smallest and the largest of kws"),
        value("--rounds", 7, "of each model in turn"),
    ),
    always=True,
    tables={TABLE: table_of_stages},
)
