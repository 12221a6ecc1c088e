"""Users as events change them, beside a fitted model that stays as it is.

An event only marks its user; what it changes is worked out at the next read. The order of events does not matter, so a replay in
any order gives the same state.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from threading import RLock
from typing import Protocol, Self, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from edgewise.catalogue import Catalogue
from edgewise.data import IdMap
from edgewise.data.ids import UNKNOWN
from edgewise.data.vocabulary import UNDOES
from edgewise.newcomers import Newcomers
from edgewise.pipeline.fallback import popular_scores
from edgewise.pipeline.item_times import item_times
from edgewise.pipeline.orders import Order
from edgewise.ranking import NOTHING, top_k
from edgewise.recommender import Recommender
from edgewise.retrieval import ExactIndex, VectorIndex
from edgewise.types import Bools, Doubles, Floats, Index

MakeIndex: TypeAlias = Callable[[Floats, Floats], VectorIndex]
"""From vectors float32 [n_items, d], and some float32 [n, d] such as will be asked, to an index."""

DAY_MS = 86_400_000

_POPULARITY_S = 1.0
"""How old the order by popularity may be, where sorting all items for each event would take too long."""

_QUICKLY_SORTED = 10_000
"""Up to so many items it is never old."""


class Happened(Protocol):
    """What is asked of an event; ids are text."""

    @property
    def user_id(self) -> str:
        """Who did it."""

    @property
    def item_id(self) -> str | None:
        """To which item, if to one."""

    @property
    def target_user_id(self) -> str | None:
        """To which other user, if to one."""

    @property
    def type(self) -> str:
        """What was done."""


class LiveEvents:
    """What happened after training, by user: how often each thing, an undoing counted against what it undoes.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._items: _Counts = {}
        self._people: _Counts = {}
        self._met_by: Counter[str] = Counter()  # how many users met an item
        self._changes: defaultdict[str, int] = defaultdict(int)
        self._n_changes = 0
        self._lock = RLock()

    def apply(self, events: Iterable[Happened]) -> None:
        """Count events, each of which must come once."""
        with self._lock:
            for event in events:
                done = UNDOES.get(event.type, event.type)
                step = -1 if event.type in UNDOES else 1
                for place, other in ((self._items, event.item_id), (self._people, event.target_user_id)):
                    if other:
                        counts = place.setdefault(event.user_id, {}).setdefault(other, {})
                        had = _is_there(counts)
                        counts[done] = counts.get(done, 0) + step
                        if place is self._items and had != _is_there(counts):
                            self._met_by[other] += step
                self._changes[event.user_id] += 1
                self._n_changes += 1

    def forget(self, user_id: str) -> None:
        """Drop all that is known of a user, as a friend of others too."""
        with self._lock:
            self._drop_items(user_id)
            self._people.pop(user_id, None)
            for other, people in self._people.items():
                if people.pop(user_id, None) is not None:
                    self._changes[other] += 1
            self._changes[user_id] += 1
            self._n_changes += 1

    def forget_item(self, item_id: str) -> None:
        """Drop all that is known of an item."""
        with self._lock:
            for user_id, items in self._items.items():
                if items.pop(item_id, None) is not None:
                    self._changes[user_id] += 1
            self._met_by.pop(item_id, None)
            self._n_changes += 1

    def replace(self, user_id: str, events: Iterable[Happened]) -> None:
        """Let these events be all that a user has done."""
        with self._lock:
            self._drop_items(user_id)
            self._people.pop(user_id, None)
            self._changes[user_id] += 1
            self.apply(events)

    def _drop_items(self, user_id: str) -> None:
        for item, counts in self._items.pop(user_id, {}).items():
            if _is_there(counts):
                self._met_by[item] -= 1

    def users(self) -> list[str]:
        """Return all users to whom something has happened."""
        with self._lock:
            return list(self._changes)

    def items(self) -> set[str]:
        """Return all items to which something has happened."""
        with self._lock:
            return {item for items in self._items.values() for item in items}

    def people(self) -> set[str]:
        """Return all users to whom something has happened, and all whom somebody follows or did."""
        with self._lock:
            return {*self._changes, *(other for people in self._people.values() for other in people)}

    def people_by_item(self) -> dict[str, int]:
        """Return how many users met each item since."""
        with self._lock:
            return {item: n for item, n in self._met_by.items() if n > 0}

    @property
    def n_changes(self) -> int:
        """A number that changes with whatever happens to anybody."""
        return self._n_changes

    def version(self, user_id: str) -> int:
        """Return a number that changes with whatever happens to a user; 0 where nothing has."""
        return self._changes.get(user_id, 0)

    def items_of(self, user_id: str) -> tuple[list[str], list[str]]:
        """Return the items that a user met since, and those of which all that is told is an undoing."""
        return self._split(self._items, user_id)

    def people_of(self, user_id: str) -> tuple[list[str], list[str]]:
        """Return whom a user follows since, and whom no longer."""
        return self._split(self._people, user_id)

    def _split(self, place: "_Counts", user_id: str) -> tuple[list[str], list[str]]:
        with self._lock:
            counted = [
                (other, _is_there(counts), min(counts.values()) < 0) for other, counts in place.get(user_id, {}).items()
            ]
        there = sorted(other for other, is_there, _ in counted if is_there)
        gone = sorted(other for other, is_there, is_undone in counted if is_undone and not is_there)
        return there, gone


