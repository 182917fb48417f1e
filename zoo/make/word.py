"""A wake word from its text: speech is made, a network learns the word, and a package with its threshold is published.

Everything that is drawn depends on the seed. The folder of the run keeps what is done, so that what was stopped goes on
when the same is asked again, and recordings and false alarms that are added later continue from its last round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from supernet.arch import Arch
from supernet.constants import OWN_HUB
from supernet.data.clips import ClipData
from supernet.data.speech.base import Engine
from supernet.data.speech.clips import Speech, checked_text, installed
from supernet.data.speech.command import Command
from supernet.data.speech.recorded import Recorded
from supernet.data.speech_commands import list_files
from supernet.errors import InvalidCheckpoint, InvalidQuery, MissingExtra, nearest_names
from supernet.extras import TRAINING, need
from supernet.families import family
from supernet.files import digest, load_tensors, read_json, save_tensors, write_json
from supernet.metrics import poisson_upper
from supernet.nn.network import Network
from supernet.nn.store import StoredSupernet
from supernet.whole import as_list
from zoo.ask.limits import LIMITS, check_bits
from zoo.ask.units import an_hour, seed_of
from zoo.hubs.address import writable_hub
from zoo.keeping import LAST_STEP, RUNS, check_folder, going_on
from zoo.make.added import added, keep_added, keep_given
from zoo.make.judged import Judge
from zoo.make.names import name_in_cards, warn_of_mixing
from zoo.make.package import noise, split_figures, write_package
from zoo.make.publish import publish
from zoo.make.spoken import RATE, Amounts, Material, clip_data, gathered, with_recordings
from zoo.make.starts import is_bundled, open_start, with_owner
from zoo.make.train import check_names
from zoo.make.wake import Plan, Wake, check_limits, chosen_arch, fired, is_done, quantised, reopened, started, trained
from zoo.package.detected import MADE_RECALL, rounded_up
from zoo.run.alarms import hours_to_show

__all__ = ["QUICK", "START", "Report", "word"]

START = "commands-temporal-map"
"""Where nothing is said: it knows the most words, nearly all of people, in the scenes that wake words are heard in."""
RECIPE = 4
"""Of the way in which words are made: a run of another one cannot be gone on with."""
STATE, HARD, FIRST = "word.json", "hard.safetensors", "round1"
"""In the folder of a run: what was asked for, windows of the negatives that were taken for the word, and the folder of
the first round."""
OTHER = "other"
"""The licence of a model where none is given."""
FAST = {"rate": 2e-3, "again_rate": 1e-3, "remember": 0.0}
"""For what starts elsewhere: supernets of few words have more to learn, and less to lose."""
QUICK = (
    Amounts(words=500, held_words=100, near=70, others=630, sentences=150, held_sentences=300, each_recorded=15),
    Plan(epochs=15, again=5, quant_epochs=1, evaluations=1000, **FAST),
)
"""A first model in a fraction of the time."""
USUAL = {
    "text": None, "voices": None, "voice_commands": [], "voice_folders": [], "recordings": [], "negatives": [],
    "data": None, "limits": {}, "device": None, "sure": False, "bits": 8, "start": START, "seed": 0,
    "amounts": asdict(Amounts()), "plan": asdict(Plan()), "recipe": RECIPE,
}  # fmt: skip
"""What is asked for where nothing is said."""
VOICES = ("voices", "voice_commands", "voice_folders")
"""Of what is asked for, what says who speaks."""
SHARE = 0.4
"""Of the words in an epoch that are recordings, where there are any."""
SHOWN = 4
"""Points of the curve that the report tells."""
SYNTHETIC = "made from text: no estimate of how real people are heard"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What a wake word rests on.

    model: its name in the hub. detection: settings and false alarms, as `config.json` has them. synthetic: share of
    words found that held-out voices say, and how many there were; real: the same of recordings of people; None where
    there are none. real_hours: of the negatives, those that are recordings. seconds: that it took this time.
    """

    model: str
    hub: str
    path: str
    label: str
    detection: Mapping[str, Any]
    synthetic: tuple[float, int] | None
    real: tuple[float, int] | None
    real_hours: float
    seconds: float
    limit: float
    how: list[str] = field(default_factory=list)

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        values = asdict(self)
        return {"name": values.pop("model"), **values}

    def lines(self) -> list[str]:
        """For people."""
        own = self.detection
        upper = poisson_upper(own["alarms"]) / own["hours"]
        heard = f"{own['hours']:.2g} hours of negatives, {self.real_hours:.2g} of them recordings"
        shown = "" if upper <= self.limit else (
            f"; at most {self.limit:g} is not shown: that takes {hours_to_show(self.limit):.2g} hours without one"
            if self.limit else "; no number of hours shows none"
        )  # fmt: skip
        return [
            self.model,
            f"  recall on held-out voices {_share(self.synthetic)}{'' if self.synthetic is None else f', {SYNTHETIC}'}",
            f"  recall on held-out recordings of people {_share(self.real)}",
            f"  {own['alarms']} false alarms in {heard}, by thresholds chosen on other parts of them: "
            f"{own['false_alarms_per_hour']:.3g} an hour, at most {rounded_up(upper):g} (95 %){shown}",
            f"  threshold {own['threshold']:g}, scores averaged over {own['smoothing']} answers of {own['hop_ms']} ms",
            *_points(own["curve"], own["hours"]),
            f"  took {self.seconds:.0f} s",
            f"  path {self.path}",
            *(f"  {line}" for line in self.how),
        ]


