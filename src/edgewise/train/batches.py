"""Batches of interactions in random order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from edgewise.types import Index


@dataclass(frozen=True)
class Batch:
    """Some interactions, by user.

    Attributes:
        users: int64 [n_users_here], distinct, ascending.
        owner: int64 [n_interactions], ascending: which of `users` each interaction belongs to.
        items: int64 [n_interactions], the item of each.
    """

    users: Index
    owner: Index
    items: Index

    def __len__(self) -> int:
        return self.items.size


def batches_of_interactions(interactions: csr_array, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Go once through all interactions in random order, `batch_size` at a time; the last batch may be smaller."""
    user = np.repeat(np.arange(interactions.shape[0]), np.diff(interactions.indptr))
    order = rng.permutation(interactions.nnz)
    for start in range(0, order.size, batch_size):
        chosen = np.sort(order[start : start + batch_size])
        users, owner = np.unique(user[chosen], return_inverse=True)
        yield Batch(users, owner, interactions.indices[chosen].astype(np.int64))


def batches_of_users(interactions: csr_array, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Go once through all users in random order, each with all its interactions, about `batch_size` of these at a time.

    A loss that compares a user with many items does so once for all interactions of the user, which makes large batches
    cheap. Users without interactions are left out. There are as many batches as `batches_of_interactions` gives, or one for
    each user if that is fewer.
    """
    order = rng.permutation(np.flatnonzero(np.diff(interactions.indptr)))
    for part in np.array_split(order, n_batches_of_users(interactions, batch_size)):
        users = np.sort(part)
        rows = interactions[users]
        yield Batch(users, np.repeat(np.arange(users.size), np.diff(rows.indptr)), rows.indices.astype(np.int64))


def n_batches_of_users(interactions: csr_array, batch_size: int) -> int:
    """Return how many batches `batches_of_users` gives."""
    return min(-(-int(interactions.nnz) // batch_size), int(np.count_nonzero(np.diff(interactions.indptr))))
