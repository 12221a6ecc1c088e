"""What a re-ranker is, and what it is given."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from edgewise.types import Floats, Index


@dataclass(frozen=True)
class Candidates:
    """Items to put in order for one user.

    Attributes:
        items: int64 [n], by dense index, best first.
        scores: float32 [n], falling.
        vectors: float32 [n, d], of length 1 or zeros, whose products tell how alike items are; None where there are no such.
        ages_days: float64 [n], how old each is, NaN where nobody knows; None where no item has an age.
    """

    items: Index
    scores: Floats
    vectors: Floats | None = None
    ages_days: np.ndarray | None = None

    @property
    def relevance(self) -> Floats:
        """The scores from 0, of the last, to 1, of the first: float32 [n]; all 1 where they are equal."""
        if not self.scores.size:
            return self.scores
        low, high = float(self.scores[-1]), float(self.scores[0])
        if high <= low:
            return np.ones_like(self.scores)
        scaled: Floats = (self.scores - np.float32(low)) / np.float32(high - low)
        return scaled


class Reranker(Protocol):
    """Puts candidates in another order."""

    name: ClassVar[str]

    def order(self, candidates: Candidates, k: int) -> Index:
        """Return which candidates to show, best first: int64 [at most k], places among the candidates, each once."""