def _points(curve: Sequence[Mapping], hours: float) -> list[str]:
    """Of the curve, what the least thresholds with none, one, two... alarms in all hours find."""
    first: dict[int, Mapping] = {}
    for one in curve:
        first.setdefault(one["alarms"], one)
    known = [(one, one.get(MADE_RECALL, one.get("recall"))) for _, one in sorted(first.items())[:SHOWN]]
    return [
        f"  threshold {one['threshold']:.3g} finds {100 * recall:.1f} % with {one['alarms']} alarms in all of them, "
        f"{one['alarms'] / hours:.3g} an hour"
        for one, recall in known if recall is not None
    ]  # fmt: skip


def _share(found: tuple[float, int] | None) -> str:
    return "unknown: there are none" if found is None else f"{100 * found[0]:.1f} % of {found[1]}"


def word(
    text: str | None,
    task: str,
    *,
    voices: Sequence[str] | None = None,
    voice_commands: Sequence[str] = (),
    voice_folders: Sequence[str | Path] = (),
    recordings: Sequence[str | Path] = (),
    negatives: Sequence[str | Path] = (),
    data: str | Path | None = None,
    add: str | Path | None = None,
    device: str | None = None,
    sure: bool = False,
    bits: int | str = 8,
    max_false_alarms: float | str = 1.0,
    start: str | Path = START,
    quick: bool = False,
    seed: int = 0,
    run_dir: str | Path | None = None,
    hub: str | Path | None = None,
    licence: str | None = None,
    amounts: Amounts | None = None,
    plan: Plan | None = None,
    **limits: float | str | None,
) -> Report:
    """Make a model that detects a word or phrase, given as text, and publish it; returns what it rests on.

    text: words of letters; None with `add`, for that of the run. task: name of the model's task in hubs. voices:
    names of engines (`supernet.data.speech.engine.names`), by default all that are installed. voice_commands:
    further ones, see supernet.data.speech.command; voice_folders: see supernet.data.speech.recorded. recordings:
    files or folders of people who say it; negatives: in which nobody does, of any length. data: a folder of Speech
    Commands, whose words and noise become negatives. add: a folder with recordings of people in ADD/LABEL and, in
    ADD/_unknown_, of what is not the word: false alarms, and long ones as negatives. The run goes on with them from
    its last round, and its former model leaves the hub. limits, such as max_flash, device, sure: as of `zoo.get`.
    bits: of the weights, 1 to 8 or "mixed"; at 8 they are rounded, else fine-tuned. max_false_alarms: an hour, by the
    estimate on held-out negatives. start: the supernet whose slice is trained, a bundled one or its folder. quick:
    less of all, for a first model. run_dir: folder of the run (default: runs/word-TASK). hub: the folder that gets
    the model (default: the user's own). licence: of the model (default: that of the run, else "other"). amounts,
    plan: how much is made and how long is trained, instead of the usual.

    Raises InvalidQuery for what cannot be meant, before anything is made; MissingExtra where nothing can speak;
    InvalidData for recordings that cannot be used; InfeasibleBudget where no network keeps the limits.
    """
    need(*TRAINING, "pyroomacoustics")
    began = time.monotonic()
    check_names(task, licence or OTHER)
    run = Path(run_dir or RUNS / f"word-{task}")
    check_folder("run_dir", run)
    limit, target = an_hour("max_false_alarms", max_false_alarms), writable_hub(OWN_HUB if hub is None else hub)
    wished = {name: value for name, value in limits.items() if value is not None}
    if unknown := [name for name in limits if name not in LIMITS]:
        raise InvalidQuery(f"{unknown[0]:.80} is neither an option nor a limit: {nearest_names(unknown[0], LIMITS)}")
    paths = {"voice_folders": voice_folders, "recordings": recordings, "negatives": negatives}
    usual = QUICK if quick else (Amounts(), Plan() if str(start) == START else Plan(**FAST))
    asked = {
        "text": None if text is None else checked_text(text),
        "voices": None if voices is None else sorted(as_list(voices)),
        "voice_commands": as_list(voice_commands),
        **{name: [str(Path(one).resolve()) for one in as_list(given)] for name, given in paths.items()},
        "data": None if data is None else str(Path(data).resolve()), "limits": wished, "device": device, "sure": sure,
        "bits": check_bits(bits), "start": str(start if is_bundled(start) else Path(start).resolve()),
        "seed": seed_of(seed), "amounts": asdict(amounts or usual[0]), "plan": asdict(plan or usual[1]),
        "recipe": RECIPE,
    }  # fmt: skip
    state = _state(run, asked, add, licence)
    begin, begun = _checked_start(state), (run / FIRST).is_dir()
    state |= _speakers(state, run, begun)
    keep_given(run, state["recordings"], state["negatives"], begun)
    if add is not None:
        state["added"] = keep_added(run, Path(add), _label(state["text"]), state["added"])
    write_json(run / STATE, state)
    with going_on(run):
        report = _made(state, begin, run, task, limit, target)
    return replace(report, seconds=round(time.monotonic() - began, 1))


