"""The curve of a detector as SVG: words missed over false alarms an hour, by threshold, with the 95 % upper bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10

from supernet.metrics import poisson_upper
from zoo.package.detected import curve_of
from zoo.site.markup import Markup, tag

__all__ = ["curve"]

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 320, 56, 12, 44
HALF = 0.5
"""Of an alarm in all hours, where points without any stand."""


def curve(figures: Mapping | None) -> Markup | None:
    """The curve of what `config.json` states of detection; None where it is not known."""
    if (found := curve_of(figures)) is None:
        return None
    (words, points), hours = found, figures["hours"]
    misses = [1 - recall for _, recall in points]
    counted = [max(alarms, HALF) / hours for alarms, _ in points]
    bounds = [poisson_upper(alarms) / hours for alarms, _ in points]
    low, high = floor(log10(min(counted))), ceil(log10(max(*bounds, 1 / hours)))
    most = max(*misses, 0.01)
    area = _Area(low, max(high, low + 1), most)
    marks = [tag("circle", cx=x, cy=y, r="3.5", class_="counted") for x, y in map(area.place, counted, misses)]
    one = area.x(1 / hours)
    drawn = [
        *area.axes(),
        tag("line", x1=one, x2=one, y1=str(TOP), y2=str(HEIGHT - BOTTOM), class_="one"),
        tag("polyline", points=area.line(bounds, misses), class_="bound"),
        tag("polyline", points=area.line(counted, misses), class_="counted"),
        *marks,
    ]
    about = (
        f"{words.capitalize()} that are missed, over false alarms an hour, by threshold; {len(points)} thresholds, "
        f"{hours:.3g} hours heard"
    )
    picture = tag("svg", *drawn, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=about)
    told = (
        f"Line: counted. Dotted: the 95 % upper bound. Upright: one alarm in all {hours:.3g} hours; points without an "
        "alarm stand at half of one."
    )
    return tag("figure", picture, tag("figcaption", told), class_="curve")


class _Area:
    """From figures to places. low, high: exponents of ten of the false alarms; most: of the misses."""

    def __init__(self, low: int, high: int, most: float) -> None:
        self.low, self.high, self.most = low, high, most

    def x(self, rate: float) -> str:
        share = (log10(rate) - self.low) / (self.high - self.low)
        return f"{LEFT + share * (WIDTH - LEFT - 12):.1f}"

    def y(self, miss: float) -> str:
        return f"{HEIGHT - BOTTOM - miss / self.most * (HEIGHT - TOP - BOTTOM):.1f}"

    def place(self, rate: float, miss: float) -> tuple[str, str]:
        return self.x(rate), self.y(miss)

    def line(self, rates: Sequence[float], misses: Sequence[float]) -> str:
        return " ".join(",".join(self.place(*pair)) for pair in zip(rates, misses, strict=True))

    def axes(self) -> list[Markup]:
        base = str(HEIGHT - BOTTOM)
        found = [tag("line", x1=str(LEFT), x2=str(WIDTH - 12), y1=base, y2=base, class_="axis")]
        for power in range(self.low, self.high + 1):
            found.append(tag("text", f"{10.0**power:g}", x=self.x(10.0**power), y=str(HEIGHT - 26), class_="middle"))
        for share in (0, 0.5, 1):
            found.append(
                tag("text", f"{share * self.most:.1%}", x=str(LEFT - 6), y=self.y(share * self.most), class_="end")
            )
        return [*found, tag("text", "false alarms an hour", x=str(WIDTH // 2), y=str(HEIGHT - 8), class_="middle")]
