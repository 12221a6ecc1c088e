"""What a fitted model keeps of its data set so that it can answer without it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from scipy.sparse import coo_array, csr_array, hstack

from edgewise.data import Dataset, IdMap
from edgewise.data.ids import UNKNOWN, as_id_series
from edgewise.errors import ConfigError
from edgewise.newcomers import Newcomers
from edgewise.types import Ids, Index


@dataclass(frozen=True)
class Catalogue:
    """What a fitted model keeps of its data set so that it can answer without it.

    Attributes:
        users, items: the ids on either side.
        strengths: float32 [n_users, n_items], the summed values of each pair's events, as in the data set.
        user_table, item_table, labels: as in the data set.
        fingerprint: the data set's.
        friends: float32 [n_users, n_users] of ones, columns ascending, who is a friend of whom, in both directions; None
            without a social graph.
    """

    users: IdMap
    items: IdMap
    strengths: csr_array
    user_table: pl.DataFrame | None = None
    item_table: pl.DataFrame | None = None
    labels: pl.DataFrame | None = None
    fingerprint: str = ""
    friends: csr_array | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> "Catalogue":
        """Take what is needed from a data set."""
        return cls(
            dataset.users,
            dataset.items,
            dataset.strengths,
            dataset.user_table,
            dataset.item_table,
            dataset.labels,
            dataset.fingerprint,
            _friends_of(dataset),
        )

    def with_items(self, item_ids: Ids, newcomers: Newcomers) -> tuple["Catalogue", Index]:
        """Return the catalogue with new items, and their order: int64 [n_items + n], old places followed by the new.

        Raises:
            ConfigError: if an id stands twice or is known already, or there is not one for each newcomer.
        """
        ids = as_id_series(item_ids, "item")
        known = self.items.ids_at(self.items.index_of(ids)[self.items.index_of(ids) != UNKNOWN])
        if len(known) or ids.n_unique() != len(ids) or len(ids) != len(newcomers):
            wrong = (
                f"{known[0]!r} is in the catalogue already"
                if len(known)
                else f"{len(ids)} ids ({ids.n_unique()} distinct) for {len(newcomers)} items"
            )
            raise ConfigError(f"new items need new ids, one each: {wrong}.")
        every = pl.concat([self.items.ids, ids.cast(self.items.ids.dtype).rename(self.items.ids.name)])
        order = every.arg_sort().to_numpy().astype(np.int64)
        strengths = csr_array(hstack([self.strengths, newcomers.history.T], format="csr")[:, order])
        strengths.sort_indices()
        table = self.item_table
        if table is not None:
            new = ids.cast(table["item_id"].dtype).to_frame("item_id")
            if newcomers.attributes is not None:
                kept = [name for name in newcomers.attributes.columns if name in table.columns and name != "item_id"]
                new = new.with_columns(
                    [newcomers.attributes[name].cast(table[name].dtype, strict=False) for name in kept]
                )
            table = pl.concat([table, new], how="diagonal").gather(order)
        return replace(self, items=IdMap(every.gather(order), "item"), strengths=strengths, item_table=table), order

    @cached_property
    def seen(self) -> csr_array:
        """What each user met: float32 [n_users, n_items] of ones, columns ascending in each row."""
        ones = np.ones_like(self.strengths.data)
        return csr_array((ones, self.strengths.indices, self.strengths.indptr), shape=self.strengths.shape)

    def as_new_user(self, user: int) -> Newcomers:
        """Tell all that is known of a known user as of one who comes after training."""
        table = None if self.user_table is None else self.user_table.slice(user, 1).drop("user_id")
        friends = None if self.friends is None else _row_of(self.friends, user)
        return Newcomers("user", _row_of(self.seen, user), friends, table, ("",))

    def as_new_item(self, item: int) -> Newcomers:
        """Tell all that is known of a known item as of one that comes after training."""
        table = None if self.item_table is None else self.item_table[[item]].drop("item_id")
        return Newcomers("item", csr_array(self.seen[:, [item]].T.tocsr()), None, table, ("",))

    @cached_property
    def item_counts(self) -> Index:
        """How many users met each item: int64 [n_items]."""
        return np.bincount(self.seen.indices, minlength=len(self.items)).astype(np.int64)


def _row_of(matrix: csr_array, row: int) -> csr_array:
    """Return one row as a matrix, without the detour that indexing takes."""
    start, stop = matrix.indptr[row : row + 2]
    parts = (
        matrix.data[start:stop],
        matrix.indices[start:stop],
        np.array([0, stop - start], dtype=matrix.indptr.dtype),
    )
    return csr_array(parts, shape=(1, matrix.shape[1]))


def _friends_of(dataset: Dataset) -> csr_array | None:
    if dataset.social is None:
        return None
    ends = [dataset.social[name].to_numpy().astype(np.int64) for name in ("user_index", "friend_index")]
    places = (np.concatenate(ends), np.concatenate(ends[::-1]))
    ones = np.ones(places[0].size, dtype=np.float32)
    friends = csr_array(coo_array((ones, places), shape=(dataset.n_users, dataset.n_users)))
    friends.sum_duplicates()
    friends.data[:] = 1
    return friends
