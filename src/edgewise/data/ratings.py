"""What the values of events mean where they are ratings: the scale, and whether they say yes or no."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import DataError
from edgewise.types import Doubles, Floats, Index

MOST_LEVELS = 50
"""With more distinct values than this, ratings are amounts and not levels."""


@dataclass(frozen=True)
class RatingScale:
    """The values that ratings take.

    Attributes:
        levels: float64 [n_levels], the distinct values, ascending.
    """

    levels: Doubles

    @property
    def low(self) -> float:
        """The lowest value."""
        return float(self.levels[0])

    @property
    def high(self) -> float:
        """The highest value."""
        return float(self.levels[-1])

    @property
    def is_yes_no(self) -> bool:
        """Whether there are two values; the higher one is a yes."""
        return self.levels.size == 2

    def targets(self, values: Floats) -> Floats:
        """Return what a model learns: 1 and 0 for yes and no, else the values themselves."""
        return (values == self.levels[-1]).astype(np.float32) if self.is_yes_no else values.astype(np.float32)

    def level_of(self, values: Floats) -> Index:
        """Return the place of each value among the levels: int64, of the level next below for one that is none."""
        return np.clip(np.searchsorted(self.levels, values, side="right") - 1, 0, self.levels.size - 1)


def rating_scale(ratings: csr_array, *, who: str = "a model of ratings") -> RatingScale:
    """Read the scale off the ratings.

    Args:
        ratings: [n_users, n_items].
        who: asks, for the message.

    Raises:
        DataError: if a rating is no finite number, or all are the same, so that there is nothing to predict.
    """
    values = ratings.data
    if bad := int((~np.isfinite(values)).sum()):
        raise DataError(
            f"{bad:,} of {values.size:,} ratings are not finite numbers; {who} cannot learn from them. Remove these rows."
        )
    levels = np.unique(values).astype(np.float64)
    if levels.size < 2:
        raise DataError(
            f"all {values.size:,} ratings are {levels[0] if levels.size else float('nan'):g}, so there is nothing to predict: {who} needs values that "
            "differ, such as 1 to 5, or 0 and 1 for no and yes. Name their column with value = '…' in [data], or rank "
            "what was met with a model of implicit feedback (--task items; neumf among them)."
        )
    return RatingScale(levels)


def pairs_of(ratings: csr_array) -> tuple[Index, Index]:
    """Return the users and the items of a matrix's entries, in the order of `ratings.data`: int64 [nnz] each."""
    user_index = np.repeat(np.arange(ratings.shape[0], dtype=np.int64), np.diff(ratings.indptr))
    return user_index, ratings.indices.astype(np.int64)


@dataclass(frozen=True)
class Biases:
    """How far users and items lie from the mean: mean + users[u] + items[i].

    Attributes:
        mean: of all ratings.
        users, items: float32 [n_users + 1], [n_items + 1]; the last is 0, so that the index -1 of an unknown one gives the mean.
    """

    mean: float
    users: Floats
    items: Floats

    def at(self, user_index: Index, item_index: Index) -> Floats:
        """Return the sums for pairs: float32 [n]."""
        return (self.users[user_index] + self.items[item_index] + np.float32(self.mean)).astype(np.float32)

    def within(self, scale: RatingScale, user_index: Index, item_index: Index) -> Floats:
        """Return the sums within the scale, or within 0.01 and 0.99 as the chance of a yes: float32 [n]."""
        low, high = (0.01, 0.99) if scale.is_yes_no else (scale.low, scale.high)
        return np.clip(self.at(user_index, item_index), np.float32(low), np.float32(high))


def fit_biases(
    user_index: Index,
    item_index: Index,
    targets: Floats,
    shape: tuple[int, int],
    *,
    user_damping: float = 5.0,
    item_damping: float = 5.0,
    rounds: int = 20,
) -> Biases:
    """Fit regularised biases by least squares, users and items in turns.

    min sum (r_ui - mean - b_u - b_i)^2 + user_damping sum b_u^2 + item_damping sum b_i^2: section 2.1 of Koren, "Factor in the
    Neighbors", TKDD 2010, with a damping for each side. Each round solves for the items, then for the users, exactly.

    Args:
        user_index, item_index: int64 [n], the pairs. targets: float32 [n], their ratings.
        shape: n_users, n_items.
    """
    n_users, n_items = shape
    n_of_user = np.maximum(np.bincount(user_index, minlength=n_users) + user_damping, 1e-9)
    n_of_item = np.maximum(np.bincount(item_index, minlength=n_items) + item_damping, 1e-9)
    mean = float(np.mean(targets, dtype=np.float64))
    rest = targets.astype(np.float64) - mean
    of_user = np.zeros(n_users)
    for _ in range(rounds):
        of_item = np.bincount(item_index, weights=rest - of_user[user_index], minlength=n_items) / n_of_item
        of_user = np.bincount(user_index, weights=rest - of_item[item_index], minlength=n_users) / n_of_user
    users, items = (np.append(bias, 0.0).astype(np.float32) for bias in (of_user, of_item))
    return Biases(mean, users, items)
