"""Orders of all items that are the same for everybody, worked out once: a list takes the first that may be shown."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from edgewise.types import Bools, Floats, Index

_FIRST_LOOK = 256
"""How many of the best are looked at first; each look goes four times as far."""


@dataclass(frozen=True)
class Order:
    """Items by some score.

    Attributes:
        items: int64 [m], best first, equal ones by index; those without a score are not there. scores: float32 [m].
    """

    items: Index
    scores: Floats

    @classmethod
    def of(cls, scores: Floats) -> Self:
        """Sort items by their scores: float [n_items], NaN for none.

        >>> Order.of(np.array([2.0, np.nan, 5.0, 2.0], dtype=np.float32)).items.tolist()
        [2, 0, 3]
        """
        there = np.flatnonzero(~np.isnan(scores))
        order = there[np.argsort(-scores[there], kind="stable")].astype(np.int64)
        return cls(order, scores[order].astype(np.float32))

    def first(self, allowed: Bools, k: int) -> tuple[Index, Floats]:
        """Return the best that may be shown: items int64 and their scores float32, at most k.

        Args:
            allowed: bool [n_items]. k: > 0.
        """
        look = max(_FIRST_LOOK, 2 * k)
        while True:
            places = np.flatnonzero(allowed[self.items[:look]])[:k]
            if places.size == k or look >= self.items.size:
                return self.items[places], self.scores[places]
            look *= 4
