"""A comparison as JSON for programs and as rows for the terminal."""

import math
from typing import Any

from edgewise.data.wording import count
from edgewise.evaluate.metrics import direction
from edgewise.evaluate.result import Comparison, Evaluation, ModelResult


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain JSON; these keys stay, other programs read them.

    Returns:
        {"data": {...}, "models": {NAME: {"recall@20": x, ..., "fit_s": x, "evaluate_s": x, "peak_rss_mb": x}},
        "significance": [...], ...}; a figure that does not exist is null.
    """
    return {
        "task": comparison.task,
        "seed": comparison.seed,
        "main_metric": comparison.main_metric,
        "winner": comparison.winner,
        "data": comparison.data,
        "models": {name: model_json(result) for name, result in comparison.models.items()},
        "significance": [
            {
                "metric": test.metric, "better": test.better, "worse": test.worse, "difference": test.difference,
                "low": test.low, "high": test.high, "p_value": test.p_value, "p_corrected": test.p_corrected,
                "significant": test.significant, "test": test.test, "detectable": _number(test.detectable),
            }
            for test in comparison.significance
        ],
        "machine": comparison.machine,
        "command": comparison.command,
    }  # fmt: skip


def model_json(result: ModelResult) -> dict[str, Any]:
    """Return one contender's figures, flat, with its config, intervals and segments beside them."""
    figures: dict[str, Any] = {}
    if result.evaluation is not None:
        figures = evaluation_json(result.evaluation, result.intervals)
    return {
        **figures,
        "fit_s": round(result.fit_s, 3),
        "peak_rss_mb": round(result.peak_rss_mb, 1),
        "config": result.config,
        "curve": result.curve,
        "notes": result.notes,
        "failure": result.failure,
    }


def evaluation_json(evaluation: Evaluation, intervals: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Return means, intervals and segments as plain JSON, and for probabilities the bins of the reliability diagram."""
    bins = evaluation.reliability
    names = ("n", "sum_of_probabilities", "n_yes")
    return {
        **{name: _number(value) for name, value in evaluation.overall.items()},
        "n_users": int(evaluation.user_index.size),
        "evaluate_s": round(evaluation.evaluate_s, 3),
        "intervals": {name: [_number(low), _number(high)] for name, (low, high) in intervals.items()},
        "segments": {
            name: {key: _number(value) for key, value in figures.items()}
            for name, figures in evaluation.segments.items()
        },
        **({} if bins is None else {"reliability": dict(zip(names, bins.tolist(), strict=True))}),
    }


def table_rows(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the terminal table, best first; failed contenders last, with the reason."""
    main = comparison.main_metric
    beside = _beside(comparison)
    header = ["model", f"{main} (95 % interval)", beside, "fit s", "rank s", "peak MB", "against the winner"]
    ranked = sorted(comparison.models.values(), key=lambda result: _main(result, main), reverse=True)
    rows = []
    for result in ranked:
        if result.evaluation is None:
            rows.append([result.name, "could not take part", "", "", "", "", result.failure or ""])
            continue
        overall = result.evaluation.overall
        low, high = result.intervals[main]
        rows.append(
            [
                result.name,
                f"{overall[main]:.4f} ({low:.4f}–{high:.4f})",
                f"{overall[beside]:.4f}",
                f"{result.fit_s:.1f}",
                f"{result.evaluation.evaluate_s:.1f}",
                f"{result.peak_rss_mb:.0f}",
                _against(comparison, result.name),
            ]
        )
    return header, rows


def verdict(comparison: Comparison) -> str:
    """Say in one sentence who wins, by how much, and whether that is luck."""
    winner = comparison.models[comparison.winner]
    losses = [test for test in comparison.significance if test.better == comparison.winner]
    if winner.evaluation is None or not losses:
        return f"{winner.title} is the only model measured; compare it with others to know what its figure is worth."
    if direction(comparison.main_metric) > 0 and winner.evaluation.overall[comparison.main_metric] == 0:
        return f"No model found anything: {comparison.main_metric} is 0 for each, so none of them wins." + (
            " Of new items only attributes can tell: give --items FILE, and compare content, graphsage or hetero."
            if comparison.data["split"] == "cold-items"
            else ""
        )
    nearest = min(losses, key=lambda test: test.difference)
    figure = winner.evaluation.overall[comparison.main_metric]
    way = direction(comparison.main_metric)
    base = figure - way * nearest.difference
    gain = f", {way * nearest.difference / base:+.0%}" if base > 0 else ""
    corrected = (
        f"p = {nearest.p_corrected:.2g} after correction for {count(len(comparison.significance), 'comparison')}"
    )
    sure = f"not luck ({corrected})" if nearest.significant else f"which may be luck ({corrected})"
    text = f"{winner.name} wins with {comparison.main_metric} {figure:.4f}; the next is {nearest.worse} at {base:.4f} ({way * nearest.difference:+.4f}{gain}), {sure}."
    if not nearest.significant and not math.isnan(nearest.detectable):
        n_users = winner.evaluation.user_index.size
        text += (
            f" With {count(n_users, 'test user')}, a difference below {nearest.detectable:.4f} would mostly go unseen."
        )
    return text


def _against(comparison: Comparison, name: str) -> str:
    if name == comparison.winner:
        return "★ winner"
    for test in comparison.significance:
        if {test.better, test.worse} == {comparison.winner, name}:
            return (
                f"{-direction(test.metric) * test.difference:+.4f}, "
                + ("behind" if test.significant else "may be luck")
                + f" (p {test.p_corrected:.2g})"
            )
    return ""


def _beside(comparison: Comparison) -> str:
    """Return the metric of the second column: recall at the main cut-off, or what a task without lists has second."""
    evaluations = [result.evaluation for result in comparison.models.values() if result.evaluation is not None]
    names = list(evaluations[0].overall) if evaluations else []
    recall = f"recall@{comparison.k[-1]}"
    return (
        recall if recall in names or len(names) < 2 else next(name for name in names if name != comparison.main_metric)
    )


def _main(result: ModelResult, metric: str) -> float:
    """Return the main figure, the other sign where less is better, so that the best comes first."""
    return direction(metric) * result.evaluation.overall[metric] if result.evaluation is not None else -math.inf


def _number(value: float) -> float | None:
    return None if value is None or math.isnan(value) or math.isinf(value) else float(value)
