"""Item vectors in lists around centres, of which a search reads those that can still matter: the way beyond some ten thousand items.

Sivic and Zisserman, "Video Google", ICCV 2003, as inverted lists are used for vectors by Jégou, Douze and Schmid, "Product
Quantization for Nearest Neighbor Search", TPAMI 2011 (IVFADC, here without the quantisation). Two things differ, both for inner
products of vectors of uneven length:

- A list promises u = |longest vector| cos(query, centre), so that a list with a long vector comes first; where the cosine is
  negative, the shortest vector loses least and counts instead.
- How many lists are read is not fixed. They are read by falling promise until u < t - slack |query|, where t is the k-th best score
  found. Items that are excluded lower t, so that more lists are read and recall stays; with fewer than k items found, all are.

The slack is measured when the index is built: the least with which the wanted share of the exact top 10, 20, 50, … 1,000 of sample
queries lies in the lists that are read.
"""

import math
from copy import copy
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.ranking import NOTHING, Rows, worse
from edgewise.retrieval.clusters import centres_of, nearest
from edgewise.retrieval.exact import ExactIndex
from edgewise.retrieval.protocol import checked_known, checked_places, checked_search, checked_vectors, with_room
from edgewise.retrieval.scan import dot, dots, empty_into, nothing_found, read
from edgewise.rng import make_rng
from edgewise.types import Bools, Doubles, Floats, Index

_DEPTHS = (10, 20, 50, 100, 200, 500, 1000)
"""How deep into a ranking the slack is measured; where excluded items are on top, a search goes deeper than k."""

_NO_LENGTH = np.finfo(np.float32).max
"""The shortest length of an empty list: finite, since infinity times a cosine of 0 would be no number."""

_N_SAMPLES = 512
"""Queries to measure with."""


