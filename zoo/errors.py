"""Where the errors of the zoo were; they are in `supernet.errors` now."""

from __future__ import annotations

from supernet import errors
from supernet.extras import moved_names

__getattr__ = moved_names(__name__, {name: f"supernet.errors.{name}" for name in errors.__all__})
