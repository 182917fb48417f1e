"""What a package promises of its detector in a stream, told from what its `config.json` states. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping

from supernet.metrics import poisson_upper

__all__ = ["MADE_RECALL", "curve_of", "detection_figures", "has_bound", "limits_with_detection", "rounded_up"]

ROUNDING = 1e-3
UNMEASURED = "No detection threshold is set"
"""How the limit begins that is none once a detector was measured."""
MADE_RECALL = "synthetic_recall"
"""Of a point of a curve: the share of words found that voices made from text, where nobody's were recorded."""
WORDS = {"recall": "clean words", MADE_RECALL: "words that held-out voices made from text"}
NAMES = ("detection_recall", "false_alarms_per_hour", "false_alarms_upper")


def detection_figures(stated: dict | None) -> dict[str, float | None]:
    """What an index says of how a package detects in a stream: its recall, the false alarms an hour, and the 95 % upper
    bound of these, by their number and the hours that were heard; None of what was not measured.

    stated: `detection` of its `config.json`. Older packages state the rate alone, from which the number follows.
    """
    if not stated or not stated["hours"]:
        return dict.fromkeys(NAMES)
    rate, hours = stated["false_alarms_per_hour"], stated["hours"]
    upper = poisson_upper(stated.get("alarms", round(rate * hours))) / hours
    return dict(zip(NAMES, (stated.get("recall"), rate, round(upper, 3)), strict=True))


def has_bound(stated: dict | None) -> bool:
    """True where the false alarms an hour and their upper bound, as far as they are stated, are those of their number.

    stated: `detection` of a `config.json`.
    """
    if not stated or not stated["hours"] or "alarms" not in stated:
        return True
    rate, own = stated["alarms"] / stated["hours"], detection_figures(stated)["false_alarms_upper"]
    near = abs(rate - stated["false_alarms_per_hour"]) <= ROUNDING * max(rate, 1)
    return near and abs(own - stated.get("false_alarms_upper", own)) <= ROUNDING * max(own, 1)


def rounded_up(bound: float) -> float:
    """A bound, of no more than three decimals, to three digits as it is printed: never less than it is, so that what
    one reads can be asked for.
    """
    if not bound:
        return bound
    digits = 2 - math.floor(math.log10(bound))
    return round(math.ceil(round(bound * 10.0**digits, 6)) / 10.0**digits, max(digits, 0))


def curve_of(stated: Mapping | None) -> tuple[str, list[tuple[int, float]]] | None:
    """What words are called that were heard by threshold, and of each (false alarms, recall); None where none were.

    stated: as above. Words of people go before such as voices made from text, which are called so.
    """
    points = (stated or {}).get("curve", [])
    for name, words in WORDS.items():
        if points and stated["hours"] and all(name in point for point in points):
            return words, [(point["alarms"], point[name]) for point in points]
    return None


def limits_with_detection(limits: list[str]) -> list[str]:
    """Limits of a model, without the one that its detector was not measured."""
    return [line for line in limits if not line.startswith(UNMEASURED)]
