"""Is the new model any worse than the one that answers now? Both are asked about the newest events, which neither has learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from edgewise.catalogue import Catalogue
from edgewise.data import Dataset
from edgewise.data.ids import UNKNOWN
from edgewise.errors import DataError
from edgewise.evaluate.protocol import Scorer, evaluate
from edgewise.evaluate.significance import bootstrap_intervals, compare_pairs
from edgewise.evaluate.targets import find_targets
from edgewise.pipeline.fallback import popular_scores
from edgewise.pipeline.live import LiveEvents, LiveUsers
from edgewise.recommender import Rater, Recommender
from edgewise.types import Doubles, Floats, Index

K = 10
"""The cut-off of the lists that are compared."""

FEWEST_USERS = 20
"""Fewer tell nothing: a test of so few finds only differences that no refit makes."""

MOST_USERS = 2000
"""A sample of so many tells models apart as well as all, in a minute."""


@dataclass(frozen=True)
class Check:
    """What the comparison found.

    Attributes:
        metric: "ndcg@10", or "rmse" for models of ratings. n_users: how many users had something to be found.
        current, new: mean and its 95 % interval (low, high), of each model.
        difference: new less current in the direction of better; low, high: its 95 % interval. p_value: of a paired test.
        is_worse: whether the new one is worse, and not by chance.
    """

    metric: str
    n_users: int
    current: tuple[float, float, float]
    new: tuple[float, float, float]
    difference: float
    low: float
    high: float
    p_value: float
    is_worse: bool


class AsServed:
    """A model with what happened since it was fitted, as the service answers with it, in the ids of another model.

    Args:
        model: fitted. live: what happened since. catalogue: of the other model, whose users are asked about.
    """

    def __init__(self, model: Recommender, live: LiveEvents, catalogue: Catalogue) -> None:
        self.name, self.catalogue = "current", catalogue
        self._users = LiveUsers(model, live)
        own = model.catalogue.items.ids.cast(pl.String).to_list()
        of_other = catalogue.items.from_text(own)
        self._places = np.full(len(own), UNKNOWN, dtype=np.int64)
        there = of_other.is_not_null()
        if there.any():
            self._places[there.to_numpy()] = catalogue.items.index_of(of_other.filter(there))
        self._popular = popular_scores(model.catalogue)

    def masked_scores(self, user_index: Index) -> Floats:
        """Score all items of the other model: float32 [b, n_items], NaN for those that this model does not know."""
        found = np.full((user_index.size, len(self.catalogue.items)), np.nan, dtype=np.float32)
        known = self._places != UNKNOWN
        for row, user in enumerate(self.catalogue.users.ids_at(user_index).cast(pl.String)):
            scores = self._users.scores(self._users.known(user))
            if np.isnan(scores).all():
                scores = self._popular
            found[row, self._places[known]] = scores[known]
        return found


class _Happened(NamedTuple):
    user_id: str
    item_id: str | None
    target_user_id: str | None
    type: str


def compare_models(
    current: Recommender, since: pl.DataFrame, new: Recommender, newest: pl.DataFrame, *, seed: int
) -> Check | None:
    """Compare two models on events that neither has learned; None where these are too few to tell.

    Ranking models by NDCG@10 over all items but those met before. The current one is asked as it answers now: with what
    happened since it was fitted, and what is popular for whom it does not know. Models of ratings by the error of each rating.

    Args:
        current: the model that answers now. since: the events since it was fitted, without the newest.
        new: the other, fitted without the newest. newest: user_id, item_id, value: what is to be found.
        seed: of the tests.
    """
    if isinstance(current, Rater) and isinstance(new, Rater) and new.needs == "ratings":
        return _compared(*_errors(current, new, newest), "rmse", seed)
    users, items = new.catalogue.users, new.catalogue.items
    known = newest.filter(users.from_text(newest["user_id"].to_list()).is_in(users.ids.implode()))
    k = min(K, len(items))
    if known["user_id"].n_unique() < FEWEST_USERS:
        return None
    test = Dataset.from_events(
        known.select(
            users.from_text(known["user_id"].to_list()).alias("user_id"),
            items.from_text(known["item_id"].to_list()).alias("item_id").fill_null(_nobody(items.ids)),
        )
    )
    try:
        targets = find_targets(new.catalogue, test)
    except DataError:  # nothing that is new to anybody
        return None
    if targets.n_users < FEWEST_USERS:
        return None
    asked = set(users.ids_at(targets.user_index).cast(pl.String).to_list())
    live = LiveEvents()
    rows = since.filter(pl.col("user_id").is_in(list(asked))).select(_Happened._fields).iter_rows()
    live.apply(_Happened(*row) for row in rows)
    models: dict[str, Scorer] = {"current": AsServed(current, live, new.catalogue), "new": new}
    per_user = {
        name: evaluate(model, test, k=k, auc=False, edges=False, targets=targets).per_user[f"ndcg@{k}"]
        for name, model in models.items()
    }
    return _compared(per_user, None, f"ndcg@{k}", seed)


def _errors(current: Rater, new: Rater, newest: pl.DataFrame) -> tuple[dict[str, Doubles], Doubles]:
    """Return the squared errors of each user's ratings, the mean for each user, and how many these are."""
    per_user: dict[str, Doubles] = {}
    users = newest["user_id"].unique().sort()
    owner = newest["user_id"].cast(pl.Enum(users)).to_physical().to_numpy()
    weights = np.bincount(owner, minlength=len(users)).astype(np.float64)
    for name, model in {"current": current, "new": new}.items():
        assert isinstance(model, Recommender)
        catalogue = model.catalogue
        index = [
            ids.index_of(ids.from_text(newest[column].to_list()))
            for ids, column in ((catalogue.users, "user_id"), (catalogue.items, "item_id"))
        ]
        errors = (model.predict_pairs(index[0], index[1]) - newest["value"].to_numpy()) ** 2
        per_user[name] = np.bincount(owner, weights=errors, minlength=len(users)) / weights
    return per_user, weights


def _compared(per_user: Mapping[str, Doubles], weights: Doubles | None, metric: str, seed: int) -> Check | None:
    n_users = per_user["new"].size
    if n_users < FEWEST_USERS:
        return None
    [test] = compare_pairs(per_user, metric, seed, weights=weights)
    sign = 1.0 if test.better == "new" else -1.0
    means: dict[str, tuple[float, float, float]] = {}
    for name, values in per_user.items():
        low, high = bootstrap_intervals({metric: values}, seed=seed, weights=weights)[metric]
        mean = float(np.average(values, weights=weights))
        means[name] = (float(np.sqrt(mean)) if metric == "rmse" else mean, low, high)
    low, high = sorted((sign * test.low, sign * test.high))
    return Check(
        metric,
        n_users,
        means["current"],
        means["new"],
        sign * test.difference + 0.0,  # no -0
        low,
        high,
        test.p_value,
        test.significant and test.better == "current",
    )


def _nobody(ids: pl.Series) -> Any:
    """Return an id that no item has, for items that cannot have an id of this kind."""
    if ids.dtype == pl.String:
        return ""
    lowest = ids.min()
    return (lowest if isinstance(lowest, int) else 0) - 1
