"""How this was measured: protocol in words, machine, the command to repeat it, and every setting."""

import json
from typing import Any

from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.findings import Findings
from edgewise.report.html import Child, Markup, join, tag
from edgewise.report.layout import Section, details, scrolling
from edgewise.report.sections.headline import test_users
from edgewise.report.texts import known, metric_base, metric_title, say


def method_section(findings: Findings) -> Section:
    """Describe the measurement so that it can be judged and repeated."""
    n_items = figures.count(float(findings.comparison.data.get("n_items") or 0))
    words = [findings.say("method.ranking", n_items=n_items, n_users=test_users(findings))]
    left_out = _left_out(findings)
    if left_out > 0:
        words.append(say("method.left_out", n=figures.count(left_out)))
    words += [say(f"method.{key}") for key in ("intervals", "detectable", "cost", "simple")]
    body = join(
        tag("div", [tag("p", text) for text in words], class_="prose"),
        _command(findings.comparison.command),
        _machine(findings),
        details(say("method.glossary"), _glossary(findings)),
        details(say("method.settings_title"), [_settings(model) for model in findings.comparison.models.values()]),
    )
    return Section("method", say("method.title"), say("method.nav"), None, body)


def _left_out(findings: Findings) -> int:
    """Return how many test users no model was asked about."""
    evaluation = findings.ranked[0].evaluation if findings.ranked else None
    n_test = int(findings.comparison.data.get("n_test_users") or 0)
    return n_test - evaluation.user_index.size if evaluation is not None else 0


def _command(command: str) -> Markup | None:
    if not command:
        return None
    copy = tag("button", say("method.copy"), type="button", data_copy="command", class_="copy")
    done = tag("span", say("method.copied"), class_="done", role="status", hidden=True)
    return tag(
        "div",
        tag("h3", say("method.command")),
        tag("div", tag("pre", tag("code", command, id="command")), copy, done, class_="command"),
    )


def _machine(findings: Findings) -> Markup:
    comparison = findings.comparison
    machine = comparison.machine
    rows: list[tuple[Child, Any]] = [
        (say("method.task"), comparison.task),
        (say("method.seed"), comparison.seed),
        (say("method.cutoffs"), ", ".join(map(str, comparison.k))),
        (say("method.fingerprint"), comparison.data.get("fingerprint")),
        (say("method.cpus"), machine.get("cpus")),
        (
            say("method.memory"),
            f"{machine['memory_gb']:.3g} GB" if isinstance(machine.get("memory_gb"), int | float) else None,
        ),
        (say("method.python"), machine.get("python")),
        (say("method.platform"), machine.get("platform")),
        (say("method.threads"), _versions(machine.get("threads"))),
        (say("method.versions"), _versions(machine.get("versions"))),
    ]
    return tag(
        "dl",
        [tag("div", tag("dt", name), tag("dd", _value(value))) for name, value in rows if value not in (None, "")],
        class_="facts",
    )


def _versions(versions: Any) -> str:
    return (
        ", ".join(f"{name} {number}" for name, number in versions.items())
        if isinstance(versions, dict)
        else str(versions or "")
    )


def _glossary(findings: Findings) -> Markup:
    names = [name for model in findings.ranked if model.evaluation is not None for name in model.evaluation.overall]
    first = {metric_base(name): name.partition("@")[0] for name in reversed(names)}
    bases = [base for base in dict.fromkeys(map(metric_base, names)) if known(f"about.{base}")]
    return tag(
        "dl",
        [tag("div", tag("dt", metric_title(first[base])), tag("dd", say(f"about.{base}"))) for base in bases],
        class_="facts",
    )


def _settings(model: ModelResult) -> Markup:
    rows = [tag("tr", tag("th", name, scope="row"), tag("td", _value(value))) for name, value in model.config.items()]
    table = (
        scrolling(tag("table", tag("tbody", rows), class_="plain settings"), say("method.settings", model=model.title))
        if rows
        else None
    )
    return tag(
        "section",
        tag("h4", model.title, tag("code", model.name)),
        tag("p", model.paper, class_="caption") if model.paper else None,
        table if rows else tag("p", say("method.no_settings"), class_="caption"),
        [tag("p", tag("b", say("method.notes"), ": "), " ".join(model.notes), class_="caption")]
        if model.notes
        else None,
        class_="settings",
    )


def _value(value: Any) -> str:
    """Write a setting as people would type it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False, default=str)
