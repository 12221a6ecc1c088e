"""What a search may vary: each model declares, for its settings, where good values lie; random and Bayesian search read it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from edgewise.errors import ConfigError


@dataclass(frozen=True)
class Uniform:
    """A real number, every value from `low` to `high` equally likely: exponents, shares."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self, self.low, self.high)

    def draw(self, rng: np.random.Generator) -> float:
        """Return one value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """A positive real number, every factor equally likely: learning rates, penalties."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self, self.low, self.high, positive=True)

    def draw(self, rng: np.random.Generator) -> float:
        """Return one value."""
        value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(value, self.low), self.high)  # the root of rounding: exp(log(x)) may pass x by one bit


@dataclass(frozen=True)
class IntLogUniform:
    """A positive whole number, every factor equally likely, both ends included: neighbours, dimensions, epochs."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_order(self, self.low, self.high, positive=True)

    def draw(self, rng: np.random.Generator) -> int:
        """Return one value."""
        # Each whole number stands for the half unit on either side, so that the ends are as likely as the rest.
        value = round(math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5))))
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ConfigError("OneOf(()): there is nothing to choose from; name at least one value.")

    def draw(self, rng: np.random.Generator) -> Any:
        """Return one value."""
        return self.values[int(rng.integers(len(self.values)))]


Choice: TypeAlias = Uniform | LogUniform | IntLogUniform | OneOf
"""Where the values of one setting lie."""

SearchSpace: TypeAlias = Mapping[str, Choice]
"""Setting name to its choice; a setting that is not named keeps its default."""


def draw_settings(space: SearchSpace, rng: np.random.Generator) -> dict[str, Any]:
    """Draw one value for each setting, in the order of the space.

    >>> draw_settings({"n_neighbours": IntLogUniform(7, 7), "similarity": OneOf(("cosine",))}, np.random.default_rng(0))
    {'n_neighbours': 7, 'similarity': 'cosine'}
    """
    return {name: choice.draw(rng) for name, choice in space.items()}


def _check_order(choice: object, low: float, high: float, *, positive: bool = False) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ConfigError(f"{choice}: expected two numbers, the lower first.")
    if positive and low <= 0:
        raise ConfigError(f"{choice}: a logarithmic range starts above zero.")
