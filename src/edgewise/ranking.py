"""The best k of a row of scores: the one kernel under every recommendation and every metric."""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.types import Floats, Index

NOTHING = -1
"""Fills the places that a short list leaves empty."""

_BLOCK_BYTES = 31 << 20
"""What one block of scores should take. From 32 MB on, the allocator maps fresh pages for every block instead of handing the
same ones out again, and the cache no longer holds it; far below, matrix products are less efficient. Measured on Gowalla
with 64-d vectors, product and top 20: 3.6 CPU seconds with 8 MB, 3.0 with 16, 2.5 with 32, 2.8 with 64."""

_FEWEST_ROWS = 32
"""Fewer rows than this make a matrix product read the item vectors far more often than it computes with them."""

_LARGEST_BLOCK_BYTES = 256 << 20
"""What a block may take at most, however many items there are (but for a single row)."""

_STRETCH = 64
"""How many scores are compared with the threshold at once: the fewest for which the compiler uses full vectors."""


def block_size(n_items: int) -> int:
    """Return how many users to score at once: a block of scores stays small and the matrix product efficient.

    >>> block_size(40_981)
    198
    >>> block_size(1_000_000)
    32
    """
    row_bytes = 4 * max(1, n_items)
    fewest = min(_FEWEST_ROWS, _LARGEST_BLOCK_BYTES // row_bytes)
    return int(max(1, fewest, min(4096, _BLOCK_BYTES // row_bytes)))


class Rows(NamedTuple):
    """A CSR matrix without its values: which columns each row has. Taking some rows copies nothing and takes no time.

    Attributes:
        indptr: int64 [n_rows + 1], where each row begins and ends in `columns`. indices: int32 [n_entries], ascending in each row.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]

    @classmethod
    def of(cls, matrix: csr_array) -> "Rows":
        """Take the structure of a matrix."""
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False))

    def part(self, start: int, stop: int) -> "Rows":
        """Return the rows from `start` up to `stop`."""
        return Rows(self.indptr[start : stop + 1], self.indices)


def top_k(scores: Floats, k: int, exclude: csr_array | Rows | None = None) -> tuple[Index, Floats]:
    """Rank each row: best first, equal scores to the lower index, NaN and minus infinity never.

    Args:
        scores: float32 [n_rows, n_items], C order; not modified.
        k: how many to keep, > 0; more than there are is allowed.
        exclude: [n_rows, n_items], columns ascending; its stored entries are left out.

    Returns:
        Positions int64 [n_rows, k], `NOTHING` (-1) where a list is short, and their scores float32 [n_rows, k], NaN there.
    """
    scores = np.ascontiguousarray(scores, dtype=np.float32)
    if exclude is None:
        exclude = Rows(np.zeros(len(scores) + 1, dtype=np.int64), np.empty(0, dtype=np.int32))
    elif not isinstance(exclude, Rows):
        exclude = Rows.of(exclude)
    return _top_k(scores, k, *exclude)  # type: ignore[no-any-return]


@numba.njit(parallel=True, cache=True, nogil=True)
def _top_k(scores, k, indptr, indices):  # type: ignore[no-untyped-def]
    """Keep a heap of the best k of each row; its root is the threshold that nearly every later stretch fails at once."""
    n_rows, n_items = scores.shape
    best = np.full((n_rows, k), NOTHING, dtype=np.int64)
    values = np.full((n_rows, k), np.nan, dtype=np.float32)
    for row in numba.prange(n_rows):
        heap_score = np.empty(k, dtype=np.float32)
        heap_item = np.empty(k, dtype=np.int64)
        size = 0
        threshold = np.float32(-np.inf)
        entry, last = indptr[row], indptr[row + 1]
        for start in range(0, n_items, _STRETCH):
            stretch = scores[row, start : start + _STRETCH]  # a slice, since it cannot have negative positions
            if not _any_above(stretch, threshold):
                continue
            for place in range(stretch.size):
                score = stretch[place]
                if not score > threshold:
                    continue
                item = start + place
                while entry < last and indices[entry] < item:
                    entry += 1
                if entry < last and indices[entry] == item:
                    continue
                if size < k:
                    _rise(heap_score, heap_item, size, score, item)
                    size += 1
                else:
                    _sink(heap_score, heap_item, size, score, item)
                if size == k:
                    threshold = heap_score[0]
        # Taking the worst again and again fills the list from its end.
        while size > 0:
            size -= 1
            best[row, size] = heap_item[0]
            values[row, size] = heap_score[0]
            if size > 0:
                _sink(heap_score, heap_item, size, heap_score[size], heap_item[size])
    return best, values


@numba.njit(inline="always")
def _any_above(stretch, threshold):  # type: ignore[no-untyped-def]
    """Tell whether any score is above the threshold; counting all without a branch is what vectorises."""
    above = np.int32(0)
    for place in range(stretch.size):
        above = np.int32(above + np.int32(stretch[place] > threshold))
    return above > 0


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
