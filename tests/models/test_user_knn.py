"""user-knn against its formula written out densely."""

import numpy as np
import pytest

from edgewise.models.user_knn import UserKNN
from edgewise.types import Doubles
from tests.models.random_data import random_dataset


def dense_scores(met: Doubles, n_neighbours: int, rarity: float, q: float, c: float, shrinkage: float) -> Doubles:
    counts = met.sum(axis=0)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -rarity, 0)
    shared = met @ np.diag(weights) @ met.T
    length = np.diag(shared)
    with np.errstate(invalid="ignore", divide="ignore"):
        likeness = np.nan_to_num(shared / (length[:, None] ** 0.5 * length[None, :] ** q + shrinkage))
    np.fill_diagonal(likeness, 0)
    for row in likeness:
        row[row < np.sort(row)[-n_neighbours]] = 0
    scores: Doubles = likeness @ met @ np.diag(np.where(counts > 0, np.maximum(counts, 1) ** -c, 0))
    scores[likeness.sum(axis=1) == 0] = np.nan  # nobody alike: nothing to say
    return scores


@pytest.mark.parametrize("settings", [(6, 0.4, 0.55, 0.25, 0.3), (35, 0.0, 0.5, 0.0, 0.0), (10, 1.0, 0.3, 0.5, 1.0)])
def test_scores_are_the_formula(settings: tuple[int, float, float, float, float]) -> None:
    data = random_dataset(density=0.3)
    n, rarity, q, c, shrinkage = settings
    model = UserKNN(
        n_neighbours=n, rarity_exponent=rarity, neighbour_exponent=q, candidate_exponent=c, shrinkage=shrinkage
    ).fit(data)
    expected = dense_scores(data.interactions.toarray().astype(np.float64), *settings)
    np.testing.assert_allclose(model.score_block(np.arange(35)), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("similarity", ["cosine", "jaccard"])
def test_contributions_add_up_to_the_score_of_an_item_not_met(similarity: str) -> None:
    data = random_dataset()
    model = UserKNN(similarity=similarity, n_neighbours=12).fit(data)
    history = data.interactions[[7]].indices.astype(np.int64)
    scores = model.score_block(np.array([7]))[0]
    for item in np.setdiff1d(np.arange(28), history):
        amounts = model.contributions(7, int(item), history)
        assert (amounts >= 0).all()
        np.testing.assert_allclose(amounts.sum(), scores[item], rtol=1e-5, atol=1e-7)


def test_rarer_shared_items_explain_more_by_hand() -> None:
    # User 0 met a and b; user 1 met a, b and c. a was met by 4 users, b by 2: with exponent 1 the shares are 1/4 and 1/2,
    # so b explains two thirds of user 1's vote for c.
    from edgewise.data import Dataset

    data = Dataset.from_csr([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1]])
    model = UserKNN(rarity_exponent=1.0).fit(data)
    amounts = model.contributions(0, 2, np.array([0, 1]))
    np.testing.assert_allclose(amounts[1] / amounts.sum(), 2 / 3, rtol=1e-6)


def test_similar_items_are_the_cosine_over_users() -> None:
    data = random_dataset()
    model = UserKNN().fit(data)
    met = data.interactions.toarray().astype(np.float64)
    lengths = np.sqrt(np.maximum(met.sum(axis=0), 1))
    expected = met.T @ met / lengths[:, None] / lengths
    np.testing.assert_allclose(model.similarity_block(np.arange(28)), expected, rtol=1e-6)


def test_a_second_fit_forgets_the_first() -> None:
    again = UserKNN().fit(random_dataset(seed=1))
    again.score_block(np.array([0]))
    again.similarity_block(np.array([0]))
    again.fit(random_dataset(seed=2))
    fresh = UserKNN().fit(random_dataset(seed=2))
    np.testing.assert_array_equal(again.score_block(np.arange(35)), fresh.score_block(np.arange(35)))
    np.testing.assert_array_equal(again.similarity_block(np.arange(28)), fresh.similarity_block(np.arange(28)))
