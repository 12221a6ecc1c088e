"""Interactions held out of training, to tell when a model is at its best."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.evaluate.metrics import find_hits, ndcg_at_k
from edgewise.ranking import Rows, block_size, top_k
from edgewise.train.config import TrainConfig
from edgewise.train.plan import Watch
from edgewise.types import Bools, Floats, Index

_K = 20
"""The cut-off of the validation metric."""

_WATCHED_USERS = 4000
"""A sample of so many users tells two epochs apart at a fraction of the time."""

_LOOKS = 20
"""How often the metric is looked at in a whole training."""

Vectors: TypeAlias = Callable[[], tuple[Floats, Floats]]
"""Returns the vectors of users [n_users, d] and items [n_items, d] now; scores are their dot products."""

ScoreNow: TypeAlias = Callable[[], Callable[[Index], Floats]]
"""Returns the model as it is now: a function from users int64 [b] to the scores of all items [b, n_items]."""


def hold_out(
    interactions: csr_array, share: float, rng: np.random.Generator, newest: csr_array | None = None
) -> tuple[csr_array, csr_array]:
    """Split the interactions of every user at random; or take pairs that were held out before, and lose nothing.

    Args:
        interactions: [n_users, n_items]; not modified.
        share: of each user's interactions, rounded up or down at random so that it holds on average; in [0, 1).
        newest: [n_users, n_items], pairs held out of the data already; None: none.

    Returns:
        What is left and what is held out, both [n_users, n_items]; nobody loses the last interaction.
    """
    if newest is not None:
        return interactions, newest
    counts = np.diff(interactions.indptr)
    user = np.repeat(np.arange(counts.size), counts)
    order = np.lexsort([rng.random(user.size), user])  # users in their places, each one's interactions shuffled
    place = np.arange(user.size) - interactions.indptr[user]
    n_held = np.minimum(np.floor(counts * share + rng.random(counts.size)), counts - 1)
    held = np.empty(user.size, dtype=np.bool_)
    held[order] = place < n_held[user]
    return _part(interactions, user, ~held), _part(interactions, user, held)


def watch_ndcg(
    vectors: Vectors, seen: csr_array, held_out: csr_array, config: TrainConfig, rng: np.random.Generator
) -> Watch | None:
    """Return what to watch while training, NDCG@20 on what was held out; None where the settings hold nothing out.

    Raises:
        ConfigError: if something should have been held out, and nobody had anything to spare.
    """
    return watch_ranking(_products(vectors), seen, held_out, config, rng)


def watch_ranking(
    score_now: ScoreNow, seen: csr_array, held_out: csr_array, config: TrainConfig, rng: np.random.Generator
) -> Watch | None:
    """Do the same for a model whose scores are no products of vectors."""
    if not config.valid_share and not held_out.nnz:
        return None
    if not held_out.nnz:
        raise ConfigError(
            f"valid_share = {config.valid_share:g} holds out nothing: none of the {held_out.shape[0]:,} users has enough "
            "interactions to lose one. Set valid_share = 0, or a larger share."
        )
    measure = _ndcg_of(score_now, seen, held_out, _K, _WATCHED_USERS, rng)
    return Watch(f"ndcg@{_K}", measure, max(1, config.epochs // _LOOKS))


def validation_ndcg(
    vectors: Vectors,
    seen: csr_array,
    held_out: csr_array,
    k: int,
    n_users: int,
    rng: np.random.Generator,
) -> Callable[[], float]:
    """Return a function that tells the mean NDCG@k on what was held out, seen items left out of the lists.

    Args:
        vectors: the model's, now.
        seen, held_out: from `hold_out`.
        n_users: how many users to look at, drawn once; all if there are fewer.
    """
    return _ndcg_of(_products(vectors), seen, held_out, k, n_users, rng)


def _products(vectors: Vectors) -> ScoreNow:
    def score_now() -> Callable[[Index], Floats]:
        user_vectors, item_vectors = vectors()
        return lambda rows: user_vectors[rows] @ item_vectors.T

    return score_now


def _ndcg_of(
    score_now: ScoreNow, seen: csr_array, held_out: csr_array, k: int, n_users: int, rng: np.random.Generator
) -> Callable[[], float]:
    users: Index = np.flatnonzero(np.diff(held_out.indptr))
    users = np.sort(rng.permutation(users)[:n_users])
    relevant, known = held_out[users], seen[users]

    def measure() -> float:
        score = score_now()
        size = block_size(seen.shape[1])
        values = []
        for start in range(0, users.size, size):
            rows = users[start : start + size]
            best, _ = top_k(score(rows), k, known[start : start + size])
            hits = find_hits(best, Rows.of(relevant[start : start + size]))
            values.append(ndcg_at_k(hits, np.diff(relevant[start : start + size].indptr), k))
        return float(np.mean(np.concatenate(values)))

    return measure


def _part(interactions: csr_array, user: Index, keep: Bools) -> csr_array:
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user[keep], minlength=interactions.shape[0]))])
    return csr_array((interactions.data[keep], interactions.indices[keep], indptr), shape=interactions.shape)
