"""Negative samplers: which items stand for all those that a user did not choose."""

import numpy as np

from edgewise.errors import ConfigError
from edgewise.types import Doubles, Floats, Index


class ItemSampler:
    """Draws items with replacement, each as likely as its popularity to a power.

    Mikolov et al., "Distributed Representations of Words and Phrases", NIPS 2013 (arXiv:1310.4546), draw so with the power
    0.75; 0 is uniform, 1 the popularity itself. Items that nobody met are never drawn. A draw may be an item that the user
    at hand knows: with a catalogue of thousands that is rare, and checking would cost more than it gains.

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

    def draw_shared(self, n_draws: int, rng: np.random.Generator) -> tuple[Index, Floats]:
        """Draw items that many users share; where there are no more than `n_draws`, take each once instead.

        Returns:
            Item positions int64 [n], and the logarithm of how often each is expected among them: float32 [n].
        """
        there = np.flatnonzero(self.probability)
        if there.size <= n_draws:
            return there, np.zeros(there.size, dtype=np.float32)
        drawn = self.draw(n_draws, rng)
        return drawn, self.log_expected(drawn)

    def log_expected(self, items: Index) -> Floats:
        """Return the logarithm of how often each of these items is expected among as many draws: float32 [n]."""
        expected: Floats = np.log(items.size * self.probability[items]).astype(np.float32)
        return expected