def _checked_start(state: dict) -> StoredSupernet:
    """The start. Raises, before anything is made, for voices, a start and limits that cannot be used."""
    _, begin = engines_of(state), open_start(state["start"])
    kind = begin.supernet.space.family
    if not family(kind).streamable:
        raise InvalidQuery(
            f"start = {state['start']!r}: networks of family {kind} hear whole clips, and a word is listened for in a "
            f"stream; give one such as {START}"
        )
    check_limits(begin, state["limits"], state["bits"], state["device"], state["sure"])
    if state["data"] is not None:
        list_files(Path(state["data"]), ())
    return begin


def _state(run: Path, asked: dict, add: str | Path | None, licence: str | None) -> dict:
    """What is made in a folder: what was asked for there before, or now. Raises InvalidQuery where these differ, and
    training has begun.
    """
    before, begun = _before(run), (run / FIRST).is_dir()
    if begun and before is None:
        raise InvalidQuery(f"{run}: holds rounds of a run, but no {STATE}; name another folder (run_dir), or delete it")
    if add is not None:
        if not begun:
            raise InvalidQuery(f"add = {add}: {run} holds no run to go on with; make the word first, without it")
        _check_same({name: value for name, value in asked.items() if value != USUAL[name]}, before, run)
        return {**before, "licence": licence or before["licence"]}
    if asked["text"] is None:
        raise InvalidQuery(
            "text = None: give the word, such as 'hey robin', before options of several folders or names; or add, a "
            "folder, to go on with a run"
        )
    if not begun:
        return {**asked, "added": 0, "models": [], "licence": licence or OTHER}
    _check_same(asked, before, run)
    return {**before, "licence": licence or before["licence"]}


def _before(run: Path) -> dict | None:
    """The state of a run; None where there is none. Raises InvalidQuery for that of another version, InvalidCheckpoint
    for what is none.
    """
    if not (run / STATE).is_file():
        return None
    found = read_json(run / STATE)
    if isinstance(found, dict) and found.get("recipe") != RECIPE:
        raise InvalidQuery(
            f"{run}: holds a run of another version of Earshot; name another folder (run_dir), or delete it"
        )
    kinds = {"text": str, "added": int, "models": list, "licence": str, "recordings": list, "negatives": list}
    if not isinstance(found, dict) or not {*USUAL} <= found.keys() or not all(
        isinstance(found.get(name), kind) for name, kind in kinds.items()
    ):  # fmt: skip
        raise InvalidCheckpoint(f"{run / STATE}: not the state of a run; delete the folder, or name another (run_dir)")
    return found


def _check_same(asked: dict, before: dict, run: Path) -> None:
    told = {name: f"{name} = {_short(asked[name])} (was {_short(before[name])})"
            for name in asked if before[name] != asked[name]}  # fmt: skip
    if amounts := [name for name in ("amounts", "plan") if told.pop(name, None)]:
        told["quick"] = f"amounts of sound and training ({' and '.join(amounts)}): with quick, or without?"
    if told:
        raise InvalidQuery(
            f"{run}: holds another run: {'; '.join(told.values())}; name another folder (run_dir), or delete it"
        )


