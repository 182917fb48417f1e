"""Where Earshot keeps things, read from the environment once.

EARSHOT_CACHE: folder of decoded audio (default ~/.cache/earshot).
EARSHOT_PROFILES: folder of the user's own device profiles (default ~/.config/earshot/profiles).
EARSHOT_HUB: the user's own hub, where specialised models are kept (default ~/.local/share/earshot/hub).
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CACHE", "OWN_HUB", "PROFILES"]

CACHE = Path(os.environ.get("EARSHOT_CACHE") or Path.home() / ".cache" / "earshot")
PROFILES = Path(os.environ.get("EARSHOT_PROFILES") or Path.home() / ".config" / "earshot" / "profiles")
OWN_HUB = Path(os.environ.get("EARSHOT_HUB") or Path.home() / ".local" / "share" / "earshot" / "hub")
