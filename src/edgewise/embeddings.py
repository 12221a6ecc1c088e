"""Models that end as two tables of vectors: scores by dot product, likeness by cosine."""

import numba
import numpy as np

from edgewise.types import Floats, Index

_SMALL_TABLE = 1 << 19
"""Tables with fewer numbers than this are multiplied by our own loop; see `score_embeddings`."""


def score_embeddings(users: Floats, items: Floats, user_index: Index) -> Floats:
    """Score all items for some users: users[user_index] @ items^T.

    A user's scores do not depend on who else is in the block, to the last bit, so that a batch ranks as its parts do.
    OpenBLAS alone does not keep that: it has other kernels, which add in another order, for one row (a matrix-vector
    product) and for small products (up to 10^6 multiplications on x86). So one row goes with a companion, and small
    tables, where BLAS would save little, are multiplied here.

    Args:
        users: float32 [n_users, d]. items: float32 [n_items, d].
        user_index: int64 [b].

    Returns:
        float32 [b, n_items], C order.
    """
    rows = np.ascontiguousarray(users[user_index], dtype=np.float32)  # [b, d]
    if items.size < _SMALL_TABLE:
        return _product(rows, np.ascontiguousarray(items.T, dtype=np.float32))  # type: ignore[no-any-return]
    if rows.shape[0] == 1:
        return (np.repeat(rows, 2, axis=0) @ items.T)[:1]
    return rows @ items.T


def unit_vectors(vectors: Floats) -> Floats:
    """Scale each row of float32 [n, d] to length 1; a row of zeros stays so, and one of NaN."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)  # [n, 1]
    unit: Floats = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths != 0).astype(np.float32)
    return unit


@numba.njit(parallel=True, cache=True, nogil=True)
def _product(rows, columns):  # type: ignore[no-untyped-def]
    """Multiply [b, d] by [d, n], adding in the order of d for every entry."""
    out = np.zeros((rows.shape[0], columns.shape[1]), dtype=np.float32)
    for row in numba.prange(rows.shape[0]):
        for place in range(rows.shape[1]):
            weight = rows[row, place]
            for column in range(columns.shape[1]):
                out[row, column] += weight * columns[place, column]
    return out
