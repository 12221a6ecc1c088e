"""Loops over the edges of each row, for `Edges`: nothing as large as [n_edges, d] is ever made.

Parallel over rows, each worked off by one thread in the order of its edges: the same bits whatever the number of threads.
`edge` says where the weights of an edge are kept: at its own place if it is empty, else (in the transposed order) at
`edge[place]`.
"""

import numba
import numpy as np

_SUMS = {"contract", "reassoc", "nsz"}
"""A sum within a row may be taken in vectors: another order than as written, but always the same one."""


@numba.njit(cache=True, nogil=True)
def transpose(indptr, indices, n_columns):  # type: ignore[no-untyped-def]
    """Sort edges by their column, stably: the transposed indptr and indices, and where each edge was."""
    ends = np.zeros(n_columns + 1, dtype=np.int64)
    for place in range(indices.size):
        ends[indices[place] + 1] += 1
    for column in range(n_columns):
        ends[column + 1] += ends[column]
    free = ends[:-1].copy()
    rows = np.empty(indices.size, dtype=np.int32)
    edge = np.empty(indices.size, dtype=np.int64)
    for row in range(indptr.size - 1):
        for place in range(indptr[row], indptr[row + 1]):
            at = free[indices[place]]
            rows[at], edge[at] = row, place
            free[indices[place]] = at + 1
    return ends, rows, edge


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def weighted_sum(indptr, indices, edge, weight, x, parts, out):  # type: ignore[no-untyped-def]
    """out[r, h] = sum over edges s -> r of weight[e, h] x[s, h]."""
    n_heads, width = x.shape[1], x.shape[2]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            total = out[row]
            total[:] = 0
            for place in range(indptr[row], indptr[row + 1]):
                own = weight[edge[place] if edge.size else place]
                sent = x[indices[place]]
                for head in range(n_heads):
                    factor = own[head]
                    for column in range(width):
                        total[head, column] += factor * sent[head, column]


@numba.njit(parallel=True, fastmath=_SUMS, cache=True, nogil=True)
def edge_dots(indptr, indices, left, right, parts, out):  # type: ignore[no-untyped-def]
    """out[e, h] = left[r, h] · right[s, h]."""
    n_heads, width = left.shape[1], left.shape[2]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            for place in range(indptr[row], indptr[row + 1]):
                sent = right[indices[place]]
                for head in range(n_heads):
                    total = np.float32(0)
                    for column in range(width):
                        total += left[row, head, column] * sent[head, column]
                    out[place, head] = total


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def sum_edges(indptr, edge, values, parts, out):  # type: ignore[no-untyped-def]
    """out[r] = sum of the values of the edges of row r."""
    width = values.shape[1]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            total = out[row]
            total[:] = 0
            for place in range(indptr[row], indptr[row + 1]):
                own = values[edge[place] if edge.size else place]
                for column in range(width):
                    total[column] += own[column]


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def sum_of_ends(indptr, indices, receiver, sender, parts, out):  # type: ignore[no-untyped-def]
    """out[e] += receiver[r] + sender[s]."""
    width = receiver.shape[1]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            for place in range(indptr[row], indptr[row + 1]):
                for column in range(width):
                    out[place, column] += receiver[row, column] + sender[indices[place], column]


@numba.njit(parallel=True, cache=True, nogil=True)
def below_largest(indptr, scores, parts, out):  # type: ignore[no-untyped-def]
    """out[e] = scores[e] - the largest of its row."""
    width = scores.shape[1]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            for column in range(width):
                largest = np.float32(-np.inf)
                for place in range(indptr[row], indptr[row + 1]):
                    largest = max(largest, scores[place, column])
                for place in range(indptr[row], indptr[row + 1]):
                    out[place, column] = scores[place, column] - largest


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def divide_by_sum(indptr, values, parts):  # type: ignore[no-untyped-def]
    """Make the values of each row sum to one, in place."""
    width = values.shape[1]
    for part in numba.prange(parts.size - 1):
        total = np.empty(width, dtype=np.float32)
        for row in range(parts[part], parts[part + 1]):
            total[:] = 0
            for place in range(indptr[row], indptr[row + 1]):
                for column in range(width):
                    total[column] += values[place, column]
            for column in range(width):
                total[column] = 1 / total[column] if total[column] > 0 else 0
            for place in range(indptr[row], indptr[row + 1]):
                for column in range(width):
                    values[place, column] *= total[column]


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def softmax_gradient(indptr, share, gradient, parts, out):  # type: ignore[no-untyped-def]
    """out[e] = share[e] (gradient[e] - sum over the row of share · gradient)."""
    width = share.shape[1]
    for part in numba.prange(parts.size - 1):
        mean = np.empty(width, dtype=np.float32)
        for row in range(parts[part], parts[part + 1]):
            mean[:] = 0
            for place in range(indptr[row], indptr[row + 1]):
                for column in range(width):
                    mean[column] += share[place, column] * gradient[place, column]
            for place in range(indptr[row], indptr[row + 1]):
                for column in range(width):
                    out[place, column] = share[place, column] * (gradient[place, column] - mean[column])


