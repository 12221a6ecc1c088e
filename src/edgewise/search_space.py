"""What a search may vary: for each setting, the values to draw from. Declared beside each model's config."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Choice(Protocol):
    """A set of values with a way to draw one."""

    def draw(self, rng: np.random.Generator) -> Any:
        """Return one value."""


@dataclass(frozen=True)
class Uniform:
    """Real numbers between `low` and `high`, all as likely."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Return one value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """Positive real numbers between `low` and `high`, each power of ten as likely."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Return one value."""
        return float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))


@dataclass(frozen=True)
class IntLogUniform:
    """Positive whole numbers from `low` to `high`, small ones as likely as large ones."""

    low: int
    high: int

    def draw(self, rng: np.random.Generator) -> int:
        """Return one value."""
        return min(self.high, max(self.low, round(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))))


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """Return one value."""
        return self.values[int(rng.integers(len(self.values)))]
