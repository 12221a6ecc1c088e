"""HTML and SVG from plain functions: whatever is not marked as markup is escaped, so data cannot become code.

`tag("td", title, class_="model")` escapes `title`; only `Markup`, which this module and the text table make, goes
through as it is. A `Both` is a sentence in two languages; it becomes two elements, and the style sheet shows one.
"""

import html
import json
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta"})
"""Elements of HTML that have no end tag."""

SHAPES = frozenset({"circle", "line", "path", "polygon", "polyline", "rect", "use"})
"""Elements of SVG that we never give children; they close themselves."""


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


class Both(NamedTuple):
    """The same text in English and in Chinese; either side may be markup."""

    en: str
    zh: str


Child: TypeAlias = "str | int | float | Both | Iterable[Child] | None"
"""What can stand inside an element: text, numbers, two languages, nothing, or a sequence of these."""


def escape(text: str) -> Markup:
    """Return text as markup; markup stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(text, quote=True))


def join(*children: Child, inside: str = "span") -> Markup:
    """Put children one after another.

    Args:
        children: text is escaped, markup is not.
        inside: the element that carries one of two languages: "span", or "tspan" within SVG text.
    """
    return Markup("".join(_render(child, inside) for child in children))


def tag(name: str, *children: Child, **attributes: Any) -> Markup:
    """Build one element.

    Args:
        name: such as "td" or "circle".
        children: what it holds, escaped unless it is markup.
        attributes: `class_` for class, `data_tip` for data-tip; None and False are left out, True is a bare name, and a
            `Both` gives the English text and `data-…-zh`, which the script puts in its place.
    """
    start = Markup(f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}")
    if name in VOID:
        return Markup(f"{start}>")
    if name in SHAPES:
        return Markup(f"{start}/>")
    return Markup(f"{start}>{join(*children, inside='tspan' if name == 'text' else 'span')}</{name}>")


def json_island(identity: str, value: Any) -> Markup:
    """Embed data for the script: JSON in an element that browsers do not run, and that its content cannot close."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return tag("script", Markup(text), type="application/json", id=identity)


def _render(child: Child, inside: str) -> str:
    if child is None:
        return ""
    if isinstance(child, str):
        return escape(child)
    if isinstance(child, Both):
        if child.en == child.zh:
            return escape(child.en)
        return tag(inside, child.en, class_="en") + tag(inside, child.zh, class_="zh")
    if isinstance(child, int | float):
        return _number(child)
    return "".join(_render(part, inside) for part in child)


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    if isinstance(value, Both):
        chinese = f' data-{name.removeprefix("data-")}-zh="{escape(value.zh)}"' if value.en != value.zh else ""
        return f' {name}="{escape(value.en)}"{chinese}'
    return f' {name}="{escape(value) if isinstance(value, str) else _number(value)}"'


def _number(value: float) -> str:
    """Write a coordinate with two decimals at most, and without a useless zero."""
    if isinstance(value, int):
        return str(value)
    text = f"{float(value):.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
