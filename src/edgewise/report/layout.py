"""The parts that sections are made of: the section itself, a drawing with its caption, folded details, key figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgewise.report.html import Both, Child, Markup, join, tag

WIDE, NARROW = 860, 350
"""Widths for which large drawings are made; the style sheet shows the one that fits the screen."""


@dataclass(frozen=True)
class Section:
    """One chapter of a report.

    Attributes:
        key: its anchor in the page.
        title, nav: its heading, and a shorter one for the list of contents.
        lede: what to take away, worked out from the figures; None where there is nothing to say.
        body: the rest.
    """

    key: str
    title: Both
    nav: Both
    lede: Both | None
    body: Markup


def figure(drawing: Markup, caption: Child = None, *, heading: Child = None, class_: str = "") -> Markup:
    """Put a drawing together with the words that explain it."""
    return tag(
        "figure",
        tag("h3", heading) if heading is not None else None,
        drawing,
        tag("figcaption", caption) if caption is not None else None,
        class_=class_ or None,
    )


def responsive(draw: Callable[[float], Markup]) -> Markup:
    """Draw twice, for wide screens and for phones, so that letters are never scaled down to nothing."""
    return join(tag("div", draw(WIDE), class_="wide"), tag("div", draw(NARROW), class_="narrow"))


def scrolling(table: Markup, label: Both) -> Markup:
    """Let a wide table scroll in its own box, which the keyboard can reach."""
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


def details(summary: Child, *body: Child, open_: bool = False) -> Markup:
    """Fold away what only some readers want."""
    return tag("details", tag("summary", summary), *body, open=open_)


def key_figures(rows: Sequence[tuple[Child, Child]]) -> Markup:
    """Show figures large with their names below."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in rows], class_="strip")
