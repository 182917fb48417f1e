"""The registry of engines that speak a text. An engine is one file with an `ENGINE`. No torch here.

To add one, write `speech/NAME.py`, end it with `ENGINE = ...` (see supernet.data.speech.base), and name it here.
Commands and folders of recordings are engines, too, that users bring: `speech/command.py`, `speech/recorded.py`.
"""

from __future__ import annotations

from supernet.registry import Registry

__all__ = ["engine"]

engine = Registry("supernet.data.speech", "speech engine", "ENGINE", ("espeak", "flite", "kokoro", "kokoro_onnx"))
"""`engine(name)` gives the `supernet.data.speech.base.Engine` of that name, `engine.names` all names."""