_Counts: TypeAlias = dict[str, dict[str, dict[str, int]]]
"""By user, by item or other user, by what was done: how often."""


def _is_there(counts: dict[str, int]) -> bool:
    return any(n > 0 for n in counts.values())


@dataclass(frozen=True)
class Known:
    """What is known of one user at a moment.

    Attributes:
        user_id: as text. index: in the model, -1 for one that training never saw.
        history: int64, ascending: what the user has met and not taken back.
        seen: int64, ascending: what was met at any time, what was taken back since included.
        tell: makes `now`, which many answers do without.
        before: as of a newcomer, all that is known but what happened since training; None where nothing has, or nothing was before.
    """

    user_id: str
    index: int
    history: Index
    seen: Index
    tell: Callable[[], Newcomers]
    before: Newcomers | None = None

    @classmethod
    def newcomer(cls, user_id: str, newcomers: Newcomers) -> Self:
        """Take what is known of one whom training never saw."""
        history = newcomers.history.indices.astype(np.int64)
        return cls(user_id, UNKNOWN, history, history, lambda: newcomers)

    @cached_property
    def now(self) -> Newcomers:
        """All that is known, as of a newcomer."""
        return self.tell()

    @property
    def is_known(self) -> bool:
        """Whether training met the user."""
        return self.index != UNKNOWN


