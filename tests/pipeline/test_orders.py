import numpy as np
import pytest

from edgewise.pipeline.orders import Order


@pytest.mark.parametrize("k", [1, 10, 300, 5000])
@pytest.mark.parametrize("share", [0.001, 0.5, 1.0])
def test_the_first_that_may_be_shown_are_those_of_a_whole_sort(k: int, share: float) -> None:
    rng = np.random.default_rng(k)
    scores = rng.integers(50, size=3000).astype(np.float32)
    scores[rng.random(3000) < 0.1] = np.nan
    allowed = rng.random(3000) < share
    items, found = Order.of(scores).first(allowed, k)
    expected = np.argsort(-np.where(allowed & ~np.isnan(scores), scores, -np.inf), kind="stable")
    expected = expected[: min(k, int((allowed & ~np.isnan(scores)).sum()))]
    np.testing.assert_array_equal(items, expected)
    np.testing.assert_array_equal(found, scores[expected])


def test_where_nothing_may_be_shown_nothing_is() -> None:
    items, scores = Order.of(np.ones(5, dtype=np.float32)).first(np.zeros(5, dtype=np.bool_), 3)
    assert items.size == scores.size == 0
