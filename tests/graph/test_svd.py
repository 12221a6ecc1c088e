"""The truncated SVD: exact where a side is small, close where it is not, and fixed in sign."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from edgewise.errors import ConfigError
from edgewise.graph import svd
from edgewise.graph.svd import truncated_svd


def sparse(n: int, m: int) -> csr_array:
    return csr_array(random_array((n, m), density=0.2, rng=np.random.default_rng(3), dtype=np.float32))


@pytest.mark.parametrize("shape", [(30, 50), (50, 30)])
def test_a_small_side_gives_numpys_values_and_vectors(shape: tuple[int, int]) -> None:
    matrix = sparse(*shape)
    left, strengths, right = truncated_svd(matrix, 5, np.random.default_rng(0))
    expected = np.linalg.svd(matrix.toarray().astype(np.float64))
    np.testing.assert_allclose(strengths, expected[1][:5], rtol=1e-4)
    np.testing.assert_allclose(np.abs((right * expected[2][:5].T).sum(axis=0)), 1, atol=1e-3)
    np.testing.assert_allclose(left * strengths, matrix @ right, atol=1e-4)


def test_random_subspaces_find_the_leading_values_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svd, "_SMALL", 0)
    matrix = sparse(80, 60)
    _, strengths, _ = truncated_svd(matrix, 4, np.random.default_rng(0), n_iterations=30)
    np.testing.assert_allclose(strengths, np.linalg.svd(matrix.toarray())[1][:4], rtol=1e-2)


def test_no_more_come_back_than_the_rank() -> None:
    matrix = csr_array(np.outer([1, 2, 0], [1, 0, 1, 1]).astype(np.float32))
    left, strengths, right = truncated_svd(matrix, 3, np.random.default_rng(0))
    assert strengths.shape == (1,)
    np.testing.assert_allclose(left * strengths @ right.T, matrix.toarray(), atol=1e-5)
    assert right[np.abs(right).argmax()] > 0


def test_no_factors_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_factors = 0: expected at least 1"):
        truncated_svd(sparse(3, 3), 0, np.random.default_rng(0))
