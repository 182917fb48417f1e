"""The registry of operators as nodes of TFLite. To add one, write `ops/NAME.py`, end it with `OPERATOR =` (see
zoo.export.tflite.ops.base), and name it here.
"""

from __future__ import annotations

from supernet.registry import Registry

__all__ = ["operator"]

operator = Registry(
    "zoo.export.tflite.ops", "operator", "OPERATOR", ("conv", "filters", "linear", "pool", "add", "scale", "memory")
)
"""`operator(kind)` gives the `zoo.export.tflite.ops.base.Operator` of a layer's kind."""
