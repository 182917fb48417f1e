"""How pictures of the pages look."""

from contextlib import AbstractContextManager
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt

__all__ = ["OURS", "PEER", "PLAIN", "TEXT", "style", "svg"]

STYLE = {"svg.hashsalt": "earshot", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
OURS, PLAIN, PEER, TEXT = "#0b6e99", "#7fb8d1", "#c4622d", "#333333"


def style() -> AbstractContextManager:
    """What figures are made in, so that they look alike."""
    return mpl.rc_context(STYLE)


def svg(figure: plt.Figure) -> bytes:
    """The file of a figure, which is closed; the same bytes each time."""
    file = BytesIO()
    with style():
        figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return file.getvalue()
