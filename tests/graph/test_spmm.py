"""The sparse times dense kernel against SciPy, and against itself with another number of threads."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from edgewise.errors import DataError
from edgewise.graph.spmm import spmm, spmm_of_rows


def _matrix(n_rows: int, n_columns: int, density: float, seed: int) -> csr_array:
    rng = np.random.default_rng(seed)
    return csr_array(random_array((n_rows, n_columns), density=density, rng=rng, dtype=np.float32).tocsr())


@settings(deadline=None)  # the first call compiles the kernel
@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 70), st.floats(0, 1), st.integers(0, 1000))
def test_it_equals_the_product_in_double_precision(
    n_rows: int, n_columns: int, width: int, density: float, seed: int
) -> None:
    matrix = _matrix(n_rows, n_columns, density, seed)
    dense = np.random.default_rng(seed).standard_normal((n_columns, width), dtype=np.float32)
    expected = matrix.toarray().astype(np.float64) @ dense.astype(np.float64)
    np.testing.assert_allclose(spmm(matrix, dense), expected, rtol=1e-4, atol=1e-5)


def test_a_row_without_edges_becomes_zero_in_a_given_array_of_any_content() -> None:
    matrix = csr_array((np.ones(1, dtype=np.float32), ([2], [0])), shape=(3, 2))
    out = np.full((3, 4), np.nan, dtype=np.float32)
    found = spmm(matrix, np.ones((2, 4), dtype=np.float32), out)
    assert found is out
    assert out.tolist() == [[0] * 4, [0] * 4, [1] * 4]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.floats(0, 1), st.integers(0, 1000))
def test_with_factors_a_summand_and_some_rows(n: int, width: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = _matrix(n, n, density, seed)
    dense, plus = (rng.standard_normal((n, width), dtype=np.float32) for _ in range(2))
    rows = rng.permutation(n)[: rng.integers(n + 1)]
    expected = 0.5 * (matrix.toarray().astype(np.float64) @ dense) - 2 * plus
    whole = spmm(matrix, dense, scale=0.5, plus=plus, plus_scale=-2)
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)
    assert np.array_equal(spmm(matrix, dense, scale=0.5, plus=plus, plus_scale=-2, rows=rows), whole[rows])


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.floats(0, 1), st.integers(0, 1000))
def test_a_dense_matrix_of_few_rows(n: int, width: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = _matrix(n, n, density, seed)
    rows = rng.permutation(n)[: rng.integers(n + 1)]
    values = rng.standard_normal((rows.size, width), dtype=np.float32)
    dense = np.zeros((n, width))
    dense[rows] = values
    out = np.full((n, width), np.nan, dtype=np.float32)
    found = spmm_of_rows(matrix, values, rows, out, scale=0.5, plus_scale=3)
    np.testing.assert_allclose(found, 0.5 * (matrix.toarray() @ dense) + 3 * dense, rtol=1e-4, atol=1e-5)


def test_the_number_of_threads_changes_no_bit() -> None:
    matrix = _matrix(300, 200, 0.1, seed=1)
    dense = np.random.default_rng(1).standard_normal((200, 17), dtype=np.float32)
    usual = spmm(matrix, dense)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert np.array_equal(spmm(matrix, dense), usual)
    finally:
        numba.set_num_threads(before)


def test_what_does_not_fit_is_told() -> None:
    matrix = _matrix(4, 3, 0.5, seed=0)
    with pytest.raises(DataError, match=r"cannot multiply \[4, 3\] by \[4, 2\]"):
        spmm(matrix, np.zeros((4, 2), dtype=np.float32))
    with pytest.raises(DataError, match="spmm takes float32, got float32 and float64"):
        spmm(matrix, np.zeros((3, 2)))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"out is float32 \[3, 2\]; expected float32 \[4, 2\]"):
        spmm(matrix, np.zeros((3, 2), dtype=np.float32), np.zeros((3, 2), dtype=np.float32))
