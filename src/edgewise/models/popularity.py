"""Popularity: what most people met. The line that every other model has to clear."""

from typing import ClassVar, Literal

import numpy as np

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.newcomers import Newcomers
from edgewise.recommender import Recommender
from edgewise.types import Floats, Index


class PopularityConfig(Settings):
    """Settings of `popularity`."""

    count: Literal["users", "events"] = "users"  # of each item: how many people met it, or how often it was met


class Popularity(Recommender):
    """Rank items by how many people met them; the same list for everyone but for what each has seen."""

    name: ClassVar[str] = "popularity"
    title: ClassVar[str] = "Popularity"
    paper: ClassVar[str] = (
        "Cremonesi, Koren and Turrin, “Performance of Recommender Algorithms on Top-N Recommendation Tasks”, RecSys 2010"
    )
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = PopularityConfig
    folds_in: ClassVar[tuple[str, ...]] = ("history", "attributes", "friends")
    STATE: ClassVar[tuple[str, ...]] = ("counts",)

    counts: Floats  # [n_items]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Count."""
        if self.config.count == "users":
            self.counts = dataset.item_counts.astype(np.float32)
        else:
            self.counts = np.bincount(dataset.events["item_index"].to_numpy(), minlength=dataset.n_items).astype(
                np.float32
            )

    def score_block(self, user_index: Index) -> Floats:
        """Give everyone the counts."""
        return np.tile(self.counts, (user_index.size, 1))

    def score_newcomers(self, newcomers: Newcomers) -> Floats:
        """Give newcomers the counts too."""
        return np.tile(self.counts, (len(newcomers), 1))
