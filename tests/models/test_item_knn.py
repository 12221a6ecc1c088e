"""item-knn against its formula written out densely."""

import numpy as np
import pytest

from edgewise.data import Dataset
from edgewise.errors import ConfigError
from edgewise.models.item_knn import ItemKNN
from edgewise.types import Doubles
from tests.models.random_data import random_dataset


def dense_likeness(met: Doubles, n_neighbours: int, activity: float, p: float, q: float, shrinkage: float) -> Doubles:
    """s(j, i), the largest `n_neighbours` of each row kept."""
    degrees = met.sum(axis=1)
    says = np.where(degrees > 0, np.maximum(degrees, 1) ** -activity, 0)  # a user's say
    shared = met.T @ np.diag(says) @ met
    length = np.diag(shared)
    with np.errstate(invalid="ignore", divide="ignore"):
        likeness: Doubles = np.nan_to_num(shared / (length[:, None] ** p * length[None, :] ** q + shrinkage))
    np.fill_diagonal(likeness, 0)
    for row in likeness:
        row[row < np.sort(row)[-n_neighbours]] = 0
    return likeness


@pytest.mark.parametrize("settings", [(5, 0.7, 0.35, 0.65, 1.0), (28, 0.0, 0.5, 0.5, 0.0), (9, 1.0, 0.2, 0.7, 0.1)])
def test_scores_are_the_formula(settings: tuple[int, float, float, float, float]) -> None:
    # Random numbers of events a pair do not matter; unequal values make ties at the last neighbour unlikely but for activity 0.
    data = random_dataset(density=0.3)
    n, activity, p, q, shrinkage = settings
    model = ItemKNN(
        n_neighbours=n, activity_exponent=activity, candidate_exponent=p, history_exponent=q, shrinkage=shrinkage
    ).fit(data)
    met = data.interactions.toarray().astype(np.float64)
    expected = met @ dense_likeness(met, n, activity, p, q, shrinkage).T
    np.testing.assert_allclose(model.score_block(np.arange(35)), expected, rtol=1e-5, atol=1e-7)


def test_plain_cosine_by_hand() -> None:
    # Items a, b, c; users 0: a b, 1: a b c, 2: b c. s(a, b) = 2 / sqrt(2 * 3), s(a, c) = 1 / 2, s(b, c) = 2 / sqrt(3 * 2).
    data = Dataset.from_csr([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    model = ItemKNN(weighting="none", candidate_exponent=0.5, history_exponent=0.5, shrinkage=0.0).fit(data)
    # User 0 met a and b: c scores s(c, a) + s(c, b), b scores s(b, a).
    np.testing.assert_allclose(model.score_block(np.array([0]))[0, 1:], [0.81649658, 0.5 + 0.81649658], rtol=1e-6)


def test_a_strangers_history_scores_as_a_users() -> None:
    data = random_dataset()
    model = ItemKNN().fit(data)
    np.testing.assert_array_equal(model.score_history(data.interactions[[7, 3]]), model.score_block(np.array([7, 3])))


def test_contributions_add_up_to_the_score() -> None:
    data = random_dataset()
    model = ItemKNN(n_neighbours=9).fit(data)
    history = data.interactions[[7]].indices.astype(np.int64)
    for item in range(28):
        amounts = model.contributions(7, item, history)
        np.testing.assert_allclose(amounts.sum(), model.score_block(np.array([7]))[0, item], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("weighting", ["tf-idf", "bm25", "none"])
@pytest.mark.parametrize("similarity", ["cosine", "jaccard", "dice", "tversky", "dot"])
def test_every_similarity_and_weighting_gives_scores(similarity: str, weighting: str) -> None:
    shrinkage = 0.0 if similarity == "dot" else 1.0
    model = ItemKNN(similarity=similarity, weighting=weighting, shrinkage=shrinkage).fit(random_dataset())
    scores = model.score_block(np.arange(35))
    assert np.isfinite(scores).all()
    assert (scores[5] > 0).any()


def test_values_count_where_asked() -> None:
    plain, heavy = Dataset.from_csr([[1, 1, 0], [1, 1, 1]]), Dataset.from_csr([[1, 4, 0], [1, 2, 1]])
    assert (ItemKNN().fit(plain).neighbours != ItemKNN().fit(heavy).neighbours).nnz == 0
    by_value = ItemKNN(edge_weight="value")
    assert (by_value.fit(plain).neighbours != ItemKNN(edge_weight="value").fit(heavy).neighbours).nnz > 0


def test_a_second_fit_forgets_the_first() -> None:
    again = ItemKNN().fit(random_dataset(seed=1))
    again.score_block(np.array([0]))
    again.fit(random_dataset(seed=2))
    fresh = ItemKNN().fit(random_dataset(seed=2))
    np.testing.assert_array_equal(again.score_block(np.arange(35)), fresh.score_block(np.arange(35)))


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="weighting = 'loud'"):
        ItemKNN(weighting="loud")
    with pytest.raises(ConfigError, match="n_neighbours = 0"):
        ItemKNN(n_neighbours=0)
