"""ease against the closed form in float64, and its refusal."""

from typing import Any

import numpy as np
import pytest

from edgewise.data import Dataset
from edgewise.errors import MemoryNeedError
from edgewise.models import ease
from edgewise.models.ease import EASE
from tests.models.random_data import random_dataset


def test_weights_are_the_closed_form() -> None:
    data = random_dataset(density=0.4)
    met = data.interactions.toarray().astype(np.float64)
    inverse = np.linalg.inv(met.T @ met + 3.0 * np.eye(28))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    model = EASE(regularization=3.0).fit(data)
    np.testing.assert_allclose(model.weights, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.score_block(np.arange(35)), met @ expected, rtol=1e-4, atol=1e-5)


def test_weights_minimise_the_loss_under_the_constraint() -> None:
    # The gradient of |X - X B|^2 + r |B|^2 is 2 (X^T X + r I) B - 2 X^T X: zero off the diagonal.
    data = random_dataset(density=0.4)
    met = data.interactions.toarray().astype(np.float64)
    gram = met.T @ met
    weights = EASE(regularization=3.0).fit(data).weights.astype(np.float64)
    gradient = (gram + 3.0 * np.eye(28)) @ weights - gram
    np.fill_diagonal(gradient, 0)
    np.testing.assert_allclose(gradient, 0, atol=1e-4)


def test_two_items_by_hand() -> None:
    # Gram with regularization 1: [[3, 1], [1, 3]]; inverse [[3, -1], [-1, 3]] / 8; B_01 = 1 / 3.
    model = EASE(regularization=1.0).fit(Dataset.from_csr([[1, 1], [1, 0], [0, 1]]))
    np.testing.assert_allclose(model.weights, [[0, 1 / 3], [1 / 3, 0]], rtol=1e-6)
    # The partial correlation of the two is -P_01 / sqrt(P_00 P_11) = 1 / 3 as well.
    np.testing.assert_allclose(model.similarity_block(np.array([0])), [[0, 1 / 3]], rtol=1e-6)


def test_the_mirror_covers_every_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_dataset()
    whole = EASE().fit(data).weights
    monkeypatch.setattr(ease, "_TILE", 5)
    np.testing.assert_array_equal(EASE().fit(data).weights, whole)


def test_a_strangers_history_scores_as_a_users_and_splits_into_its_terms() -> None:
    data = random_dataset()
    model = EASE(regularization=2.0).fit(data)
    scores = model.score_block(np.array([7]))
    np.testing.assert_array_equal(model.score_history(data.interactions[[7]]), scores)
    history = data.interactions[[7]].indices.astype(np.int64)
    for item in range(28):
        amounts = model.contributions(7, item, history)
        np.testing.assert_allclose(amounts.sum(), scores[0, item], rtol=1e-4, atol=1e-6)


def test_it_refuses_before_it_allocates(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("allocated")

    monkeypatch.setattr(ease, "dense_product", refuse)
    monkeypatch.setattr(ease, "_free_bytes", lambda: 2000.0)
    with pytest.raises(
        MemoryNeedError,
        match=r"^ease needs 3.1e-06 GB for the likeness of 28 items to each other, and 2e-06 GB are free\. Use item-knn or rp3beta,",
    ):
        EASE().fit(random_dataset())
    with pytest.raises(MemoryNeedError, match=r"of 28 items to each other, and max_memory_gb = 1e-06 allows less\."):
        EASE(max_memory_gb=1e-6).fit(random_dataset())


def test_figures_read_well_at_the_size_of_a_shop() -> None:
    with pytest.raises(
        MemoryNeedError,
        match=r"^ease needs 6\.7 GB for the likeness of 40,981 items to each other, and max_memory_gb = 4 ",
    ):
        ease._check_memory(40_981, 4.0)


def test_a_limit_above_what_is_needed_lets_it_fit() -> None:
    assert EASE(max_memory_gb=1.0).fit(random_dataset()).weights.shape == (28, 28)
    assert ease._free_bytes() > 0
