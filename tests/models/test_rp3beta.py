"""rp3beta against the random walk written out densely."""

import numpy as np
import pytest

from edgewise.data import Dataset
from edgewise.models.rp3beta import RP3beta
from tests.models.random_data import random_dataset


@pytest.mark.parametrize(("alpha", "beta", "n_neighbours"), [(0.6, 0.25, 6), (1.0, 0.0, 28), (0.4, 0.9, 12)])
def test_scores_are_the_walk(alpha: float, beta: float, n_neighbours: int) -> None:
    data = random_dataset(density=0.3)
    met = data.interactions.toarray().astype(np.float64)
    d_user, d_item = np.maximum(met.sum(axis=1), 1), np.maximum(met.sum(axis=0), 1)
    to_items, to_users = (met / d_user[:, None]) ** alpha, (met.T / d_item[:, None]) ** alpha  # the walk's two steps
    walks = (to_users @ to_items) / d_item**beta  # from i to j
    np.fill_diagonal(walks, 0)
    for column in walks.T:
        column[column < np.sort(column)[-n_neighbours]] = 0
    model = RP3beta(alpha=alpha, beta=beta, n_neighbours=n_neighbours).fit(data)
    np.testing.assert_allclose(model.score_block(np.arange(35)), met @ walks, rtol=1e-5, atol=1e-7)


def test_a_walk_by_hand() -> None:
    # User 0 met a; user 1 met a and b; user 2 met b. From a: half of the walkers go to user 1, half of those to b: 1 / 4.
    # b was met by two: divided by 2^1 it scores 1 / 8 for user 0.
    data = Dataset.from_csr([[1, 0], [1, 1], [0, 1]])
    scores = RP3beta(alpha=1.0, beta=1.0).fit(data).score_block(np.array([0]))
    np.testing.assert_allclose(scores, [[0, 0.125]], rtol=1e-6)


def test_a_strangers_history_scores_as_a_users_and_splits_into_its_terms() -> None:
    data = random_dataset()
    model = RP3beta(n_neighbours=9).fit(data)
    scores = model.score_block(np.array([7]))
    np.testing.assert_array_equal(model.score_history(data.interactions[[7]]), scores)
    history = data.interactions[[7]].indices.astype(np.int64)
    for item in range(28):
        amounts = model.contributions(7, item, history)
        np.testing.assert_allclose(amounts.sum(), scores[0, item], rtol=1e-5, atol=1e-7)


def test_a_second_fit_forgets_the_first() -> None:
    again = RP3beta().fit(random_dataset(seed=1))
    again.score_block(np.array([0]))
    again.fit(random_dataset(seed=2))
    fresh = RP3beta().fit(random_dataset(seed=2))
    np.testing.assert_array_equal(again.score_block(np.arange(35)), fresh.score_block(np.arange(35)))
