"""Words beside points: how wide they are, and where they fit without covering anything."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""

NEAR = [(4.0, math.radians(angle)) for angle in (0, 180, -90, 90, -35, 35, -145, 145)]
"""Distances and angles to try first: close by, right before left."""

FAR = [
    (float(distance), math.radians(angle))
    for distance in (16, 26, 38, 52)
    for angle in (-60, 60, -120, 120, -25, 25, -155, 155, -90, 90)
]
"""Places farther out, which need a line to the point."""


@dataclass(frozen=True)
class Label:
    """A label that found a place.

    Attributes:
        index: which point it names.
        x, y, anchor: where its text stands.
        leader: whether a line must lead to it.
        box: what it covers.
    """

    index: int
    x: float
    y: float
    anchor: str
    leader: bool
    box: Box


def place_labels(
    xs: Sequence[float],
    ys: Sequence[float],
    words: Sequence[str],
    area: Box,
    *,
    font: float = 13,
    radius: float = 7,
    obstacles: Sequence[Box] = (),
    lines: Sequence[Box] = (),
) -> list[Label]:
    """Find places for labels beside their points so that none covers a point, an obstacle or another label.

    Greedy, in the order given: the most important first. A label that fits nowhere is left out.

    Args:
        xs, ys: the points, in pixels.
        words: their labels.
        area: what labels must stay within.
        font: height of the text. radius: of the marks.
        obstacles: further boxes to keep clear. lines: boxes to keep clear where a place close by allows it.
    """
    solid = [(x - radius, y - radius, x + radius, y + radius) for x, y in zip(xs, ys, strict=True)]
    placed: list[Label] = []
    for index, word in enumerate(words):
        others = [*solid[:index], *solid[index + 1 :], *obstacles]
        tries = [(others + list(lines), NEAR), (others, NEAR), (others, FAR)]
        for taken, (distance, angle) in [(taken, place) for taken, places in tries for place in places]:
            label = _beside(index, xs[index], ys[index], text_width(word, font), font, radius + distance, angle)
            if _inside(label.box, area) and not any(_overlap(label.box, box) for box in taken):
                placed.append(label)
                solid.append(label.box)
                break
    return placed


def _beside(index: int, x: float, y: float, width: float, font: float, distance: float, angle: float) -> Label:
    """Return the label at a distance and an angle from its point."""
    dx, dy = math.cos(angle) * distance, math.sin(angle) * distance
    anchor = "middle" if abs(math.cos(angle)) < 0.3 else "start" if dx > 0 else "end"
    left = x + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    middle = y + dy + (font * 0.5 * math.copysign(1, dy) if anchor == "middle" else 0)
    box = (left - 2, middle - font * 0.62, left + width + 2, middle + font * 0.62)
    return Label(index, x + dx, middle + font * 0.36, anchor, distance > 20, box)


def text_width(words: str, font: float) -> float:
    """Estimate how wide a text is drawn: Chinese characters fill the square, Latin ones, if bold, two thirds of it."""
    return font * sum(1.0 if _wide(c) else 0.62 if c.islower() else 0.7 for c in words)


def shorten(words: str, n: int) -> str:
    """Cut a text to about the width of `n` Latin letters, with an ellipsis; a Chinese character counts as two.

    Example:
        >>> shorten("Graph filter", 20), shorten("A very long title", 9), shorten("图滤波器推荐", 6)
        ('Graph filter', 'A very l…', '图滤…')
    """
    width, kept = 0, ""
    for character in words:
        width += 2 if _wide(character) else 1
        if width > n - 1 and len(words) > len(kept) + 1:
            return kept.rstrip() + "…"
        kept += character
    return kept


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _inside(box: Box, area: Box) -> bool:
    return box[0] >= area[0] and box[1] >= area[1] and box[2] <= area[2] and box[3] <= area[3]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
