"""Diversity: a list whose items are good and not all alike."""

from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np

from edgewise.errors import ConfigError
from edgewise.rerank.protocol import Candidates
from edgewise.types import Index


@dataclass(frozen=True)
class Diversity:
    """Take one item after the other: the one with the best of (1 - weight) relevance - weight likeness to what is taken.

    Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking", SIGIR 1998. Relevance is the score from 0 to 1 among the
    candidates; likeness the largest cosine with an item taken already. Without vectors the order stays.

    Attributes:
        weight: 0 (relevance alone) to 1 (variety alone).
    """

    weight: float = 0.3
    name: ClassVar[str] = "diversity"

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ConfigError(
                f"diversity = {self.weight!r}: expected a number from 0, relevance alone, to 1, variety alone."
            )

    def order(self, candidates: Candidates, k: int) -> Index:
        """Return the order by maximal marginal relevance: int64 [at most k]."""
        n = min(k, candidates.items.size)
        if candidates.vectors is None or not self.weight or n < 2:
            return np.arange(n, dtype=np.int64)
        relevance = (1 - self.weight) * candidates.relevance.astype(np.float64)
        order: Index = _marginal(relevance, np.ascontiguousarray(candidates.vectors, dtype=np.float32), self.weight, n)
        return order


@numba.njit(cache=True, nogil=True)
def _marginal(relevance, vectors, weight, n):  # type: ignore[no-untyped-def]
    """Take n one after the other, each the best by relevance less the weighted likeness to the nearest taken; the first of equals."""
    taken = np.empty(n, dtype=np.int64)
    is_taken = np.zeros(relevance.size, dtype=np.bool_)
    likeness = np.full(relevance.size, -np.inf)
    for place in range(n):
        best, most = -1, -np.inf
        for item in range(relevance.size):
            if is_taken[item]:
                continue
            worth = relevance[item]
            if place > 0:
                alike = 0.0
                for number in range(vectors.shape[1]):
                    alike += vectors[item, number] * vectors[taken[place - 1], number]
                likeness[item] = max(likeness[item], alike)
                worth -= weight * likeness[item]
            if worth > most or best < 0:
                best, most = item, worth
        taken[place] = best
        is_taken[best] = True
    return taken
