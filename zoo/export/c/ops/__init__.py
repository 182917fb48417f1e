"""The registry of operators as C. An operator is two files: what a layer of its kind writes, and its function in C.

To add one, write `ops/NAME.py`, end it with `OPERATOR =` (see zoo.export.c.ops.base), put its C beside it, and name it
here.
"""

from __future__ import annotations

from supernet.registry import Registry

__all__ = ["operator"]

operator = Registry(
    "zoo.export.c.ops", "operator", "OPERATOR", ("conv", "filters", "linear", "pool", "add", "scale", "memory")
)
"""`operator(kind)` gives the `zoo.export.c.ops.base.Operator` of a layer's kind."""
