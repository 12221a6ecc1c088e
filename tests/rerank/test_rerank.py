import numpy as np
import pytest

from edgewise.errors import ConfigError
from edgewise.rerank import Candidates, Diversity, Freshness, Reranker

ITEMS = np.array([7, 3, 9, 4])
SCORES = np.array([1.0, 0.9, 0.5, 0.0], dtype=np.float32)
VECTORS = np.array([[1, 0], [1, 0], [0, 1], [-1, 0]], dtype=np.float32)


@pytest.mark.parametrize("reranker", [Diversity(0.0), Freshness(0.0), Diversity(0.5), Freshness(0.5)])
def test_every_order_is_a_choice_of_distinct_places(reranker: Reranker) -> None:
    for k in (1, 2, 4, 9):
        order = reranker.order(Candidates(ITEMS, SCORES, VECTORS, np.array([1.0, np.nan, 0.0, 9.0])), k)
        assert order.dtype == np.int64
        assert order.size == min(k, 4)
        assert np.unique(order).size == order.size
    nothing = Candidates(ITEMS[:0], SCORES[:0], VECTORS[:0], np.empty(0))
    assert reranker.order(nothing, 3).size == 0


@pytest.mark.parametrize("reranker", [Diversity(0.0), Freshness(0.0)])
def test_without_weight_the_order_stays(reranker: Reranker) -> None:
    candidates = Candidates(ITEMS, SCORES, VECTORS, np.array([9.0, 1.0, 0.0, 3.0]))
    assert reranker.order(candidates, 4).tolist() == [0, 1, 2, 3]


def test_diversity_by_hand() -> None:
    # weight .5: first item 0 (.5). Then item 1: .45 - .5 = -.05; item 2: .25 - 0; item 3: 0 + .5 = .5, the best.
    # Then item 1: -.05, item 2: .25 - 0.
    assert Diversity(0.5).order(Candidates(ITEMS, SCORES, VECTORS), 4).tolist() == [0, 3, 2, 1]
    assert Diversity(0.2).order(Candidates(ITEMS, SCORES, VECTORS), 2).tolist() == [0, 1]


def test_without_vectors_diversity_changes_nothing() -> None:
    assert Diversity(0.9).order(Candidates(ITEMS, SCORES), 4).tolist() == [0, 1, 2, 3]


def test_freshness_by_hand() -> None:
    # weight .5, half-life 1 day: .5 + .5/2^2 = .625; .45; .25 + .5 = .75; 0 + .5/2 = .25
    ages = np.array([2.0, np.nan, 0.0, 1.0])
    assert Freshness(0.5, 1.0).order(Candidates(ITEMS, SCORES, None, ages), 4).tolist() == [2, 0, 1, 3]


def test_an_item_from_the_future_is_as_fresh_as_can_be_and_no_more() -> None:
    ages = np.array([-1e6, 0.0, 0.0, 0.0])
    assert Freshness(1.0, 1.0).order(Candidates(ITEMS, SCORES, None, ages), 2).tolist() == [0, 1]


def test_equal_scores_are_equally_relevant() -> None:
    same = Candidates(ITEMS, np.ones(4, dtype=np.float32), VECTORS)
    assert same.relevance.tolist() == [1, 1, 1, 1]
    assert Diversity(0.5).order(same, 2).tolist() == [0, 3]


@pytest.mark.parametrize("make", [lambda: Diversity(1.5), lambda: Freshness(-0.1), lambda: Freshness(0.1, 0.0)])
def test_settings_out_of_range_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match="expected a number"):
        make()
