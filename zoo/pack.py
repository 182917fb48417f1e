"""Where reading packages was; that is in `zoo.package.read` now."""

from __future__ import annotations

from supernet.extras import moved_names

__getattr__ = moved_names(
    __name__, {name: f"zoo.package.read.{name}" for name in ("read_config", "read_tensors", "read_vectors")}
)
