"""Sample recommendations: what a user liked, and what each model would put before them."""

from typing import Any

from edgewise.evaluate.result import ModelResult, Sample
from edgewise.report import figures
from edgewise.report.findings import Findings
from edgewise.report.html import Markup, join, tag
from edgewise.report.layout import Section, details
from edgewise.report.sections.models import key_mark
from edgewise.report.sections.why import why_figure
from edgewise.report.texts import say

SHOWN_LIKED = 12
"""How many liked items stand above the lists."""

SHOWN_LISTS = 3
"""How many models' lists stand open; the others fold away."""


def samples_section(findings: Findings) -> Section | None:
    """Show the sample users, one at a time; None without any."""
    samples = [sample for sample in findings.comparison.samples if sample.lists or sample.liked]
    if not samples:
        return None
    tabs = None
    if len(samples) > 1:
        buttons = [
            tag("button", say("samples.user", user=sample.user_id), type="button", role="tab", id=f"tab-{i}",
                aria_controls=f"sample-{i}", aria_selected="true" if i == 0 else "false", tabindex=0 if i == 0 else -1)
            for i, sample in enumerate(samples)
        ]  # fmt: skip
        tabs = tag("div", buttons, role="tablist", class_="tabs", aria_label=say("samples.users"))
    panels = [_panel(findings, sample, i, alone=tabs is None) for i, sample in enumerate(samples)]
    lede = say("samples.lede", n=len(samples)) if len(samples) > 1 else say("samples.lede_one")
    return Section("samples", say("samples.title"), say("samples.nav"), lede, join(tabs, panels))


def _panel(findings: Findings, sample: Sample, number: int, *, alone: bool) -> Markup:
    order = [m for m in [*findings.cast, *findings.ranked] if m.name in sample.lists]
    models = list({model.name: model for model in order}.values())
    lists = [_list(findings, model, sample.lists[model.name]) for model in models]
    rest = lists[SHOWN_LISTS:]
    return tag(
        "div",
        tag("h3", say("samples.user", user=sample.user_id), class_="print" if not alone else None),
        tag("h4", say("samples.liked")),
        _liked(sample.liked),
        None if sample.why is None else why_figure(sample.why),
        tag("div", lists[:SHOWN_LISTS], class_="lists"),
        details(say("samples.more", n=len(rest)), tag("div", rest, class_="lists")) if rest else None,
        id=f"sample-{number}", class_="sample", role=None if alone else "tabpanel", aria_labelledby=None if alone else f"tab-{number}",
    )  # fmt: skip


def _liked(titles: list[str]) -> Markup:
    if not titles:
        return tag("p", say("samples.liked_none"), class_="caption")
    more = len(titles) - SHOWN_LIKED
    chips = [tag("li", tag("span", title, class_="clip")) for title in titles[:SHOWN_LIKED]]
    return tag(
        "ul", chips, tag("li", say("samples.others", n=more), class_="more") if more > 0 else None, class_="chips"
    )


def _list(findings: Findings, model: ModelResult, rows: list[dict[str, Any]]) -> Markup:
    hits = sum(bool(row.get("hit")) for row in rows)
    heading = tag("h4", key_mark(findings.role(model)), tag("span", model.title, class_="clip"))
    if not rows:
        return tag("section", heading, tag("p", say("samples.empty"), class_="caption"))
    return tag(
        "section",
        heading,
        tag("p", say("samples.hits", n=hits, all=len(rows)), class_="caption"),
        tag("ol", [_item(row) for row in rows]),
    )


def _item(row: dict[str, Any]) -> Markup:
    title = str(row.get("title") or row.get("item_id") or figures.DASH)
    reasons = [str(reason) for reason in row.get("reasons") or []]
    hit = bool(row.get("hit"))
    tick = (
        tag("span", "✓", class_="tick-hit", role="img", aria_label=say("samples.hit"), data_tip=say("samples.hit"))
        if hit
        else None
    )
    because = tag("small", say("samples.because", titles="\N{NO-BREAK SPACE}· ".join(reasons[:3]))) if reasons else None
    return tag(
        "li",
        tag("span", tag("span", title, class_="title"), tick, class_="row"),
        because,
        class_="hit" if hit else None,
    )
