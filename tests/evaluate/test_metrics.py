"""Ranking metrics against numbers worked by hand, against ranx, and against what must always hold."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.evaluate.metrics import (
    METRICS,
    find_hits,
    hit_rate_at_k,
    hits_of,
    map_at_k,
    mrr_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
)
from edgewise.ranking import Rows
from edgewise.types import Bools, Doubles, Index

Metric = Callable[[Bools, Index, int], Doubles]

items = st.integers(0, 40)
lists_and_sets = st.lists(
    st.tuples(st.lists(items, unique=True, max_size=30), st.sets(items, min_size=1)), min_size=1, max_size=8
)
metrics = st.sampled_from(sorted(METRICS))


def judged(questions: list[tuple[list[int], set[int]]]) -> tuple[Bools, Index]:
    return hits_of([ranked for ranked, _ in questions], [relevant for _, relevant in questions])


# The list a x b y, of which a and b are relevant, as are c, d and e that it lacks; k = 4.
#   recall     2 of 5                                       = 0.4
#   precision  2 of 4                                       = 0.5
#   ndcg       DCG = 1/log2(2) + 1/log2(4)                  = 1.5
#              ideal, min(5, 4) = 4 hits: 1 + 1/log2(3) + 1/2 + 1/log2(5) = 1 + 0.63093 + 0.5 + 0.43068 = 2.56161
#              1.5 / 2.56161                                = 0.58557
#   map        (1/1 + 2/3) / min(5, 4)                      = 0.41667
#   mrr        first hit at 1                               = 1
@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (recall_at_k, 0.4),
        (precision_at_k, 0.5),
        (ndcg_at_k, 0.58557),
        (map_at_k, 0.41667),
        (mrr_at_k, 1.0),
        (hit_rate_at_k, 1.0),
    ],
)
def test_golden_list(metric: Metric, expected: float) -> None:
    assert metric(*hits_of([list("axby")], [set("abcde")]), 4)[0] == pytest.approx(expected, abs=1e-5)


def test_a_short_list_has_no_hits_in_the_places_it_lacks() -> None:
    # One hit, at place 1; two relevant; k = 5. ndcg: 1 / (1 + 0.63093) = 0.61315; map: 1 / 2.
    hits, n_relevant = hits_of([["a"]], [{"a", "b"}])
    found = {name: float(metric(hits, n_relevant, 5)[0]) for name, metric in METRICS.items()}
    expected = {"recall": 0.5, "precision": 0.2, "ndcg": 0.61315, "map": 0.5, "mrr": 1.0, "hit_rate": 1.0}
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_an_empty_list_scores_zero_and_nothing_to_find_is_not_defined(metric: Metric) -> None:
    values = metric(*hits_of([[], []], [{"a"}, set()]), 3)
    assert values[0] == 0
    assert np.isnan(values[1])


def test_hits_by_position_are_hits_by_id() -> None:
    rng = np.random.default_rng(0)
    lists = np.stack([rng.permutation(30)[:9] for _ in range(40)])
    lists[3, 4:] = lists[7] = -1
    relevant = csr_array(rng.random((40, 30)) < 0.2)
    expected = [[item in relevant[[row]].indices for item in ranked] for row, ranked in enumerate(lists)]
    np.testing.assert_array_equal(find_hits(lists, Rows.of(relevant)), expected)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("recall", "recall"),
        ("precision", "precision"),
        ("ndcg", "ndcg"),
        ("mrr", "mrr"),
        ("hit_rate", "hit_rate"),
        ("map", "map"),
    ],
)
@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaWarning")  # ranx's own kernels
def test_agrees_with_ranx(name: str, theirs: str, k: int) -> None:
    ranx = pytest.importorskip("ranx")
    rng = np.random.default_rng(k)
    lists = [rng.permutation(200)[:30].tolist() for _ in range(100)]
    relevant = [set(rng.permutation(200)[: rng.integers(1, 60)].tolist()) for _ in range(100)]
    qrels = ranx.Qrels({f"q{i:03d}": {str(item): 1 for item in wanted} for i, wanted in enumerate(relevant)})
    run = ranx.Run(
        {f"q{i:03d}": {str(item): 1.0 - p / 100 for p, item in enumerate(ranked)} for i, ranked in enumerate(lists)}
    )
    expected = np.asarray(ranx.evaluate(qrels, run, f"{theirs}@{k}", return_mean=False))
    if name == "map":  # ranx divides by the number of relevant items, we by min(that, k): a perfect list scores 1
        n_relevant = np.array([len(wanted) for wanted in relevant])
        expected = expected * n_relevant / np.minimum(n_relevant, k)
    np.testing.assert_allclose(METRICS[name](*hits_of(lists, relevant), k), expected, atol=1e-12)


@given(lists_and_sets, metrics, st.integers(1, 60))
@settings(deadline=None)
def test_every_metric_is_a_share(questions: list[tuple[list[int], set[int]]], name: str, k: int) -> None:
    values = METRICS[name](*judged(questions), k)
    assert ((values >= 0) & (values <= 1)).all()


@given(lists_and_sets, st.integers(1, 60))
def test_recall_never_falls_as_k_grows(questions: list[tuple[list[int], set[int]]], k: int) -> None:
    judgement = judged(questions)
    for metric in (recall_at_k, mrr_at_k, hit_rate_at_k):
        assert (metric(*judgement, k) <= metric(*judgement, k + 1)).all()


@given(st.sets(items, min_size=1), st.lists(items), st.integers(1, 60))
def test_a_perfect_ranking_scores_one(relevant: set[int], rest: list[int], k: int) -> None:
    perfect = [*relevant, *(item for item in dict.fromkeys(rest) if item not in relevant)]
    judgement = hits_of([perfect], [relevant])
    assert [metric(*judgement, k)[0] for metric in (ndcg_at_k, map_at_k, mrr_at_k)] == pytest.approx(
        [1, 1, 1], abs=1e-12
    )
    assert recall_at_k(*judgement, max(k, len(relevant)))[0] == 1


@given(lists_and_sets, metrics, st.integers(1, 40), st.randoms(use_true_random=False))
def test_the_order_of_users_changes_nothing(
    questions: list[tuple[list[int], set[int]]], name: str, k: int, random: object
) -> None:
    order = list(range(len(questions)))
    random.shuffle(order)  # type: ignore[attr-defined]
    values = METRICS[name](*judged(questions), k)
    np.testing.assert_array_equal(METRICS[name](*judged([questions[i] for i in order]), k), values[order])


@given(lists_and_sets, metrics, st.integers(1, 29))
def test_moving_a_hit_up_never_hurts(questions: list[tuple[list[int], set[int]]], name: str, k: int) -> None:
    hits, n_relevant = judged(questions)
    better = -np.sort(-hits.astype(np.int8), axis=1) > 0
    assert (METRICS[name](better, n_relevant, k) >= METRICS[name](hits, n_relevant, k) - 1e-12).all()
