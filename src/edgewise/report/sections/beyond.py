"""Beyond accuracy: coverage, inequality, novelty, popularity bias and diversity of the lists, in plain words."""

import math

from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.charts import Scale, linear
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, tag
from edgewise.report.layout import Section, scrolling
from edgewise.report.sections.models import name_cell
from edgewise.report.texts import known, metric_base, metric_title, say

MEASURES = ("coverage", "gini", "novelty", "popularity", "diversity")
"""Measures that we can explain, in order of appearance."""

BETTER = {"coverage": "higher", "novelty": "higher", "diversity": "higher", "gini": "lower", "popularity": "zero"}
"""Which way makes lists more varied or more even; not by itself better."""

ARROWS = {"higher": "↑ ", "lower": "↓ ", "zero": "→ "}


def beyond_section(findings: Findings) -> Section | None:
    """Draw the measures of whole lists as bars, a row a model; None where there are none."""
    measures = _measures(findings)
    if not measures:
        return None
    columns = [tag("th", _heading(name), scope="col") for name in measures]
    head = tag("tr", tag("th", say("models.model"), scope="col", class_="model"), columns)
    scales = {
        name: linear([findings.value(m, name) for m in findings.ranked], 0, 100, pad=0, zero=True) for name in measures
    }
    rows = [_row(findings, model, scales) for model in findings.ranked]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="beyond")
    return Section(
        "beyond",
        say("beyond.title"),
        say("beyond.nav"),
        _lede(findings, measures),
        scrolling(table, say("beyond.table")),
    )


def _measures(findings: Findings) -> list[str]:
    """Return the measures at the main cut-off: those we know, then those of whole lists that we do not."""
    cutoff = findings.metric.partition("@")[2]
    evaluations = [model.evaluation for model in findings.ranked if model.evaluation is not None]
    found = dict.fromkeys(
        name
        for evaluation in evaluations
        for name in evaluation.overall
        if name.partition("@")[2] in (cutoff, "")
        and (metric_base(name) in MEASURES or not (name in evaluation.per_user or known(f"metric.{metric_base(name)}")))
    )
    finite = [name for name in found if any(math.isfinite(findings.value(m, name)) for m in findings.ranked)]
    return sorted(finite, key=lambda n: MEASURES.index(metric_base(n)) if metric_base(n) in MEASURES else len(MEASURES))


def _heading(name: str) -> Markup:
    base = metric_base(name)
    about = tag("small", say(f"about.{base}")) if known(f"about.{base}") else None
    way = tag("small", ARROWS[BETTER[base]], say(f"beyond.{BETTER[base]}"), class_="way") if base in BETTER else None
    return tag("div", tag("span", metric_title(name), class_="what"), about, way)


def _row(findings: Findings, model: ModelResult, scales: dict[str, Scale]) -> Markup:
    cells = []
    for name, scale in scales.items():
        value = findings.value(model, name)
        words = figures.percent(value) if metric_base(name) == "coverage" else figures.metric(value, 3)
        bar: list[Markup] = []
        if math.isfinite(value):
            left, right = sorted((scale(0.0), scale(value)))
            bar.append(tag("i", style=f"left:{left:.1f}%;width:{right - left:.1f}%", class_=findings.role(model)))
        if scale.low < 0:
            bar.append(tag("i", style=f"left:{scale(0.0):.1f}%", class_="zero"))
        cells.append(
            tag("td", tag("span", words, class_="value"), tag("span", bar, class_="track", aria_hidden="true"))
        )
    return tag("tr", tag("th", name_cell(findings, model), scope="row", class_="model"), cells)


def _lede(findings: Findings, measures: list[str]) -> Both:
    coverage = next((name for name in measures if metric_base(name) == "coverage"), None)
    winner, popularity = findings.winner, findings.popularity
    if coverage is None or winner is None:
        return say("beyond.lede_none")
    share = figures.percent(findings.value(winner, coverage))
    if popularity is None or popularity is winner:
        return say("beyond.lede_one", winner=findings.title(winner), share=share)
    return say(
        "beyond.lede",
        winner=findings.title(winner),
        share=share,
        other=figures.percent(findings.value(popularity, coverage)),
    )
