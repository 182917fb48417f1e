"""The registry of network families. A family is one file that says which layers an `Arch` has. No torch here.

To add one, write `families/NAME.py`, end it with `FAMILY = Family(...)` (see supernet.families.base), and name it here.
"""

from __future__ import annotations

from supernet.registry import Registry

__all__ = ["family"]

family = Registry("supernet.families", "family", "FAMILY", ("temporal", "mbconv", "sinc", "lmu", "dense"))
"""`family(name)` gives the `supernet.families.base.Family` of that name, `family.names` all names."""
