"""Products of sparse matrices that never exist whole: dense rows for scoring, or the best entries of each row."""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise import telemetry
from edgewise.errors import ConfigError, DataError
from edgewise.graph.bipartite import index_type_for
from edgewise.types import Doubles, Floats

_PIECE_BYTES = 32 << 20
"""How much room the kept entries of one piece of rows may take before they are packed."""

_PIECE_ROWS = 16_384
"""The most rows in a piece, so that progress shows and Ctrl-C is heard."""


def dense_product(rows: csr_array, matrix: csr_array) -> Floats:
    """Multiply sparse rows by a sparse matrix into dense rows: how item-based models score histories.

    A row of the result depends on nothing but its own row, to the last bit, whatever the number of threads.

    Args:
        rows: [b, n].
        matrix: [n, m].

    Returns:
        float32 [b, m], C order.

    Raises:
        DataError: if the shapes do not fit.
    """
    _check_shapes(rows, matrix)
    out = np.zeros((rows.shape[0], matrix.shape[1]), dtype=np.float32)
    _dense_product(*_parts(rows), *_parts(matrix), out)
    return out


def top_products(left: csr_array, right: csr_array, n_top: int | None, *, skip_diagonal: bool = False) -> csr_array:
    """Keep the `n_top` largest positive entries of each row of left @ right.

    Memory: a dense row a thread, and what is kept. The result is the same whatever the number of threads.

    Args:
        left: [n, m]. right: [m, p]. Both with columns ascending or not; not modified.
        n_top: how many to keep in a row, equal values to the lower column; None: all.
        skip_diagonal: leave out entry (i, i), a node's likeness to itself.

    Returns:
        float32 [n, p], columns ascending, 32-bit column indices.

    Raises:
        DataError: if the shapes do not fit.
        ConfigError: if `n_top` is below 1.
    """
    ones = np.ones(left.shape[0]), np.ones(right.shape[1])
    return top_quotients(left, right, n_top, *ones, skip_diagonal=skip_diagonal)


def top_quotients(
    left: csr_array,
    right: csr_array,
    n_top: int | None,
    row_size: Doubles,
    column_size: Doubles,
    *,
    skip_diagonal: bool,
    shrinkage: float = 0.0,
    set_weights: tuple[float, float] | None = None,
) -> csr_array:
    """Keep the largest entries of each row of left @ right, each divided by a function of the sizes of its two ends.

    With `c = (left @ right)[i, j]` and the sizes `a_i`, `b_j`, an entry is `c / (a_i b_j + shrinkage)` or, where
    `set_weights = (x, y)` are given, `c / (c + x (a_i - c) + y (b_j - c) + shrinkage)`. Else as `top_products`.

    Args:
        left: [n, m]. right: [m, p].
        row_size: float64 [n]. column_size: float64 [p].
    """
    _check_shapes(left, right)
    n_rows, n_columns = left.shape[0], right.shape[1]
    if n_top is not None and n_top < 1:
        raise ConfigError(f"n_top = {n_top}: expected at least one neighbour a row, or None for all.")
    width = n_columns if n_top is None else min(n_top, n_columns)
    x, y = set_weights or (0.0, 0.0)
    parts = (*_parts(left), *_parts(right))
    workers = _Workers(numba.get_num_threads(), n_columns)
    counts, columns, values = [], [], []
    piece = max(1, min(_PIECE_ROWS, _PIECE_BYTES // (8 * max(1, width))))
    with telemetry.step("neighbours", n_rows) as work:
        for start in range(0, n_rows, piece):
            n_piece = min(piece, n_rows - start)
            size = np.zeros(n_piece, dtype=np.int64)
            kept_columns = np.empty((n_piece, width), dtype=np.int32)
            kept_values = np.empty((n_piece, width), dtype=np.float32)
            _top_quotients(
                *parts, start, row_size, column_size, shrinkage, set_weights is not None, x, y, skip_diagonal,
                workers.total, workers.last_row, workers.touched, workers.value, size, kept_columns, kept_values
            )  # fmt: skip
            there = np.arange(width) < size[:, None]
            counts.append(size)
            columns.append(kept_columns[there])
            values.append(kept_values[there])
            work.advance(n_piece)
    indptr = np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), *counts]))
    return csr_array(
        (
            np.concatenate([np.empty(0, dtype=np.float32), *values]),
            np.concatenate([np.empty(0, dtype=np.int32), *columns]),
            indptr.astype(index_type_for(int(indptr[-1]))),
        ),
        shape=(n_rows, n_columns),
    )


class _Workers:
    """What each thread needs to add up one dense row at a time: [n_threads, n_columns] each."""

    def __init__(self, n_threads: int, n_columns: int) -> None:
        shape = (n_threads, n_columns)
        self.total = np.empty(shape, dtype=np.float32)
        self.last_row = np.full(shape, -1, dtype=np.int64)  # which row an entry of `total` was last used for
        self.touched = np.empty(shape, dtype=np.int32)
        self.value = np.empty(shape, dtype=np.float32)


def _check_shapes(left: csr_array, right: csr_array) -> None:
    if left.shape[1] != right.shape[0]:
        raise DataError(f"cannot multiply {list(left.shape)} by {list(right.shape)}: the inner sizes differ.")


