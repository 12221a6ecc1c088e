"""The best k of a row of scores: the one kernel under every recommendation and every metric."""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.types import Floats, Index

NOTHING = -1
"""Fills the places that a short list leaves empty."""

_BLOCK_BYTES = 64 << 20
"""How much one block of scores may take: large enough for the matrix product, small enough for any machine."""


def block_size(n_items: int) -> int:
    """Return how many users to score at once so that a block of scores stays small.

    >>> block_size(40_981)
    409
    """
    return int(max(1, min(4096, _BLOCK_BYTES // (4 * max(1, n_items)))))


def top_k(scores: Floats, k: int, exclude: csr_array | None = None) -> tuple[Index, Floats]:
    """Rank each row: best first, equal scores to the lower index, NaN and minus infinity never.

    Args:
        scores: float32 [n_rows, n_items], C order; not modified.
        k: how many to keep, > 0; more than there are is allowed.
        exclude: [n_rows, n_items], columns ascending; its stored entries are left out.

    Returns:
        Positions int64 [n_rows, k], `NOTHING` (-1) where a list is short, and their scores float32 [n_rows, k], NaN there.
    """
    scores = np.ascontiguousarray(scores, dtype=np.float32)
    indptr, indices = (exclude.indptr, exclude.indices) if exclude is not None else _no_entries(scores.shape[0])
    return _top_k(scores, k, indptr.astype(np.int64), indices.astype(np.int32, copy=False))  # type: ignore[no-any-return]


def _no_entries(n_rows: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    return np.zeros(n_rows + 1, dtype=np.int64), np.empty(0, dtype=np.int32)


@numba.njit(parallel=True, cache=True, nogil=True)
def _top_k(scores, k, indptr, indices):  # type: ignore[no-untyped-def]
    """Keep a heap of the best k of each row; its root is the threshold that nearly every later score fails at once."""
    n_rows, n_items = scores.shape
    best = np.full((n_rows, k), NOTHING, dtype=np.int64)
    values = np.full((n_rows, k), np.nan, dtype=np.float32)
    for row in numba.prange(n_rows):
        heap_score = np.empty(k, dtype=np.float32)
        heap_item = np.empty(k, dtype=np.int64)
        size = 0
        entry, last = indptr[row], indptr[row + 1]
        start = 0
        while start < n_items:
            # Between two excluded columns there is nothing to check but the threshold.
            stop = n_items
            if entry < last:
                stop = indices[entry]
                entry += 1
            item = start
            while item < stop:
                score = scores[row, item]
                if size == k:
                    if not score > heap_score[0]:
                        item += 1
                        continue
                    _sink(heap_score, heap_item, size, score, item)
                elif score > -np.inf:
                    _rise(heap_score, heap_item, size, score, item)
                    size += 1
                item += 1
            start = stop + 1
        # Taking the worst again and again fills the list from its end.
        while size > 0:
            size -= 1
            best[row, size] = heap_item[0]
            values[row, size] = heap_score[0]
            if size > 0:
                _sink(heap_score, heap_item, size, heap_score[size], heap_item[size])
    return best, values


@numba.njit(inline="always")
def _worse(score_a, item_a, score_b, item_b):  # type: ignore[no-untyped-def]
    return score_a < score_b or (score_a == score_b and item_a > item_b)


@numba.njit(inline="always")
def _rise(heap_score, heap_item, size, score, item):  # type: ignore[no-untyped-def]
    """Add an entry to a heap of `size` whose root is the worst."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if not _worse(score, item, heap_score[parent], heap_item[parent]):
            break
        heap_score[place] = heap_score[parent]
        heap_item[place] = heap_item[parent]
        place = parent
    heap_score[place] = score
    heap_item[place] = item


@numba.njit(inline="always")
def _sink(heap_score, heap_item, size, score, item):  # type: ignore[no-untyped-def]
    """Replace the root of a heap of `size` by an entry."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and _worse(
            heap_score[child + 1], heap_item[child + 1], heap_score[child], heap_item[child]
        ):
            child += 1
        if not _worse(heap_score[child], heap_item[child], score, item):
            break
        heap_score[place] = heap_score[child]
        heap_item[place] = heap_item[child]
        place = child
    heap_score[place] = score
    heap_item[place] = item
