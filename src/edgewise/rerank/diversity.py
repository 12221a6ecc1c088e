"""Diversity: a list whose items are good and not all alike."""

from dataclasses import dataclass
from typing import ClassVar

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
        vectors = candidates.vectors
        relevance = (1 - self.weight) * candidates.relevance.astype(np.float64)
        likeness = np.full(candidates.items.size, -np.inf)
        taken = [int(np.argmax(relevance))]
        for _ in range(n - 1):  # as far as is shown, and no further
            likeness = np.maximum(likeness, vectors @ vectors[taken[-1]])
            worth = relevance - self.weight * likeness
            worth[taken] = -np.inf
            taken.append(int(np.argmax(worth)))
        return np.array(taken, dtype=np.int64)
