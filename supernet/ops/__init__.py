"""The registry of operators. An operator is one file that says what a kind of layer holds, costs and computes.

No torch here; its twin for training is in `supernet.nn.ops`. To add one, write `ops/NAME.py`, end it with `OPERATOR =`
(see supernet.ops.base), and name it here.
"""

from __future__ import annotations

from supernet.registry import Registry

__all__ = ["operator"]

operator = Registry(
    "supernet.ops", "operator", "OPERATOR", ("input", "conv", "filters", "linear", "pool", "add", "scale", "memory")
)
"""`operator(kind)` gives the `supernet.ops.base.Operator` of a layer's kind."""
