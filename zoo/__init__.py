"""The zoo: tiny audio models, asked by constraint.

>>> import zoo
>>> model = zoo.get(task="kws", max_ops=20e6, bits=4)
>>> model("zoo/clips/stop.wav")[0]["label"]
'stop'
"""

from __future__ import annotations

from supernet.extras import lazy_names
from zoo.devices import Figure
from zoo.entry import Entry
from zoo.errors import EarshotError, NoModelFits
from zoo.hub import Hub, Hubs, open_hub
from zoo.lookup import Info, find, get, info
from zoo.lookup import list_models as list
from zoo.run import Model

__all__ = [
    "EarshotError",
    "Entry",
    "Figure",
    "Hub",
    "Hubs",
    "Info",
    "Model",
    "NoModelFits",
    "find",
    "get",
    "info",
    "list",
    "open_hub",
    "publish",
    "rebuild",
    "sync",
    "train",
    "unpublish",
    "verify",
]

LATER = {"train": "zoo.training", **dict.fromkeys(("publish", "unpublish", "verify", "sync", "rebuild"), "zoo.hosting")}
"""What is loaded when it is first used, since look-ups do without it."""

__getattr__ = lazy_names(__name__, LATER)
