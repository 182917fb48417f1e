"""The registry of front ends as C. A front end is one file; its C lies beside it.

To add one, write `frontends/NAME.py`, end it with `FRONT_END =` (see zoo.export.c.frontends.base), and name it here.
"""

from __future__ import annotations

from supernet.registry import Registry

__all__ = ["front_end"]

front_end = Registry("zoo.export.c.frontends", "front end", "FRONT_END", ("logmel", "mfcc", "micro", "raw"))
"""`front_end(kind)` gives the `zoo.export.c.frontends.base.FrontEnd` of a kind."""
