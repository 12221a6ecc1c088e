"""The headline says who wins, by how much, and whether it is luck; never more than the figures carry."""

import html
import math
import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest

from edgewise.evaluate.result import Comparison, ModelResult, PairTest
from edgewise.report.findings import Findings
from edgewise.report.sections.headline import answer, evidence
from tests.report.example import example


def comparison(figures: dict[str, float], luck: Collection[frozenset[str]] = ()) -> Comparison:
    """Make a comparison of models with these values of the main metric; pairs in `luck` do not differ."""
    base = example(n_map=10)
    models = {name: with_figure(base.models[name], value) for name, value in figures.items()}
    ordered = sorted(figures, key=lambda name: -figures[name])
    tests = []
    for i, better in enumerate(ordered):
        for worse in ordered[i + 1 :]:
            gap, tie = figures[better] - figures[worse], frozenset((better, worse)) in luck
            p = 0.4 if tie else 0.0001
            tests.append(PairTest("ndcg@20", better, worse, gap, gap - 0.01, gap + 0.01, p, p, not tie))
    return replace(base, models=models, significance=tests, winner=ordered[0])


def with_figure(model: ModelResult, value: float) -> ModelResult:
    assert model.evaluation is not None
    evaluation = replace(model.evaluation, overall={**model.evaluation.overall, "ndcg@20": value})
    return replace(model, evaluation=evaluation)


def english(found: Comparison) -> tuple[str, str]:
    findings = Findings(found)
    head = re.sub(r"<[^>]+>", "", answer(findings).en)
    return html.unescape(head), html.unescape(" ".join(sentence.en for sentence in evidence(findings)))


def test_a_clear_win_names_lead_baseline_and_popularity() -> None:
    head, deck = english(comparison({"lightgcn": 0.30, "ease": 0.25, "popularity": 0.10}))
    assert head == (
        "LightGCN recommends best on MovieLens latest-small: 20% better than EASE^R, the best simple method, "
        "and 3.0 times as good as popularity."
    )
    assert "unlikely to be luck" in deck
    assert "p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.001 after Holm’s correction for 3 comparisons" in deck


def test_no_difference_is_said_with_what_could_not_be_seen() -> None:
    head, deck = english(comparison({"lightgcn": 0.252, "ease": 0.25}, {frozenset(("lightgcn", "ease"))}))
    assert head == "No evidence that LightGCN is better than EASE^R on MovieLens latest-small."
    assert "that may be luck" in deck
    assert (
        "a true difference under about 0.0143 would probably not have been seen" in deck
    )  # (1.96 + 0.84) * 0.01 / 1.96


def test_not_even_popularity_beaten_is_said() -> None:
    luck = {frozenset(("lightgcn", "ease")), frozenset(("lightgcn", "popularity"))}
    head, _ = english(comparison({"lightgcn": 0.252, "ease": 0.25, "popularity": 0.24}, luck))
    assert (
        head == "No evidence that LightGCN is better than EASE^R, or even than popularity, on MovieLens latest-small."
    )


def test_a_simple_winner_is_called_one() -> None:
    head, deck = english(comparison({"ease": 0.30, "lightgcn": 0.25, "item-knn": 0.28}))
    assert head.startswith("A simple method wins on MovieLens latest-small: EASE^R is 20% better than LightGCN")
    assert "no graph model did better" in deck


def test_a_simple_winner_level_with_a_graph_model() -> None:
    head, _ = english(comparison({"ease": 0.30, "lightgcn": 0.299}, {frozenset(("lightgcn", "ease"))}))
    assert head.startswith("No evidence that any graph model beats a simple method")


def test_models_level_with_the_winner_share_the_lead() -> None:
    found = comparison(
        {"lightgcn": 0.30, "graph-filter": 0.299, "ease": 0.2}, {frozenset(("lightgcn", "graph-filter"))}
    )
    head, deck = english(found)
    assert head.startswith("LightGCN and Graph filter share the lead")
    assert "Graph filter cannot be told apart from LightGCN" in deck
    assert [Findings(found).role(model) for model in Findings(found).ranked] == ["winner", "tied", "baseline"]


def test_graph_models_alone_are_measured_against_the_second() -> None:
    head, _ = english(comparison({"lightgcn": 0.30, "graph-filter": 0.2}))
    assert head == "LightGCN recommends best on MovieLens latest-small: 50% better than Graph filter, the next best."


def test_one_model_is_compared_with_nothing() -> None:
    head, _ = english(comparison({"lightgcn": 0.30}))
    assert "nothing to compare it with" in head


def test_without_figures_nothing_wins() -> None:
    found = comparison({"lightgcn": math.nan, "ease": math.nan})
    assert Findings(found).winner is None
    assert english(found)[0] == "No model could be measured on MovieLens latest-small."


def test_a_baseline_of_zero_gives_a_difference_instead_of_a_share() -> None:
    head, _ = english(comparison({"lightgcn": 0.30, "ease": 0.0}))
    assert "0.3000 NDCG@20 better than EASE^R" in head


def test_equal_figures_are_never_a_win() -> None:
    found = replace(comparison({"lightgcn": 0.3, "ease": 0.3}), significance=[])
    head, deck = english(found)
    assert head.startswith("No evidence")
    assert deck == "Whether the differences are luck was not tested."


def test_detectable_difference_grows_with_the_number_of_pairs() -> None:
    few, many = (
        comparison({"lightgcn": 0.3, "ease": 0.2}),
        comparison({"lightgcn": 0.3, "ease": 0.2, "als": 0.1, "bpr": 0.05}),
    )
    few_d, many_d = (Findings(c).detectable(c.significance[0]) for c in (few, many))
    assert few_d < many_d


def test_labels_are_found_with_and_without_prefix() -> None:
    findings = Findings(example(n_map=10))
    assert findings.label("Drama", "genre").zh == "剧情"
    assert findings.label("genre", "column").zh == "类型"
    assert findings.label("unknown").zh == "unknown"


@pytest.mark.parametrize("language", [0, 1])
def test_both_languages_carry_the_same_figures(language: int) -> None:
    findings = Findings(example(n_map=10))
    numbers = [
        re.findall(r"\d+\.\d+", "".join(side)) for side in zip(*[answer(findings), *evidence(findings)], strict=True)
    ]
    assert numbers[language] == numbers[0]
    assert np.all([len(found) > 0 for found in numbers])
