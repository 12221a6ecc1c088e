"""The product of a sparse matrix with a dense one: where graph models spend their time."""

import numba
import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import DataError
from edgewise.types import Floats, Index

_PARTS_PER_THREAD = 4
"""Rows are dealt out in parts with as many edges each: users and popular items are not spread evenly over the rows."""


def spmm(
    matrix: csr_array,
    dense: Floats,
    out: Floats | None = None,
    *,
    scale: float = 1.0,
    plus: Floats | None = None,
    plus_scale: float = 1.0,
    rows: Index | None = None,
) -> Floats:
    """Multiply a sparse matrix by a dense one: scale · matrix · dense, and plus_scale · plus where that is given.

    Parallel over rows, each summed by one thread in the order of its edges: the same bits whatever the number of threads.

    Args:
        matrix: float32 [n_rows, n_columns].
        dense: float32 [n_columns, d], C order.
        out: float32 [n_rows, d], C order, to write into; it must not share memory with `dense`.
        scale, plus_scale: factors.
        plus: float32 [n_rows, d], added in the same pass over memory.
        rows: int64 [k], the rows that are wanted; the answer then has k rows.

    Returns:
        float32 [n_rows, d] or [k, d]: `out` where given.

    Raises:
        DataError: if shapes or types do not fit.
    """
    if dense.ndim != 2 or dense.shape[0] != matrix.shape[1]:
        raise DataError(f"cannot multiply {list(matrix.shape)} by {list(dense.shape)}: the inner sizes differ.")
    if matrix.dtype != np.float32 or dense.dtype != np.float32:
        raise DataError(f"spmm takes float32, got {matrix.dtype} and {dense.dtype}; convert with .astype(np.float32).")
    if plus is not None and (plus.shape != (matrix.shape[0], dense.shape[1]) or plus.dtype != np.float32):
        raise DataError(
            f"plus is {plus.dtype} {list(plus.shape)}; expected float32 {[matrix.shape[0], dense.shape[1]]}."
        )
    shape = (matrix.shape[0] if rows is None else rows.size, dense.shape[1])
    if out is None:
        out = np.empty(shape, dtype=np.float32)
    elif out.shape != shape or out.dtype != np.float32:
        raise DataError(f"out is {out.dtype} {list(out.shape)}; expected float32 {list(shape)}.")
    indptr = matrix.indptr.astype(np.int64, copy=False)
    wanted = np.arange(shape[0]) if rows is None else rows
    _spmm(
        indptr,
        matrix.indices.astype(np.int32, copy=False),
        matrix.data,
        np.ascontiguousarray(dense),
        np.float32(scale),
        dense if plus is None else plus,
        np.float32(plus_scale),
        plus is not None,
        wanted,
        even_parts(indptr, rows),
        out,
    )
    return out


def spmm_of_rows(
    matrix: csr_array, values: Floats, rows: Index, out: Floats, *, scale: float = 1.0, plus_scale: float = 0.0
) -> Floats:
    """Multiply a sparse matrix by a dense one of which few rows are not zero: (scale · matrix + plus_scale · I) · dense.

    Args:
        matrix: float32 [n, n].
        values: float32 [k, d], C order, the rows that are not zero.
        rows: int64 [k], which rows of the dense matrix these are, distinct.
        out: float32 [n, d], C order, to write into.
        scale, plus_scale: factors.

    Returns:
        `out`; the same bits whatever the number of threads.
    """
    place = np.full(matrix.shape[1], -1, dtype=np.int32)
    place[rows] = np.arange(rows.size, dtype=np.int32)
    indptr = matrix.indptr.astype(np.int64, copy=False)
    indices = matrix.indices.astype(np.int32, copy=False)
    parts = even_parts(indptr, None)
    _spmm_of_rows(indptr, indices, matrix.data, values, place, np.float32(scale), np.float32(plus_scale), parts, out)
    return out


def even_parts(indptr: Index, rows: Index | None) -> Index:
    """Cut rows into parts with about as many edges each: int64 [n_parts + 1], the first row of each and the end."""
    ends = indptr if rows is None else np.concatenate([[0], np.cumsum(indptr[rows + 1] - indptr[rows])])
    n_parts = _PARTS_PER_THREAD * numba.get_num_threads()
    cuts = np.searchsorted(ends, np.linspace(0, ends[-1], n_parts + 1)[1:-1])
    return np.concatenate([[0], cuts, [ends.size - 1]]).astype(np.int64)


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def _spmm(indptr, indices, data, dense, scale, plus, plus_scale, has_plus, rows, parts, out):  # type: ignore[no-untyped-def]
    width = dense.shape[1]
    for part in numba.prange(parts.size - 1):
        for place in range(parts[part], parts[part + 1]):
            row, total = rows[place], out[place]
            if has_plus:
                base = plus[row]
                for column in range(width):
                    total[column] = plus_scale * base[column]
            else:
                total[:] = 0
            first, last = indptr[row], indptr[row + 1]
            whole = last - (last - first) % 4
            # Four edges at a time: four rows of `dense` are on their way from memory at once, a third faster than one by one.
            for edge in range(first, whole, 4):
                w_0, w_1, w_2, w_3 = data[edge], data[edge + 1], data[edge + 2], data[edge + 3]
                w_0, w_1, w_2, w_3 = scale * w_0, scale * w_1, scale * w_2, scale * w_3
                x_0, x_1 = dense[indices[edge]], dense[indices[edge + 1]]
                x_2, x_3 = dense[indices[edge + 2]], dense[indices[edge + 3]]
                for column in range(width):
                    total[column] += (w_0 * x_0[column] + w_1 * x_1[column]) + (w_2 * x_2[column] + w_3 * x_3[column])
            for edge in range(whole, last):
                weight, x = scale * data[edge], dense[indices[edge]]
                for column in range(width):
                    total[column] += weight * x[column]


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def _spmm_of_rows(indptr, indices, data, values, place, scale, plus_scale, parts, out):  # type: ignore[no-untyped-def]
    width = values.shape[1]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            total = out[row]
            total[:] = 0
            own = place[row]
            if own >= 0:
                for column in range(width):
                    total[column] = plus_scale * values[own, column]
            for edge in range(indptr[row], indptr[row + 1]):
                other = place[indices[edge]]
                if other >= 0:
                    weight = scale * data[edge]
                    for column in range(width):
                        total[column] += weight * values[other, column]
