"""Names of data in cards, and names of tasks that are taken: look-ups over several hubs mix models of one task."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from supernet.constants import OWN_HUB, SILENCE, UNKNOWN
from supernet.errors import EarshotError
from zoo.hubs.folder import BUNDLED, Hub
from zoo.hubs.index import INDEX

__all__ = ["name_in_cards", "warn_of_mixing"]

SHOWN = 6

log = logging.getLogger(__name__)


def name_in_cards(name: str) -> str:
    """The name of a data set, such as that of its folder, without what would format a card."""
    return re.sub(r"[^\w .-]", "-", name)


def warn_of_mixing(task: str, labels: Iterable[str], hub: str | Path | None = None) -> None:
    """Warn where the bundled hub, the user's own, or the folder `hub` has models of the task with other labels."""
    own = set(labels) - {UNKNOWN, SILENCE}
    for folder in dict.fromkeys(Path(one) for one in (BUNDLED, OWN_HUB, hub) if one is not None):
        others = _other_labels(folder, task, own)
        if others:
            log.warning(
                "task %s: hub %s has models of it that know %s, not %s; a look-up over both mixes them: give another "
                "--task, or ask with --hub or --words", task, folder, _listed(others), _listed(own),
            )  # fmt: skip


def _other_labels(folder: Path, task: str, own: set[str]) -> set[str]:
    """Of a model of the task in a hub that knows other labels; none where there is none."""
    try:
        entries = Hub(folder).entries if (folder / INDEX).is_file() else ()
    except EarshotError:  # told where that hub is used
        return set()
    known = (set(entry.labels) - {UNKNOWN, SILENCE} for entry in entries if entry.task == task)
    return next((labels for labels in known if labels and labels != own), set())


def _listed(labels: set[str]) -> str:
    first = sorted(labels)
    return ", ".join(first[:SHOWN]) + (f" and {len(first) - SHOWN} more" if len(first) > SHOWN else "")
