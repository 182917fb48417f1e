"""README.md of folders that hold copies of a model for other runtimes: parts of a template, and what they state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo.export.licences import licence

__all__ = ["about", "page"]

STATED = re.compile(r"@([A-Z]+)(?![A-Z])")


def page(templates: Path, parts: Iterable[str], values: Mapping[str, object]) -> str:
    """Parts, the files `templates/PART.md`, one below the other; what they say at each @ is in values."""
    text = "\n".join((templates / f"{part}.md").read_text(encoding="utf-8") for part in parts)
    return STATED.sub(lambda found: str(values[found[1]]), text)


def about(model) -> dict[str, object]:
    """What pages say of any model and its front end."""
    front = model.frontend
    return {
        "MODEL": model.name, "LABELS": ", ".join(model.knows), "LICENCE": licence(model),
        "SCORES": "1 / (1 + exp(-x))" if model.multi_label else "softmax(x)",
        "RATE": model.sampling_rate, "WINDOW": front.window_samples, "HOP": front.hop_samples,
        "CFRAMES": model.arch.frames,
    }  # fmt: skip
