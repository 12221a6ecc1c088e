"""Diversity: a list whose items are good and not all alike."""

from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np

from edgewise.errors import ConfigError
from edgewise.rerank.protocol import Candidates
from edgewise.retrieval.scan import dot
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
    """Take n one after the other, each the best by relevance less the weighted likeness to the nearest taken; the first of equals.

    More taken can only make an item worth less: one that was worth too little when it was last compared is not compared again.
    """
    taken = np.empty(n, dtype=np.int64)
    likeness = np.full(
        relevance.size, np.float32(-1.0)
    )  # to the nearest of those compared with; of none, the least there is
    n_compared = np.zeros(relevance.size, dtype=np.int64)  # -1 once it is taken
    for place in range(n):
        best, most = -1, -np.inf
        for item in range(relevance.size):
            if n_compared[item] < 0 or relevance[item] - weight * likeness[item] <= most:
                continue
            for other in taken[n_compared[item] : place]:
                likeness[item] = max(likeness[item], dot(vectors[item], vectors[other]))
            n_compared[item] = place
            worth = relevance[item] - weight * likeness[item]
            if worth > most:
                best, most = item, worth
        taken[place] = best
        n_compared[best] = -1
    return taken
