"""Every item scored for every query: the reference, and the fastest way up to some ten thousand items."""

import numba
import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from edgewise.ranking import Rows
from edgewise.retrieval.protocol import (
    checked_known,
    checked_places,
    checked_search,
    checked_vectors,
    with_room,
)
from edgewise.retrieval.scan import dots, empty_into, nothing_found, read
from edgewise.types import Bools, Floats, Index

_CHUNK = 16
"""Queries that go over the table together: each part of it is then read from memory once for all of them."""

_TILE_BYTES = 128 << 10
"""A part of the table, small enough for the second cache."""

_NO_ITEMS = np.empty(0, dtype=np.int64)
"""Stands for rows that are in the order of the items."""


class ExactIndex:
    """A table of vectors, read whole; see `VectorIndex`.

    Args:
        vectors: float32 [n_items, d]. Kept as it is, memory-mapped or shared, until the first `add` or `remove`, which copies it.

    >>> index = ExactIndex(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]], dtype=np.float32))
    >>> index.search(np.array([[1.0, 0.0]], dtype=np.float32), 2)[0].tolist()
    [[2, 0]]
    """

    def __init__(self, vectors: Floats) -> None:
        self._table = checked_vectors(vectors)  # [room, d], NaN where there is nothing
        self._n_items = len(self._table)
        self._owned = self._table is not vectors and not np.shares_memory(self._table, vectors)

    @property
    def n_items(self) -> int:
        """How many item indices there are."""
        return self._n_items

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self._table.shape[1])

    def search(
        self, queries: Floats, k: int, exclude: csr_array | Rows | None = None, *, allowed: Bools | None = None
    ) -> tuple[Index, Floats]:
        """Score all items and rank them; see `VectorIndex.search`. A single query starts no threads."""
        rows, excluded, permitted = checked_search(queries, k, exclude, allowed, self.dim, self.n_items)
        kernel = _search_single if len(rows) == 1 else _search_several
        tile = max(1, _TILE_BYTES // (4 * max(1, self.dim)))
        return kernel(rows, self._table[: self._n_items], k, *excluded, permitted, tile)  # type: ignore[no-any-return]

    def scores_of(self, query: Floats, item_index: Index) -> Floats:
        """Score some items; see `VectorIndex.scores_of`."""
        return dots(query, self._table, item_index)  # type: ignore[no-any-return]

    def add(self, vectors: Floats, at: ArrayLike) -> None:
        """Write rows; see `VectorIndex.add`."""
        rows = checked_vectors(vectors, self.dim)
        places = checked_places(at, len(rows))
        if not places.size:
            return
        self._own()
        self._n_items = max(self._n_items, int(places.max()) + 1)
        self._table = with_room(self._table, self._n_items, np.nan)
        self._table[places] = rows

    def remove(self, item_index: ArrayLike) -> None:
        """Blank rows; see `VectorIndex.remove`."""
        places = checked_known(item_index, self._n_items)
        self._own()
        self._table[places] = np.nan

    def renumbered(self, place: Index, n_items: int) -> "ExactIndex":
        """Copy, with other item indices; see `VectorIndex.renumbered`."""
        table = np.full((n_items, self.dim), np.nan, dtype=np.float32)
        table[place] = self._table[: self._n_items]
        other = ExactIndex(table)
        other._owned = True
        return other

    def _own(self) -> None:
        if not self._owned:
            self._table, self._owned = self._table.copy(), True


# Two functions, not one compiled in two ways: see `approximate`.


@numba.njit(cache=True, nogil=True)
def _search_single(rows, table, k, indptr, indices, allowed, tile):  # type: ignore[no-untyped-def]
    best, values = nothing_found(1, k)
    _search_chunk(0, 1, rows, table, indptr, indices, allowed, tile, best, values)
    return best, values


@numba.njit(parallel=True, cache=True, nogil=True)
def _search_several(rows, table, k, indptr, indices, allowed, tile):  # type: ignore[no-untyped-def]
    best, values = nothing_found(len(rows), k)
    for chunk in numba.prange((len(rows) + _CHUNK - 1) // _CHUNK):
        begin, end = chunk * _CHUNK, min((chunk + 1) * _CHUNK, len(rows))
        _search_chunk(begin, end, rows, table, indptr, indices, allowed, tile, best, values)
    return best, values


@numba.njit(nogil=True)
def _search_chunk(begin, end, rows, table, indptr, indices, allowed, tile, best, values):  # type: ignore[no-untyped-def]
    """Answer the queries from `begin` to `end` together, one part of the table after the other."""
    heap_score = np.empty((end - begin, best.shape[1]), dtype=np.float32)
    heap_item = np.empty((end - begin, best.shape[1]), dtype=np.int64)
    n_found = np.zeros(end - begin, dtype=np.int64)
    scores = np.empty(tile, dtype=np.float32)
    for start in range(0, len(table), tile):
        for row in range(begin, end):
            place = row - begin
            n_found[place], _ = read(
                rows[row],
                table,
                start,
                min(start + tile, len(table)),
                _NO_ITEMS,
                indices[indptr[row] : indptr[row + 1]],
                allowed,
                heap_score[place],
                heap_item[place],
                n_found[place],
                scores,
            )
    for row in range(begin, end):
        place = row - begin
        empty_into(heap_score[place], heap_item[place], n_found[place], best[row], values[row])
