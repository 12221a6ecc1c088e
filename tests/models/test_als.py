"""als: the normal equations, the same numbers on any number of threads, strangers."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.models import als
from edgewise.models.als import ALS
from tests.models.random_data import random_dataset


def test_every_user_solves_the_normal_equations() -> None:
    # (Y^T C_u Y + r I) x_u = Y^T C_u p_u with C_u = alpha where u met the item and 1 elsewhere; Hu et al., eq. 4.
    data = random_dataset()
    model = ALS(embedding_dim=6, alpha=8.0, regularization=0.7).fit(data)
    items = model.items.astype(np.float64)
    for met, vector in zip(data.interactions.toarray(), model.users, strict=True):
        confidence = np.diag(np.where(met > 0, 8.0, 1.0))
        expected = np.linalg.solve(items.T @ confidence @ items + 0.7 * np.eye(6), items.T @ confidence @ met)
        np.testing.assert_allclose(vector, expected, rtol=1e-3, atol=1e-5)


def test_the_loss_is_near_the_best_of_a_longer_fit() -> None:
    def loss(model: ALS) -> float:
        met = random_dataset().interactions.toarray().astype(np.float64)
        error = np.where(met > 0, 8.0, 1.0) * (met - model.users.astype(np.float64) @ model.items.T) ** 2
        return float(error.sum() + 0.7 * ((model.users**2).sum() + (model.items**2).sum()))

    short, usual, long = (
        ALS(embedding_dim=6, alpha=8.0, regularization=0.7, iterations=n).fit(random_dataset()) for n in (1, 15, 200)
    )
    assert loss(usual) < 0.9 * loss(short)
    assert loss(long) <= loss(usual) < 1.05 * loss(long)


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    two = ALS(embedding_dim=8).fit(random_dataset())
    for n_threads in (1, 3):
        monkeypatch.setattr(als, "n_cpus", lambda n_threads=n_threads: n_threads)
        other = ALS(embedding_dim=8).fit(random_dataset())
        np.testing.assert_array_equal(other.users, two.users)
        np.testing.assert_array_equal(other.items, two.items)


def test_another_seed_is_another_start() -> None:
    fits = [ALS(embedding_dim=8, iterations=1, seed=seed).fit(random_dataset()).items for seed in (0, 0, 1)]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


def test_a_strangers_history_scores_as_a_users() -> None:
    data = random_dataset()
    model = ALS(embedding_dim=8).fit(data)
    np.testing.assert_allclose(model.score_history(data.interactions), model.score_block(np.arange(35)), atol=2e-5)
    assert (model.score_history(csr_array((1, 28))) == 0).all()


def test_a_new_item_solves_the_normal_equations_of_its_side() -> None:
    data = random_dataset()
    model = ALS(embedding_dim=6, alpha=8.0, regularization=0.7).fit(data)
    users = model.users.astype(np.float64)
    met = np.zeros(35)
    met[[3, 8, 20]] = 1
    confidence = np.diag(np.where(met > 0, 8.0, 1.0))
    expected = np.linalg.solve(users.T @ confidence @ users + 0.7 * np.eye(6), users.T @ confidence @ met)
    history = data.users.ids_at(np.array([3, 8, 20]))
    np.testing.assert_allclose(model.embed_new("item", history=history)[0], expected, rtol=1e-3, atol=1e-5)
    more = model.with_new_items([9999], history=[history])
    [place] = more.catalogue.items.index_of([9999])
    np.testing.assert_allclose(more.items[place], expected, rtol=1e-3, atol=1e-5)


def test_contributions_add_up_to_the_score() -> None:
    data = random_dataset()
    model = ALS(embedding_dim=8).fit(data)
    history = data.interactions[[7]].indices.astype(np.int64)
    for item in range(28):
        amounts = model.contributions(7, item, history)
        np.testing.assert_allclose(amounts.sum(), model.score_block(np.array([7]))[0, item], atol=2e-5)


def test_values_are_confidence_where_asked() -> None:
    data = Dataset.from_csr([[1, 3, 0], [2, 0, 1]])
    model = ALS(embedding_dim=2, alpha=2.0, regularization=0.5, edge_weight="value").fit(data)
    items = model.items.astype(np.float64)
    confidence = np.diag([2.0, 6.0, 1.0])  # alpha times the value; 1 without an interaction
    expected = np.linalg.solve(items.T @ confidence @ items + 0.5 * np.eye(2), items.T @ confidence @ [1, 1, 0])
    np.testing.assert_allclose(model.users[0], expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(model.score_history(data.strengths), model.score_block(np.array([0, 1])), atol=1e-5)