@numba.njit(parallel=True, cache=True, nogil=True)
def largest(indptr, indices, x, parts, out, winner):  # type: ignore[no-untyped-def]
    """out[r] = the largest x[s] of each column; winner[r]: which edge of the row, counted from its first, -1 without edges."""
    width = x.shape[1]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            best, which = out[row], winner[row]
            which[:] = -1
            best[:] = 0
            for place in range(indptr[row], indptr[row + 1]):
                sent, number = x[indices[place]], place - indptr[row]
                for column in range(width):
                    if number == 0 or sent[column] > best[column]:
                        best[column], which[column] = sent[column], number


@numba.njit(parallel=True, cache=True, nogil=True)
def largest_gradient(indptr, t_indptr, t_indices, edge, winner, gradient, parts, out):  # type: ignore[no-untyped-def]
    """out[s] = sum of the gradients of the receivers whose largest value s sent."""
    width = gradient.shape[1]
    for part in numba.prange(parts.size - 1):
        for sender in range(parts[part], parts[part + 1]):
            total = out[sender]
            total[:] = 0
            for place in range(t_indptr[sender], t_indptr[sender + 1]):
                row = t_indices[place]
                number = edge[place] - indptr[row]
                for column in range(width):
                    if winner[row, column] == number:
                        total[column] += gradient[row, column]


@numba.njit(parallel=True, fastmath=_SUMS, cache=True, nogil=True)
def bent_scores(indptr, indices, receiver, sender, extra, vector, slope, parts, out):  # type: ignore[no-untyped-def]
    """out[e, h] = vector[h] · leaky_relu(receiver[r, h] + sender[s, h] + extra[e, h]); extra may be empty."""
    n_heads, width = receiver.shape[1], receiver.shape[2]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            for place in range(indptr[row], indptr[row + 1]):
                sent = sender[indices[place]]
                for head in range(n_heads):
                    total = np.float32(0)
                    for column in range(width):
                        z = receiver[row, head, column] + sent[head, column]
                        if extra.shape[0]:
                            z += extra[place, head, column]
                        total += vector[head, column] * (z if z > 0 else slope * z)
                    out[place, head] = total


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, nogil=True)
def bent_gradient(  # type: ignore[no-untyped-def]
    indptr, indices, edge, own, other, extra, vector, slope, gradient, parts, own_out, vector_out, extra_out
):
    """Gradients of `bent_scores`: of one side's rows, of the vector (a part a row), and of extra where that is not empty."""
    n_heads, width = own.shape[1], own.shape[2]
    for part in numba.prange(parts.size - 1):
        for row in range(parts[part], parts[part + 1]):
            own_out[row] = 0
            if vector_out.shape[0]:
                vector_out[row] = 0
            for place in range(indptr[row], indptr[row + 1]):
                at = edge[place] if edge.size else place
                across = other[indices[place]]
                for head in range(n_heads):
                    g = gradient[at, head]
                    for column in range(width):
                        z = own[row, head, column] + across[head, column]
                        if extra.shape[0]:
                            z += extra[at, head, column]
                        bend = np.float32(1) if z > 0 else slope
                        step = g * vector[head, column] * bend
                        own_out[row, head, column] += step
                        if vector_out.shape[0]:
                            vector_out[row, head, column] += g * bend * z
                        if extra_out.shape[0]:
                            extra_out[at, head, column] = step
