"""The answer in one sentence, and the evidence for it: honest where nothing differs."""

import math

from edgewise.evaluate.result import ModelResult
from edgewise.report import figures
from edgewise.report.findings import Findings
from edgewise.report.html import Both, Markup, tag
from edgewise.report.labels import shorten
from edgewise.report.layout import key_figures
from edgewise.report.texts import known, list_names, metric_title, say


def headline(findings: Findings) -> Markup:
    """Return the head of the report: the answer, the evidence, and the size of the data."""
    return tag(
        "header",
        tag("p", say("page.kicker", data=data_name(findings)), class_="kicker"),
        tag("h1", answer(findings)),
        tag("p", [(sentence, Both(" ", "")) for sentence in evidence(findings)], class_="deck"),
        key_figures(_sizes(findings)),
        class_="head",
    )


def answer(findings: Findings) -> Both:
    """Say who wins, by how much over the best simple method and over popularity; or that nobody does."""
    data, winner = data_name(findings), findings.winner
    if winner is None:
        return findings.say("headline.none", data=data)
    rival = opponent(findings)
    if rival is None:
        value, metric = figures.metric(findings.main(winner)), metric_title(findings.metric)
        return findings.say("headline.only", winner=findings.title(winner), data=data, metric=metric, value=value)
    tie = rival in findings.tied or findings.best(findings.metric) is not winner
    values = {
        "winner": findings.title(winner), "other": findings.title(rival), "data": data, "kind": _kind(findings),
        "lead": _lead(findings, winner, rival), "popularity": _over_popularity(findings, rival, tie=tie),
    }  # fmt: skip
    if winner.is_baseline and not rival.is_baseline:
        return findings.say("headline.simple_tie" if tie else "headline.simple", **values)
    if tie:
        level = findings.popularity in findings.tied and findings.popularity is not rival
        return findings.say("headline.tie_all" if level else "headline.tie", **values)
    if not rival.is_baseline or winner.is_baseline:
        return findings.say("headline.second", **values)
    if findings.tied:
        names = list_names([findings.title(model) for model in [winner, *findings.tied]])
        return findings.say("headline.shared", names=names, **values)
    return findings.say("headline.win", **values)


def _lead(findings: Findings, winner: ModelResult, rival: ModelResult) -> str:
    """Return by what share the winner is ahead, or by how much if the rival has nothing to compare with."""
    share = findings.lead(rival)
    if math.isfinite(share):
        return figures.percent(share)
    return f"{figures.metric(abs(findings.main(winner) - findings.main(rival)))} {metric_title(findings.metric).en}"


def opponent(findings: Findings) -> ModelResult | None:
    """Return the model that the winner is measured against.

    The best simple method; for a winner that is itself simple, the best of the others; failing both, the second.
    """
    rest = [model for model in findings.ranked if model is not findings.winner and math.isfinite(findings.main(model))]
    simple_winner = findings.winner is not None and findings.winner.is_baseline
    other_kind = [model for model in rest if (model.is_baseline) != simple_winner]
    return next(iter(other_kind or rest), None)


def evidence(findings: Findings) -> list[Both]:
    """Say whether the lead is luck, who shares it, and what could not be seen."""
    said: list[Both] = []
    winner, rival = findings.winner, opponent(findings)
    if winner is not None and rival is not None:
        pair = findings.pair(winner.name, rival.name)
        if pair is None:
            said.append(findings.say("evidence.untested"))
        else:
            said.append(
                findings.say(
                    "evidence.significant" if pair.significant else "evidence.luck",
                    winner=findings.title(winner), other=findings.title(rival), metric=metric_title(pair.metric), n=test_users(findings),
                    difference=figures.metric(pair.difference), low=figures.metric(pair.low), high=figures.metric(pair.high),
                    p=figures.p_value(pair.p_corrected), pairs=figures.counted(len(findings.comparison.significance), "comparison"),
                    detectable=figures.metric(findings.detectable(pair)),
                )
            )  # fmt: skip
        others = [findings.title(model) for model in findings.tied if model is not rival]
        if others:
            said.append(findings.say("evidence.tied", names=list_names(others), winner=findings.title(winner)))
        if winner.is_baseline and not rival.is_baseline:
            said.append(findings.say("evidence.simple", winner=findings.title(winner), kind=_kind(findings)))
    if findings.failed:
        said.append(findings.say("evidence.failed", n=len(findings.failed), all=len(findings.comparison.models)))
    return said


def data_name(findings: Findings) -> str:
    """Return what the data are called."""
    return shorten(str(findings.comparison.data.get("name") or "data"), 64)


def test_users(findings: Findings) -> str:
    """Return the number of evaluated users, for people."""
    winner = findings.winner
    n = winner.evaluation.user_index.size if winner is not None and winner.evaluation is not None else 0
    return figures.count(float(n or findings.comparison.data.get("n_test_users") or 0))


def _over_popularity(findings: Findings, rival: ModelResult, *, tie: bool) -> Both:
    popularity, winner = findings.popularity, findings.winner
    if (
        winner is None
        or popularity is None
        or popularity in (rival, winner, *findings.tied)
        or not findings.main(popularity) > 0
    ):
        return Both("", "")
    times = figures.times(findings.main(winner) / findings.main(popularity))
    return say("headline.popularity_tie" if tie else "headline.popularity", times=times, winner=findings.title(winner))


def _kind(findings: Findings) -> Both:
    task = f"kind.{findings.comparison.task}"
    return say(task if known(task) else "kind.other")


def _sizes(findings: Findings) -> list[tuple[Both, Both]]:
    """Return the figures below the headline; of the test users, those that were ranked for."""
    data = findings.comparison.data
    rows = [
        (say("strip.models"), len(findings.comparison.models)),
        (say("strip.users"), data.get("n_users")),
        (say("strip.items"), data.get("n_items")),
        (say("strip.interactions"), data.get("n_interactions")),
    ]
    sizes = [(name, Both(*[figures.count(float(n))] * 2)) for name, n in rows if n is not None]
    ranked, every = test_users(findings), figures.count(float(data.get("n_test_users") or 0))
    n = Both(ranked, ranked) if every in ("0", ranked) else say("strip.part", n=ranked, all=every)
    return [*sizes, (say("strip.test_users"), n)]
