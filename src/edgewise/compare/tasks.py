"""What a task brings to the engine: how to evaluate, and what to sort by. `items` is the first; others are a class each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.data import Dataset, IdMap
from edgewise.data.ids import UNKNOWN
from edgewise.data.split import Split
from edgewise.errors import DataError, UnknownNameError
from edgewise.evaluate.protocol import Scorer, evaluate
from edgewise.evaluate.result import Evaluation
from edgewise.pipeline.fallback import popular_scores
from edgewise.recommender import Catalogue
from edgewise.types import Floats, Index

NEW_USERS = "users: new (answered by what is popular)"
"""The name of the segment of test users whom training does not know."""


class Task(Protocol):
    """A kind of question that recommenders are compared on."""

    name: str
    contenders: tuple[str, ...]
    """The models compared where none are named."""

    def main_metric(self, k: tuple[int, ...]) -> str:
        """Return the name of the metric that the table is sorted by and significance is tested on."""

    def evaluate(self, model: Scorer, split: Split, k: tuple[int, ...], *, thorough: bool = True) -> Evaluation:
        """Measure a fitted model on the test part; where not `thorough`, only what choosing between settings needs."""


class ItemsTask:
    """Which items will a user meet next: full ranking over the catalogue."""

    name = "items"
    contenders = ("popularity", "item-knn", "graph-filter", "lightgcn")

    def main_metric(self, k: tuple[int, ...]) -> str:
        """Sort by NDCG at the longest cut-off."""
        return f"ndcg@{k[-1]}"

    def evaluate(self, model: Scorer, split: Split, k: tuple[int, ...], *, thorough: bool = True) -> Evaluation:
        """Rank for the users that training knows; newcomers are a segment of their own, answered by the fallback.

        Where every test user is new (a split by users), the fallback is what gets measured, for every model alike.
        """
        newcomers = newcomers_of(model.catalogue, split.test)
        if newcomers is not None and not (model.catalogue.users.index_of(split.test.users.ids) != UNKNOWN).any():
            return evaluate(newcomers, split.test, k=k, auc=thorough, edges=thorough)
        found = evaluate(model, split.test, k=k, auc=thorough, edges=thorough)
        if newcomers is None or not thorough:
            return found
        try:
            answered = evaluate(newcomers, split.test, k=k, auc=False, edges=False)
        except DataError:  # the newcomers' items are all unknown to training: nobody could have found one
            return found
        accuracy = {name: value for name, value in answered.overall.items() if name.partition("@")[0] in ("recall", "ndcg", "hit_rate")}
        return replace(found, segments=found.segments | {NEW_USERS: {"n": float(answered.user_index.size), **accuracy}})


class Newcomers:
    """Users whom training does not know, as something that can be evaluated: everyone gets what is popular."""

    def __init__(self, catalogue: Catalogue, user_ids: pl.Series) -> None:
        nothing = csr_array((len(user_ids), len(catalogue.items)), dtype=np.float32)
        self.catalogue = Catalogue(IdMap(user_ids, "user"), catalogue.items, nothing)
        self._scores = popular_scores(catalogue)

    def masked_scores(self, user_index: Index) -> Floats:
        """Give everyone the popularity of each item, NaN for those that nobody met."""
        return np.tile(self._scores, (user_index.size, 1))


def newcomers_of(catalogue: Catalogue, test: Dataset) -> Newcomers | None:
    """Return the test users whom training does not know, or None where it knows them all."""
    new = test.users.ids.filter(pl.Series(catalogue.users.index_of(test.users.ids) == UNKNOWN))
    return Newcomers(catalogue, new) if len(new) else None


TASKS: Mapping[str, Task] = {"items": ItemsTask()}
"""Task name to what it brings."""


def task_of(name: str) -> Task:
    """Return a task.

    Raises:
        UnknownNameError: listing the tasks there are.
    """
    if name not in TASKS:
        raise UnknownNameError(f"there is no task {name!r}; there are {', '.join(TASKS)}.")
    return TASKS[name]
