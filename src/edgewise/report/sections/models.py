"""The table of models: what each reached, with intervals, seconds and memory."""

import math

from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.charts import Scale, linear, mark, svg
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, join, tag
from edgewise.report.layout import Section, details, scrolling
from edgewise.report.sections.headline import test_users
from edgewise.report.texts import list_names, metric_base, metric_title, say

SHOWN = ("ndcg", "recall", "mrr", "hit", "precision", "map", "auc", "accuracy", "mae", "brier", "ece")
"""Metrics for the table, in order of preference; the rest fold away."""


def models_section(findings: Findings) -> Section:
    """Rank the models with intervals, seconds and memory."""
    metrics = table_metrics(findings)
    lede = say("models.lede_none")
    if findings.winner is not None:
        names = list_names([findings.title(model) for model in [findings.winner, *findings.tied]])
        lede = findings.say("models.lede", names=names, n=test_users(findings))
    scales = {metric: _scale(findings, metric) for metric in metrics}
    head = tag(
        "tr",
        tag("th", "#", scope="col", class_="rank"),
        _sortable(say("models.model"), numeric=False, class_="model"),
        [_sortable(metric_title(metric), class_="metric main" if metric == findings.metric else "metric", sorted_=metric == findings.metric) for metric in metrics],
        _sortable(say("models.fit")), _sortable(say("models.evaluate")), _sortable(say("models.memory")),
    )  # fmt: skip
    rows = [_row(findings, model, scales) for model in findings.ranked]
    failed = [_failed_row(model, n_columns=len(metrics) + 3) for model in findings.failed]
    table = tag("table", tag("thead", head), tag("tbody", rows, failed), class_="models sortable")
    body = join(
        _legend(findings) if findings.ranked else None,
        scrolling(table, say("models.table")),
        details(say("models.all"), scrolling(_all_figures(findings), say("models.all"))) if findings.ranked else None,
    )
    return Section("models", say("models.title"), say("models.nav"), lede, body)


def table_metrics(findings: Findings) -> list[str]:
    """Return the metrics worth a column: the main one, then up to two of the usual ones at the same cut-off."""
    cutoff = findings.metric.partition("@")[2]
    there = [
        metric
        for metric in _metric_names(findings)
        if metric != findings.metric
        and metric.partition("@")[2] in (cutoff, "")
        and metric_base(metric) in SHOWN
        and any(math.isfinite(findings.value(model, metric)) for model in findings.ranked)
    ]
    return [findings.metric, *sorted(there, key=lambda metric: SHOWN.index(metric_base(metric)))[:2]]


def _metric_names(findings: Findings) -> list[str]:
    return list(
        dict.fromkeys(name for m in findings.ranked if m.evaluation is not None for name in m.evaluation.overall)
    )


def _scale(findings: Findings, metric: str) -> Scale:
    """Return where a column draws a value, in percent of its width."""
    ends = [end for m in findings.ranked for end in (findings.value(m, metric), *m.intervals.get(metric, ()))]
    return linear(ends, 0, 100, pad=0.01)


def _sortable(name: Both, *, numeric: bool = True, class_: str = "number", sorted_: bool = False) -> Markup:
    button = tag("button", name, type="button", aria_label=say("models.sort", column=name))
    return tag(
        "th", button, scope="col", class_=class_, aria_sort="descending" if sorted_ else None, data_numeric=numeric
    )


def _row(findings: Findings, model: ModelResult, scales: dict[str, Scale]) -> Markup:
    evaluate_s = model.evaluation.evaluate_s if model.evaluation is not None else math.nan
    return tag(
        "tr",
        tag("td", findings.rank(model), class_="rank"),
        tag("th", name_cell(findings, model, kind=True), scope="row", class_="model", data_value=model.title),
        [_metric_cell(findings, model, metric, scale) for metric, scale in scales.items()],
        _number_cell(model.fit_s, figures.seconds(model.fit_s)),
        _number_cell(evaluate_s, figures.seconds(evaluate_s)),
        _number_cell(model.peak_rss_mb, figures.megabytes(model.peak_rss_mb)),
        class_=findings.role(model),
    )


