"""What commands tell on standard error while they work."""

from __future__ import annotations

import logging

__all__ = ["tell_steps", "tell_warnings"]

OWN = ("supernet", "predictors", "search", "zoo")
"""Packages whose steps are told; of others only warnings are."""


def tell_steps() -> None:
    """Of long work: its steps, line by line."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    for name in OWN:
        logging.getLogger(name).setLevel(logging.INFO)


def tell_warnings() -> None:
    """Of other work: what should be looked at."""
    logging.basicConfig(format="earshot: %(message)s", level=logging.WARNING)
