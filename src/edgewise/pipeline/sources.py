"""Sources of candidates: what might be shown to a user, and why it came up."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
import polars as pl

from edgewise.data.feature_columns import as_times
from edgewise.pipeline.fallback import popular_scores
from edgewise.pipeline.live import Known, LiveUsers
from edgewise.ranking import NOTHING, top_k
from edgewise.types import Bools, Doubles, Floats, Index

N_RECENT = 20
"""How many items of a history `similar` looks at."""


@dataclass(frozen=True)
class Question:
    """Who asks, and what may be shown.

    Attributes:
        users: the model's answers as events have changed them. known: what is known of the user.
        allowed: bool [n_items], what may be shown to this user now.
    """

    users: LiveUsers
    known: Known
    allowed: Bools

    @cached_property
    def _vector(self) -> Floats | None:
        return self.users.vector(self.known)

    @cached_property
    def _scores(self) -> Floats:
        return self.users.scores(self.known)

    def scores_of(self, items: Index) -> Floats:
        """Return the model's scores of some items, int64 [m]: float32 [m], NaN where it cannot say."""
        if self._vector is None or self.users.index is None:
            return self._scores[items]
        return self.users.index.scores_of(self._vector, items)

    def best_by_model(self, k: int) -> tuple[Index, Floats]:
        """Return what the model scores highest of what may be shown: items int64 and scores float32, at most k."""
        if self._vector is None or self.users.index is None:
            return self.best(self._scores, k)
        best, found = self.users.index.search(self._vector[None, :], min(k, self.allowed.size), allowed=self.allowed)
        kept = best[0] != NOTHING
        return best[0][kept], found[0][kept]

    def best(self, scores: Floats, k: int) -> tuple[Index, Floats]:
        """Return the best that may be shown: items int64 and their scores float32, at most k, NaN left out."""
        there = np.where(self.allowed, scores, np.nan).astype(np.float32)
        best, found = top_k(there[None, :], min(k, there.size), None)
        kept = best[0] != NOTHING
        return best[0][kept], found[0][kept]


class Source(Protocol):
    """Proposes items."""

    name: ClassVar[str]

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        """Return items that may be shown, best first, and what speaks for each: int64 and float32, at most k."""


@dataclass(frozen=True)
class ModelSource:
    """What the model scores highest."""

    name: ClassVar[str] = "model"

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        """Return the best by the model."""
        return question.best_by_model(k)


@dataclass(frozen=True)
class SimilarSource:
    """What is most like the rarest items that the user met, which say most."""

    name: ClassVar[str] = "similar"

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        """Return the best by the sum of likenesses."""
        history = question.known.now.history.indices.astype(np.int64)
        counts = question.users.catalogue.item_counts[history]
        chosen = history[np.argsort(counts, kind="stable")[:N_RECENT]]
        alike = question.users.model.similarity_block(chosen) if chosen.size else None
        if alike is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        total = np.nansum(alike, axis=0).astype(np.float32)
        total[total <= 0] = np.nan
        return question.best(total, k)


@dataclass(frozen=True)
class PopularSource:
    """What most people met."""

    name: ClassVar[str] = "popular"

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        """Return the best by counts."""
        return question.best(popular_scores(question.users.catalogue), k)


@dataclass(frozen=True)
class LatestSource:
    """What is newest by a column of the item table; nothing where there is no such column."""

    name: ClassVar[str] = "latest"

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        """Return the newest, by days since 1970."""
        times = item_times(question.users.catalogue.item_table)
        if times is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        return question.best((times / 86_400_000).astype(np.float32), k)


SOURCES: dict[str, Callable[[], Source]] = {
    "model": ModelSource,
    "similar": SimilarSource,
    "popular": PopularSource,
    "latest": LatestSource,
}
"""Every source by its name; one line makes a new one known."""

TIME_COLUMNS = ("timestamp", "created_at", "published_at", "release_date", "date")
"""Columns of the item table that tell when an item came, in order of preference."""


def item_times(table: pl.DataFrame | None) -> Doubles | None:
    """Return when each item came, in milliseconds since 1970: float64 [n_items], NaN where unknown; None without a column."""
    column = next((name for name in TIME_COLUMNS if table is not None and name in table.columns), None)
    if table is None or column is None:
        return None
    times: Doubles = as_times(table[column]).cast(pl.Int64).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return times