class ApproximateIndex:
    """Lists of vectors around centres; see `VectorIndex` and the text above.

    Args:
        vectors: float32 [n_items, d]; copied.
        recall: the share of the exact top k to find, on average over queries; above 0 and below 1.
        n_lists: how many lists; by default twice the root of the number of items.
        queries: float32 [n, d], vectors such as will be asked (those of users), to measure with; by default, item vectors are.
        seed: of the sample for k-means and of the queries.

    >>> index = ApproximateIndex(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]], dtype=np.float32))
    >>> index.search(np.array([[1.0, 0.0]], dtype=np.float32), 2)[0].tolist()
    [[2, 0]]
    """

    def __init__(
        self,
        vectors: Floats,
        *,
        recall: float = 0.995,
        n_lists: int | None = None,
        queries: Floats | None = None,
        seed: int = 0,
    ) -> None:
        if not 0 < recall < 1:
            raise ConfigError(f"recall = {recall}; expected above 0 and below 1. For all of it, take ExactIndex.")
        table = checked_vectors(vectors)
        there = np.flatnonzero(~np.isnan(table).any(axis=1))
        known = table if there.size == len(table) else table[there]
        if n_lists is None:
            n_lists = math.isqrt(4 * there.size)
        n_lists = max(1, min(n_lists, there.size))
        self._n_items = len(table)
        self._dim = int(table.shape[1])
        if there.size:
            self._centres = centres_of(known, n_lists, make_rng(seed, "retrieval lists"))
        else:
            self._centres = np.zeros((1, self._dim), dtype=np.float32)
        lengths = np.linalg.norm(self._centres.astype(np.float64), axis=1, keepdims=True)
        self._directions = np.divide(
            self._centres, lengths, out=np.zeros(self._centres.shape), where=lengths > 0
        ).astype(np.float32)
        self._slot: Index = np.full(self._n_items, NOTHING, dtype=np.int64)  # where an item's vector is
        self._group: Index = np.full(self._n_items, NOTHING, dtype=np.int64)  # and in which list
        self._longest: Floats = np.zeros(len(self._centres), dtype=np.float32)  # the length of a list's longest vector
        self._shortest: Floats = np.full(len(self._centres), _NO_LENGTH, dtype=np.float32)  # and of its shortest
        self._fill(known, there)
        self.slack: Doubles = np.full(len(_DEPTHS), np.inf)  # for each depth, in units of the query's length
        if there.size:
            asked = known if queries is None else checked_vectors(queries, self._dim)
            asked = asked[~np.isnan(asked).any(axis=1)]
            asked = asked[make_rng(seed, "retrieval queries").permutation(len(asked))[:_N_SAMPLES]]
            self.slack = self._measure(table, asked, recall)

    @property
    def n_items(self) -> int:
        """How many item indices there are."""
        return self._n_items

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self._dim

    @property
    def n_lists(self) -> int:
        """How many lists the items are in."""
        return len(self._centres)

    def search(
        self, queries: Floats, k: int, exclude: csr_array | Rows | None = None, *, allowed: Bools | None = None
    ) -> tuple[Index, Floats]:
        """Read the lists that matter; see `VectorIndex.search`. A single query starts no threads."""
        best, values, _ = self._search(queries, k, exclude, allowed)
        return best, values

    def scores_of(self, query: Floats, item_index: Index) -> Floats:
        """Score some items; see `VectorIndex.scores_of`."""
        return dots(query, self._vectors, self._slot[item_index])  # type: ignore[no-any-return]

    def n_read(self, queries: Floats, k: int) -> Index:
        """Return how many item vectors a search reads for each query, int64 [b]."""
        return self._search(queries, k, None, None)[2]

    def add(self, vectors: Floats, at: ArrayLike) -> None:
        """Append each vector to the list of the nearest centre; see `VectorIndex.add`."""
        rows = checked_vectors(vectors, self._dim)
        places = checked_places(at, len(rows))
        if not places.size:
            return
        self._n_items = max(self._n_items, int(places.max()) + 1)
        self._slot = with_room(self._slot, self._n_items, NOTHING)
        self._group = with_room(self._group, self._n_items, NOTHING)
        self._take_out(places)
        known = ~np.isnan(rows).any(axis=1)
        for row, item, group in zip(rows[known], places[known], nearest(rows[known], self._centres), strict=True):
            if self._size[group] == self._room[group]:
                self._move_to_end(int(group))
            slot = self._start[group] + self._size[group]
            self._vectors[slot], self._items[slot] = row, item
            self._slot[item], self._group[item] = slot, group
            self._size[group] += 1
            length = np.linalg.norm(row)
            self._longest[group] = max(self._longest[group], length)
            self._shortest[group] = min(self._shortest[group], length)

    def remove(self, item_index: ArrayLike) -> None:
        """Put the last vector of a list in the place of each removed one; see `VectorIndex.remove`."""
        self._take_out(np.unique(checked_known(item_index, self._n_items)))

    def renumbered(self, place: Index, n_items: int) -> "ApproximateIndex":
        """Copy, with other item indices; the lists stay as they are. See `VectorIndex.renumbered`."""
        other = copy(self)
        for name in ("_longest", "_shortest", "_start", "_size", "_room", "_vectors"):
            setattr(other, name, getattr(self, name).copy())
        other._items = np.where(self._items == NOTHING, NOTHING, place[self._items])
        other._slot, other._group = np.full((2, n_items), NOTHING, dtype=np.int64)
        other._slot[place], other._group[place] = self._slot[: self._n_items], self._group[: self._n_items]
        other._n_items = n_items
        return other

    def _search(
        self, queries: Floats, k: int, exclude: csr_array | Rows | None, allowed: Bools | None
    ) -> tuple[Index, Floats, Index]:
        rows, excluded, permitted = checked_search(queries, k, exclude, allowed, self._dim, self._n_items)
        first = sum(depth < k for depth in _DEPTHS[:-1])
        lists = _Lists(
            self._directions,
            self._longest,
            self._shortest,
            self._start,
            self._size,
            self._vectors,
            self._items,
            np.asarray(_DEPTHS),
            self.slack,
        )
        kernel = _search_single if len(rows) == 1 else _search_several
        return kernel(rows, k, *excluded, permitted, lists, first)  # type: ignore[no-any-return]

    def _fill(self, known: Floats, there: Index) -> None:
        """Lay the lists out one behind the other, with room for an eighth more in each; items ascending."""
        group = nearest(known, self._centres)
        self._size = np.bincount(group, minlength=self.n_lists).astype(np.int64)
        self._room = self._size + self._size // 8 + 4
        self._start = np.concatenate([[0], np.cumsum(self._room)[:-1]]).astype(np.int64)
        order = np.argsort(group, kind="stable")
        within = np.arange(order.size) - np.repeat(np.cumsum(self._size) - self._size, self._size)
        slots = self._start[group[order]] + within
        total = int(self._room.sum())
        self._vectors = np.zeros((total, self._dim), dtype=np.float32)
        self._items = np.full(total, NOTHING, dtype=np.int64)
        self._vectors[slots], self._items[slots] = known[order], there[order]
        self._slot[there[order]], self._group[there] = slots, group
        lengths = np.linalg.norm(known, axis=1)
        np.maximum.at(self._longest, group, lengths)
        np.minimum.at(self._shortest, group, lengths)

    def _measure(self, table: Floats, asked: Floats, recall: float) -> Doubles:
        """Return for each depth the least slack with which the lists read hold the wanted share of the exact best."""
        slack = np.full(len(_DEPTHS), np.inf)
        if not len(asked):
            return slack
        n_known = int(self._size.sum())
        depths = [min(depth, n_known) for depth in _DEPTHS]
        best, score = ExactIndex(table).search(asked, depths[-1])
        along = asked @ self._directions.T  # [n, n_lists]
        promise = along * np.where(along > 0, self._longest, np.where(self._size > 0, self._shortest, 0))
        promised = np.take_along_axis(promise, self._group[best], axis=1)  # [n, deepest]
        lengths = np.linalg.norm(asked, axis=1, keepdims=True)
        for place, depth in enumerate(depths):
            short = np.divide(
                score[:, depth - 1 : depth] - promised[:, :depth],
                lengths,
                out=np.zeros((len(asked), depth)),
                where=lengths > 0,
            )  # an item is found where its list promises at most `slack` too little
            slack[place] = _least_slack(short, recall)
        return slack

    def _take_out(self, places: Index) -> None:
        for item in places[self._slot[places] != NOTHING]:
            slot, group = self._slot[item], self._group[item]
            self._size[group] -= 1
            last = self._start[group] + self._size[group]
            if slot != last:
                self._vectors[slot], self._items[slot] = self._vectors[last], self._items[last]
                self._slot[self._items[slot]] = slot
            self._slot[item] = self._group[item] = NOTHING

    def _move_to_end(self, group: int) -> None:
        """Give a full list twice the room behind all others."""
        start, size = self._start[group], self._size[group]
        room = 2 * size + 4
        end = int((self._start + self._room).max())
        self._vectors = with_room(self._vectors, end + room, 0.0)
        self._items = with_room(self._items, end + room, NOTHING)
        self._vectors[end : end + size] = self._vectors[start : start + size]
        self._items[end : end + size] = self._items[start : start + size]
        self._slot[self._items[end : end + size]] = np.arange(end, end + size)
        self._start[group], self._room[group] = end, room


