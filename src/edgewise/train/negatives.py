"""Negative samplers: which items stand for all those that a user did not choose."""

from dataclasses import dataclass

import numba
import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.train.batches import Batch
from edgewise.train.config import TrainConfig
from edgewise.types import Doubles, Floats, Index

_N_SHARED = (1024, 8192)
"""Of a batch, where not given: a fifth of the items, within these bounds. 8,192 were better than 2,048 on Gowalla's validation
part (benchmarks/settings.py), and the cost grows with them."""

_USUAL_POWER = 0.75
"""Where popularity is asked for without a power, and the loss has none of its own: that of Mikolov et al."""

_ROUNDS = 30
"""How often a negative that the user knows is drawn again; after that it stays, for a user who knows nearly everything."""


class ItemSampler:
    """Draws items with replacement, each as likely as its popularity to a power.

    Mikolov et al., "Distributed Representations of Words and Phrases", NIPS 2013 (arXiv:1310.4546), draw so with the power
    0.75; 0 is uniform, 1 the popularity itself. Items that nobody met are never drawn.

    Args:
        item_counts: int64 [n_items], how many users met each item.
        power: >= 0.

    Raises:
        ConfigError: if the power is negative or not a number.
    """

    def __init__(self, item_counts: Index, power: float) -> None:
        if not power >= 0:
            raise ConfigError(f"the power of popularity is {power}; expected a number >= 0 (0: uniform).")
        weights = np.zeros(item_counts.size)
        np.power(item_counts, power, out=weights, where=item_counts > 0)
        self.probability: Doubles = weights / weights.sum()
        self._cumulative = np.cumsum(self.probability)

    def draw(self, n_draws: int, rng: np.random.Generator) -> Index:
        """Draw item positions: int64 [n_draws]."""
        # The last sum may round to less than 1; scaling by it keeps a draw from falling behind the end.
        drawn: Index = np.searchsorted(self._cumulative, rng.random(n_draws) * self._cumulative[-1], side="right")
        return drawn


@dataclass(frozen=True)
class SharedNegatives:
    """Items that all users of a batch have as negatives.

    Attributes:
        items: int64 [n], distinct, ascending.
        count: float32 [n], how often each was drawn.
        log_expected: float32 [n], the logarithm of how often each was expected among the draws, over its count:
            what to subtract from its score so that the sum of e^score is that over all items, in expectation
            (Bengio and Senécal, IEEE TNN 2008; for in-batch negatives Yi et al., RecSys 2019).
    """

    items: Index
    count: Floats
    log_expected: Floats


