"""What a task brings to the engine: how to evaluate, and what to sort by. `items` is the first; others are a class each."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.compare.ratings_task import RatingsTask
from edgewise.data import Dataset, IdMap
from edgewise.data.ids import UNKNOWN
from edgewise.data.split import Split
from edgewise.errors import DataError, UnknownNameError
from edgewise.evaluate.metrics import METRICS, find_hits
from edgewise.evaluate.protocol import Scorer, evaluate
from edgewise.evaluate.result import Evaluation
from edgewise.evaluate.segments import mean_of
from edgewise.evaluate.targets import find_targets
from edgewise.pipeline.fallback import popular_items
from edgewise.ranking import Rows
from edgewise.recommender import Catalogue

NEW_USERS = "users: new (answered by what is popular)"
"""The name of the segment of test users whom training does not know."""


class Task(Protocol):
    """A kind of question that recommenders are compared on."""

    @property
    def name(self) -> str:
        """What `--task` calls it."""

    @property
    def contenders(self) -> tuple[str, ...]:
        """Return the models compared where none are named."""

    def main_metric(self, k: tuple[int, ...], train: Dataset) -> str:
        """Return the name of the metric that the table is sorted by and significance is tested on.

        Raises:
            DataError: if the training data cannot be used for the task.
        """

    def evaluate(self, model: Scorer, split: Split, k: tuple[int, ...], *, thorough: bool = True) -> Evaluation:
        """Measure a fitted model on the test part; where not `thorough`, only what choosing between settings needs."""


@runtime_checkable
class Pooling(Protocol):
    """What a task can do besides whose figures are pooled over the folds of a cross-validation."""

    def pool(self, evaluations: Sequence[Evaluation], tests: Sequence[Dataset]) -> Evaluation:
        """Put the evaluations of all folds together, given the test part of each."""


class ItemsTask:
    """Which items will a user meet next: full ranking over the catalogue."""

    name: str = "items"
    contenders: tuple[str, ...] = ("popularity", "item-knn", "graph-filter", "lightgcn")

    def main_metric(self, k: tuple[int, ...], train: Dataset) -> str:  # noqa: ARG002 - the signature is the protocol
        """Sort by NDCG at the longest cut-off."""
        return f"ndcg@{k[-1]}"

    def evaluate(self, model: Scorer, split: Split, k: tuple[int, ...], *, thorough: bool = True) -> Evaluation:
        """Rank for the users that training knows; newcomers are a segment of their own, answered by the fallback.

        Where every test user is new (a split by users), the fallback is what gets measured, for every model alike.
        """
        if not (model.catalogue.users.index_of(split.test.users.ids) != UNKNOWN).any():
            found = evaluate_newcomers(model.catalogue, split.test, k)
            if found is None:
                raise DataError(
                    "all users and items of the test data are new to training; nobody could have found anything."
                )
            return found
        found = evaluate(model, split.test, k=k, auc=thorough, edges=thorough)
        answered = evaluate_newcomers(model.catalogue, split.test, k) if thorough else None
        if answered is None:
            return found
        figures = {"n": float(answered.user_index.size), **answered.overall}
        return replace(found, segments=found.segments | {NEW_USERS: figures})


def evaluate_newcomers(catalogue: Catalogue, test: Dataset, k: tuple[int, ...]) -> Evaluation | None:
    """Measure what test users whom training does not know get: the fallback, the same for every model.

    Returns:
        The ranking metrics; `user_index` counts the newcomers alone, in the order of their ids. None without newcomers,
        or where everything that they met is new too.
    """
    new = test.users.ids.filter(pl.Series(catalogue.users.index_of(test.users.ids) == UNKNOWN))
    if new.is_empty():
        return None
    nothing_seen = csr_array((len(new), len(catalogue.items)), dtype=np.float32)
    try:
        targets = find_targets(Catalogue(IdMap(new, "user"), catalogue.items, nothing_seen), test)
    except DataError:
        return None
    started = time.perf_counter()
    best, _ = popular_items(catalogue, k[-1])
    lists = np.tile(best, (targets.n_users, 1))
    hits = find_hits(lists, Rows.of(targets.relevant))
    per_user = {f"{name}@{cut}": metric(hits, targets.n_relevant, cut) for cut in k for name, metric in METRICS.items()}
    overall = {name: mean_of(values) for name, values in per_user.items()}
    return Evaluation(targets.user_index, per_user, overall, {}, lists, time.perf_counter() - started)


TASKS: Mapping[str, Task] = {"items": ItemsTask(), "ratings": RatingsTask()}
"""Task name to what it brings."""


def task_of(name: str) -> Task:
    """Return a task.

    Raises:
        UnknownNameError: listing the tasks there are.
    """
    if name not in TASKS:
        raise UnknownNameError(f"there is no task {name!r}; there are {', '.join(TASKS)}.")
    return TASKS[name]
