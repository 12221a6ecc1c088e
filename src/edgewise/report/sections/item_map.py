"""The embedding map: items in the plane, drawn by the script on a canvas."""

from collections import Counter
from html import unescape
from typing import Any

import numpy as np

from edgewise.evaluate.result import EmbeddingMap
from edgewise.report import figures
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, join, json_island, tag
from edgewise.report.layout import Section
from edgewise.report.texts import say
from edgewise.report.told import told
from edgewise.types import Doubles, Index

MAX_POINTS = 12_000
"""Items beyond this many, those with the fewest interactions, are left out, so that the file stays small."""

MAX_CATEGORIES = 8
"""As many colours as most eyes tell apart, those of colour-blind readers too; the rest is "other"."""

GRID = 4096
"""Positions are rounded to this many steps: finer than any screen."""


def map_section(findings: Findings) -> Section | None:
    """Lay the items out with a legend and a search; None without a map."""
    embedding = findings.comparison.embedding_map
    if embedding is None:
        return None
    kept = _kept(embedding)
    if not kept.size:
        return None
    names, category = _categories(embedding, kept)
    labels = [_label(findings, name, embedding.column) for name in names]
    n_named = sum(bool(name) for name in names)
    column = findings.label(embedding.column, "column")
    coloured = len(names) > 1
    lede = say("map.lede_category", column=column) if coloured else say("map.lede")
    body = join(
        tag(
            "div",
            _canvas(),
            _side(labels, category, n_named) if coloured else None,
            class_="map" if coloured else "map plain",
        ),
        tag("p", _caption(embedding, kept.size), class_="caption"),
        json_island("map-data", _data(embedding, kept, category, labels, n_named)),
    )
    return Section("map", say("map.title"), say("map.nav"), lede, body)


def _kept(embedding: EmbeddingMap) -> Index:
    """Return the items to draw: those with a place, the best known first if there are too many; rare ones on top."""
    there = np.flatnonzero(np.isfinite(embedding.x) & np.isfinite(embedding.y))
    order = there[np.argsort(-embedding.counts[there], kind="stable")]
    return order[:MAX_POINTS].astype(np.int64)


def _categories(embedding: EmbeddingMap, kept: Index) -> tuple[list[str | None], Index]:
    """Return the categories worth a colour and each item's: the commonest, then None for the others, "" for unknown."""
    texts = [embedding.categories[i] for i in kept.tolist()]
    counts = Counter(text for text in texts if text)
    common = [name for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_CATEGORIES]]
    names: list[str | None] = [*common]
    if len(counts) > len(common):
        names.append(None)
    if "" in texts:
        names.append("")
    place = {name: i for i, name in enumerate(names)}
    return names, np.array([place[t] if t in place else place[None] for t in texts], dtype=np.int64)


def _label(findings: Findings, name: str | None, column: str) -> Both:
    if name is None:
        return say("map.other")
    return findings.label(name, column, f"column.{column}", f"value.{column}") if name else say("map.unknown")


def _data(embedding: EmbeddingMap, kept: Index, category: Index, labels: list[Both], n_named: int) -> dict[str, Any]:
    x, y = _square(embedding.x[kept], embedding.y[kept])
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "titles": [embedding.titles[i][:160] for i in kept.tolist()],
        "counts": embedding.counts[kept].tolist(),
        "category": category.tolist(),
        "names": [[_plain(label.en), _plain(label.zh)] for label in labels],
        "rest": list(range(n_named, len(labels))),
        "clusters": _clusters(x, y, category, n=n_named),
        "words": {key: list(map(_plain, say(f"map.{key}"))) for key in ("interactions", "found")},
    }


def _plain(words: str) -> str:
    """Undo the escaping of our own markup, for a script that writes text only; data were never escaped."""
    return unescape(words) if isinstance(words, Markup) else words


def _square(x: Doubles, y: Doubles) -> tuple[Index, Index]:
    """Move positions onto the grid, the same step both ways, so that distances keep their meaning; y grows upwards."""
    size = max(float(np.ptp(x)), float(np.ptp(y))) or 1.0
    across = (x - (x.min() + x.max()) / 2) / size + 0.5
    down = 0.5 - (y - (y.min() + y.max()) / 2) / size
    return np.round(across * GRID).astype(np.int64), np.round(down * GRID).astype(np.int64)


def _clusters(x: Index, y: Index, category: Index, n: int, cells: int = 20) -> list[list[int]]:
    """Find where to write each category's name: the place where it is both frequent and dominant.

    A grid of cells, smoothed over neighbours; the cell with the largest count times share wins, and the label stands at
    the mean of the category's items there.

    Returns:
        A row [category, x, y] for each that has such a place, the largest category first.
    """
    column, row = np.minimum(x * cells // (GRID + 1), cells - 1), np.minimum(y * cells // (GRID + 1), cells - 1)
    counts = np.zeros((n + 1, cells, cells))
    np.add.at(counts, (np.minimum(category, n), row, column), 1.0)
    padded = np.pad(counts, ((0, 0), (1, 1), (1, 1)))
    shifts = [(dy, dx) for dy in range(3) for dx in range(3)]
    smooth = np.sum([padded[:, dy : dy + cells, dx : dx + cells] for dy, dx in shifts], axis=0)
    found = []
    for i in range(n):
        weight = smooth[i] * smooth[i] / np.maximum(smooth.sum(axis=0), 1.0)
        r, c = np.unravel_index(int(weight.argmax()), weight.shape)
        near = (category == i) & (np.abs(row - r) <= 1) & (np.abs(column - c) <= 1)
        if near.sum() >= 3:
            found.append([i, int(x[near].mean()), int(y[near].mean())])
    return found


def _canvas() -> Markup:
    buttons = [
        tag(
            "button",
            symbol,
            type="button",
            data_zoom=action,
            aria_label=say(f"map.{words}"),
            data_tip=say(f"map.{words}"),
        )
        for symbol, action, words in (("+", "in", "zoom_in"), ("−", "out", "zoom_out"), ("⤢", "all", "reset"))
    ]
    return tag(
        "div",
        tag("canvas", id="map-canvas", tabindex=0, role="img", aria_label=say("map.canvas")),
        tag("div", buttons, class_="zoom"),
        class_="stage",
    )


def _side(labels: list[Both], category: Index, n_named: int) -> Markup:
    counts = np.bincount(category, minlength=len(labels))
    buttons = [
        tag(
            "button", tag("canvas", width=28, height=28, class_="swatch", data_category=i, aria_hidden="true"),
            tag("span", label, class_="clip"), tag("small", figures.count(float(counts[i]))),
            type="button", aria_pressed="true", data_category=i, class_="category" if i < n_named else "category muted",
        )
        for i, label in enumerate(labels)
    ]  # fmt: skip
    find = tag(
        "input",
        type="search",
        id="map-find",
        placeholder=say("map.find"),
        aria_label=say("map.find"),
        autocomplete="off",
    )
    return tag(
        "div", find, tag("p", id="map-found", aria_live="polite"), tag("div", buttons, role="group", aria_label=say("map.legend"), class_="categories"),
        class_="side",
    )  # fmt: skip


def _caption(embedding: EmbeddingMap, n: int) -> list[Both | str]:
    words: list[Both | str] = [
        say("map.caption", n=figures.count(n), method=told(embedding.method or figures.DASH)),
        " ",
        say("map.hint"),
    ]
    if n < embedding.x.size:
        words += [" ", say("map.sampled", n=figures.count(n), all=figures.count(embedding.x.size))]
    return words
