"""The zoo: tiny audio models, asked by constraint.

>>> import zoo
>>> model = zoo.get(task="kws", max_ops=20e6, bits=4)
>>> model("zoo/clips/stop.wav")[0]["label"]
'stop'
"""

from __future__ import annotations

from supernet.errors import EarshotError, NoModelFits
from supernet.extras import lazy_names
from zoo.ask.lookup import Info, find, get, info
from zoo.ask.lookup import list_models as list  # noqa: F401 (not in __all__: it would hide the builtin)
from zoo.hubs.address import Hubs, open_hub
from zoo.hubs.folder import Hub
from zoo.package.entry import Entry
from zoo.package.figures import DeviceFigure
from zoo.run.model import Model
from zoo.site.write import page

__all__ = [
    "DeviceFigure",
    "EarshotError",
    "Entry",
    "Hub",
    "Hubs",
    "Info",
    "Model",
    "NoModelFits",
    "find",
    "get",
    "info",
    "open_hub",
    "page",
    "publish",
    "rebuild",
    "sync",
    "train",
    "tune",
    "unpublish",
    "verify",
    "word",
]

LATER = {
    "train": "zoo.make.train",
    "tune": "zoo.make.tune",
    "word": "zoo.make.word",
    "publish": "zoo.make.publish",
    "unpublish": "zoo.make.publish",
    "verify": "zoo.make.verify",
    "sync": "zoo.make.sync",
    "rebuild": "zoo.make.change",
}
"""What is loaded when it is first used, since look-ups do without it."""

__getattr__ = lazy_names(__name__, LATER)


def __dir__() -> tuple[str, ...]:
    return (*__all__, "list")
