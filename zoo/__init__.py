"""The zoo: tiny audio models, asked by constraint.

>>> import zoo
>>> model = zoo.get(task="kws", max_ops=20e6, bits=4)
>>> model("zoo/clips/stop.wav")[0]["label"]
'stop'
"""

from __future__ import annotations

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
"""What is loaded when it is first asked for, since it needs torch."""


def __getattr__(name: str):
    if name in LATER:
        from importlib import import_module

        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
