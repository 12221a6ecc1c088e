"""Biases: the mean rating, and how far a user and an item lie from it."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveInt

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.ratings import Biases, RatingScale, fit_biases, pairs_of, rating_scale
from edgewise.evaluate.calibration import NOT_CALIBRATED, answers, fit_calibration
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import LogUniform, SearchSpace
from edgewise.types import Doubles, Floats, Index


class BiasesConfig(Settings):
    """Settings of `biases`; defaults by RMSE on a validation part of MovieLens 100k (benchmarks/ratings.py --settings)."""

    user_damping: NonNegativeFloat = 5.0  # ratings of the mean that each user is given
    item_damping: NonNegativeFloat = 5.0
    rounds: PositiveInt = 20
    calibration_share: float = Field(default=0.1, ge=0, le=0.5)  # yes and no: fitted without, then judged on


class RatingBiases(Recommender):
    """Predict mean + b_u + b_i, each bias shrunk towards 0 where little is known.

    Of yes and no, the sum is turned into a probability by `fit_calibration`, on a part that the biases were not fitted on; they
    are then fitted again on everything.
    """

    name: ClassVar[str] = "biases"
    title: ClassVar[str] = "User and item biases"
    paper: ClassVar[str] = (
        "Koren, “Factor in the Neighbors: Scalable and Accurate Collaborative Filtering”, TKDD 2010, section 2.1"
    )
    needs: ClassVar[str] = "ratings"
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = BiasesConfig
    STATE: ClassVar[tuple[str, ...]] = ("levels", "calibration", "mean", "users", "items")
    SEARCH: ClassVar[SearchSpace] = {"user_damping": LogUniform(0.5, 50), "item_damping": LogUniform(0.5, 50)}

    levels: Doubles  # the distinct ratings
    calibration: Doubles  # see `fit_calibration`
    mean: Doubles  # [1]
    users: Floats  # [n_users + 1], the last 0
    items: Floats  # [n_items + 1]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Solve for users and items in turns."""
        config: BiasesConfig = self.config
        ratings = dataset.ratings
        scale = rating_scale(ratings, who=self.name)
        targets = scale.targets(ratings.data)
        user, item = pairs_of(ratings)
        shape = (dataset.n_users, dataset.n_items)
        damping: dict[str, Any] = config.model_dump(include={"user_damping", "item_damping", "rounds"})
        self.levels, self.calibration = scale.levels, NOT_CALIBRATED
        out = make_rng(self.seed, "calibration").random(targets.size) < config.calibration_share
        if scale.is_yes_no and out.any() and not out.all():
            apart = fit_biases(user[~out], item[~out], targets[~out], shape, **damping)
            self.calibration = fit_calibration(apart.at(user[out], item[out]), targets[out] > 0)
        found = fit_biases(user, item, targets, shape, **damping)
        self.mean, self.users, self.items = np.array([found.mean]), found.users, found.items

    def score_block(self, user_index: Index) -> Floats:
        """Add biases: one order of items for everybody."""
        return self._biases.at(user_index[:, None], np.arange(self.items.size - 1)[None, :])

    def predict_pairs(self, user_index: Index, item_index: Index) -> Floats:
        """Add the biases that are known, cut to the scale."""
        return answers(self._biases.at(user_index, item_index), RatingScale(self.levels), self.calibration)

    @property
    def _biases(self) -> Biases:
        return Biases(float(self.mean[0]), self.users, self.items)
