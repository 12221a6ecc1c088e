"""Drawing with SVG: scales, axes, marks and lines, as functions on numbers.

Nothing here knows of models or metrics. Colours come from the style sheet by class, so one drawing serves light and dark
pages; a mark's role gives its shape as well as its colour. Sizes are CSS pixels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgewise.report.html import Both, Markup, join, tag
from edgewise.types import Doubles

SHAPES = {"winner": "circle", "tied": "ring", "baseline": "square", "popularity": "diamond", "other": "circle"}
"""The shape of each role's mark: colour is never the only difference."""


@dataclass(frozen=True)
class Scale:
    """From values to pixels, linear or logarithmic.

    Attributes:
        low, high: the values at the two ends, low < high; > 0 if logarithmic.
        start, stop: the pixels there; start > stop for an axis that grows upwards.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        return self.start + (value - low) / (high - low) * (self.stop - self.start)

    def ticks(self, n: int = 5) -> list[float]:
        """Return about `n` round values within the scale."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            if len(powers) > 2:
                return [10.0**power for power in powers[:: math.ceil(len(powers) / n)]]
            return [v for p in range(powers.start - 1, powers.stop) for v in self._thirds(p)]
        step = _round_step((self.high - self.low) / max(n, 1))
        first = math.ceil(self.low / step - 1e-9)
        return [round(i * step, 12) for i in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _thirds(self, power: int) -> list[float]:
        return [m * 10.0**power for m in (1, 2, 5) if self.low <= m * 10.0**power <= self.high]


def linear(
    values: Sequence[float] | Doubles, start: float, stop: float, *, pad: float = 0.06, zero: bool = False
) -> Scale:
    """Make a linear scale that holds all finite values with some room at both ends.

    Args:
        pad: the room, as a share of the range.
        zero: begin at 0, without room there.
    """
    finite = _finite(values)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(high), 1e-3):
        low, high = (low, low + 1.0) if zero else (low - max(abs(low) * 0.1, 1e-3), high + max(abs(high) * 0.1, 1e-3))
    room = pad * (high - low)
    return Scale(low if zero and low == 0 else low - room, high + room, start, stop)


def logarithmic(values: Sequence[float] | Doubles, start: float, stop: float, *, pad: float = 0.05) -> Scale:
    """Make a logarithmic scale that holds all positive finite values, over a factor of four at least."""
    positive = _finite(values)
    positive = positive[positive > 0]
    low, high = (float(positive.min()), float(positive.max())) if positive.size else (1.0, 10.0)
    if high / low < 4:
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
    room = (high / low) ** pad
    return Scale(low / room, high * room, start, stop, log=True)


def svg(width: float, height: float, *children: str, label: str | Both, class_: str = "chart") -> Markup:
    """Make a drawing that says what it shows to those who cannot see it, and shrinks with its column."""
    return tag(
        "svg", *children, class_=class_, viewBox=f"0 0 {width:g} {height:g}", width=width, height=height,
        role="img", aria_label=label,
    )  # fmt: skip


def text(x: float, y: float, words: str | Both, class_: str = "tick", anchor: str = "start") -> Markup:
    """Write words with their base line at y; anchor is "start", "middle" or "end"."""
    return tag("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def x_axis(scale: Scale, ticks: Sequence[float], write: Callable[[float], str], top: float, bottom: float) -> Markup:
    """Draw a grid line and a figure below for each tick."""
    return join(
        [
            (
                tag("line", x1=scale(t), x2=scale(t), y1=top, y2=bottom, class_="grid"),
                text(scale(t), bottom + 18, write(t), anchor="middle"),
            )
            for t in ticks
        ]
    )


def y_axis(scale: Scale, ticks: Sequence[float], write: Callable[[float], str], left: float, right: float) -> Markup:
    """Draw a grid line and a figure at its left for each tick."""
    return join(
        [
            (
                tag("line", x1=left, x2=right, y1=scale(t), y2=scale(t), class_="grid"),
                text(left - 8, scale(t) + 4, write(t), anchor="end"),
            )
            for t in ticks
        ]
    )


def tick_writer(ticks: Sequence[float]) -> Callable[[float], str]:
    """Return a function that writes all ticks of an axis with the same number of decimals."""
    gaps = [abs(b - a) for a, b in pairwise(ticks) if b != a]
    if not gaps:
        return lambda value: f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
    digits = max(0, -math.floor(math.log10(min(gaps)) + 1e-9))
    return lambda value: f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def line(xs: Sequence[float] | Doubles, ys: Sequence[float] | Doubles, class_: str) -> Markup:
    """Draw a line through pixels; where one is NaN the next continues after it, so sparse curves stay whole."""
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
    return tag("path", d=_path(points), class_=class_) if points else Markup("")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def mark(x: float, y: float, role: str, size: float = 5, *, tip: str | Both | None = None) -> Markup:
    """Draw a point in the shape and colour of its role; one with a tip can be reached by keyboard."""
    reach = {"data_tip": tip, "tabindex": 0 if tip else None, "role": "img" if tip else None, "aria_label": tip}
    class_ = f"mark {role}"
    match SHAPES.get(role, "circle"):
        case "square":
            half = size * 0.9
            return tag("rect", x=x - half, y=y - half, width=2 * half, height=2 * half, class_=class_, **reach)
        case "diamond":
            d = size * 1.2
            return tag(
                "path",
                d=f"M{x:.1f} {y - d:.1f}l{d:.1f} {d:.1f}l{-d:.1f} {d:.1f}l{-d:.1f} {-d:.1f}Z",
                class_=class_,
                **reach,
            )
        case _:
            return tag("circle", cx=x, cy=y, r=size, class_=class_, **reach)


def _finite(values: Sequence[float] | Doubles) -> Doubles:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def _round_step(raw: float) -> float:
    """Round a step up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
