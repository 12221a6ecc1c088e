"""What every index over item vectors does, and the checks that they share."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.ranking import Rows
from edgewise.types import Bools, Floats, Index

NO_BOOLS = np.empty(0, dtype=np.bool_)
"""Stands for no mask in kernels."""

_NO_ENTRIES = np.empty(0, dtype=np.int32)


class VectorIndex(Protocol):
    """Item vectors by dense item index, asked for the largest inner products.

    A vector of NaN stands for an item that is not there. Searches may run beside each other, from several threads; `add` and
    `remove` may not run beside anything.
    """

    @property
    def n_items(self) -> int:
        """How many item indices there are, those without a vector included."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    def search(
        self, queries: Floats, k: int, exclude: csr_array | Rows | None = None, *, allowed: Bools | None = None
    ) -> tuple[Index, Floats]:
        """Rank the items for each query: best first, equal scores to the lower index.

        Args:
            queries: float32 [b, d]; one with a NaN gets an empty list.
            k: how many to keep, > 0; more than there are is allowed.
            exclude: [b, n_items]; its stored entries are left out, each row's for its own query.
            allowed: bool [n_items]; only these, for all queries. Both filters are applied while searching, so that they shorten
                no list and cost no recall.

        Returns:
            Item indices int64 [b, k], -1 behind the end of a short list, and their scores float32 [b, k], NaN there.

        Raises:
            DataError: if a shape does not fit.
        """

    def scores_of(self, query: Floats, item_index: Index) -> Floats:
        """Score some items for one query, with the same bits that `search` gives.

        Args:
            query: float32 [d]. item_index: int64 [m], each one of 0 to n_items - 1.

        Returns:
            float32 [m], NaN for an item that has no vector.
        """

    def add(self, vectors: Floats, at: ArrayLike) -> None:
        """Put vectors in place, over earlier ones where there are any; an index behind the end makes room.

        Args:
            vectors: float32 [m, d]; a row of NaN removes.
            at: int64 [m], distinct item indices >= 0.

        Raises:
            DataError: if a shape does not fit, an index is negative or comes twice, or a number is infinite.
        """

    def remove(self, item_index: ArrayLike) -> None:
        """Forget the vectors of some items; those that have none are no error.

        Args:
            item_index: int64 [m].

        Raises:
            DataError: if an index is not one of 0 to n_items - 1.
        """

    def renumbered(self, place: Index, n_items: int) -> "VectorIndex":
        """Return a copy in which the item i is place[i], with room for more items, which have no vectors yet.

        Args:
            place: int64 [n_items of this index], distinct, below the new `n_items`.
            n_items: how many item indices the copy has.
        """


def checked_vectors(vectors: Floats, dim: int | None = None) -> Floats:
    """Return float32 [n, d] in C order; a row with a NaN is wholly NaN then (a copy), and nothing is infinite."""
    table: Floats = np.ascontiguousarray(vectors, dtype=np.float32)
    if table.ndim != 2 or (dim is not None and table.shape[1] != dim):
        expected = "d]" if dim is None else f"{dim}]"
        raise DataError(f"item vectors have the shape {list(table.shape)}; expected [n_items, {expected}.")
    fine = np.isfinite(table).all(axis=1, keepdims=True)  # [n, 1]
    if fine.all():
        return table
    for row in np.flatnonzero(~fine):
        if np.isinf(table[row]).any():
            raise DataError(
                f"the item vector of row {row} has an infinite number; expected finite ones, or NaN for none."
            )
    return np.where(fine, table, np.float32(np.nan))


def checked_places(at: ArrayLike, n_rows: int) -> Index:
    """Return the item indices that vectors are for."""
    places = np.atleast_1d(np.asarray(at, dtype=np.int64))
    if places.shape != (n_rows,):
        raise DataError(
            f"{n_rows} vectors came with indices of the shape {list(places.shape)}; expected one index each."
        )
    if places.size and places.min() < 0:
        raise DataError(f"item index {places.min()} is negative; expected dense indices from 0.")
    if np.unique(places).size < places.size:
        raise DataError("an item index comes twice in one `add`; expected each once.")
    return places


def checked_known(item_index: ArrayLike, n_items: int) -> Index:
    """Return the item indices to remove."""
    places = np.atleast_1d(np.asarray(item_index, dtype=np.int64))
    if places.size and (places.min() < 0 or places.max() >= n_items):
        wrong = places[(places < 0) | (places >= n_items)][0]
        raise DataError(f"item index {wrong} is not in the index; expected 0 to {n_items - 1}.")
    return places


def checked_search(
    queries: Floats,
    k: int,
    exclude: csr_array | Rows | None,
    allowed: Bools | None,
    dim: int,
    n_items: int,
) -> tuple[Floats, Rows, Bools]:
    """Return what a search was given in the form that kernels read."""
    rows: Floats = np.ascontiguousarray(queries, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise DataError(f"queries have the shape {list(rows.shape)}; expected [b, {dim}], as the item vectors have.")
    if k < 1:
        raise ConfigError(f"k = {k}; expected at least 1.")
    if allowed is not None and (allowed.dtype != np.bool_ or allowed.shape != (n_items,)):
        raise DataError(
            f"`allowed` has the shape {list(allowed.shape)} and type {allowed.dtype}; expected bool [{n_items}], one an item."
        )
    if exclude is not None and not isinstance(exclude, Rows):
        exclude = Rows.of(exclude if exclude.has_sorted_indices else exclude.sorted_indices())
    if exclude is not None and exclude.indptr.size != len(rows) + 1:
        raise DataError(f"`exclude` has {exclude.indptr.size - 1} rows for {len(rows)} queries; expected one a query.")
    if exclude is None:
        exclude = Rows(np.zeros(len(rows) + 1, dtype=np.int64), _NO_ENTRIES)
    return rows, exclude, NO_BOOLS if allowed is None else np.ascontiguousarray(allowed)


def with_room(array: np.ndarray, n_rows: int, fill: float) -> np.ndarray:
    """Return the array, or a longer copy with at least `n_rows` rows: a quarter more than asked, so that growing stays cheap."""
    if len(array) >= n_rows:
        return array
    longer = np.full((n_rows + n_rows // 4, *array.shape[1:]), fill, dtype=array.dtype)
    longer[: len(array)] = array
    return longer
