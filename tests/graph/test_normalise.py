"""Scaling edges by degrees, against the formulas written out densely in float64."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.sparse import csr_array

from edgewise.errors import DataError
from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import bm25, degree_scale, row_normalise, symmetric_normalise, tf_idf
from edgewise.types import Doubles


def random_matrix(seed: int = 0) -> csr_array:
    """[9, 6], a third of it filled; one row and one column empty."""
    rng = np.random.default_rng(seed)
    dense = rng.random((9, 6)) * (rng.random((9, 6)) < 0.4)
    dense[4], dense[:, 2] = 0, 0
    return csr_array(dense.astype(np.float32))


def power(degrees: Doubles, exponent: float) -> Doubles:
    return np.array([degree**exponent if degree > 0 else 0.0 for degree in degrees])


def test_symmetric_normalise_by_hand() -> None:
    # Degrees: rows 2 and 8, columns 1, 9. Entry (0, 0): 1 / sqrt(2 * 1); (0, 1): 1 / sqrt(2 * 9); (1, 1): 8 / sqrt(8 * 9).
    scaled = symmetric_normalise(csr_array(np.array([[1.0, 1.0], [0.0, 8.0]])))
    np.testing.assert_allclose(scaled.toarray(), [[0.70710678, 0.23570226], [0, 0.94280904]], rtol=1e-6)


@pytest.mark.parametrize(("user_exponent", "item_exponent"), [(-0.5, -0.5), (-1, 0), (0, -1), (-0.3, 0.7), (0, 0)])
def test_degree_scale_is_the_dense_formula(user_exponent: float, item_exponent: float) -> None:
    matrix = random_matrix()
    dense = matrix.toarray().astype(np.float64)
    expected = (
        np.diag(power(dense.sum(axis=1), user_exponent)) @ dense @ np.diag(power(dense.sum(axis=0), item_exponent))
    )
    scaled = degree_scale(matrix, user_exponent, item_exponent)
    np.testing.assert_allclose(scaled.toarray(), expected, rtol=1e-6)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled.indices, matrix.indices)


def test_the_two_sided_graph_and_its_half_are_scaled_alike() -> None:
    matrix = random_matrix()
    whole = symmetric_normalise(bipartite(matrix)).toarray()
    np.testing.assert_array_equal(whole[:9, 9:], symmetric_normalise(matrix).toarray())
    np.testing.assert_array_equal(whole, whole.T)


def test_rows_sum_to_one_or_stay_zero_and_the_input_is_left_alone() -> None:
    matrix = random_matrix()
    before = matrix.copy()
    sums = row_normalise(matrix).toarray().sum(axis=1)
    np.testing.assert_allclose(sums, np.where(np.diff(matrix.indptr) > 0, 1, 0), rtol=1e-6)
    assert sums[4] == 0
    assert (matrix != before).nnz == 0


def test_tf_idf_by_hand() -> None:
    # Column 0 is in 2 of 2 rows: log(3 / 3) = 0; column 1 in one: log(3 / 2). sqrt(4) = 2.
    np.testing.assert_allclose(
        tf_idf(csr_array(np.array([[1.0, 4.0], [1.0, 0.0]]))).toarray(), [[0, 2 * np.log(1.5)], [0, 0]], rtol=1e-6
    )


def test_bm25_by_hand() -> None:
    # Rows sum to 4 and 2, on average 3. Entry (0, 0): idf log(3 / 2), weight 4, held back 2 * (0.5 + 0.5 * 4 / 3) = 7 / 3:
    # log(1.5) * 4 * 3 / (4 + 7 / 3). Entry (1, 1): 2 * 3 / (2 + 2 * (0.5 + 0.5 * 2 / 3)) = 6 / (2 + 5 / 3).
    weighted = bm25(csr_array(np.array([[4.0, 0.0], [0.0, 2.0]])), k1=2.0, b=0.5)
    expected = [[np.log(1.5) * 12 / (4 + 7 / 3), 0], [0, np.log(1.5) * 6 / (2 + 5 / 3)]]
    np.testing.assert_allclose(weighted.toarray(), expected, rtol=1e-6)


def test_bm25_lets_weights_saturate_at_once_where_k1_is_zero() -> None:
    weighted = bm25(csr_array(np.array([[4.0, 0.0], [0.0, 2.0]])), k1=0.0)
    np.testing.assert_allclose(weighted.toarray(), np.log(1.5) * np.eye(2), rtol=1e-6)


@pytest.mark.parametrize("scale", [symmetric_normalise, row_normalise, tf_idf, bm25])
@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_negative_weights_are_refused(scale: Callable[[csr_array], csr_array], wrong: float) -> None:
    matrix = csr_array((np.array([1.0, wrong]), np.array([0, 2]), np.array([0, 1, 1, 2])), shape=(3, 3))
    with pytest.raises(
        DataError, match=rf"1 of 2 edge weights are negative or not a number \(first: {wrong:g} in row 2, column 2\)"
    ):
        scale(matrix)


def test_a_graph_without_edges_stays_one() -> None:
    for scale in (symmetric_normalise, row_normalise, tf_idf, bm25):
        assert scale(csr_array((2, 3))).nnz == 0