class NegativeSampler:
    """Draws the negatives of a batch, as the settings say: `sampler`, `negative_power`, `n_negatives`, `avoid_known`.

    - `uniform` and `popularity`: by popularity to the power 0, or `negative_power`.
    - `in-batch`: what others in the batch met; costs no draw, and favours what is popular.
    - `mixed`: half of each, popularity to `negative_power` (Yang et al., "Mixed Negative Sampling for Learning Two-tower
      Neural Networks in Recommendations", WWW 2020).
    - `hard`: the highest-scored of `n_candidates` drawn uniformly, or by `negative_power` (Zhang et al., "Optimizing Top-N Collaborative
      Filtering via Dynamic Negative Item Sampling", SIGIR 2013); the loss picks it, since it has the scores.

    A negative may be an item that the user knows, unless `avoid_known`: with a catalogue of thousands that is rare.

    Args:
        interactions: [n_users, n_items], columns ascending in each row.
        config: the settings.
    """

    def __init__(self, interactions: csr_array, config: TrainConfig) -> None:
        traits = config.traits
        given = config.sampler or traits.sampler
        self.kind = "popularity" if given == "uniform" else given
        by_popularity = _USUAL_POWER if config.sampler in ("popularity", "mixed") else 0.0
        power = (traits.negative_power or by_popularity) if config.negative_power is None else config.negative_power
        counts = np.bincount(interactions.indices, minlength=interactions.shape[1])
        self._is_uniform = config.sampler == "uniform" or power == 0
        self._sampler = ItemSampler(counts, 0.0 if self._is_uniform else power)
        self._in_batch: Doubles = counts / counts.sum()
        self._known = interactions if config.avoids_known else None
        shared = int(np.clip(counts.size // 5, *_N_SHARED))
        self.n_negatives = config.n_negatives or traits.n_negatives or (shared if traits.negatives == "shared" else 1)
        self.n_candidates = (config.n_candidates or 8) if self.kind == "hard" else 1

    @property
    def probability(self) -> Doubles:
        """How likely each item is to be one draw: [n_items], summing to 1."""
        if self.kind == "in-batch":
            return self._in_batch
        return (self._sampler.probability + self._in_batch) / 2 if self.kind == "mixed" else self._sampler.probability

    def shared(self, batch: Batch, rng: np.random.Generator, *, corrected: bool = True) -> SharedNegatives:
        """Draw negatives that all users of the batch share; `avoid_known` is up to the loss: see `known_among`.

        Args:
            batch: the batch. rng: draws.
            corrected: whether the loss corrects for how likely a draw was. Then, and where all are equally likely, each
                item is taken once where there are no more items than draws.
        """
        there = np.flatnonzero(self._sampler.probability)
        n_draws = len(batch) if self.kind == "in-batch" else self.n_negatives
        may_take_all = (
            self.kind in ("popularity", "mixed") if corrected else self.kind == "popularity" and self._is_uniform
        )
        if there.size <= n_draws and may_take_all:
            return SharedNegatives(there, np.ones(there.size, dtype=np.float32), np.zeros(there.size, dtype=np.float32))
        n_others = {"in-batch": len(batch), "mixed": min(len(batch), n_draws // 2)}.get(self.kind, 0)
        others = batch.items if n_others == len(batch) else batch.items[rng.integers(len(batch), size=n_others)]
        drawn = self._sampler.draw(n_draws - n_others, rng)
        items, count = np.unique(np.concatenate([others, drawn]), return_counts=True)
        expected = n_others * self._in_batch[items] + drawn.size * self._sampler.probability[items]
        return SharedNegatives(items, count.astype(np.float32), np.log(expected / count).astype(np.float32))

    def own(self, batch: Batch, rng: np.random.Generator) -> Index:
        """Draw negatives of each interaction: int64 [n_interactions, n_negatives x n_candidates]."""
        users = batch.users[batch.owner]
        shape = (len(batch), self.n_negatives * self.n_candidates)
        drawn = self._draw(batch, shape[0] * shape[1], rng)
        if self._known is None:
            return drawn.reshape(shape)
        of_user = np.repeat(users, shape[1])
        wrong = np.arange(drawn.size)
        for _ in range(_ROUNDS):
            wrong = wrong[are_known(self._known.indptr, self._known.indices, of_user[wrong], drawn[wrong])]
            if not wrong.size:
                break
            drawn[wrong] = self._draw(batch, wrong.size, rng)
        return drawn.reshape(shape)

    def known_among(self, users: Index, items: Index) -> tuple[Index, Index]:
        """Tell which of some items each user knows, for a loss that has to leave these out.

        Args:
            users: int64 [n_users].
            items: int64 [n], distinct, ascending.

        Returns:
            A user's place and an item's place for each such pair, users ascending; both empty unless `avoid_known`.
        """
        if self._known is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        rows = self._known[users]
        place = np.minimum(np.searchsorted(items, rows.indices), items.size - 1)
        hits = items[place] == rows.indices
        return np.repeat(np.arange(users.size), np.diff(rows.indptr))[hits], place[hits]

    def _draw(self, batch: Batch, n_draws: int, rng: np.random.Generator) -> Index:
        n_others = {"in-batch": n_draws, "mixed": n_draws // 2}.get(self.kind, 0)
        others = batch.items[rng.integers(len(batch), size=n_others)]
        drawn = np.concatenate([others, self._sampler.draw(n_draws - n_others, rng)])
        return rng.permutation(drawn) if 0 < n_others < n_draws else drawn


@numba.njit(cache=True, nogil=True)
def are_known(indptr, indices, users, items):  # type: ignore[no-untyped-def]
    """Look each pair up in the rows of what users met: bool [n]."""
    known = np.zeros(users.size, dtype=np.bool_)
    for pair in range(users.size):
        first, last = indptr[users[pair]], indptr[users[pair] + 1]
        place = first + np.searchsorted(indices[first:last], items[pair])
        known[pair] = place < last and indices[place] == items[pair]
    return known
