"""Reliability diagrams: how often what was given a probability came true, one small drawing a model."""

import math

import numpy as np

from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.charts import Scale, line, mark, svg, text, x_axis, y_axis
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, join, tag
from edgewise.report.layout import Section, figure
from edgewise.report.texts import say
from edgewise.types import Doubles

SIZE, LEFT, RIGHT, TOP, FOOT = 380, 48, 20, 26, 36
"""Sizes of one drawing; the foot holds the columns that show where the answers lie."""

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)

Z = 1.959964
"""The normal quantile of a 95 % interval."""


def reliability_section(findings: Findings) -> Section | None:
    """Draw every model that gave probabilities, best first; None where none did."""
    models = [(m, m.evaluation.reliability) for m in findings.ranked if m.evaluation is not None]
    drawings = [_diagram(findings, model, bins) for model, bins in models if bins is not None]
    if not drawings:
        return None
    body = figure(tag("div", drawings, class_="multiples"), say("reliability.caption"))
    return Section("reliability", say("reliability.title"), say("reliability.nav"), _lede(findings), body)


def _lede(findings: Findings) -> Both | None:
    winner, best = findings.winner, findings.best("ece")
    if winner is None or best is None or not math.isfinite(findings.value(winner, "ece")):
        return None
    miss, least = (_points(findings.value(model, "ece")) for model in (winner, best))
    if miss == least:
        return say("reliability.lede", winner=findings.title(winner), miss=miss)
    return say(
        "reliability.lede_other",
        winner=findings.title(winner),
        miss=miss,
        other=findings.title(best),
        least=least,
    )


def _points(share: float) -> Both:
    return say("reliability.points", value=f"{100 * share:.1f}")


def _diagram(findings: Findings, model: ModelResult, bins: Doubles) -> Markup:
    n, said, true = bins[:, bins[0] > 0]
    said, true = said / n, true / n
    bottom = SIZE - 48 - FOOT
    x, y = Scale(0, 1, LEFT, SIZE - RIGHT), Scale(0, 1, bottom, TOP)
    low, high = wilson(true * n, n)
    role = findings.role(model)
    columns = _columns(bins[0], x, bottom + 6 + FOOT)
    whiskers = [
        tag("line", x1=x(at), x2=x(at), y1=y(a), y2=y(b), class_=f"whisker {role}")
        for at, a, b in zip(said, low, high, strict=True)
    ]
    marks = [
        mark(x(at), y(share), role, 4.5, tip=_tip(at, share, a, b, many))
        for at, share, a, b, many in zip(said, true, low, high, n, strict=True)
    ]
    drawing = svg(
        SIZE, SIZE,
        y_axis(y, TICKS, figures.percent, LEFT, SIZE - RIGHT),
        x_axis(x, TICKS, figures.percent, TOP, bottom + 6 + FOOT),
        columns,
        tag("line", x1=x(0), x2=x(1), y1=y(0), y2=y(1), class_="frontier"),
        line([x(at) for at in said], [y(share) for share in true], "curve said"),
        join(whiskers),
        join(marks),
        text(LEFT - 40, 14, say("reliability.y"), "axis"),
        text(SIZE - RIGHT, SIZE - 4, say("reliability.x"), "axis", "end"),
        label=say("reliability.chart", model=model.title),
    )  # fmt: skip
    return tag("div", tag("h4", tag("span", model.title, class_="clip")), drawing)


def _columns(n: Doubles, x: Scale, foot: float) -> Markup:
    edges = np.linspace(0, 1, n.size + 1)
    heights = (FOOT - 4) * n / n.max()
    return join(
        [
            tag("rect", x=x(a) + 1, y=foot - h, width=x(b) - x(a) - 2, height=h, class_="bar-of-n")
            for a, b, h in zip(edges[:-1], edges[1:], heights, strict=True)
            if h > 0
        ]
    )


def _tip(said: float, true: float, low: float, high: float, n: float) -> Both:
    shares = {name: figures.percent(v) for name, v in (("said", said), ("true", true), ("low", low), ("high", high))}
    return say("reliability.tip", n=figures.count(n), **shares)


def wilson(n_yes: Doubles, n: Doubles) -> tuple[Doubles, Doubles]:
    """Return the ends of the 95 % interval of shares: Wilson, "Probable inference", JASA 1927; float64 each.

    >>> [end.round(3).tolist() for end in wilson(np.array([0.0, 50.0]), np.array([10.0, 100.0]))]
    [[0.0, 0.404], [0.278, 0.596]]
    """
    share, z2 = n_yes / n, Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return np.maximum(middle - reach, 0.0), np.minimum(middle + reach, 1.0)