def _short(value: object) -> str:
    return f"{value!r:.60}"


def _speakers(state: dict, run: Path, begun: bool) -> dict:
    """Who speaks in a run, for its state: that does not change once it began. Raises InvalidQuery."""
    found = {one.name: digest([one.identity(), [[voice.name, voice.held] for voice in one.voices()]])[:12]
             for one in engines_of(state)}  # fmt: skip
    before = state.get("speakers", found) if begun else found
    if differs := sorted(name for name in {*found, *before} if found.get(name) != before.get(name)):
        how = [f"{name} {'is new' if name not in before else 'is gone' if name not in found else 'has others'}"
               for name in differs]  # fmt: skip
        raise InvalidQuery(
            f"{run}: the run began with other voices ({', '.join(how)}): give back what spoke then, or begin anew in "
            "another folder (run_dir)"
        )
    return {"speakers": found}


def _label(text: str) -> str:
    return text.replace(" ", "_")


def _made(state: dict, begin: StoredSupernet, run: Path, task: str, limit: float, hub: Path) -> Report:
    """All of it, from what is asked for to the report. begin: the start."""
    label = _label(state["text"])
    warn_of_mixing(task, [label], hub)
    wake = Wake(begin, begin.frontend, run, Plan(**state["plan"]), state["seed"])
    material = _with_given(_from_text(state), run)
    clips = clip_data(label, material, SHARE)
    arch = chosen_arch(wake, state["start"], clips, state["limits"], state["bits"], state["device"], state["sure"])
    name, network, material, clips = _rounds(wake, state, arch, label, material, clips)
    integers, how = quantised(wake, network, clips, state["bits"], name)
    found = Judge(integers, wake.frontend, clips, material, limit).figures()
    owned = with_owner(replace(clips, licence=state["licence"], attribution=_attribution(state, material)), begin)
    info = _info(state, task, owned, material, wake, how, found)
    info["accuracy"] = {"validation": split_figures(integers, wake.frontend, clips, "validation")}
    package = write_package(run / "packages" / name, integers, wake.frontend, noise(integers.arch), info)
    former = {*state["models"]} - {package.name}
    with going_on(package, errors=LAST_STEP):
        entry = publish(package, hub, replaces=lambda config: config.name in former).entry(package.name)
        write_json(run / STATE, {**state, "models": list(dict.fromkeys([*state["models"], entry.name]))})
    return Report(entry.name, str(hub), str(hub / "models" / entry.name), label, found["detection"], found["synthetic"],
                  found["real"], found["real_hours"], 0.0, limit, _advice(state, found))  # fmt: skip


def _from_text(state: dict) -> Material:
    data = state["data"]
    engines = engines_of(state)
    if not any(state[name] for name in VOICES) and not any(one.neural for one in engines):
        log.warning("voices: %s; more people are heard by what neural ones taught as well: pip install "
                    "'earshot[voices]'", ", ".join(one.name for one in engines))  # fmt: skip
    speech = Speech(engines, RATE)
    return gathered(state["text"], speech, Amounts(**state["amounts"]), state["seed"], data and Path(data))


def engines_of(state: dict) -> list[Engine]:
    """All that speak; of the engines that are installed, those with which the run began. Of several commands the last
    one is kept from training, where no engine is there.
    """
    folders, commands = state["voice_folders"], state["voice_commands"]
    named = state["voices"]
    own = [Recorded(folder) for folder in folders] + [Command(line) for line in commands]
    if named is not None:
        return [*installed(named), *own]
    try:
        began = state.get("speakers")
        return [*(one for one in installed() if began is None or one.name in began), *own]
    except MissingExtra as error:
        if not own:
            raise
        if not commands:
            raise MissingExtra(f"other words than those of the folder must be said, too: {error}") from None
        alone = not folders and len(commands) > 1  # what the user brings is enough
        return [*own[:-1], Command(commands[-1], held=True)] if alone else own


def _with_given(material: Material, run: Path) -> Material:
    given = added(run)
    return with_recordings(material, given.spoken, given.negatives, [])


def _rounds(wake: Wake, state: dict, arch: Arch, label: str, material: Material, clips: ClipData):
    """Train in rounds, those that are done before left out; returns the last one's name, network, and what it heard."""
    name = FIRST
    network = _first(wake, name, arch, clips)
    for number in range(wake.plan.rounds):
        hard = _hard(wake, network, clips, f"{number + 1}-{HARD}")
        if not hard:
            break
        material = replace(material, hard=[*material.hard, *hard])
        clips, before, name = clip_data(label, material, SHARE), name, f"round{number + 2}"
        network = _further(wake, before, name, clips)
    for number in range(1, state["added"] + 1):
        brought = added(wake.run, number)
        material = with_recordings(material, brought.spoken, brought.negatives, brought.alarms)
        heard = clip_data(label, material, SHARE) if brought.negatives else clips
        material = replace(material, hard=[*material.hard, *_hard(wake, network, heard, f"added{number}-{HARD}")])
        clips, before, name = clip_data(label, material, SHARE), name, f"added{number}"
        network = _further(wake, before, name, clips)
    return name, network, material, clips


