"""What the data look like: sizes, how activity is spread, time, splitting, cleaning and leakage."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from edgewise.report import figures
from edgewise.report.charts import linear, logarithmic, svg, text, x_axis, y_axis
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Child, Markup, join, tag
from edgewise.report.layout import NARROW, Section, figure, key_figures, responsive
from edgewise.report.texts import known, say
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
            _how_split(comparison.data),
            _report(comparison.data, "cleaning"),
            _report(comparison.data, "leakage"),
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
        rows.append(
            (say("data.span"), tag("span", f"{str(data['first'])[:10]} – {str(data['last'])[:10]}", class_="span"))
        )
    return rows


def _degree_chart(side: str, counts: Index) -> Markup:
    """Draw the share of users or items with at least n interactions, both axes logarithmic."""
    width, height, left, bottom, top = 420, 300, 52, 44, 34
    values, share = _survival(counts)
    x = logarithmic(values, left, width - 16, pad=0.01)
    y = logarithmic(share, height - bottom, top, pad=0.01)
    points = "L".join(f"{x(v):.1f} {y(s):.1f}" for v, s in zip(values, share, strict=True))
    median = float(np.median(counts))
    mx, my = x(max(median, values[0])), y(0.5)
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


def _bars(periods: Sequence[date], train: Sequence[int], test: Sequence[int], width: float) -> Markup:
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
                    period=str(period),
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
                        class_=f"bar {split}",
                        fill=fill,
                        data_tip=tip,
                    )
                )
    stripes = tag(
        "defs",
        tag(
            "pattern",
            tag("rect", width=5, height=5, class_="bar test"), tag("path", d="M-1 6L6 -1M-1 1L1 -1M4 6L6 4", class_="stripe"),
            id=pattern, width=5, height=5, patternUnits="userSpaceOnUse",
        ),
    )  # fmt: skip
    return svg(
        width, height,
        stripes,
        y_axis(y, y.ticks(4), figures.short_count, left, width - 8),
        join(drawn),
        _dates(periods, left, step, bar, height - bottom, 3 if narrow else 7),
        label=say("data.timeline_chart"),
    )  # fmt: skip


def _dates(periods: Sequence[date], left: float, step: float, bar: float, bottom: float, n: int) -> Markup:
    """Write dates under some bars, evenly, the first and the last among them, as fine as the span needs."""
    chosen = sorted({round(i * (len(periods) - 1) / max(n - 1, 1)) for i in range(n)})
    days = (periods[-1] - periods[0]).days
    form = "%Y" if days > 365 * 6 else "%Y-%m" if days > 150 else "%m-%d"
    labels, last = [], ""
    for i in chosen:
        words = periods[i].strftime(form)
        anchor = (
            "start" if i == 0 and len(chosen) > 1 else "end" if i == len(periods) - 1 and len(chosen) > 1 else "middle"
        )
        x = left + i * step + {"start": 0.0, "middle": bar / 2, "end": bar}[anchor]
        if words != last:
            labels.append(text(x, bottom + 18, words, "tick", anchor))
        last = words
    return join(labels)


def _how_split(data: dict[str, Any]) -> Markup:
    split = str(data.get("split") or figures.DASH)
    key = f"split.{split}"
    words = say(key) if known(key) else say("split.other", split=split)
    return tag("div", tag("h3", say("data.how_split")), tag("p", words))


def _report(data: dict[str, Any], kind: str) -> Markup:
    """List the lines of the cleaning or the leakage report; say so where there are none."""
    lines = [str(line) for line in data.get(kind) or []]
    symbol = "!" if kind == "leakage" else "·"
    body = (
        tag(
            "ul",
            [tag("li", tag("span", symbol, class_="bullet", aria_hidden="true"), tag("span", line)) for line in lines],
            class_=kind,
        )
        if lines
        else tag("p", tag("span", "✓ ", class_="good", aria_hidden="true"), say(f"data.{kind}_none"))
    )
    return tag("div", tag("h3", say(f"data.{kind}")), body)
