"""What a task brings to the engine: how to evaluate, and what to sort by. `items` is the first; others are one class each."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from edgewise.data.ids import UNKNOWN
from edgewise.data.split import Split
from edgewise.errors import UnknownNameError
from edgewise.evaluate.metrics import hits_of, ndcg_at_k, recall_at_k
from edgewise.evaluate.protocol import evaluate
from edgewise.evaluate.result import Evaluation
from edgewise.pipeline.fallback import popular_block
from edgewise.recommender import Recommender


class Task(Protocol):
    """A kind of question that recommenders are compared on."""

    name: str
    contenders: tuple[str, ...]
    """The models compared where none are named."""

    def main_metric(self, k: tuple[int, ...]) -> str:
        """Return the name of the metric that the table is sorted by and significance is tested on."""

    def evaluate(self, model: Recommender, split: Split, k: tuple[int, ...]) -> Evaluation:
        """Measure a fitted model on the test part."""


class ItemsTask:
    """Which items will a user meet next: full ranking over the catalogue."""

    name = "items"
    contenders = ("popularity", "item-knn", "graph-filter", "lightgcn")

    def main_metric(self, k: tuple[int, ...]) -> str:
        """Sort by NDCG at the longest cut-off."""
        return f"ndcg@{k[-1]}"

    def evaluate(self, model: Recommender, split: Split, k: tuple[int, ...]) -> Evaluation:
        """Rank for the users that training knows; beside it, what newcomers get from the fallback."""
        return evaluate(model, split.test, k=k)


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
