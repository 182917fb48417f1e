"""Where the machine of a page lies as WebAssembly, and what it was built by (see scripts/make_wasm.py)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BINARY", "RECORD"]

BINARY, RECORD = (Path(__file__).with_name(f"earshot.{ending}") for ending in ("wasm", "json"))