def _parts(matrix: csr_array) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
    """Return a matrix as the kernels take it, so that each is compiled once."""
    return (
        matrix.indptr.astype(np.int64, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float32, copy=False),
    )


@numba.njit(parallel=True, cache=True, nogil=True)
def _dense_product(indptr, indices, data, indptr_2, indices_2, data_2, out):  # type: ignore[no-untyped-def]
    for row in numba.prange(out.shape[0]):
        target = out[row]
        for entry in range(indptr[row], indptr[row + 1]):
            middle, weight = indices[entry], data[entry]
            for other in range(indptr_2[middle], indptr_2[middle + 1]):
                target[indices_2[other]] += weight * data_2[other]


@numba.njit(parallel=True, cache=True, nogil=True)
def _top_quotients(  # type: ignore[no-untyped-def]
    indptr, indices, data, indptr_2, indices_2, data_2, start, row_size, column_size, shrinkage, of_sets, x, y, skip_diagonal,
    totals, last_rows, toucheds, values, size, kept_columns, kept_values
):  # fmt: skip
    """Gustavson's row-wise product with one dense accumulator a worker; rows are dealt out like cards, to even the load."""
    n_workers = totals.shape[0]
    for worker in numba.prange(n_workers):
        total, last_row, touched, value = totals[worker], last_rows[worker], toucheds[worker], values[worker]
        for place in range(worker, size.size, n_workers):
            row = start + place
            n_touched = _multiply_row(row, indptr, indices, data, indptr_2, indices_2, data_2, total, last_row, touched)
            n_found = 0
            for position in range(n_touched):
                column = touched[position]
                shared = np.float64(total[column])
                if of_sets:
                    below = shared + x * (row_size[row] - shared) + y * (column_size[column] - shared) + shrinkage
                else:
                    below = row_size[row] * column_size[column] + shrinkage
                if shared > 0 and below > 0 and not (skip_diagonal and column == row):
                    touched[n_found] = column
                    value[n_found] = shared / below
                    n_found += 1
            size[place] = _keep_largest(value[:n_found], touched[:n_found], kept_values[place], kept_columns[place])


@numba.njit(cache=True, nogil=True)
def _multiply_row(row, indptr, indices, data, indptr_2, indices_2, data_2, total, last_row, touched):  # type: ignore[no-untyped-def]
    """Add up one row of the product in `total`; list in `touched` the columns that got something; return how many."""
    n_columns = total.size
    n_additions = 0
    for entry in range(indptr[row], indptr[row + 1]):
        n_additions += indptr_2[indices[entry] + 1] - indptr_2[indices[entry]]
    if n_additions >= n_columns:  # so many that keeping the list would cost more than going through all columns
        for column in range(n_columns):
            total[column] = 0
            touched[column] = column
        for entry in range(indptr[row], indptr[row + 1]):
            middle, weight = indices[entry], data[entry]
            for other in range(indptr_2[middle], indptr_2[middle + 1]):
                total[indices_2[other]] += weight * data_2[other]
        return n_columns
    n_touched = 0
    for entry in range(indptr[row], indptr[row + 1]):
        middle, weight = indices[entry], data[entry]
        for other in range(indptr_2[middle], indptr_2[middle + 1]):
            column = indices_2[other]
            if last_row[column] == row:
                total[column] += weight * data_2[other]
            else:
                last_row[column] = row
                total[column] = weight * data_2[other]
                touched[n_touched] = column
                n_touched += 1
    return n_touched


@numba.njit(cache=True, nogil=True)
def _keep_largest(value, column, kept_value, kept_column):  # type: ignore[no-untyped-def]
    """Copy the largest values that fit, equal ones by lower column, in ascending order of columns; return how many."""
    width = kept_column.size
    n_candidates, threshold, free_for_ties = value.size, np.float32(-1), 0
    if value.size > width:
        threshold = _nth_largest(value.copy(), width)
        n_candidates, free_for_ties = 0, width
        for position in range(value.size):
            if value[position] >= threshold:
                free_for_ties -= value[position] > threshold
                value[n_candidates], column[n_candidates] = value[position], column[position]
                n_candidates += 1
    n_kept = 0
    for position in np.argsort(column[:n_candidates]):
        if value[position] == threshold:
            if free_for_ties == 0:
                continue
            free_for_ties -= 1
        kept_value[n_kept], kept_column[n_kept] = value[position], column[position]
        n_kept += 1
    return n_kept


@numba.njit(cache=True, nogil=True)
def _nth_largest(value, n):  # type: ignore[no-untyped-def]
    """Hoare's quickselect; puts `value` in another order. NumPy's partition takes numba several seconds longer to compile."""
    low, high = 0, value.size - 1
    while low < high:
        pivot = value[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while value[left] > pivot:
                left += 1
            while value[right] < pivot:
                right -= 1
            if left <= right:
                value[left], value[right] = value[right], value[left]
                left += 1
                right -= 1
        if n - 1 <= right:
            high = right
        elif n - 1 >= left:
            low = left
        else:
            break
    return value[n - 1]
