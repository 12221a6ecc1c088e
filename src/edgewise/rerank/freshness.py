"""Freshness: new items gain, and the gain halves with every half-life."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgewise.errors import ConfigError
from edgewise.rerank.protocol import Candidates
from edgewise.types import Index


@dataclass(frozen=True)
class Freshness:
    """Order by (1 - weight) relevance + weight 2^(-age / half-life); an item of unknown age gains nothing.

    Attributes:
        weight: 0 (relevance alone) to 1 (age alone). half_life_days: > 0.
    """

    weight: float = 0.1
    half_life_days: float = 7.0
    name: ClassVar[str] = "freshness"

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ConfigError(
                f"freshness = {self.weight!r}: expected a number from 0, relevance alone, to 1, age alone."
            )
        if not self.half_life_days > 0:
            raise ConfigError(f"half_life_days = {self.half_life_days!r}: expected a number of days > 0.")

    def order(self, candidates: Candidates, k: int) -> Index:
        """Return the order by relevance and age: int64 [at most k]."""
        worth = (1 - self.weight) * candidates.relevance.astype(np.float64)
        if candidates.ages_days is not None:
            fresh = np.exp2(-np.maximum(candidates.ages_days, 0) / self.half_life_days)
            worth = worth + self.weight * np.nan_to_num(fresh)
        return np.argsort(-worth, kind="stable")[:k].astype(np.int64)
