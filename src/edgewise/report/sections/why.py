"""Why the first item of a list is there: a drawing from the user over the reasons to the item, and what they are worth."""

from typing import Any

from edgewise.report import charts, figures
from edgewise.report.html import Both, Markup, join, tag
from edgewise.report.labels import shorten
from edgewise.report.layout import figure, responsive
from edgewise.report.texts import say

ROW, GAP, BOX = 40.0, 26.0, 30.0
"""Pixels: from reason to reason, between the two groups of these, and the height of a box."""


def why_figure(why: dict[str, Any]) -> Markup | None:
    """Draw one explanation, as `explain_pair` gives it; None without reasons."""
    reasons, of_item = why.get("reasons") or [], why.get("item_reasons") or []
    if not reasons and not of_item:
        return None
    heading = say("why.heading", title=shorten(str(why["title"]), 60), user=why["user_id"], model=why["source"])
    caption = join(say(f"why.by-{why['method']}"), " ", _fidelity(why.get("fidelity")))
    return figure(
        responsive(lambda width: _drawing(why, reasons, of_item, width)), caption, heading=heading, class_="why"
    )


def _drawing(why: dict[str, Any], reasons: list[dict[str, Any]], of_item: list[dict[str, Any]], width: float) -> Markup:
    height = ROW * (len(reasons) + len(of_item)) + (GAP if reasons and of_item else 0.0)
    radius = 11.0
    left, right = 0.1 * width, 0.62 * width
    user, item = (radius + 2, ROW * len(reasons) / 2 or height / 2), (width - radius - 2, height / 2)
    parts: list[Markup] = []
    largest = {
        id(group): max((float(reason["contribution"]) for reason in group), default=1.0) for group in (reasons, of_item)
    }
    for group, top in ((reasons, 0.0), (of_item, height - ROW * len(of_item))):
        for number, reason in enumerate(group):
            y = top + ROW * (number + 0.5)
            share = float(reason["contribution"]) / (largest[id(group)] or 1.0)
            if group is reasons:
                parts.append(_edge((user[0] + radius, user[1]), (left, y), 1.2, "edge"))
            parts.append(_edge((right, y), (item[0] - radius, item[1]), 1.2 + 7 * share, "edge strong"))
            parts.append(_box(reason, left, y, right - left))
            parts.append(charts.text(right + 8, y - 7, figures.metric(float(reason["contribution"]), 3), "tick"))
    ends = (
        _node(*user, radius, "user", say("why.user", user=why["user_id"])),
        _node(*item, radius, "item", Both(str(why["title"]), str(why["title"]))),
    )
    return charts.svg(width, height, *parts, *ends, label=say("why.label", title=why["title"]), class_="chart graph")


def _edge(start: tuple[float, float], stop: tuple[float, float], thickness: float, class_: str) -> Markup:
    middle = (start[0] + stop[0]) / 2
    path = f"M{start[0]:.1f},{start[1]:.1f}C{middle:.1f},{start[1]:.1f} {middle:.1f},{stop[1]:.1f} {stop[0]:.1f},{stop[1]:.1f}"
    return tag("path", d=path, class_=class_, stroke_width=f"{thickness:.1f}")


def _box(reason: dict[str, Any], x: float, y: float, width: float) -> Markup:
    """Draw a reason: round ends for what was met, straight ones for an attribute, and a heavy left edge for a friend."""
    kind = str(reason["kind"]).replace(" ", "-")
    name = say("why.friend", user=reason["user_id"]) if kind == "friend" else Both(reason["title"], reason["title"])
    letters = int((width - 24) / 7.2)
    shown = Both(shorten(name.en, letters), shorten(name.zh, letters))
    return tag(
        "g",
        tag("rect", x=f"{x:.1f}", y=f"{y - BOX / 2:.1f}", width=f"{width:.1f}", height=BOX, rx=BOX / 2 if kind == "history" else 4),
        charts.text(x + 14, y + 4.5, shown, "box"),
        class_=f"reason {kind}",
        data_tip=name,
    )  # fmt: skip


def _node(x: float, y: float, radius: float, class_: str, tip: Both) -> Markup:
    return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=radius, class_=f"node {class_}", data_tip=tip)


def _fidelity(fidelity: dict[str, Any] | None) -> Markup | None:
    """Say what becomes of the item without the reasons."""
    if fidelity is None or fidelity["rank"] is None:
        return None
    places = {
        name: figures.count(fidelity[name]) if fidelity[name] is not None else figures.DASH
        for name in ("rank", "without", "alone", "without_random")
    }
    return join(say("why.fidelity", n=fidelity["n"], **places))
