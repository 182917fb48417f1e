"""The registry of front ends. A front end is one file that says how samples become features. No torch here.

`front_end(kind)` gives the type of that kind, whose values are its settings; its twin for training is in
`supernet.nn.frontend`. To add one, write `frontend/NAME.py`, end it with `FRONT_END =` (see supernet.frontend.base),
and name it here.
"""

from __future__ import annotations

from supernet.extras import lazy_names
from supernet.registry import Registry

__all__ = ["LogMel", "Mfcc", "Micro", "Raw", "front_end", "frontend_from_dict"]

front_end = Registry("supernet.frontend", "front end", "FRONT_END", ("mfcc", "logmel", "micro", "raw"))
"""`front_end(kind)` gives the `supernet.frontend.base.FrontEnd` of a kind."""

__getattr__ = lazy_names(
    __name__,
    {
        "LogMel": "supernet.frontend.logmel",
        "Mfcc": "supernet.frontend.mfcc",
        "Micro": "supernet.frontend.micro",
        "Raw": "supernet.frontend.raw",
        "dequantise_features": "supernet.nn.frontend",
        "frontend_from_dict": "supernet.frontend.base",
        "quantise_features": "supernet.nn.frontend",
    },
)