def name_cell(findings: Findings, model: ModelResult, *, kind: bool = False) -> Markup:
    """Return a model's mark and title and, if asked for, whether it is a simple method."""
    simple = tag("small", say("models.simple")) if kind and model.is_baseline else None
    return tag(
        "span",
        key_mark(findings.role(model)),
        tag("span", tag("span", model.title, class_="clip"), simple),
        class_="name",
    )


def key_mark(role: str) -> Markup:
    """Return a role's mark on its own, to stand before a name; those who cannot see it are told."""
    label = say(f"models.{role}")
    return svg(16, 16, mark(8, 8, role, 5.5), label=label, class_="key")


def _metric_cell(findings: Findings, model: ModelResult, metric: str, scale: Scale) -> Markup:
    """Return a figure with its interval drawn beside it: a dot across a bar, and a rule where the best stands."""
    value, (low, high) = findings.value(model, metric), model.intervals.get(metric, (math.nan, math.nan))
    best = findings.winner if metric == findings.metric else findings.best(metric)
    words = say(
        "models.cell", model=findings.title(model), metric=metric_title(metric), value=figures.metric(value),
        low=figures.metric(low), high=figures.metric(high),
    )  # fmt: skip
    role, drawn = findings.role(model), []
    if best is not None:
        drawn.append(tag("i", class_="rule", style=f"left:{scale(findings.value(best, metric)):.2f}%"))
    if math.isfinite(low) and math.isfinite(high):
        place = f"left:{scale(low):.2f}%;width:{scale(high) - scale(low):.2f}%"
        drawn.append(tag("i", class_=f"range {role}", style=place))
    if math.isfinite(value):
        dot = svg(12, 12, mark(6, 6, role, 4), label=words, class_="dot")
        drawn.append(tag("i", dot, class_="at", style=f"left:{scale(value):.2f}%"))
    figure = tag("b", figures.metric(value), class_="best" if model is best else None)
    main = "metric main" if metric == findings.metric else "metric"
    return tag(
        "td",
        tag("div", figure, tag("span", drawn, class_="interval")),
        class_=main,
        data_value=_sort_key(value),
        data_tip=words,
    )


def _number_cell(value: float, words: str) -> Markup:
    return tag("td", words, class_="number", data_value=_sort_key(value))


def _sort_key(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ""


def _failed_row(model: ModelResult, n_columns: int) -> Markup:
    reason = say("models.failed", reason=model.failure or figures.DASH)
    return tag(
        "tr",
        tag("td", figures.DASH, class_="rank"),
        tag("th", tag("span", tag("span", "×", class_="cross"), tag("span", model.title, class_="clip"), class_="name"), scope="row", class_="model"),
        tag("td", tag("p", reason), colspan=n_columns, class_="reason"),
        class_="failed",
    )  # fmt: skip


def _legend(findings: Findings) -> Markup:
    roles = dict.fromkeys(["winner", "tied", "baseline", "popularity", "other"])
    present = {findings.role(model) for model in findings.ranked}
    return tag("p", [tag("span", key_mark(r), say(f"models.{r}")) for r in roles if r in present], class_="legend")


def _all_figures(findings: Findings) -> Markup:
    """Return every figure of every model, transposed: metrics are many, and read downwards."""
    head = tag(
        "tr",
        tag("th"),
        [tag("th", tag("span", m.title, class_="clip"), scope="col", class_="number") for m in findings.ranked],
    )
    rows = [
        tag(
            "tr", tag("th", metric_title(metric), scope="row"),
            [tag("td", figures.metric(findings.value(model, metric)), class_="number") for model in findings.ranked],
        )
        for metric in _metric_names(findings)
    ]  # fmt: skip
    return tag("table", tag("thead", head), tag("tbody", rows), class_="plain")