class LiveUsers:
    """A model's answers for users as events have changed them: scores of all items, or a vector to ask an index with.

    A user whom training met and who did something since gets the model's score plus what the news change in the score of a
    newcomer: s + f(now) - f(before). For models that add up this is what refitting nothing but the user would give; of a model
    with vectors of users' own, the own part stays.

    Args:
        model: fitted.
        live: what happened since.
        make_index: makes an index of vectors, given also some that will be asked; without it, all items are read.
    """

    def __init__(self, model: Recommender, live: LiveEvents, make_index: MakeIndex | None = None) -> None:
        self.model, self.live = model, live
        self._make_index: MakeIndex = (lambda vectors, _: ExactIndex(vectors)) if make_index is None else make_index
        items = model.rankable_items
        self.index = None if items is None else self._make_index(items, model.users)
        self._popularity: tuple[Order, int, float] | None = None
        # Of a model that was extended: who met what in training, and the places of its items now. Who met an item that came since
        # stands in the catalogue too, and in the live events, and must not count twice.
        self._trained = model.catalogue
        self._places: Index | None = None

    @property
    def catalogue(self) -> Catalogue:
        """Of the model."""
        return self.model.catalogue

    def extended(self, model: Recommender) -> Self:
        """Return the same for a model that knows further items, with what was worked out for the others."""
        other = type(self)(model, self.live, lambda vectors, _: self._grown(self.index, model, vectors))
        other._make_index = self._make_index
        other._trained, other._places = self.catalogue, model.catalogue.items.index_of(self.catalogue.items.ids)
        if self.likeness is not None and model.unit_items is not None:
            other.__dict__["likeness"] = self._grown(self.likeness, model, model.unit_items)
        return other

    def _grown(self, index: VectorIndex | None, model: Recommender, vectors: Floats) -> VectorIndex:
        """Return an index with the vectors of further items."""
        assert index is not None
        places = model.catalogue.items.index_of(self.catalogue.items.ids)
        grown = index.renumbered(places, len(vectors))
        new = np.setdiff1d(np.arange(len(vectors)), places)
        grown.add(vectors[new], new)
        return grown

    @cached_property
    def likeness(self) -> VectorIndex | None:
        """An index whose scores are cosines of items; None for a model without places of items."""
        vectors = self.model.unit_items
        return None if vectors is None else self._make_index(vectors, vectors)

    def similar_items(self, item: int, k: int, allowed: Bools) -> tuple[Index, Floats] | None:
        """Return what is most like an item, of what may be shown: items int64 and likenesses float32, at most k.

        What has nothing in common with it, a likeness of 0, is left out. None for a model that tells no likeness.
        """
        unit = self.model.unit_items
        if self.likeness is not None and unit is not None:
            best, scores = self.likeness.search(unit[[item]], min(k, allowed.size), allowed=allowed)
        else:
            alike = self.model.similarity_block(np.array([item]))
            if alike is None:
                return None
            best, scores = top_k(np.where(allowed, alike, np.nan).astype(np.float32), min(k, allowed.size), None)
        kept = (best[0] != NOTHING) & (scores[0] != 0)
        return best[0][kept], scores[0][kept]

    @cached_property
    def by_time(self) -> Order | None:
        """The newest items first, by days since 1970; None where the item table has no such column."""
        times = self.times
        return None if times is None else Order.of((times / DAY_MS).astype(np.float32))

    @cached_property
    def times(self) -> Doubles | None:
        """When each item came; see `item_times`."""
        return item_times(self.catalogue.item_table)

    @property
    def by_popularity(self) -> Order:
        """What most people met first, in training or since, of many items at most a second old. Who met one in both counts twice."""
        kept, n_changes, now = self._popularity, self.live.n_changes, time.monotonic()
        age_s = 0.0 if len(self.catalogue.items) <= _QUICKLY_SORTED else _POPULARITY_S
        if kept is None or (kept[1] != n_changes and now - kept[2] >= age_s):
            counts = popular_scores(self._trained)
            if self._places is not None:
                counts, of_training = np.full(len(self.catalogue.items), np.nan, dtype=np.float32), counts
                counts[self._places] = of_training
            since = self.live.people_by_item()
            index = _index_of_text(self.catalogue.items, list(since))
            there = index != UNKNOWN
            counts[index[there]] = (
                np.nan_to_num(counts[index[there]]) + np.array(list(since.values()), dtype=np.float32)[there]
            )
            kept = self._popularity = (Order.of(counts), n_changes, now)
        return kept[0]

    def known(self, user_id: str, *, since_training_alone: bool = False) -> Known:
        """Gather what is known of a user, who may be unknown.

        Args:
            user_id: as text.
            since_training_alone: leave out what training knew, as of somebody who was erased.
        """
        catalogue = self.catalogue
        index = UNKNOWN if since_training_alone else catalogue.users.index_of_text(user_id)
        if index != UNKNOWN and not self.live.version(user_id):
            return self._as_trained(user_id, index)
        met, undone = (_index_of_text(catalogue.items, ids) for ids in self.live.items_of(user_id))
        friends, unfriended = (_index_of_text(catalogue.users, ids) for ids in self.live.people_of(user_id))
        base = None if index == UNKNOWN else self._as_trained(user_id, index)
        if base is not None and not any(ids.size for ids in (met, undone, friends, unfriended)):
            return base
        of_training = np.empty(0, dtype=np.int64) if base is None else base.history
        before = None if base is None else base.now
        history = np.union1d(np.setdiff1d(of_training, undone), met[met != UNKNOWN])
        of_friends = None
        if catalogue.friends is not None:
            had = np.empty(0, dtype=np.int64) if before is None or before.friends is None else before.friends.indices
            of_friends = _row(
                np.union1d(np.setdiff1d(had, unfriended), friends[friends != UNKNOWN]), len(catalogue.users)
            )
        attributes = None if before is None else before.attributes
        now = Newcomers("user", _row(history, len(catalogue.items)), of_friends, attributes, ("",))
        seen = np.union1d(of_training, met[met != UNKNOWN])
        return Known(user_id, index, history, seen, lambda: now, before)

    def _as_trained(self, user_id: str, user: int) -> Known:
        """Tell what training knew of a user."""
        seen = self._trained.seen
        history = seen.indices[seen.indptr[user] : seen.indptr[user + 1]].astype(np.int64)
        if self._places is None:
            return Known(user_id, user, history, history, lambda: self._trained.as_new_user(user))
        history = self._places[history]

        def tell() -> Newcomers:
            return replace(self._trained.as_new_user(user), history=_row(history, len(self.catalogue.items)))

        return Known(user_id, user, history, history, tell)

    def vector(self, known: Known) -> Floats | None:
        """Place a user among the items' vectors: float32 [d], NaN where the model cannot; None for one that is not `by_dot_product`."""
        model = self.model
        if not model.by_dot_product:
            return None
        if known.is_known:
            own: Floats = model.users[known.index]
            if known.before is None or not model.folds_in:
                return own
            return _moved(own, self._embedded(known.now), self._embedded(known.before))
        return self._embedded(known.now)

    def _embedded(self, newcomer: Newcomers) -> Floats:
        """Place one newcomer: float32 [d], NaN where the model cannot."""
        found = self.model.embed_newcomers(newcomer) if newcomer.known_by(0) else None
        return np.full(self.model.items.shape[1], np.nan, dtype=np.float32) if found is None else found[0]

    def scores(self, known: Known) -> Floats:
        """Score all items: float32 [n_items], NaN where the model cannot say."""
        model = self.model
        if known.is_known:
            scores: Floats = model.masked_scores(np.array([known.index]))[0]
            if known.before is None or not model.folds_in:
                return scores
            both = [model.masked_newcomer_scores(asked)[0] for asked in (known.now, known.before)]
            return _moved(scores, both[0], both[1])
        if not known.now.known_by(0):
            return np.full(len(self.catalogue.items), np.nan, dtype=np.float32)
        of_newcomer: Floats = model.masked_newcomer_scores(known.now)[0]
        return of_newcomer


def _moved(before: Floats, now_new: Floats, before_new: Floats) -> Floats:
    """Return s + f(now) - f(before), f(now) alone where the rest is not there, and s where f(now) is not."""
    moved = before + now_new - before_new
    moved = np.where(np.isnan(moved), now_new, moved)
    found: Floats = np.where(np.isnan(now_new), before, moved).astype(np.float32, copy=False)
    return found


def _index_of_text(ids: IdMap, texts: list[str]) -> Index:
    """Return the dense index of ids given as text, -1 where unknown."""
    if not texts:
        return np.empty(0, dtype=np.int64)
    return ids.index_of(ids.from_text(texts))


def _row(index: Index, n: int) -> csr_array:
    index = index.astype(np.int64)
    ones = np.ones(index.size, dtype=np.float32)
    return csr_array((ones, index, np.array([0, index.size])), shape=(1, n))
