"""Where Earshot keeps things, read from the environment once.

EARSHOT_CACHE: folder of decoded audio (default ~/.cache/earshot).
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CACHE"]

CACHE = Path(os.environ.get("EARSHOT_CACHE") or Path.home() / ".cache" / "earshot")
