"""What a package promises of its detector in a stream, told from what its `config.json` states. No torch here."""

from __future__ import annotations

from supernet.metrics import poisson_upper

__all__ = ["detection_figures", "has_bound", "has_curve", "limits_with_detection"]

ROUNDING = 1e-3
UNMEASURED = "No detection threshold is set"
"""How the limit begins that is none once a detector was measured."""
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


def has_curve(stated: dict | None) -> bool:
    """True where it is known which words are missed at how many false alarms. stated: as above."""
    points = (stated or {}).get("curve", [])
    return bool(points) and all("recall" in point for point in points) and bool(stated["hours"])


def limits_with_detection(limits: list[str]) -> list[str]:
    """Limits of a model, without the one that its detector was not measured."""
    return [line for line in limits if not line.startswith(UNMEASURED)]
