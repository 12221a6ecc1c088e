"""Scaling edges by the degrees of their ends."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.errors import DataError
from edgewise.types import Doubles


def symmetric_normalise(adjacency: csr_array) -> csr_array:
    """Scale every edge by the degrees of its two ends: D^-1/2 A D^-1/2.

    Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017 (arXiv:1609.02907),
    eq. 2. The paper adds self-loops first; we leave that to the caller. A two-sided matrix [n_users, n_items] is scaled
    by users on the left and items on the right, as He et al., "LightGCN" (arXiv:2002.02126), eq. 3, has it.

    Args:
        adjacency: [n, m] weights >= 0; a degree is the sum of weights. A node without edges keeps an all-zero row.

    Returns:
        float32 [n, m], the same edges in the same order; the input is not modified.

    Raises:
        DataError: if a weight is negative or not a number, since the root of a degree would be NaN.
    """
    return degree_scale(adjacency, -0.5, -0.5)


def row_normalise(matrix: csr_array) -> csr_array:
    """Make every row sum to one: D^-1 A, the steps of a random walk; a row without edges stays zero.

    Args:
        matrix: [n, m] weights >= 0; not modified.

    Returns:
        float32 [n, m], the same edges in the same order.

    Raises:
        DataError: if a weight is negative or not a number.
    """
    return degree_scale(matrix, -1.0, 0.0)


def degree_scale(matrix: csr_array, user_exponent: float, item_exponent: float) -> csr_array:
    """Scale every edge by powers of the degrees of its two ends: D_user^user_exponent R D_item^item_exponent.

    Args:
        matrix: R, [n_users, n_items] (or any [n, m]), weights >= 0; a degree is the sum of weights. Not modified.
        user_exponent: of the row sums; -0.5 divides by their root, 0 leaves rows alone.
        item_exponent: of the column sums.

    Returns:
        float32 [n_users, n_items], the same edges in the same order. Where a degree is zero, the edges stay zero.

    Raises:
        DataError: if a weight is negative or not a number.
    """
    data = checked_weights(matrix)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    user_scale = _power(sums_of(rows, data, matrix.shape[0]), user_exponent)
    item_scale = _power(sums_of(matrix.indices, data, matrix.shape[1]), item_exponent)
    scaled = data * user_scale[rows] * item_scale[matrix.indices]
    return csr_array((scaled.astype(np.float32), matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def tf_idf(matrix: csr_array) -> csr_array:
    """Weigh the columns by how few rows they are in: sqrt(x_ij) log((1 + n) / (1 + n_j)), n_j the rows that column j is in.

    Salton and Buckley, "Term-Weighting Approaches in Automatic Text Retrieval", 1988. Rows stand for documents, columns for
    words: for item-item likeness pass [n_items, n_users], and users who met everything lose their say.

    Args:
        matrix: x, [n, m], weights >= 0; not modified.

    Returns:
        float32 [n, m], the same edges in the same order.

    Raises:
        DataError: if a weight is negative or not a number.
    """
    weights = np.sqrt(checked_weights(matrix)) * _idf(matrix)[matrix.indices]
    return csr_array((weights.astype(np.float32), matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def bm25(matrix: csr_array, *, k1: float = 100.0, b: float = 0.8) -> csr_array:
    """Weigh edges as Okapi BM25 does: idf_j x_ij (k1 + 1) / (x_ij + k1 (1 - b + b s_i / s)).

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. s_i is the sum of row i, s the mean
    of these, idf_j as in `tf_idf`. The default k1 is that of the `implicit` package: play counts saturate later than words.

    Args:
        matrix: x, [n, m], weights >= 0, rows as documents; not modified.
        k1: how late a weight saturates, >= 0.
        b: how much long rows are held back, 0 to 1.

    Returns:
        float32 [n, m], the same edges in the same order.

    Raises:
        DataError: if a weight is negative or not a number.
    """
    weights = checked_weights(matrix)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    sums = sums_of(rows, weights, matrix.shape[0])
    held_back = k1 * (1 - b + b * sums / max(sums.mean(), np.finfo(np.float64).tiny))
    below = weights + held_back[rows]
    above = _idf(matrix)[matrix.indices] * weights * (k1 + 1)
    weights = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return csr_array((weights.astype(np.float32), matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def checked_weights(matrix: csr_array) -> Doubles:
    """Return the weights of all edges: float64 [nnz].

    Raises:
        DataError: if one is negative or not a number.
    """
    data: Doubles = matrix.data.astype(np.float64)
    if not (data >= 0).all():
        wrong = np.flatnonzero(~(data >= 0))
        row = int(np.searchsorted(matrix.indptr, wrong[0], side="right")) - 1
        raise DataError(
            f"{wrong.size} of {data.size} edge weights are negative or not a number (first: {data[wrong[0]]:g} in row {row}, "
            f"column {matrix.indices[wrong[0]]}); degrees need weights >= 0. Drop those edges first, or weigh edges by 'one'."
        )
    return data


def sums_of(places: NDArray[Any], weights: Doubles, n: int) -> Doubles:
    """Sum the weights that share a place: float64 [n]."""
    return np.bincount(places, weights=weights, minlength=n).astype(np.float64, copy=False)


def _idf(matrix: csr_array) -> Doubles:
    """log((1 + n) / (1 + n_j)), >= 0: float64 [m]."""
    n_rows = np.bincount(matrix.indices, minlength=matrix.shape[1])
    idf: Doubles = np.log((1 + matrix.shape[0]) / (1 + n_rows))
    return idf


def _power(degrees: Doubles, exponent: float) -> Doubles:
    """degrees^exponent, with 0 where a degree is 0 whatever the exponent."""
    scale = np.zeros_like(degrees)
    np.power(degrees, exponent, out=scale, where=degrees > 0)
    return scale