def _least_slack(short: Doubles, recall: float) -> float:
    """Return the least slack that finds the wanted share, less two standard errors over queries; a touch more against rounding.

    Args:
        short: float64 [n_queries, depth], by how much the list of each of the best promises too little.
        recall: the wanted share.
    """
    levels = np.sort(short, axis=None)
    low, high = 0, levels.size - 1
    while low < high:
        middle = (low + high) // 2
        found = (short <= levels[middle]).mean(axis=1)
        if found.mean() - 2 * found.std() / math.sqrt(found.size) >= recall:
            high = middle
        else:
            low = middle + 1
    return float(levels[low]) + 1e-5 * max(1e-5, abs(float(levels[low])))


class _Lists(NamedTuple):
    """What kernels read of an index: for each list its direction, lengths, place and size; the vectors and whose they are; the slack."""

    directions: Floats  # [n_lists, d]
    longest: Floats  # [n_lists]
    shortest: Floats
    start: Index
    size: Index
    vectors: Floats  # [room, d]
    items: Index  # [room]
    depths: Index
    slack: Doubles


# Two functions, not one compiled in two ways: the kernels that numba keeps on the disk are told apart by name alone, and a single
# query would get those that start threads, which takes ten times as long as its search.


@numba.njit(cache=True, nogil=True)
def _search_single(rows, k, indptr, indices, allowed, lists, first):  # type: ignore[no-untyped-def]
    best, values = nothing_found(1, k)
    n_read = np.zeros(1, dtype=np.int64)
    n_read[0] = _search_one(rows[0], indices[indptr[0] : indptr[1]], allowed, lists, first, best[0], values[0])
    return best, values, n_read


