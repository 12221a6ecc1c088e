"""Learning curves: loss and validation metric by epoch, one small drawing a model."""

import math

import numpy as np

from edgewise.evaluate.metrics import direction
from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.charts import Scale, line, linear, mark, svg, text, tick_writer, x_axis, y_axis
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, join, tag
from edgewise.report.layout import Section, figure
from edgewise.report.texts import list_names, metric_title, say
from edgewise.types import Doubles

NOT_METRICS = frozenset({"epoch", "loss", "seconds", "time", "lr", "learning_rate"})
"""Keys of a curve's entries that are not the validation metric."""

WIDTH, LEFT, RIGHT = 380, 44, 10
"""Sizes of one drawing."""


def learning_section(findings: Findings) -> Section | None:
    """Draw the curve of every model that learned by epochs; None where none did."""
    models = [model for model in findings.comparison.models.values() if len(model.curve) > 1]
    if not models:
        return None
    watched = {model.name: _watched(model, findings.metric) for model in models}
    levels = [v for m in models if watched[m.name] for v in _column(m, watched[m.name] or "")]
    drawings = [_curve(model, watched[model.name], levels) for model in models]
    caption = say("curves.caption") if sum(name is not None for name in watched.values()) > 1 else None
    body = figure(tag("div", drawings, class_="multiples"), caption)
    return Section("learning", say("curves.title"), say("curves.nav"), _lede(findings, models, watched), body)


def _watched(model: ModelResult, main: str) -> str | None:
    """Return the name of the validation metric of a curve: the main one if it was watched, else the first."""
    names = [
        name
        for entry in model.curve
        for name in entry
        if name == main or (name not in NOT_METRICS and not name.endswith("loss"))
    ]
    return main if main in names else next(iter(names), None)


def _column(model: ModelResult, name: str) -> Doubles:
    values = [entry.get(name) for entry in model.curve]
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def _epochs(model: ModelResult) -> Doubles:
    epochs = _column(model, "epoch")
    return epochs if np.isfinite(epochs).all() else np.arange(1, epochs.size + 1, dtype=np.float64)


def _lede(findings: Findings, models: list[ModelResult], watched: dict[str, str | None]) -> Both:
    with_metric = [(m, _column(m, name)) for m in models if (name := watched[m.name]) is not None]
    with_metric = [(m, values) for m, values in with_metric if np.isfinite(values).any()]
    if not with_metric:
        return say("curves.lede_loss")
    unfinished = [
        findings.title(m)
        for m, values in with_metric
        if np.nanargmax(direction(watched[m.name] or "") * values) == np.flatnonzero(np.isfinite(values))[-1]
    ]
    return say("curves.lede_unfinished", names=list_names(unfinished)) if unfinished else say("curves.lede_done")


def _curve(model: ModelResult, watched: str | None, levels: list[float]) -> Markup:
    epochs = _epochs(model)
    x = linear(epochs, LEFT, WIDTH - RIGHT, pad=0.0)
    ticks = sorted({round(t) for t in x.ticks(4) if round(t) >= 1})
    panels: list[Markup] = []
    top = 24.0
    if watched is not None:
        y = linear(levels, top + 120, top, pad=0.08)
        panels.append(
            _panel(
                x, y, epochs, _column(model, watched), say("curves.validation", metric=metric_title(watched)), "metric"
            )
        )
        panels.append(_best(x, y, epochs, _column(model, watched), direction(watched)))
        top += 160
    losses = _column(model, "loss")
    if np.isfinite(losses).any():
        y = linear(losses, top + 64, top, pad=0.08)
        panels.append(_panel(x, y, epochs, losses, say("curves.loss"), "loss"))
        top += 64
    else:
        top -= 40
    drawing = svg(
        WIDTH, top + 38,
        *panels,
        x_axis(x, ticks, lambda value: f"{value:g}", top, top),
        text(WIDTH - RIGHT, top + 34, say("curves.epoch"), "axis", "end"),
        label=say("curves.chart", model=model.title),
    )  # fmt: skip
    return tag("div", tag("h4", tag("span", model.title, class_="clip")), drawing)


def _panel(x: Scale, y: Scale, epochs: Doubles, values: Doubles, title: Both, class_: str) -> Markup:
    ticks = y.ticks(4)
    points = [(x(e), y(v)) for e, v in zip(epochs, values, strict=True) if math.isfinite(v)]
    lonely = mark(*points[0], "other", 3) if len(points) == 1 else None
    return join(
        y_axis(y, ticks, tick_writer(ticks), LEFT, WIDTH - RIGHT),
        text(LEFT, y.stop - 10, title, "axis"),
        line([px for px, _ in points], [py for _, py in points], f"curve {class_}"),
        lonely,
    )


def _best(x: Scale, y: Scale, epochs: Doubles, values: Doubles, way: int) -> Markup:
    """Mark the best epoch, with its figure above the drawing, opposite the title, where no line can pass."""
    if not np.isfinite(values).any():
        return Markup("")
    best = int(np.nanargmax(way * values))
    px, py = x(epochs[best]), y(values[best])
    words = say("curves.best", value=figures.metric(values[best]), epoch=f"{epochs[best]:g}")
    return join(mark(px, py, "winner", 4.5), text(WIDTH - RIGHT, y.stop - 10, words, "note", "end"))
