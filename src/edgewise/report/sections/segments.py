"""Where each model fails: the main metric by group of users and items."""

import math

from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, join, tag
from edgewise.report.layout import Section, scrolling
from edgewise.report.sections.models import key_mark
from edgewise.report.texts import known, metric_title, say


def segments_section(findings: Findings) -> Section | None:
    """Shade a table of models by groups; None without groups."""
    names = _segment_names(findings)
    if not names:
        return None
    metrics = {name: _metric_of(findings, name) for name in names}
    table = tag("table", _head(findings, names, metrics), tag("tbody", _rows(findings, names, metrics)), class_="heat")
    body = join(scrolling(table, say("segments.table")), tag("p", say("segments.caption"), class_="caption"))
    return Section("segments", say("segments.title"), say("segments.nav"), _lede(findings, names, metrics), body)


def _segment_names(findings: Findings) -> list[str]:
    """Return all groups, those of users together, then those of items."""
    names = list(
        dict.fromkeys(name for m in findings.ranked if m.evaluation is not None for name in m.evaluation.segments)
    )
    kinds = list(dict.fromkeys(_kind(name) for name in names))
    kinds.sort(key=lambda kind: {"users": 0, "items": 1}.get(kind, 2))
    return [name for kind in kinds for name in names if _kind(name) == kind]


def _kind(segment: str) -> str:
    return segment.partition(":")[0].strip() if ":" in segment else ""


def _words(findings: Findings, segment: str) -> Both:
    bare = segment.partition(":")[2].strip() if ":" in segment else segment
    key = f"segment.{bare}"
    return say(key) if known(key) else findings.label(bare, "segment", "column")


def _full_words(findings: Findings, segment: str) -> Both:
    kind = _kind(segment)
    words = _words(findings, segment)
    if kind not in ("users", "items"):
        return words
    side = say(f"segments.{kind}")
    return Both(f"{side.en.lower()}: {words.en}", f"{side.zh}：{words.zh}")


def _metric_of(findings: Findings, segment: str) -> str:
    """Return the metric to show for a group: the main one if the group has it, else the first it has."""
    there = [
        name
        for m in findings.ranked
        if m.evaluation is not None
        for name in m.evaluation.segments.get(segment, {})
        if name != "n"
    ]
    return findings.metric if findings.metric in there or not there else there[0]


def _value(model: ModelResult, segment: str, metric: str) -> float:
    values = model.evaluation.segments.get(segment, {}) if model.evaluation is not None else {}
    return float(values.get(metric, math.nan))


def _size(findings: Findings, segment: str) -> float:
    sizes = [
        m.evaluation.segments[segment]["n"]
        for m in findings.ranked
        if m.evaluation and "n" in m.evaluation.segments.get(segment, {})
    ]
    return float(max(sizes, default=math.nan))


def _best(findings: Findings, segment: str, metric: str) -> ModelResult | None:
    there = [m for m in findings.ranked if math.isfinite(_value(m, segment, metric))]
    best = max(there, key=lambda m: _value(m, segment, metric), default=None)
    return best if best is not None and _value(best, segment, metric) > 0 else None


def _head(findings: Findings, names: list[str], metrics: dict[str, str]) -> Markup:
    groups: list[tuple[str, int]] = []
    for name in names:
        kind = _kind(name)
        if groups and groups[-1][0] == kind:
            groups[-1] = (kind, groups[-1][1] + 1)
        else:
            groups.append((kind, 1))
    titles = [
        tag("th", say(f"segments.{kind}") if kind in ("users", "items") else kind or say("segments.other"), colspan=n, scope="colgroup", class_="group")
        for kind, n in groups
    ]  # fmt: skip
    columns = [
        tag(
            "th",
            tag("span", _words(findings, name), class_="what"),
            tag("small", metric_title(metrics[name]), " · " if math.isfinite(_size(findings, name)) else None,
                say("segments.n", n=figures.short_count(_size(findings, name))) if math.isfinite(_size(findings, name)) else None),
            scope="col", class_=_first(names, name),
        )
        for name in names
    ]  # fmt: skip
    return tag(
        "thead",
        tag("tr", tag("td", class_="corner"), titles),
        tag("tr", tag("th", say("models.model"), scope="col", class_="model"), columns),
    )


def _first(names: list[str], name: str) -> str | None:
    """Return the class that sets a kind of groups off from the one before it."""
    i = names.index(name)
    return "first" if i == 0 or _kind(names[i - 1]) != _kind(name) else None


def _rows(findings: Findings, names: list[str], metrics: dict[str, str]) -> list[Markup]:
    best = {name: _best(findings, name, metrics[name]) for name in names}
    ends: dict[str, tuple[float, float]] = {}
    for name in names:
        values = [v for m in findings.ranked if math.isfinite(v := _value(m, name, metrics[name]))]
        ends[name] = (min(values, default=0.0), max(values, default=0.0))
    rows = []
    for model in findings.ranked:
        title = tag("span", key_mark(findings.role(model)), tag("span", model.title, class_="clip"), class_="name")
        cells = [
            _cell(model, name, metrics[name], ends[name], best=model is best[name], first=_first(names, name))
            for name in names
        ]
        rows.append(tag("tr", tag("th", title, scope="row", class_="model"), cells))
    return rows


def _cell(
    model: ModelResult, name: str, metric: str, ends: tuple[float, float], *, best: bool, first: str | None
) -> Markup:
    value, (low, high) = _value(model, name, metric), ends
    share = (value - low) / (high - low) if math.isfinite(value) and high > low else 0.0
    dot = tag("span", "● ", class_="dot", aria_hidden="true") if best else None
    return tag(
        "td",
        dot,
        figures.metric(value, 3),
        class_=" ".join(filter(None, ["best" if best else "", first])) or None,
        style=f"--s:{share:.2f}",
    )


def _lede(findings: Findings, names: list[str], metrics: dict[str, str]) -> Both:
    """Name the group in which the winner is beaten by most; if there is none, the one where it is weakest."""
    winner = findings.winner
    if winner is None:
        return say("segments.lede_none")
    gaps = []
    for name in names:
        best, own = _best(findings, name, metrics[name]), _value(winner, name, metrics[name])
        if best is not None and best is not winner and math.isfinite(own):
            gaps.append((_value(best, name, metrics[name]) / max(own, 1e-9), name, best, own))
    if gaps:
        _, name, best, own = max(gaps, key=lambda gap: gap[0])
        value = figures.metric(_value(best, name, metrics[name]), 3)
        return say(
            "segments.lede",
            segment=_full_words(findings, name),
            model=best.title,
            value=value,
            own=figures.metric(own, 3),
        )
    comparable = [
        n for n in names if metrics[n] == findings.metric and math.isfinite(_value(winner, n, findings.metric))
    ]
    if not comparable or len(findings.ranked) < 2:
        return say("segments.lede_none")
    weakest = min(comparable, key=lambda name: _value(winner, name, findings.metric))
    return say("segments.lede_all", winner=winner.title, segment=_full_words(findings, weakest))
