"""The report as one HTML file that asks nothing of the network: style, script, drawings and data are inside."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from edgewise import __version__
from edgewise.evaluate.result import Comparison
from edgewise.files import atomic_write
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, tag
from edgewise.report.layout import Section
from edgewise.report.sections.beyond import beyond_section
from edgewise.report.sections.cost import cost_section
from edgewise.report.sections.data import data_section
from edgewise.report.sections.headline import data_name, headline
from edgewise.report.sections.item_map import map_section
from edgewise.report.sections.learning import learning_section
from edgewise.report.sections.method import method_section
from edgewise.report.sections.models import models_section
from edgewise.report.sections.pairs import pairs_section
from edgewise.report.sections.reliability import reliability_section
from edgewise.report.sections.samples import samples_section
from edgewise.report.sections.segments import segments_section
from edgewise.report.texts import say

SECTIONS: tuple[Callable[[Findings], Section | None], ...] = (
    models_section, pairs_section, cost_section, reliability_section, learning_section, data_section, segments_section, beyond_section,
    map_section, samples_section, method_section,
)  # fmt: skip
"""The chapters in the reader's order; one that has nothing to show returns None. A task adds its own here."""


def write_report(comparison: Comparison, path: Path | str) -> None:
    """Write the report of a comparison to `path`.

    Raises:
        DataError: if the file cannot be written; what was there stays.
    """
    atomic_write(Path(path), render_report(comparison))


def render_report(comparison: Comparison) -> str:
    """Return the report of a comparison as HTML; the same comparison gives the same text."""
    findings = Findings(comparison)
    sections = [section for build in SECTIONS if (section := build(findings)) is not None]
    title = say("page.title", data=data_name(findings), n=len(comparison.models))
    return render_page(title, headline(findings), sections)


def render_page(title: Both, head: Markup, sections: Sequence[Section]) -> str:
    """Put a page together from its head and its chapters; reports of every task share it.

    The content security policy lets our own script run and nothing else, neither from the network nor from the data.
    """
    style, script = _file("page.css"), _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=Markup(policy)),
            tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name_="generator", content=f"edgewise {__version__}"),
            tag("meta", name_="color-scheme", content="light dark"),
            tag("title", title.en, data_zh=title.zh),
            tag("style", Markup(style)),
            tag("script", Markup(script)),
        ),
        tag(
            "body",
            tag("a", say("page.skip"), href="#report", class_="skip"),
            _bar(sections),
            tag("main", head, [_chapter(i, section) for i, section in enumerate(sections, start=1)], id="report"),
            tag("footer", tag("noscript", tag("p", say("page.script"))), tag("p", say("page.footer", version=__version__))),
            tag("div", id="tip", role="tooltip", hidden=True),
        ),
        lang="en", data_lang="en",
    )  # fmt: skip
    return f"<!doctype html>\n{document}\n"


def _bar(sections: Sequence[Section]) -> Markup:
    links = [tag("a", section.nav, href=f"#{section.key}") for section in sections]
    return tag(
        "div",
        tag("span", tag("b", "edgewise"), class_="brand"),
        tag("nav", links, aria_label=say("page.contents")),
        tag(
            "span",
            tag("button", say("page.language"), type="button", id="language", data_tip=say("page.language_hint")),
            tag("button", tag("span", "◐", aria_hidden="true"), type="button", id="theme", aria_label=say("page.theme"), data_tip=say("page.theme")),
            class_="switches",
        ),
        class_="bar",
    )  # fmt: skip


def _chapter(number: int, section: Section) -> Markup:
    return tag(
        "section",
        tag("h2", tag("span", number, class_="number"), section.title, id=f"{section.key}-title"),
        tag("p", section.lede, class_="lede") if section.lede is not None else None,
        section.body,
        id=section.key,
        aria_labelledby=f"{section.key}-title",
    )


def _file(name: str) -> str:
    return resources.files("edgewise.report").joinpath(name).read_text(encoding="utf-8")
