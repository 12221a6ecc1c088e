"""What the data look like: sizes, how activity is spread, time, splitting, cleaning and leakage."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from edgewise.report import figures
from edgewise.report.charts import linear, logarithmic, svg, text, x_axis, y_axis
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Child, Markup, join, tag
from edgewise.report.layout import NARROW, Section, figure, key_figures, responsive
from edgewise.report.texts import known, say
from edgewise.report.told import told
from edgewise.types import Doubles, Index

MAX_BARS = 160
"""More periods than these are drawn together."""


def data_section(findings: Findings) -> Section:
    """Describe the data set and how it was prepared."""
    comparison = findings.comparison
    degrees = [(side, _positive(comparison.degrees.get(side))) for side in ("users", "items")]
    drawn = [
        figure(_degree_chart(side, counts), heading=say(f"data.degrees_{side}"))
        for side, counts in degrees
        if counts.size
    ]
    body = join(
        key_figures(_facts(comparison.data)),
        tag("div", drawn, class_="pair") if drawn else None,
        tag("p", say("data.degrees_caption"), class_="caption") if drawn else None,
        _timeline(comparison.timeline),
        tag(
            "div",
            _how_split(findings),
            _report(findings, "cleaning"),
            _report(findings, "leakage"),
            class_="trio",
        ),
    )
    return Section("data", say("data.title"), say("data.nav"), _lede(dict(degrees)), body)


def _positive(counts: Index | None) -> Index:
    array = np.asarray(counts if counts is not None else [], dtype=np.int64)
    return array[array > 0]


def _lede(degrees: dict[str, Index]) -> Both | None:
    users, items = degrees["users"], degrees["items"]
    if not users.size or not items.size:
        return None
    top = np.sort(items)[::-1][: max(1, round(items.size / 100))]
    return say(
        "data.lede",
        share=figures.percent(float(top.sum() / items.sum())),
        median=figures.count(float(np.median(users))),
    )


def _facts(data: dict[str, Any]) -> list[tuple[Child, Child]]:
    counts = [
        ("users", "n_users"), ("items", "n_items"), ("interactions", "n_interactions"), ("train", "n_train"), ("test", "n_test"),
        ("test_users", "n_test_users"), ("new_users", "n_new_users"), ("new_items", "n_new_items"),
    ]  # fmt: skip
    rows: list[tuple[Child, Child]] = [
        (say(f"data.{name}"), figures.count(float(data[key]))) for name, key in counts if data.get(key) is not None
    ]
    if data.get("density") is not None:
        rows.insert(3, (say("data.density"), figures.percent(float(data["density"]))))
    if data.get("first") and data.get("last"):
        first, last = (tag("span", str(data[end])[:10]) for end in ("first", "last"))
        rows.append((say("data.span"), tag("span", first, " – ", last, class_="span")))
    return rows


def _degree_chart(side: str, counts: Index) -> Markup:
    """Draw the share of users or items with at least n interactions, both axes logarithmic."""
    width, height, left, bottom, top = 420, 300, 52, 44, 34
    values, share = _survival(counts)
    x = logarithmic(values, left, width - 16, pad=0.01)
    y = logarithmic(share, height - bottom, top, pad=0.01)
    points = "L".join(f"{x(v):.1f} {y(s):.1f}" for v, s in zip(values, share, strict=True))
    median = float(np.median(counts))
    mx, my = x(median), y(float(np.mean(counts >= median)))
    return svg(
        width, height,
        x_axis(x, x.ticks(6), figures.short_count, top, height - bottom),
        y_axis(y, y.ticks(5), figures.percent, left, width - 16),
        text(4, 14, say(f"data.degrees_y_{side}"), "axis"),
        text(width - 16, height - 6, say("data.degrees_x"), "axis", "end"),
        tag("path", d=f"M{points}", class_="curve degree"),
        tag("circle", cx=mx, cy=my, r=4.5, class_="mark winner"),
        text(mx + 10, my - 6, say("data.median", n=figures.count(median)), "note"),
        label=say("data.degrees_chart"),
    )  # fmt: skip


def _survival(counts: Index) -> tuple[Doubles, Doubles]:
    """Return degrees and the share of nodes with at least as many; at most some 150 points, even on a logarithmic axis."""
    values, n = np.unique(counts, return_counts=True)
    share = n[::-1].cumsum()[::-1] / counts.size
    if values.size > 150:
        wanted = np.unique(np.searchsorted(values, np.geomspace(values[0], values[-1], 150)))
        values, share = values[wanted], share[wanted]
    return values.astype(np.float64), share


def _timeline(timeline: pl.DataFrame) -> Markup | None:
    """Draw interactions by period, training and test in two colours and two patterns; None without times."""
    if timeline.is_empty() or not {"period", "n", "split"} <= set(timeline.columns):
        return None
    table = (
        timeline.drop_nulls("period")
        .with_columns(pl.col("period").cast(pl.Datetime("ms")))
        .pivot("split", index="period", values="n", aggregate_function="sum")
        .fill_null(0)
        .sort("period")
    )
    for split in ("train", "test"):
        if split not in table.columns:
            table = table.with_columns(pl.lit(0).alias(split))
    if table.is_empty():
        return None
    each = -(-table.height // MAX_BARS)
    table = table.with_row_index("row").group_by(pl.col("row") // each, maintain_order=True).agg(
        pl.col("period").min(), pl.col("train", "test").sum()
    )  # fmt: skip
    periods, train, test = table["period"].to_list(), table["train"].to_list(), table["test"].to_list()
    legend = tag(
        "p",
        [tag("span", tag("i", class_=f"swatch {split}"), say(f"data.split_{split}")) for split in ("train", "test")],
        class_="legend",
    )
    drawing = join(legend, responsive(lambda width: _bars(periods, train, test, width)))
    return figure(drawing, say("data.timeline_caption", n=each) if each > 1 else None, heading=say("data.timeline"))


def _bars(periods: Sequence[datetime], train: Sequence[int], test: Sequence[int], width: float) -> Markup:
    narrow = width <= NARROW
    height, left, top, bottom = (190, 40, 12, 26) if narrow else (230, 52, 12, 28)
    totals = [a + b for a, b in zip(train, test, strict=True)]
    y = linear([float(t) for t in totals], height - bottom, top, zero=True)
    step = (width - left - 8) / len(periods)
    bar = max(step - (1.5 if step > 5 else 0.4 if step > 2 else 0), 0.6)
    pattern = f"test-{'narrow' if narrow else 'wide'}"
    drawn = []
    for i, (period, a, b) in enumerate(zip(periods, train, test, strict=True)):
        x = left + i * step
        for split, low, high in (("train", 0, a), ("test", a, a + b)):
            if high > low:
                tip = say(
                    "data.timeline_tip",
                    period=str(period).removesuffix(" 00:00:00"),
                    n=figures.count(high - low),
                    split=say(f"data.split_{split}"),
                )
                fill = f"url(#{pattern})" if split == "test" else None
                drawn.append(
                    tag(
                        "rect",
                        x=x,
                        width=bar,
                        y=y(high),
                        height=y(low) - y(high),
                        class_=f"period {split}",
                        fill=fill,
                        data_tip=tip,
                    )
                )
    stripes = tag(
        "defs",
        tag(
            "pattern",
            tag("rect", width=5, height=5, class_="tint"), tag("path", d="M-1 6L6 -1M-1 1L1 -1M4 6L6 4", class_="stripe"),
            id=pattern, width=5, height=5, patternUnits="userSpaceOnUse",
        ),
    )  # fmt: skip
    return svg(
        width, height,
        stripes,
        y_axis(y, y.ticks(4), figures.short_count, left, width - 8),
        join(drawn),
        _dates(periods, left, step, height - bottom, 6 if narrow else 10),
        label=say("data.timeline_chart"),
    )  # fmt: skip


def _dates(periods: Sequence[datetime], left: float, step: float, bottom: float, n: int) -> Markup:
    """Write round dates below the bars that begin with them."""
    labels = []
    for day, words in _round_times(periods[0], periods[-1], n):
        x = left + bisect_left(periods, day) * step
        labels += [
            tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="axis-tick"),
            text(x + 3, bottom + 17, words),
        ]
    return join(labels)


def _round_times(first: datetime, last: datetime, n: int) -> list[tuple[datetime, str]]:
    """Return up to `n` round times from first to last with their text: hours, days, or starts of months or years."""
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = (last - day).total_seconds() / 3600
    for step in (1, 3, 6, 12):
        if hours < n * step:
            times = [day + timedelta(hours=i) for i in range(0, int(hours) + 1, step)]
            return [(t, f"{t:%H:%M}" if t.hour else f"{t:%m-%d}") for t in times if t >= first]
    for step in (1, 2, 7):
        if hours / 24 < n * step:
            times = [day + timedelta(days=i) for i in range(0, int(hours / 24) + 1, step)]
            return [(t, f"{t:%m-%d}") for t in times if t >= first]
    start, stop = first.year * 12 + first.month - 1 + (first.day > 1), last.year * 12 + last.month - 1
    step = next((step for step in (1, 3, 6, 12, 24, 60, 120, 240) if (stop - start) / step < n), 1200)
    months = range(-(-start // step) * step, stop + 1, step)
    form = "%Y" if step >= 12 else "%Y-%m"
    return [(t := datetime(m // 12, m % 12 + 1, 1), t.strftime(form)) for m in months]  # noqa: DTZ001 - UTC throughout


def _how_split(findings: Findings) -> Markup:
    """Say how training and test were parted; what the split noted stands below."""
    data = findings.comparison.data
    split = str(data.get("split") or figures.DASH)
    words = say(f"split.{split}") if known(f"split.{split}") else say("split.other", split=split)
    notes = [tag("li", told(str(note))) for note in data.get("split_notes") or []]
    return tag(
        "div", tag("h3", say("data.how_split")), tag("p", words), tag("ul", notes, class_="notes") if notes else None
    )


def _report(findings: Findings, kind: str) -> Markup:
    """List the lines of the cleaning or the leakage report; say so where there are none."""
    lines = [told(str(line)) for line in findings.comparison.data.get(kind) or []]
    symbol = tag("span", "!" if kind == "leakage" else "·", class_="bullet", aria_hidden="true")
    if lines:
        body = tag("ul", [tag("li", symbol, tag("span", line)) for line in lines], class_=kind)
    else:
        body = tag("p", tag("span", "✓ ", class_="good", aria_hidden="true"), say(f"data.{kind}_none"))
    return tag("div", tag("h3", say(f"data.{kind}")), body)
