"""Drawing with SVG: scales, axes, marks and lines, as functions on numbers.

Nothing here knows of models or metrics. Colours come from the style sheet by class, so one drawing serves light and dark
pages; a mark's role gives its shape as well as its colour. Sizes are CSS pixels.
"""

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            step = max(1, math.ceil((last - first + 1) / n))
            decades = [10.0**power for power in range(first, last + 1, step)]
            return decades if len(decades) > 1 else [v for p in range(first - 1, last + 1) for v in self._thirds(p)]
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
    gaps = [abs(b - a) for a, b in zip(ticks, ticks[1:], strict=False) if b != a]
    digits = max(0, -math.floor(math.log10(min(gaps)) + 1e-9)) if gaps else 3
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


def whisker(
    scale: Scale, y: float, value: float, interval: tuple[float, float] | None, role: str, size: float = 5
) -> Markup:
    """Draw a value as a dot and its interval as a bar across it; nothing for what is not a number."""
    if not math.isfinite(value):
        return Markup("")
    bar: Markup | None = None
    if interval is not None and all(map(math.isfinite, interval)):
        low, high = scale(interval[0]), scale(interval[1])
        bar = join(
            tag("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker {role}"),
            [tag("line", x1=x, x2=x, y1=y - 3, y2=y + 3, class_=f"whisker {role}") for x in (low, high)],
        )
    return join(bar, mark(scale(value), y, role, size))


@dataclass(frozen=True)
class Label:
    """A label that found a place: where its text stands, and whether a line must lead to it."""

    index: int
    x: float
    y: float
    anchor: str
    leader: bool


def place_labels(
    xs: Sequence[float], ys: Sequence[float], words: Sequence[str], area: tuple[float, float, float, float],
    *, font: float = 13, radius: float = 7, obstacles: Sequence[tuple[float, float, float, float]] = (),
) -> list[Label]:  # fmt: skip
    """Find places for labels beside their points so that none covers a point, an obstacle or another label.

    Greedy, in the order given: the most important first. A label that fits nowhere is left out.

    Args:
        xs, ys: the points, in pixels.
        words: their labels.
        area: left, top, right, bottom that labels must stay within.
        font: height of the text. radius: of the marks.
        obstacles: further boxes (left, top, right, bottom) to keep clear.
    """
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y in zip(xs, ys, strict=True)]
    solid = [*taken, *obstacles]
    placed: list[Label] = []
    for index, (x, y, word) in enumerate(zip(xs, ys, words, strict=True)):
        width = text_width(word, font)
        for distance, angle in _directions():
            dx, dy = math.cos(angle) * (radius + distance), math.sin(angle) * (radius + distance)
            anchor = "middle" if abs(math.cos(angle)) < 0.3 else "start" if dx > 0 else "end"
            left = x + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
            middle = y + dy + (font * 0.5 * math.copysign(1, dy) if anchor == "middle" else 0)
            box = (left, middle - font * 0.62, left + width, middle + font * 0.62)
            inside = box[0] >= area[0] and box[1] >= area[1] and box[2] <= area[2] and box[3] <= area[3]
            others = solid[:index] + solid[index + 1 :]
            if inside and not any(_overlap(box, other) for other in others):
                placed.append(Label(index, x + dx, middle + font * 0.36, anchor, distance > 12))
                solid.append(box)
                break
    return placed


def text_width(words: str, font: float) -> float:
    """Estimate how wide a text is drawn: wide (Chinese) characters fill the square, Latin ones about half of it."""
    return font * sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.66 if c.isupper() else 0.54 for c in words)


def shorten(words: str, n: int) -> str:
    """Cut a text to about the width of `n` Latin letters, with an ellipsis; a Chinese character counts as two.

    Example:
        >>> shorten("Graph filter", 20), shorten("A very long title", 9), shorten("图滤波器推荐", 6)
        ('Graph filter', 'A very l…', '图滤…')
    """
    width, kept = 0, ""
    for character in words:
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > n - 1 and len(words) > len(kept) + 1:
            return kept.rstrip() + "…"
        kept += character
    return kept


def _directions() -> list[tuple[float, float]]:
    """Distances and angles to try: close by first, right before left, then all round and farther out."""
    near = [(4.0, math.radians(a)) for a in (0, 180, -90, 90, -35, 35, -145, 145)]
    far = [
        (float(d), math.radians(a)) for d in (16, 26, 38, 52) for a in (-60, 60, -120, 120, -25, 25, -155, 155, -90, 90)
    ]
    return near + far


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _finite(values: Sequence[float] | Doubles) -> Doubles:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def _round_step(raw: float) -> float:
    """Round a step up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
