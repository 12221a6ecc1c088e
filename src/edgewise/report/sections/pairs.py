"""The matrix of who beats whom: every pair of models, the difference, and whether it may be luck."""

import math
from collections.abc import Iterable

from edgewise.evaluate.metrics import direction
from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.findings import Findings
from edgewise.report.html import Child, Markup, join, tag
from edgewise.report.layout import Section, scrolling
from edgewise.report.texts import metric_title, say

DENSE = 14
"""From more models than these on, the matrix of pairs is set smaller."""


def pairs_section(findings: Findings) -> Section | None:
    """Show for every pair of models which is better and whether that may be luck; None without tests."""
    tests = findings.comparison.significance
    models = [model for model in findings.ranked if any(model.name in (t.better, t.worse) for t in tests)]
    if len(models) < 2:
        return None
    largest = max((abs(test.difference) for test in tests if math.isfinite(test.difference)), default=0.0) or 1.0
    head = tag(
        "tr",
        tag("td", class_="corner"),
        [tag("th", findings.rank(m), scope="col", data_tip=m.title, aria_label=m.title) for m in models],
        tag("th", say("pairs.beats"), scope="col", class_="sum"),
    )
    rows = [
        tag(
            "tr",
            tag(
                "th",
                tag("span", tag("i", findings.rank(row)), tag("span", row.title, class_="clip"), class_="name"),
                scope="row",
            ),
            [_pair_cell(findings, row, column, largest) for column in models],
            tag("td", _wins(findings, row, models), class_="sum"),
        )
        for row in models
    ]
    n, metric = sum(test.significant for test in tests), metric_title(findings.metric)
    table = tag(
        "table", tag("thead", head), tag("tbody", rows), class_="pairs dense" if len(models) > DENSE else "pairs"
    )
    body = join(
        scrolling(table, say("pairs.table")),
        tag(
            "p",
            findings.say("pairs.caption", metric=metric, pairs=figures.counted(len(tests), "pair")),
            class_="caption",
        ),
    )
    return Section(
        "pairs",
        say("pairs.title"),
        say("pairs.nav"),
        say("pairs.lede", pairs=figures.counted(len(tests), "pair"), n=n),
        body,
    )


def _pair_cell(findings: Findings, row: ModelResult, column: ModelResult, largest: float) -> Markup:
    pair = findings.pair(row.name, column.name)
    if row is column or pair is None:
        return tag("td", class_="self")
    ahead = pair.better == row.name
    sign, low, high = (1, pair.low, pair.high) if ahead else (-1, -pair.high, -pair.low)
    way = direction(pair.metric)
    if way < 0:
        low, high = -high, -low
    tip = say(
        "pairs.tip", better=row.title, worse=column.title, difference=figures.signed(way * sign * pair.difference),
        metric=metric_title(pair.metric), low=figures.signed(low), high=figures.signed(high), p=figures.p_value(pair.p_corrected),
    )  # fmt: skip
    symbol = "≈" if not pair.significant else "▲" if ahead else "▼"
    strength = f"--s:{_shade(pair.difference / largest)}" if pair.significant else None
    inner: list[Child] = [tag("span", symbol, class_="symbol"), tag("span", _short(sign * pair.difference))]
    return tag(
        "td",
        inner,
        class_="luck" if not pair.significant else "ahead" if ahead else "behind",
        style=strength,
        data_tip=tip,
    )


def _shade(share: float) -> str:
    """Return how strongly to colour a difference, from 0.25 to 1, by its root so that small ones still show."""
    return f"{0.25 + 0.75 * math.sqrt(min(max(share, 0.0), 1.0)):.2f}" if math.isfinite(share) else "0.25"


def _short(difference: float) -> str:
    """Write a difference in little room: .021."""
    return figures.metric(abs(difference), 3).removeprefix("0")


def _wins(findings: Findings, row: ModelResult, models: Iterable[ModelResult]) -> int:
    pairs = [findings.pair(row.name, other.name) for other in models if other is not row]
    return sum(pair is not None and pair.significant and pair.better == row.name for pair in pairs)
