"""The page of a hub, its `README.md`: what it holds, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, log2

from zoo.package.card import licence_fields
from zoo.package.entry import Entry
from zoo.package.facts import KINDS, facts, listed

__all__ = ["hub_card", "is_hub_card"]

MOST_LISTED, LEAST_KB = 200, 32
MARK = "<!-- Written by `earshot publish`, and again with each change; without this line it is left as it is. -->"


def hub_card(entries: Sequence[Entry], address: str) -> str:
    """The text of a hub's `README.md`, as the Hugging Face Hub shows it. entries: its models, best first."""
    from huggingface_hub import ModelCardData

    licences, tasks = ({getattr(entry, field) for entry in entries} for field in ("licence", "task"))
    header = ModelCardData(
        **licence_fields(licences.pop() if len(licences) == 1 else "other"),
        library_name="earshot",
        pipeline_tag="audio-classification",
        datasets=sorted({entry.dataset for entry in entries}) or None,
        tags=[*sorted(tasks), "tinyml", "quantized", "once-for-all"],
    ).to_yaml()
    task, flash = _example(entries)
    more = [f"and {len(entries) - MOST_LISTED:,} more: `earshot list --hub {address}`"] * (len(entries) > MOST_LISTED)
    parts = [
        f"---\n{header}\n---",
        MARK,
        f"# Tiny audio models: {', '.join(sorted(tasks)) or 'none yet'}",
        f"{len(entries):,} models of Earshot, integers only, asked by constraint:",
        f'```python\nimport zoo\nmodel = zoo.get(task="{task}", max_flash="{flash}kB", hub="{address}")\n'
        'model("clip.wav")\n```',
        "\n".join([*_hub_head(), *map(_hub_row, entries[:MOST_LISTED])]),
        *more,
    ]
    return "\n\n".join(parts) + "\n"


def _example(entries: Sequence[Entry]) -> tuple[str, int]:
    """The task of most models, and a size of flash in kB, a power of two, that some of them keep."""
    if not entries:
        return "kws", LEAST_KB
    task = Counter(entry.task for entry in entries).most_common(1)[0][0]
    least = min(entry.flash_bytes for entry in entries if entry.task == task)
    return task, max(LEAST_KB, 2 ** ceil(log2(least / 1000)))


def is_hub_card(text: bytes) -> bool:
    """True for what `hub_card` wrote, which may be written again."""
    return MARK.encode() in text


def _hub_head() -> tuple[str, str]:
    kinds = [KINDS[name] for name in listed()]
    return _line(kind.head for kind in kinds), _line("---" if kind.words else "---:" for kind in kinds)


def _hub_row(entry: Entry) -> str:
    cells = {name: fact.text for name, fact in facts(listed(), entry).items()}
    return _line({**cells, "name": f"[{entry.name}](models/{entry.name})"}.values())


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
