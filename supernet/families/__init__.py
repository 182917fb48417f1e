"""The registry of network families. A family is one file that says which layers an `Arch` has. No torch here.

To add one, write `families/NAME.py`, end it with `FAMILY = Family(...)` (see supernet.families.base), and name it here.
"""

from __future__ import annotations

from supernet.extras import moved_names
from supernet.registry import Registry

__all__ = ["family"]

family = Registry("supernet.families", "family", "FAMILY", ("temporal", "mbconv", "sinc", "lmu", "dense"))
"""`family(name)` gives the `supernet.families.base.Family` of that name, `family.names` all names."""

__getattr__ = moved_names(
    __name__,
    {
        "MIXED": "supernet.bits.MIXED",
        "inner_bits": "supernet.bits.inner_bits",
        "layers": "supernet.layer.layers",
        "parts": "supernet.layer.parts",
        "space": "supernet.space.default_space",
        "with_bits": "supernet.bits.with_bits",
    },
)
