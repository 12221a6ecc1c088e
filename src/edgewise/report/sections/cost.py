"""Accuracy against time: what each model costs for what it gives."""

import math
from itertools import pairwise

from edgewise.evaluate.metrics import direction
from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.charts import Scale, linear, logarithmic, mark, svg, text, tick_writer, x_axis, y_axis
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, join, tag
from edgewise.report.labels import Box, place_labels, shorten
from edgewise.report.layout import NARROW, Section, figure, responsive
from edgewise.report.texts import metric_title, say

ROUND_SECONDS = (0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000)
"""Where a time axis carries a figure: what people call round."""

CLOSE = 0.95
"""The share of the winner's figure from which a cheaper model is worth naming."""

CROWD = 12
"""With more models than these, a phone's screen names only those that the story is about; the rest get numbers."""


def cost_section(findings: Findings) -> Section | None:
    """Draw the main metric against seconds to fit; None for fewer than two models."""
    models = [m for m in findings.ranked if math.isfinite(findings.main(m)) and math.isfinite(m.fit_s)]
    if len(models) < 2:
        return None
    body = figure(responsive(lambda width: _scatter(findings, models, width)), findings.say("cost.caption"))
    return Section("cost", say("cost.title"), say("cost.nav"), _lede(findings, models), body)


def _lede(findings: Findings, models: list[ModelResult]) -> Both | None:
    winner = findings.winner
    if winner is None or not findings.main(winner) > 0:
        return None
    metric = metric_title(findings.metric)
    close = [
        m for m in models if m is not winner and _share(findings, m, winner) >= CLOSE and m.fit_s < winner.fit_s / 2
    ]
    if not close:
        return findings.say("cost.lede_fast", share=figures.percent(CLOSE), metric=metric)
    cheap = min(close, key=lambda model: (model.fit_s, -direction(findings.metric) * findings.main(model)))
    return findings.say(
        "cost.lede", cheap=findings.title(cheap), share=figures.percent(_share(findings, cheap, winner)), metric=metric,
        part=_fraction(cheap.fit_s / winner.fit_s),
    )  # fmt: skip


def _share(findings: Findings, model: ModelResult, winner: ModelResult) -> float:
    """Return how much of the winner's accuracy a model has; of errors, how small the winner's is beside its own."""
    if direction(findings.metric) > 0:
        return findings.main(model) / findings.main(winner)
    return findings.main(winner) / findings.main(model) if findings.main(model) > 0 else 1.0


def _fraction(share: float) -> str:
    """Write a small share as people say it: 1/40."""
    return f"1/{round(1 / share, -1 if share < 0.05 else 0):,.0f}" if share > 0.0005 else f"< 1/{2000:,}"