@numba.njit(parallel=True, cache=True, nogil=True)
def _search_several(rows, k, indptr, indices, allowed, lists, first):  # type: ignore[no-untyped-def]
    best, values = nothing_found(len(rows), k)
    n_read = np.zeros(len(rows), dtype=np.int64)
    for row in numba.prange(len(rows)):
        excluded = indices[indptr[row] : indptr[row + 1]]
        n_read[row] = _search_one(rows[row], excluded, allowed, lists, first, best[row], values[row])
    return best, values, n_read


@numba.njit(nogil=True)
def _search_one(query, excluded, allowed, lists, first, best, values):  # type: ignore[no-untyped-def]
    """Read lists by falling promise, keeping a heap of the best k as `ranking` does; return how many vectors were read."""
    length = np.sqrt(dot(query, query))
    if not length < np.inf:  # NaN too
        return 0
    directions, longest, shortest, start, size, vectors, items, depths, slack = lists
    n_lists = start.size
    promise = np.empty(n_lists, dtype=np.float32)
    order = np.empty(n_lists, dtype=np.int64)
    for number in range(n_lists):
        along = dot(query, directions[number])
        promise[number] = along * (longest[number] if along > 0 else shortest[number])
        order[number] = number
    for place in range(n_lists // 2 - 1, -1, -1):
        _settle(promise, order, place, n_lists)
    k = best.size
    heap_score = np.empty(k, dtype=np.float32)
    heap_item = np.empty(k, dtype=np.int64)
    scores = np.empty(size.max(), dtype=np.float32)
    n_found = 0
    n_better = 0  # items left out that score as the k best do
    n_read = 0
    left = n_lists
    while left > 0:
        group = order[0]
        if n_found == k and promise[group] < heap_score[0] - _slack_at(k + n_better, depths, slack, first) * length:
            break
        left -= 1
        order[0] = order[left]
        _settle(promise, order, 0, left)
        n_read += size[group]
        stop = start[group] + size[group]
        n_found, n_left_out = read(
            query, vectors, start[group], stop, items, excluded, allowed, heap_score, heap_item, n_found, scores
        )
        n_better += n_left_out
    empty_into(heap_score, heap_item, n_found, best, values)
    return n_read


@numba.njit(nogil=True)
def _slack_at(depth, depths, slack, first):  # type: ignore[no-untyped-def]
    """Return the largest slack measured from k (whose place is `first`) to `depth`."""
    most = slack[first]
    place = first
    while place + 1 < depths.size and depths[place] < depth:
        place += 1
        most = max(most, slack[place])
    return most


@numba.njit(nogil=True)
def _settle(promise, order, place, size):  # type: ignore[no-untyped-def]
    """Let an entry sink in a heap of lists whose root promises most; equal promises: the lower number first."""
    group = order[place]
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and worse(promise[order[child]], order[child], promise[order[child + 1]], order[child + 1]):
            child += 1
        if not worse(promise[group], group, promise[order[child]], order[child]):
            break
        order[place] = order[child]
        place = child
    order[place] = group
