"""The steps that both indices take in reading vectors: multiply, leave out, keep the best k."""

import numba
import numpy as np

from edgewise.ranking import NOTHING, rise, sink, worse

_PASSED, _ADDED, _REPLACED, _LEFT_OUT = 0, 1, 2, 3
"""What became of an item: not good enough; one more in the heap; in the place of the worst; good enough, but excluded."""


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, inline="never")
def dot(query, vector):  # type: ignore[no-untyped-def]
    """Multiply and add, in whatever order suits the processor, but the same at every call."""
    total = np.float32(0.0)
    for place in range(query.size):
        total += query[place] * vector[place]
    return total


@numba.njit(cache=True, nogil=True)
def dots(query, vectors, rows):  # type: ignore[no-untyped-def]
    """Multiply one query with some rows of a table; NaN for a row below 0."""
    found = np.full(rows.size, np.nan, dtype=np.float32)
    for place in range(rows.size):
        if rows[place] >= 0:
            found[place] = dot(query, vectors[rows[place]])
    return found


@numba.njit(nogil=True)
def _left_out(item, excluded, allowed):  # type: ignore[no-untyped-def]
    """Tell whether an item is among the excluded (ascending) or, where `allowed` has entries, not among the allowed."""
    if allowed.size and not allowed[item]:
        return True
    low, high = 0, excluded.size
    while low < high:
        middle = (low + high) // 2
        if excluded[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < excluded.size and excluded[low] == item


@numba.njit(nogil=True, inline="always")
def _consider(score, item, excluded, allowed, heap_score, heap_item, n_found):  # type: ignore[no-untyped-def]
    """Keep an item if it is among the best so far, in whatever order items come: a heap with the worst as its root."""
    k = heap_score.size
    if not score > -np.inf or (n_found == k and score < heap_score[0]):
        return _PASSED
    if _left_out(item, excluded, allowed):
        return _LEFT_OUT
    if n_found < k:
        rise(heap_score, heap_item, n_found, score, item)
        return _ADDED
    if worse(heap_score[0], heap_item[0], score, item):
        sink(heap_score, heap_item, k, score, item)
        return _REPLACED
    return _PASSED


@numba.njit(nogil=True)
def read(query, vectors, start, stop, items, excluded, allowed, heap_score, heap_item, n_found, scores):  # type: ignore[no-untyped-def]
    """Consider the vectors from `start` up to `stop`; return how many items the heap holds then, and how many it had to leave out.

    All are multiplied first, and most then fail against a single number: three times as fast as considering each when it comes.

    Args:
        items: whose the vectors are; empty where row i is that of item i.
        scores: float32 [at least stop - start], room for the products.
    """
    for row in range(start, stop):
        scores[row - start] = dot(query, vectors[row])
    n_left_out = 0
    least = heap_score[0] if n_found == heap_score.size else np.float32(-np.inf)
    for row in range(start, stop):
        if not scores[row - start] >= least:
            continue
        item = items[row] if items.size else row
        outcome = _consider(scores[row - start], item, excluded, allowed, heap_score, heap_item, n_found)
        n_found += outcome == _ADDED
        n_left_out += outcome == _LEFT_OUT
        if n_found == heap_score.size:
            least = heap_score[0]
    return n_found, n_left_out


@numba.njit(nogil=True)
def nothing_found(n_rows, k):  # type: ignore[no-untyped-def]
    """Make room for lists: items int64 [n_rows, k] and scores float32 [n_rows, k] that say nothing yet."""
    return np.full((n_rows, k), NOTHING, dtype=np.int64), np.full((n_rows, k), np.nan, dtype=np.float32)


@numba.njit(nogil=True)
def empty_into(heap_score, heap_item, n_found, best, values):  # type: ignore[no-untyped-def]
    """Write a heap as a list: taking the worst again and again fills it from its end."""
    while n_found > 0:
        n_found -= 1
        best[n_found] = heap_item[0]
        values[n_found] = heap_score[0]
        if n_found > 0:
            sink(heap_score, heap_item, n_found, heap_score[n_found], heap_item[n_found])
