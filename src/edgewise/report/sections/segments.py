"""Where each model fails: the main metric by group of users and items."""

import math
import re
from itertools import groupby

from edgewise.evaluate.metrics import direction
from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Child, Markup, join, tag
from edgewise.report.layout import Section, scrolling
from edgewise.report.sections.models import name_cell
from edgewise.report.texts import known, metric_title, say

DETAILS = {
    r"([\d–]+) interactions?": "segment.detail.interactions",
    r"the (\d+) most popular": "segment.detail.head",
    r"the (\d+) others": "segment.detail.tail",
    r"nobody met them in training": "segment.detail.cold",
    r"answered by what is popular": "segment.detail.new",
    r"answered without them": "segment.detail.without",
    r"no interactions in training": "segment.detail.none",
}
"""How groups describe themselves, and our texts for it."""


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
    kinds.sort(key=lambda kind: {"users": 0, "items": 1, "ratings": 2}.get(kind, 3))
    return [name for kind in kinds for name in names if _kind(name) == kind]


def _kind(segment: str) -> str:
    return segment.partition(":")[0].strip() if ":" in segment else ""


def _bare(segment: str) -> str:
    """Return a group's name without its kind and details: "users: few (3–20 interactions)" is "few"."""
    return segment.rpartition(":")[2].partition("(")[0].strip().removesuffix(" interactions")


def _words(findings: Findings, segment: str) -> Both:
    key = f"segment.{_bare(segment)}"
    return say(key) if known(key) else findings.label(segment.rpartition(":")[2].strip(), "segment", "column")


def _detail(segment: str) -> Both | None:
    """Return what a group says of itself in brackets, such as "3–20 interactions", in both languages where we can."""
    words = segment.partition("(")[2].rpartition(")")[0].strip()
    if not words or not known(f"segment.{_bare(segment)}"):
        return None
    for pattern, key in DETAILS.items():
        if found := re.fullmatch(pattern, words):
            return say(key, n=figures.thousands(found[1]) if found.groups() else "")
    return Both(words, words)


def _phrase(findings: Findings, segment: str) -> Both:
    """Return a group as it stands within a sentence."""
    key = f"phrase.{_kind(segment)}.{_bare(segment)}"
    return say(key) if known(key) else say("phrase.other", group=findings.label(segment, "segment"))


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
    best = max(there, key=lambda m: direction(metric) * _value(m, segment, metric), default=None)
    return best if best is not None and _value(best, segment, metric) > 0 else None


def _head(findings: Findings, names: list[str], metrics: dict[str, str]) -> Markup:
    """Return two rows: the kinds of groups with their metric, then the groups with their sizes."""
    titles = []
    for kind, group in groupby(names, key=_kind):
        members = list(group)
        own = {metrics[name] for name in members}
        words: Child = (
            say(f"segments.{kind}") if kind in ("users", "items", "ratings") else kind or say("segments.other")
        )
        metric = [" · ", metric_title(own.pop())] if len(own) == 1 else None
        titles.append(tag("th", words, tag("small", metric), colspan=len(members), scope="colgroup", class_="group"))
    mixed = {kind: len({metrics[name] for name in names if _kind(name) == kind}) > 1 for kind in map(_kind, names)}
    columns = []
    for name in names:
        size = _size(findings, name)
        n = findings.say("segments.n", n=figures.short_count(size)) if math.isfinite(size) else None
        metric = [metric_title(metrics[name]), " "] if mixed[_kind(name)] else None
        what = tag("span", _words(findings, name), class_="what")
        detail = tag("small", _detail(name), class_="detail")
        columns.append(tag("th", what, detail, tag("small", metric, n), scope="col", class_=_first(names, name)))
    top = tag("tr", tag("td", class_="corner"), titles)
    return tag("thead", top, tag("tr", tag("th", say("models.model"), scope="col", class_="model"), columns))


def _first(names: list[str], name: str) -> str | None:
    """Return the class that sets a kind of groups off from the one before it."""
    i = names.index(name)
    return "first" if i == 0 or _kind(names[i - 1]) != _kind(name) else None


def _rows(findings: Findings, names: list[str], metrics: dict[str, str]) -> list[Markup]:
    ends: dict[str, tuple[float, float]] = {}
    for name in names:
        values = [v for m in findings.ranked if math.isfinite(v := _value(m, name, metrics[name]))]
        ends[name] = (min(values, default=0.0), max(values, default=0.0))
    rows = []
    for model in findings.ranked:
        cells = [
            _cell(
                model,
                name,
                metrics[name],
                ends[name],
                best=ends[name][0] < ends[name][1]
                and _value(model, name, metrics[name]) == ends[name][direction(metrics[name]) > 0],
                first=_first(names, name),
            )
            for name in names
        ]
        rows.append(tag("tr", tag("th", name_cell(findings, model), scope="row", class_="model"), cells))
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
        if best is not None and (gap := direction(metrics[name]) * (_value(best, name, metrics[name]) - own)) > 0:
            gaps.append((gap, name, best, own))
    if gaps:
        _, name, best, own = max(gaps, key=lambda gap: gap[0])
        value = figures.metric(_value(best, name, metrics[name]), 3)
        return say(
            "segments.lede",
            winner=findings.title(winner),
            segment=_phrase(findings, name),
            model=findings.title(best),
            value=value,
            own=figures.metric(own, 3),
        )
    comparable = [
        n for n in names if metrics[n] == findings.metric and math.isfinite(_value(winner, n, findings.metric))
    ]
    if not comparable or len(findings.ranked) < 2:
        return say("segments.lede_none")
    weakest = min(comparable, key=lambda name: direction(findings.metric) * _value(winner, name, findings.metric))
    return findings.say("segments.lede_all", winner=findings.title(winner), segment=_phrase(findings, weakest))
