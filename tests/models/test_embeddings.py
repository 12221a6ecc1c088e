"""Scores and likeness of two tables of vectors."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from edgewise.embeddings import score_embeddings, unit_vectors
from edgewise.types import Floats

SMALL, LARGE = (90, 24), (9000, 64)  # multiplied by our loop, and by BLAS


def tables(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((50, shape[1])).astype(np.float32), rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_scores_are_dot_products(shape: tuple[int, int]) -> None:
    users, items = tables(shape)
    scores = score_embeddings(users, items, np.array([3, 49, 3]))
    expected = users[[3, 49, 3]].astype(np.float64) @ items.T
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert scores.dtype == np.float32
    assert scores.flags.c_contiguous


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_company_does_not_change_a_bit(shape: tuple[int, int]) -> None:
    users, items = tables(shape)
    together = score_embeddings(users, items, np.arange(50))
    with threadpool_limits(1, "blas"):
        np.testing.assert_array_equal(score_embeddings(users, items, np.arange(50)), together)
    for size in (1, 2, 3, 7, 16, 33):
        for start in range(0, 50, size):
            part = np.arange(start, min(start + size, 50))
            np.testing.assert_array_equal(score_embeddings(users, items, part), together[part])


def test_nobody_asked_is_nobody_answered() -> None:
    users, items = tables(SMALL)
    assert score_embeddings(users, items, np.empty(0, dtype=np.int64)).shape == (0, 90)


def test_unit_vectors_by_hand() -> None:
    # (3, 4) and (4, 3): the cosine is 24 / 25; a vector of zeros stays one, and is like nothing.
    unit = unit_vectors(np.array([[3, 4], [4, 3], [0, 0], [-6, -8]], dtype=np.float32))
    np.testing.assert_allclose(unit, np.array([[0.6, 0.8], [0.8, 0.6], [0, 0], [-0.6, -0.8]]), atol=1e-6)
    np.testing.assert_allclose(unit[[0, 2]] @ unit.T, np.array([[1, 0.96, 0, -1], [0, 0, 0, 0]]), atol=1e-6)
