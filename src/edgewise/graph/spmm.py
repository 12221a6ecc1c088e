"""The product of a sparse matrix with a dense one: where graph models spend their time."""

import numba
import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import DataError
from edgewise.types import Floats


def spmm(matrix: csr_array, dense: Floats, out: Floats | None = None) -> Floats:
    """Multiply a sparse matrix by a dense one.

    Parallel over rows, each summed by one thread in the order of its edges: the same bits whatever the number of threads.

    Args:
        matrix: float32 [n_rows, n_columns].
        dense: float32 [n_columns, d], C order.
        out: float32 [n_rows, d], C order, to write into; it must not share memory with `dense`.

    Returns:
        float32 [n_rows, d]: `out` where given.

    Raises:
        DataError: if shapes or types do not fit.
    """
    if dense.ndim != 2 or dense.shape[0] != matrix.shape[1]:
        raise DataError(f"cannot multiply {list(matrix.shape)} by {list(dense.shape)}: the inner sizes differ.")
    if matrix.dtype != np.float32 or dense.dtype != np.float32:
        raise DataError(f"spmm takes float32, got {matrix.dtype} and {dense.dtype}; convert with .astype(np.float32).")
    if out is None:
        out = np.empty((matrix.shape[0], dense.shape[1]), dtype=np.float32)
    elif out.shape != (matrix.shape[0], dense.shape[1]) or out.dtype != np.float32:
        raise DataError(f"out is {out.dtype} {list(out.shape)}; expected float32 {[matrix.shape[0], dense.shape[1]]}.")
    _spmm(
        matrix.indptr.astype(np.int64, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data,
        np.ascontiguousarray(dense),
        out,
    )
    return out


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def _spmm(indptr, indices, data, dense, out):  # type: ignore[no-untyped-def]
    width = dense.shape[1]
    for row in numba.prange(out.shape[0]):
        total = out[row]
        total[:] = 0
        first, last = indptr[row], indptr[row + 1]
        whole = last - (last - first) % 4
        # Four edges at a time: four rows of `dense` are on their way from memory at once, a third faster than one by one.
        for edge in range(first, whole, 4):
            w_0, w_1, w_2, w_3 = data[edge], data[edge + 1], data[edge + 2], data[edge + 3]
            x_0, x_1 = dense[indices[edge]], dense[indices[edge + 1]]
            x_2, x_3 = dense[indices[edge + 2]], dense[indices[edge + 3]]
            for column in range(width):
                total[column] += (w_0 * x_0[column] + w_1 * x_1[column]) + (w_2 * x_2[column] + w_3 * x_3[column])
        for edge in range(whole, last):
            weight, x = data[edge], dense[indices[edge]]
            for column in range(width):
                total[column] += weight * x[column]
