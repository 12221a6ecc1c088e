"""What the values of events mean where they are ratings: the scale, and whether they say yes or no."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import DataError
from edgewise.types import Doubles, Floats

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

    def level_of(self, values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
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
