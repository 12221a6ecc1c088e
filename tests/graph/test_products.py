"""Products of sparse matrices, against dense float64."""

import numba
import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph import products
from edgewise.graph.products import dense_product, top_products

DENSITIES = [0.02, 0.15, 0.7]  # a row of the product has fewer additions than columns, about as many, more


def random_pair(density: float, *, seed: int = 0) -> tuple[csr_array, csr_array]:
    rng = np.random.default_rng(seed)
    left = csr_array(random_array((70, 50), density=density, rng=rng, dtype=np.float32))
    right = csr_array(random_array((50, 60), density=density, rng=rng, dtype=np.float32))
    return left, right


@pytest.mark.parametrize("density", DENSITIES)
def test_dense_product_is_the_product(density: float) -> None:
    left, right = random_pair(density)
    product = dense_product(left, right)
    np.testing.assert_allclose(product, left.toarray().astype(np.float64) @ right.toarray(), rtol=1e-5, atol=1e-6)
    assert product.dtype == np.float32


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("n_top", [1, 7, None])
def test_top_products_keeps_the_largest_entries_of_each_row(density: float, n_top: int | None) -> None:
    left, right = random_pair(density)
    dense = left.toarray().astype(np.float64) @ right.toarray()
    top = top_products(left, right, n_top)
    for row in range(70):
        kept = top[[row]]
        expected = np.sort(dense[row][dense[row] > 0])[::-1][:n_top]
        np.testing.assert_allclose(np.sort(kept.data)[::-1], expected, rtol=1e-5)
        np.testing.assert_allclose(dense[row, kept.indices], kept.data, rtol=1e-5)
    assert top.has_sorted_indices
    assert top.dtype == np.float32
    assert top.indices.dtype == np.int32


def test_equal_values_go_to_the_lower_column() -> None:
    left = csr_array(np.ones((1, 1)))
    right = csr_array(np.array([[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 0.0]]))
    assert top_products(left, right, 2).indices.tolist() == [1, 3]
    assert top_products(left, right, 5).indices.tolist() == [0, 1, 2, 3, 5]
    assert top_products(left, right, 100).indices.tolist() == [0, 1, 2, 3, 4, 5]


def test_negative_and_cancelled_entries_are_not_kept() -> None:
    left = csr_array(np.array([[1.0, 1.0]]))
    right = csr_array(np.array([[1.0, -2.0, 3.0], [-1.0, 1.0, 1.0]]))
    top = top_products(left, right, None)
    assert (top.indices.tolist(), top.data.tolist()) == ([2], [4.0])


def test_the_diagonal_is_left_out_where_asked() -> None:
    left, right = random_pair(0.7)
    assert (top_products(left, right, None, skip_diagonal=True).diagonal() == 0).all()
    assert (top_products(left, right, None).diagonal() > 0).any()


@pytest.mark.parametrize("density", DENSITIES)
def test_neither_threads_nor_pieces_change_a_bit(density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = random_pair(density)
    whole, dense = top_products(left, right, 7), dense_product(left, right)
    threads = numba.get_num_threads()
    try:
        for n_threads in range(1, threads + 1):
            numba.set_num_threads(n_threads)
            for rows in (1, 13, 1000):
                monkeypatch.setattr(products, "_PIECE_ROWS", rows)
                again = top_products(left, right, 7)
                for part in ("indptr", "indices", "data"):
                    np.testing.assert_array_equal(getattr(again, part), getattr(whole, part))
            np.testing.assert_array_equal(dense_product(left, right), dense)
            np.testing.assert_array_equal(dense_product(left[[5]], right)[0], dense[5])
    finally:
        numba.set_num_threads(threads)


def test_shapes_and_sizes_are_checked() -> None:
    left, right = random_pair(0.1)
    with pytest.raises(DataError, match=r"cannot multiply \[70, 50\] by \[70, 50\]: the inner sizes differ"):
        dense_product(left, left)
    with pytest.raises(DataError, match=r"cannot multiply \[50, 60\] by \[50, 60\]"):
        top_products(right, right, 3)
    with pytest.raises(ConfigError, match="n_top = 0: expected at least one neighbour a row, or None for all"):
        top_products(left, right, 0)


def test_empty_matrices_give_empty_products() -> None:
    assert top_products(csr_array((0, 4)), csr_array((4, 3)), 2).shape == (0, 3)
    assert top_products(csr_array((2, 4)), csr_array((4, 3)), 2).nnz == 0
    assert dense_product(csr_array((2, 4)), csr_array((4, 0))).shape == (2, 0)