def _first(wake: Wake, name: str, arch: Arch, clips: ClipData) -> Network:
    """The first round, or what it ended with before."""
    if is_done(wake, name):
        return reopened(wake, name, clips)
    _tell(name, clips)
    return trained(wake, started(wake, arch, clips), clips, name)


def _further(wake: Wake, before: str, name: str, clips: ClipData) -> Network:
    """A round that goes on from the one before it, or what it ended with before."""
    if is_done(wake, name):
        return reopened(wake, name, clips)
    _tell(name, clips)
    return trained(wake, reopened(wake, before, clips), clips, name, again=True)


def _tell(name: str, clips: ClipData) -> None:
    log.info("%s: %s clips of the word, %s others", name, f"{len(clips.splits['train']):,}", f"{len(clips.unknown):,}")


def _hard(wake: Wake, network, clips: ClipData, name: str) -> list[np.ndarray]:
    path = wake.run / name
    if not path.is_file():
        windows = fired(wake, network, clips)
        stacked = np.array(windows, np.int16).reshape(len(windows), clips.audio.shape[1])
        save_tensors(path, {"windows": stacked}, {})
    found = [*load_tensors(path)[0]["windows"]]
    log.info("%d windows of the negatives were taken for the word, and join them", len(found))
    return found


def _attribution(state: dict, material: Material) -> str:
    words = ["Speech Commands, Pete Warden (Google), CC BY 4.0"] if state["data"] else []
    given = ["recordings of their owner"] if material.recordings or material.real_negatives else []
    return "; ".join([f"speech by {', '.join(material.engines)}", *words, *given])


def _info(
    state: dict, task: str, clips: ClipData, material: Material, wake: Wake, how: str, found: dict
) -> dict:  # fmt: skip
    """What the card says."""
    plan, begun = wake.plan, wake.start.config["name"]
    voices = "; ".join(f"{name_in_cards(name)}: {licence}" for name, licence in material.engines.items())
    people = f" and {len(material.recordings)} recordings of people" if material.recordings else ""
    synthetic = found["synthetic"]
    notes = [
        f"Learned from the text '{state['text']}': {len(material.words):,} clips made from it{people}.",
        f"Licences of the engines that spoke: {voices}.",
    ]
    limits = [
        "Speech made from text is no estimate of how real people are heard; test it on recordings.",
        *([f"Of {synthetic[1]} words of held-out voices {100 * synthetic[0]:.1f} % were found, {SYNTHETIC}."]
          if synthetic else []),
        *(["False alarms were counted on speech that was trained on: there was one voice, and no negatives were given."]
          if found["trained_on"] else []),
    ]  # fmt: skip
    name = name_in_cards(f"{state['text']}, from text")
    again = sum(is_done(wake, f"round{number}") for number in range(2, plan.rounds + 2)) + state["added"]
    rounds = f"{plan.epochs} epochs, and {plan.again} more in each of {again} rounds with what was taken for the word"
    return {
        "task": task, "labels": list(clips.labels), "multi_label": False, "licence": clips.licence,
        "attribution": clips.attribution, "notes": notes, "limits": limits, "detection": found["detection"],
        "dataset": {"name": name, "id": name_in_cards(task), "version": clips.digest[:12]},
        "training": {
            "supernet": begun,
            "recipe": {"plan": asdict(plan), "amounts": state["amounts"], "seed": wake.seed},
            "summary": [f"Slice of the supernet {begun}, trained for {rounds}, seed {wake.seed}; then {how}."],
        },
    }  # fmt: skip


def _advice(state: dict, found: dict) -> list[str]:
    """How the model becomes better."""
    told = []
    if not found["real"]:
        told.append("better: record twenty clips of several people, FOLDER/LABEL/*.wav, and give --add FOLDER")
    if found["real_hours"] < 1:
        told.append("better: record an hour of your own room, where nobody says it, FOLDER/_unknown_/*.wav, likewise")
    if state["data"] is None:
        told.append("better: make it anew with --data SPEECH_COMMANDS, whose words real people say, and --run-dir NEW")
    return told
