"""Sources of candidates: what might be shown to a user, and why it came up."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np

from edgewise.pipeline.live import Known, LiveUsers
from edgewise.ranking import NOTHING, top_k
from edgewise.retrieval import VectorIndex
from edgewise.types import Bools, Floats, Index

_NOTHING: tuple[Index, Floats] = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)

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
        return self.best_by(self.users.index, self._vector, k)

    def best_by(self, index: VectorIndex, vector: Floats, k: int, *, above: float = -np.inf) -> tuple[Index, Floats]:
        """Return what an index scores highest of what may be shown, and above a score: items int64 and scores float32, at most k."""
        best, found = index.search(vector[None, :], min(k, self.allowed.size), allowed=self.allowed)
        n = np.count_nonzero(found[0] > above)  # scores fall, and behind the end they are NaN
        return best[0, :n], found[0, :n]

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
        users, model = question.users, question.users.model
        history = question.known.history
        counts = users.catalogue.item_counts[history]
        chosen = history[np.argsort(counts, kind="stable")[:N_RECENT]]
        if not chosen.size:
            return _NOTHING
        if users.likeness is not None and model.unit_items is not None:
            # A sum of cosines is one product, with the sum of the vectors.
            return question.best_by(users.likeness, model.unit_items[chosen].sum(axis=0), k, above=0.0)
        alike = model.similarity_block(chosen)
        if alike is None:
            return _NOTHING
        total = np.nansum(alike, axis=0).astype(np.float32)
        total[total <= 0] = np.nan
        return question.best(total, k)


@dataclass(frozen=True)
class PopularSource:
    """What most people met."""

    name: ClassVar[str] = "popular"

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        """Return the best by counts."""
        return question.users.by_popularity.first(question.allowed, k)


@dataclass(frozen=True)
class LatestSource:
    """What is newest by a column of the item table; nothing where there is no such column."""

    name: ClassVar[str] = "latest"

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        """Return the newest, by days since 1970."""
        order = question.users.by_time
        return _NOTHING if order is None else order.first(question.allowed, k)


SOURCES: dict[str, Callable[[], Source]] = {
    "model": ModelSource,
    "similar": SimilarSource,
    "popular": PopularSource,
    "latest": LatestSource,
}
"""Every source by its name; one line makes a new one known."""