def _scatter(findings: Findings, models: list[ModelResult], width: float) -> Markup:
    narrow = width <= NARROW
    height, left, right, top, bottom = (380, 44, 12, 34, 46) if narrow else (470, 60, 24, 36, 48)
    x = logarithmic([max(m.fit_s, 0.005) for m in models], left + 14, width - right - 14, pad=0.04)
    ends = [end for m in models for end in (findings.main(m), *m.intervals.get(findings.metric, ()))]
    lowest, highest = (height - bottom, top)[:: direction(findings.metric)]
    y = linear(ends, lowest, highest, pad=0.07)  # the better the higher, of errors too
    seconds = [s for s in ROUND_SECONDS if x.low <= s <= x.high]
    if len(seconds) < 2:
        seconds = x.ticks(4)
    levels = y.ticks(5)
    xs, ys = [x(max(m.fit_s, 0.005)) for m in models], [y(findings.main(m)) for m in models]
    frontier = _frontier(xs, ys, width - right)
    order = sorted(range(len(models)), key=lambda i: (models[i] not in findings.cast, i))
    return svg(
        width, height,
        x_axis(x, seconds, figures.seconds, top, height - bottom),
        y_axis(y, levels, tick_writer(levels), left, width - right),
        text(left - 36 if narrow else left - 52, 16, findings.say("cost.y", metric=metric_title(findings.metric)), "axis"),
        text(width - right, height - 6, say("cost.x"), "axis", "end"),
        tag("path", d="M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in frontier), class_="frontier"),
        join([_interval(y, px, findings, m) for px, m in zip(xs, models, strict=True)]),
        join([mark(px, py, findings.role(m), 6, tip=_tip(findings, m)) for px, py, m in zip(xs, ys, models, strict=True)]),
        _labels(findings, [models[i] for i in order], [xs[i] for i in order], [ys[i] for i in order], y,
                (left, top, width - right, height - bottom), frontier, narrow=narrow),
        label=say("cost.chart", metric=metric_title(findings.metric)),
    )  # fmt: skip


def _frontier(xs: list[float], ys: list[float], right: float) -> list[tuple[float, float]]:
    """Return the corners of the line through the models that no other beats in both: right and up in steps."""
    steps: list[tuple[float, float]] = []
    best = math.inf
    for i in sorted(range(len(xs)), key=lambda i: (xs[i], ys[i])):
        if ys[i] < best - 1e-9:
            if steps:
                steps.append((xs[i], steps[-1][1]))
            steps.append((xs[i], ys[i]))
            best = ys[i]
    return [*steps, (right, best)]


def _interval(y: Scale, px: float, findings: Findings, model: ModelResult) -> Markup:
    low, high = model.intervals.get(findings.metric, (math.nan, math.nan))
    if not (math.isfinite(low) and math.isfinite(high)):
        return Markup("")
    return tag("line", x1=px, x2=px, y1=y(low), y2=y(high), class_=f"whisker {findings.role(model)}")


def _tip(findings: Findings, model: ModelResult) -> Both:
    metric, value = metric_title(findings.metric), figures.metric(findings.main(model))
    words = [f"{model.title}\n{name} {value} · {figures.seconds(model.fit_s)}" for name in metric]
    return Both(*words)


def _labels(
    findings: Findings,
    models: list[ModelResult],
    xs: list[float],
    ys: list[float],
    y: Scale,
    area: Box,
    frontier: list[tuple[float, float]],
    *,
    narrow: bool,
) -> Markup:
    """Name the points: in full where that fits, else by their place in the table."""
    font = 12.5 if narrow else 13.5
    names = [shorten(model.title, 18 if narrow else 30) for model in models]
    if narrow and len(models) > CROWD:
        names = [n if m in findings.cast else str(findings.rank(m)) for n, m in zip(names, models, strict=True)]
    bars: list[Box] = []
    for px, model in zip(xs, models, strict=True):
        low, high = model.intervals.get(findings.metric, (math.nan, math.nan))
        if math.isfinite(low) and math.isfinite(high):
            bars.append((px - 2, min(y(low), y(high)), px + 2, max(y(low), y(high))))
    lines = [(min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1) for (a, b), (c, d) in pairwise(frontier)]
    placed = place_labels(xs, ys, names, area, font=font, obstacles=bars, lines=lines)
    drawn: list[Markup] = []
    for label in placed:
        if label.leader:
            end = label.x + {"start": -3, "middle": 0, "end": 3}[label.anchor]
            drawn.append(
                tag("line", x1=xs[label.index], y1=ys[label.index], x2=end, y2=label.y - font * 0.36, class_="leader")
            )
        drawn.append(
            text(label.x, label.y, names[label.index], f"name {findings.role(models[label.index])}", label.anchor)
        )
    rest = sorted(set(range(len(models))) - {label.index for label in placed})
    points = [(px - 7, py - 7, px + 7, py + 7) for j, (px, py) in enumerate(zip(xs, ys, strict=True)) if j not in rest]
    numbers = [str(findings.rank(models[i])) for i in rest]
    taken = [*points, *(label.box for label in placed)]
    for label in place_labels([xs[i] for i in rest], [ys[i] for i in rest], numbers, area, font=font, obstacles=taken):
        drawn.append(text(label.x, label.y, numbers[label.index], "name other", label.anchor))
    return join(drawn)
