"""Where Earshot keeps things, read from the environment once, and names that all parts share.

EARSHOT_CACHE: folder of decoded audio (default ~/.cache/earshot), which supernet.data.cache keeps to 20 GB.
EARSHOT_PROFILES: folder of the user's own device profiles (default ~/.config/earshot/profiles).
EARSHOT_HUB: the user's own hub, where specialised models are kept (default ~/.local/share/earshot/hub);
/dev/null for none.
EARSHOT_VOICES: folder of voices of Kokoro, NAME.bin (default: those that supernet.data.speech.styles fetches).
EARSHOT_COMPILE: 0 for streams by NumPy alone (default: long ones by compiled C where a compiler is at hand).
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "CACHE",
    "COMPILE",
    "DEFAULT_HUB",
    "NOISE",
    "OWN_HUB",
    "PROFILES",
    "SILENCE",
    "SUPERNET_SCHEMA",
    "UNKNOWN",
    "VOICES",
]

CACHE = Path(os.environ.get("EARSHOT_CACHE") or Path.home() / ".cache" / "earshot")
PROFILES = Path(os.environ.get("EARSHOT_PROFILES") or Path.home() / ".config" / "earshot" / "profiles")
DEFAULT_HUB = Path.home() / ".local" / "share" / "earshot" / "hub"
OWN_HUB = Path(os.environ.get("EARSHOT_HUB") or DEFAULT_HUB)
VOICES = Path(os.environ["EARSHOT_VOICES"]) if os.environ.get("EARSHOT_VOICES") else None

COMPILE = os.environ.get("EARSHOT_COMPILE") != "0"

UNKNOWN, SILENCE = "_unknown_", "_silence_"
"""Names of the classes for all other words or sounds, and for none."""
NOISE = "_background_noise_"
"""Name of the folder of noise beside those of classes."""
SUPERNET_SCHEMA = 1
"""Of the `config.json` of supernets."""
