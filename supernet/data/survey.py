"""What was found in a folder of classes, told before anything is trained on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from supernet.constants import SILENCE, UNKNOWN
from supernet.data.walk import FORMATS, HIDDEN, LINK, LOCKED, UNREAD, LeftOut, as_text, printable, tell_left_out
from supernet.errors import InvalidData

__all__ = ["SPLITS", "Finding", "Survey", "check_counts", "find", "find_left_out", "find_thin"]

SPLITS = ("train", "validation", "test")
FEWEST = {"train": 15, "validation": 3, "test": 3}
"""Clips of a class below which a finding says so."""
SHOWN = 5
CLASS = "class"


@dataclass(frozen=True)
class Finding:
    """Something that the owner of the data should know: what it is and what was done, and the files or classes.

    harmless: True for what nobody would mend.
    """

    text: str
    names: tuple[str, ...]
    harmless: bool = False

    def __str__(self) -> str:
        more = f" and {len(self.names) - SHOWN:,} more" if len(self.names) > SHOWN else ""
        return f"{self.text}: {', '.join(map(printable, self.names[:SHOWN]))}{more}"


@dataclass(frozen=True)
class Survey:
    """What a folder holds. rule: where the splits come from. counts: clips by class and split.

    Clips of noise and of negatives are not counted in training, where they are drawn anew in each epoch.
    """

    root: Path
    rule: str
    counts: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that are not harmless."""
        return tuple(finding for finding in self.findings if not finding.harmless)

    def __str__(self) -> str:
        width = max(map(len, self.counts), default=len(CLASS))
        rows = [f"{self.root}: splits by {self.rule}", f"  {CLASS:{width}} {'train':>7} {'valid.':>7} {'test':>7}"]
        for label, count in self.counts.items():
            drawn = label in (SILENCE, UNKNOWN) and not count["train"]
            train = "  drawn" if drawn else f"{count['train']:7,}"
            rows.append(f"  {label:{width}} {train} {count['validation']:7,} {count['test']:7,}")
        return "\n".join(rows + [f"  found: {finding}" for finding in self.findings])


def find(findings: list[Finding], text: str, names: Iterable[str], harmless: bool = False) -> None:
    """Add a finding, if it is of anything."""
    names = tuple(names)
    if names:
        findings.append(Finding(text, names, harmless))


def find_left_out(findings: list[Finding], root: Path, left: Iterable[LeftOut]) -> None:
    """Add a finding for each kind of what walks left out: what can be converted, other files, links, hidden ones."""
    kinds: dict[str, list[LeftOut]] = {"unread": [], HIDDEN: [], LINK: [], LOCKED: [], "other": []}
    for item in left:
        kinds["unread" if item.kind in UNREAD else item.kind if item.kind in kinds else "other"].append(item)
    texts = {
        "unread": "recordings in formats that are not read ({}), left out; convert them to WAV or FLAC",
        "other": f"files that are in no class or not {FORMATS}, left out ({{}})",
        LINK: "links that lead nowhere, back or to what is there already, left out",
        LOCKED: "folders that cannot be opened, left out",
        HIDDEN: "hidden recordings, left out",
    }
    for kind, text in texts.items():
        names = (as_text(_below(root, item.path)) for item in kinds[kind])
        find(findings, text.format(tell_left_out(kinds[kind], examples=False)), names, harmless=kind == HIDDEN)


def find_thin(findings: list[Finding], counts: dict[str, dict[str, int]]) -> None:
    """Add findings of classes that cannot be learned or measured."""
    spoken = _spoken(counts)
    for name, why in zip(SPLITS, ("learned", "chosen by", "measured"), strict=True):
        find(findings, f"classes without a {name} clip, so not {why}", (k for k, v in spoken.items() if not v[name]))
    for name, fewest in FEWEST.items():
        few = (label for label, count in spoken.items() if 0 < count[name] < fewest)
        find(findings, f"classes of fewer than {fewest} {name} clips", few)


def check_counts(survey: Survey, several: bool) -> None:
    """Raise InvalidData, with the survey, where nothing can be trained or measured. several: labels a clip."""
    spoken = _spoken(survey.counts)
    learned = [label for label, count in spoken.items() if count["train"]]
    if not learned or len(learned) + len(survey.counts.keys() & {SILENCE, UNKNOWN}) + several < 2:
        raise InvalidData(f"{survey}\n{survey.root}: {len(learned)} classes with a training clip; give two or more")
    for name in SPLITS[1:]:
        if not any(count[name] for count in spoken.values()):
            raise InvalidData(f"{survey}\n{survey.root}: no {name} clip; add recordings or give a table of splits")


def _spoken(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {label: count for label, count in counts.items() if label not in (SILENCE, UNKNOWN)}


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
