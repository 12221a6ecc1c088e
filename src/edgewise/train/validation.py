"""Interactions held out of training, to tell when a model is at its best."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from edgewise.evaluate.metrics import find_hits, ndcg_at_k
from edgewise.ranking import Rows, block_size, top_k
from edgewise.types import Bools, Floats, Index


def hold_out(interactions: csr_array, share: float, rng: np.random.Generator) -> tuple[csr_array, csr_array]:
    """Split the interactions of every user at random.

    Args:
        interactions: [n_users, n_items]; not modified.
        share: of each user's interactions, rounded up or down at random so that it holds on average; in [0, 1).

    Returns:
        What is left and what is held out, both [n_users, n_items]; nobody loses the last interaction.
    """
    counts = np.diff(interactions.indptr)
    user = np.repeat(np.arange(counts.size), counts)
    order = np.lexsort([rng.random(user.size), user])  # users in their places, each one's interactions shuffled
    place = np.arange(user.size) - interactions.indptr[user]
    n_held = np.minimum(np.floor(counts * share + rng.random(counts.size)), counts - 1)
    held = np.empty(user.size, dtype=np.bool_)
    held[order] = place < n_held[user]
    return _part(interactions, user, ~held), _part(interactions, user, held)


def validation_ndcg(
    vectors: Callable[[], tuple[Floats, Floats]],
    seen: csr_array,
    held_out: csr_array,
    k: int,
    n_users: int,
    rng: np.random.Generator,
) -> Callable[[], float]:
    """Return a function that tells the mean NDCG@k on what was held out, seen items left out of the lists.

    Args:
        vectors: returns the vectors of users [n_users, d] and items [n_items, d] now; scores are their dot products.
        seen, held_out: from `hold_out`.
        n_users: how many users to look at, drawn once; all if there are fewer.
    """
    users: Index = np.flatnonzero(np.diff(held_out.indptr))
    users = np.sort(rng.permutation(users)[:n_users])
    relevant, known = held_out[users], seen[users]

    def measure() -> float:
        user_vectors, item_vectors = vectors()
        size = block_size(item_vectors.shape[0])
        values = []
        for start in range(0, users.size, size):
            rows = users[start : start + size]
            best, _ = top_k(user_vectors[rows] @ item_vectors.T, k, known[start : start + size])
            hits = find_hits(best, Rows.of(relevant[start : start + size]))
            values.append(ndcg_at_k(hits, np.diff(relevant[start : start + size].indptr), k))
        return float(np.mean(np.concatenate(values)))

    return measure


def _part(interactions: csr_array, user: Index, keep: Bools) -> csr_array:
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user[keep], minlength=interactions.shape[0]))])
    return csr_array((interactions.data[keep], interactions.indices[keep], indptr), shape=interactions.shape)
