"""What a fit may start from: an earlier fit of the same model, read by the ids of the new data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.data import Dataset, IdMap
from edgewise.data.ids import UNKNOWN
from edgewise.types import Floats, Index

S = TypeVar("S", bound=Settings)

_ROUNDS = ("epochs", "iterations")
"""What models call the number of their passes."""


@dataclass(frozen=True)
class HeadStart:
    """An earlier fit: what it knew, whom it knew, and how much less work is left.

    Attributes:
        users, items: the ids of the earlier fit.
        arrays: what it ended with, by name. Arrays with a row for each node have users first, then items; NaN: nothing is known.
        share: of the epochs (or iterations) that a fit from nothing would take, in (0, 1].
        newest: user_id and item_id of pairs that are not in the new data, to stop by while training; None: none.
    """

    users: IdMap
    items: IdMap
    arrays: Mapping[str, NDArray[Any]]
    share: float = 1.0
    newest: pl.DataFrame | None = None

    def shortened(self, config: S) -> S:
        """Return a model's settings with fewer passes, two at least; those of a model that makes none stay as they are."""
        known = type(config).model_fields
        fewer = {name: max(2, round(self.share * getattr(config, name))) for name in _ROUNDS if name in known}
        return config.model_copy(update=fewer) if fewer else config

    def of(self, dataset: Dataset) -> "Start":
        """Read the earlier fit by the ids of a data set."""
        places = (_places(dataset.users, self.users), _places(dataset.items, self.items))
        return Start(self.arrays, *places, len(self.users), self._newest_in(dataset))

    def _newest_in(self, dataset: Dataset) -> csr_array | None:
        if self.newest is None or self.newest.is_empty():
            return None
        users = dataset.users.index_of(self.newest["user_id"].cast(dataset.users.ids.dtype))
        items = dataset.items.index_of(self.newest["item_id"].cast(dataset.items.ids.dtype))
        there = (users != UNKNOWN) & (items != UNKNOWN)
        pairs = np.unique(users[there] * dataset.n_items + items[there])
        ones = np.ones(pairs.size, dtype=np.float32)
        shape = (dataset.n_users, dataset.n_items)
        found = csr_array((ones, (pairs // dataset.n_items, pairs % dataset.n_items)), shape=shape)
        found = csr_array(found - found.multiply(dataset.interactions))  # what was met before is no news
        found.eliminate_zeros()
        found.sort_indices()
        return found if found.nnz else None


@dataclass(frozen=True)
class Start:
    """An earlier fit, by the dense index of a new data set.

    Attributes:
        arrays: of `HeadStart`.
        users, items: int64 [n_users], [n_items]: the earlier index of each, -1 for a newcomer. n_earlier_users: how many there were.
        newest: [n_users, n_items], pairs held out of the data to stop by; None: none.
    """

    arrays: Mapping[str, NDArray[Any]]
    users: Index
    items: Index
    n_earlier_users: int
    newest: csr_array | None = None

    @cached_property
    def nodes(self) -> Index:
        """The earlier node of each node, users first, -1 for a newcomer: int64 [n_users + n_items]."""
        return np.concatenate([self.users, np.where(self.items == UNKNOWN, UNKNOWN, self.items + self.n_earlier_users)])

    def of_users(self, name: str, fresh: Floats) -> Floats:
        """Return the rows of users: those that the earlier fit knew, and of the others the rows of `fresh` [n_users, …]."""
        return self._rows(name, self.users, fresh)

    def of_items(self, name: str, fresh: Floats) -> Floats:
        """Return the rows of items likewise: [n_items, …]."""
        return self._rows(name, self.items, fresh)

    def of_nodes(self, name: str, nodes: Index, fresh: Floats) -> Floats:
        """Return the rows of nodes likewise: `nodes` int64 [n], `fresh` [n, …]."""
        return self._rows(name, self.nodes[nodes], fresh)

    def _rows(self, name: str, places: Index, fresh: Floats) -> Floats:
        earlier = self.arrays.get(name)
        if earlier is None or earlier.shape[1:] != fresh.shape[1:]:
            return fresh
        rows = fresh.copy()
        known = np.flatnonzero(places != UNKNOWN)
        found = earlier[places[known]]
        usable = np.isfinite(found.reshape(known.size, -1)).all(axis=1)
        rows[known[usable]] = found[usable]
        return rows


def _places(ids: IdMap, earlier: IdMap) -> Index:
    """Return the earlier place of each id; where one side is text and the other numbers, ids are compared as text."""
    wanted = ids.ids
    if ids.is_text != earlier.is_text:
        wanted = earlier.from_text(wanted.cast(pl.String).to_list())
        if wanted.has_nulls():
            found = np.full(len(ids), UNKNOWN, dtype=np.int64)
            there = wanted.is_not_null()
            found[there.to_numpy()] = earlier.index_of(wanted.filter(there))
            return found
    return earlier.index_of(wanted)
