"""Scaling edges by the degrees of their ends."""

import numpy as np
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
    user_scale = _power(np.bincount(rows, weights=data, minlength=matrix.shape[0]), user_exponent)
    item_scale = _power(np.bincount(matrix.indices, weights=data, minlength=matrix.shape[1]), item_exponent)
    scaled = data * user_scale[rows] * item_scale[matrix.indices]
    return csr_array((scaled.astype(np.float32), matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def checked_weights(matrix: csr_array) -> Doubles:
    """Return the weights of all edges: float64 [nnz].

    Raises:
        DataError: if one is negative or not a number.
    """
    data = matrix.data.astype(np.float64)
    if not (data >= 0).all():
        wrong = np.flatnonzero(~(data >= 0))
        row = int(np.searchsorted(matrix.indptr, wrong[0], side="right")) - 1
        raise DataError(
            f"{wrong.size} of {data.size} edge weights are negative or not a number (first: {data[wrong[0]]:g} in row {row}, "
            f"column {matrix.indices[wrong[0]]}); degrees need weights >= 0. Drop those edges first, or weigh edges by 'one'."
        )
    return data


def _power(degrees: Doubles, exponent: float) -> Doubles:
    """degrees^exponent, with 0 where a degree is 0 whatever the exponent."""
    scale = np.zeros_like(degrees)
    np.power(degrees, exponent, out=scale, where=degrees > 0)
    return scale
