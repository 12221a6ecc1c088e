"""What a task brings to the engine: how to evaluate, and what to sort by. `items` is the first; others are a class each."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.catalogue import Catalogue
from edgewise.compare.ratings_task import RatingsTask
from edgewise.data import Dataset, IdMap
from edgewise.data.ids import UNKNOWN
from edgewise.data.split import Split
from edgewise.errors import DataError, UnknownNameError
from edgewise.evaluate.beyond import co_interaction_vectors
from edgewise.evaluate.metrics import METRICS, find_hits
from edgewise.evaluate.newcomers import NewcomerScorer, newcomers_of
from edgewise.evaluate.protocol import Scorer, evaluate
from edgewise.evaluate.result import Evaluation
from edgewise.evaluate.segments import mean_of
from edgewise.evaluate.targets import find_targets
from edgewise.pipeline.fallback import popular_items, popular_scores
from edgewise.ranking import Rows
from edgewise.types import Floats, Index

NEW_USERS = "users: new (answered by what is popular)"
"""The name of the segment of test users whom training does not know."""

FALLEN_BACK = "users: unanswered (answered by what is popular)"
"""The name of the segment of test users whom the model could not answer."""


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


@runtime_checkable
class Choosing(Protocol):
    """What a task can do besides that not every model can take part in."""

    def check(self, model: object) -> None:
        """Raise an EdgewiseError for a model, fitted or not, that cannot take part."""


class ItemsTask:
    """Which items will a user meet next: full ranking over the catalogue."""

    name: str = "items"
    contenders: tuple[str, ...] = ("popularity", "item-knn", "graph-filter", "lightgcn")

    def main_metric(self, k: tuple[int, ...], train: Dataset) -> str:  # noqa: ARG002 - the signature is the protocol
        """Sort by NDCG at the longest cut-off."""
        return f"ndcg@{k[-1]}"

    def evaluate(self, model: Scorer, split: Split, k: tuple[int, ...], *, thorough: bool = True) -> Evaluation:
        """Rank for the users that training knows; newcomers are a segment of their own, answered by the fallback.

        Where users are what is new (a split by users), every model is asked about them as `recommend` is, from their
        attributes and what the split reveals. Where items are, the new items are ranked among themselves: which of them
        suits whom is the question, and no model should put an unknown item above all that is known and liked.
        Whomever a model cannot answer gets what is popular, as people would.
        """
        if split.how == "cold-items":
            return evaluate(_AmongNewItems(model), split.test, k=k, auc=False, edges=False)
        if split.how == "cold-users" or not (model.catalogue.users.index_of(split.test.users.ids) != UNKNOWN).any():
            return _evaluate_all_new(model, split, k, thorough=thorough)
        asked = _WithFallback(model, popular_scores(model.catalogue))
        found = asked.told(evaluate(asked, split.test, k=k, auc=thorough, edges=thorough))
        answered = evaluate_newcomers(model.catalogue, split.test, k) if thorough else None
        if answered is None:
            return found
        figures = {"n": float(answered.user_index.size), **answered.overall}
        return replace(found, segments=found.segments | {NEW_USERS: figures})


class _WithFallback:
    """A scorer that gives what is popular to whom the model cannot answer, and counts them.

    Args:
        model: asked first.
        popular: float32 [n_items], from `popular_scores`.
    """

    def __init__(self, model: Scorer, popular: Floats) -> None:
        self.model, self.popular = model, popular
        self.name = str(getattr(model, "name", type(model).__name__))
        self.fallen: set[int] = set()

    @property
    def catalogue(self) -> Catalogue:
        return self.model.catalogue

    def masked_scores(self, user_index: Index) -> Floats:
        scores = self.model.masked_scores(user_index)
        without = np.isnan(scores).all(axis=1)
        if without.any():
            self.fallen |= set(user_index[without].tolist())
            scores[without] = self.popular
        return scores

    def told(self, found: Evaluation) -> Evaluation:
        """Add who fell back as a segment."""
        there = np.isin(found.user_index, np.fromiter(self.fallen, dtype=np.int64))
        if not there.any():
            return found
        figures = {name: mean_of(values[there]) for name, values in found.per_user.items()}
        return replace(found, segments=found.segments | {FALLEN_BACK: {"n": float(there.sum()), **figures}})


class _AmongNewItems:
    """A scorer that ranks the items which nobody met in training among themselves."""

    def __init__(self, model: Scorer) -> None:
        self.model, self.name = model, str(getattr(model, "name", type(model).__name__))

    @property
    def catalogue(self) -> Catalogue:
        return self.model.catalogue

    def masked_scores(self, user_index: Index) -> Floats:
        scores = self.model.masked_scores(user_index)
        scores[:, self.catalogue.item_counts > 0] = np.nan
        return scores


def _evaluate_all_new(model: Scorer, split: Split, k: tuple[int, ...], *, thorough: bool) -> Evaluation:
    """Ask about the test users as about people whom training never saw."""
    known = model.catalogue
    scorer = NewcomerScorer(model, *newcomers_of(known, split.test, split.revealed))  # type: ignore[arg-type]
    n_training_users = int((np.diff(known.seen.indptr) > 0).sum())
    targets = replace(
        find_targets(scorer.catalogue, split.test), item_counts=known.item_counts, n_training_users=n_training_users
    )
    asked = _WithFallback(scorer, popular_scores(known))
    likeness = co_interaction_vectors(known.seen)
    return asked.told(
        evaluate(asked, split.test, k=k, auc=thorough, edges=thorough, targets=targets, item_features=likeness)
    )


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
