"""The best k of a row of scores, and the ranks of chosen items: what is under every recommendation and every metric."""

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

_TILE = 2048
"""How many scores are compared with all chosen ones before the next: they stay in the nearest cache."""

_NO_ENTRIES = np.empty(0, dtype=np.int32)


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
        indptr: int64 [n_rows + 1], where each row begins and ends in `indices`. indices: int32 [n_entries], ascending in each row.
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
    best, values, _, _ = top_k_and_ranks(scores, k, exclude, None)
    return best, values


def top_k_and_ranks(
    scores: Floats, k: int, exclude: csr_array | Rows | None, chosen: csr_array | Rows | None
) -> tuple[Index, Floats, Index, Index]:
    """Rank each row as `top_k` does, and tell how chosen items rank among the others while the row is in the cache.

    Args:
        scores, k, exclude: as for `top_k`.
        chosen: [n_rows, n_items], none of them excluded. The others are the items neither excluded nor chosen.

    Returns:
        What `top_k` returns, then for each chosen item, in their order, how many others score higher and how many the same:
        int64 [n_chosen] twice. An item whose score is NaN or minus infinity has all others above it, scored or not.
    """
    scores = np.ascontiguousarray(scores, dtype=np.float32)
    return _rank(scores, k, *_rows(exclude, len(scores)), *_rows(chosen, len(scores)))  # type: ignore[no-any-return]


def _rows(matrix: csr_array | Rows | None, n_rows: int) -> Rows:
    if matrix is None:
        return Rows(np.zeros(n_rows + 1, dtype=np.int64), _NO_ENTRIES)
    return matrix if isinstance(matrix, Rows) else Rows.of(matrix)


@numba.njit(parallel=True, cache=True, nogil=True)
def _rank(scores, k, exclude_indptr, exclude_items, chosen_indptr, chosen_items):  # type: ignore[no-untyped-def]
    """Do all that is asked of a row at once: a block is then read from memory once, and the threads meet once."""
    n_rows = len(scores)
    first = chosen_indptr[0]
    best = np.full((n_rows, k), NOTHING, dtype=np.int64)
    values = np.full((n_rows, k), np.nan, dtype=np.float32)
    n_above = np.zeros(chosen_indptr[-1] - first, dtype=np.int64)
    n_equal = np.zeros(chosen_indptr[-1] - first, dtype=np.int64)
    for row in numba.prange(n_rows):
        excluded = exclude_items[exclude_indptr[row] : exclude_indptr[row + 1]]
        chosen = chosen_items[chosen_indptr[row] : chosen_indptr[row + 1]]
        here = slice(chosen_indptr[row] - first, chosen_indptr[row + 1] - first)
        _best_of(scores[row], excluded, best[row], values[row])
        _ranks_of(scores[row], excluded, chosen, n_above[here], n_equal[here])
    return best, values, n_above, n_equal


@numba.njit
def _best_of(line, excluded, best, values):  # type: ignore[no-untyped-def]
    """Keep a heap of the best k; its root is the threshold that nearly every later stretch fails at once."""
    k = best.size
    heap_score = np.empty(k, dtype=np.float32)
    heap_item = np.empty(k, dtype=np.int64)
    size = 0
    threshold = np.float32(-np.inf)
    entry = 0
    for start in range(0, line.size, _STRETCH):
        stretch = line[start : start + _STRETCH]  # a slice, since it cannot have negative positions
        if not _any_above(stretch, threshold):
            continue
        for place in range(stretch.size):
            score = stretch[place]
            if not score > threshold:
                continue
            item = start + place
            while entry < excluded.size and excluded[entry] < item:
                entry += 1
            if entry < excluded.size and excluded[entry] == item:
                continue
            if size < k:
                rise(heap_score, heap_item, size, score, item)
                size += 1
            else:
                sink(heap_score, heap_item, size, score, item)
            if size == k:
                threshold = heap_score[0]
    # Taking the worst again and again fills the list from its end.
    while size > 0:
        size -= 1
        best[size] = heap_item[0]
        values[size] = heap_score[0]
        if size > 0:
            sink(heap_score, heap_item, size, heap_score[size], heap_item[size])


@numba.njit
def _ranks_of(line, excluded, chosen, n_above, n_equal):  # type: ignore[no-untyped-def]
    """Compare each chosen score with the whole row: no sorting and no branches, so many comparisons at a time.

    With tens of chosen items a row this is several times faster than sorting the row, or than searching the sorted chosen
    scores for every item.
    """
    no_others = np.empty(chosen.size + excluded.size, dtype=np.float32)
    for place in range(chosen.size):
        no_others[place] = line[chosen[place]]
    for place in range(excluded.size):
        no_others[chosen.size + place] = line[excluded[place]]
    for start in range(0, line.size if chosen.size else 0, _TILE):
        tile = line[start : start + _TILE]
        for place in range(chosen.size):
            higher, level = _count(tile, no_others[place])
            n_above[place] += higher
            n_equal[place] += level - higher
    for place in range(chosen.size):
        score = no_others[place]
        if score > -np.inf:
            higher, level = _count(no_others, score)
            n_above[place] -= higher
            n_equal[place] -= level - higher
        else:
            n_above[place] = line.size - no_others.size
            n_equal[place] = 0


@numba.njit(inline="always")
def _count(scores, score):  # type: ignore[no-untyped-def]
    """Count how many are higher, and how many are at least as high; in 32 bits, of which a vector holds twice as many."""
    higher = np.int32(0)
    level = np.int32(0)
    for place in range(scores.size):
        higher = np.int32(higher + np.int32(scores[place] > score))
        level = np.int32(level + np.int32(scores[place] >= score))
    return np.int64(higher), np.int64(level)


@numba.njit(inline="always")
def _any_above(stretch, threshold):  # type: ignore[no-untyped-def]
    """Tell whether any score is above the threshold; counting all without a branch is what vectorises."""
    above = np.int32(0)
    for place in range(stretch.size):
        above = np.int32(above + np.int32(stretch[place] > threshold))
    return above > 0


@numba.njit(inline="always")
def worse(score_a, item_a, score_b, item_b):  # type: ignore[no-untyped-def]
    """Tell whether a comes behind b: a lower score, or the same and a higher index."""
    return score_a < score_b or (score_a == score_b and item_a > item_b)


@numba.njit(inline="always")
def rise(heap_score, heap_item, size, score, item):  # type: ignore[no-untyped-def]
    """Add an entry to a heap of `size` whose root is the worst."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if not worse(score, item, heap_score[parent], heap_item[parent]):
            break
        heap_score[place] = heap_score[parent]
        heap_item[place] = heap_item[parent]
        place = parent
    heap_score[place] = score
    heap_item[place] = item


@numba.njit(inline="always")
def sink(heap_score, heap_item, size, score, item):  # type: ignore[no-untyped-def]
    """Replace the root of a heap of `size` by an entry."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and worse(heap_score[child + 1], heap_item[child + 1], heap_score[child], heap_item[child]):
            child += 1
        if not worse(heap_score[child], heap_item[child], score, item):
            break
        heap_score[place] = heap_score[child]
        heap_item[place] = heap_item[child]
        place = child
    heap_score[place] = score
    heap_item[place] = item
