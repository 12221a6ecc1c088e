"""The service without HTTP: a model, a store and what happened since, and every question that may be asked of them.

Events are stored first and then taken from the store's log, in its order, whoever wrote them: this process or one beside it.
What is known of a user is therefore always what a replay of the log would give.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numba
import numpy as np

from edgewise.data.ids import UNKNOWN
from edgewise.errors import ConfigError, EdgewiseError, ModelFolderError, StoreBusyError, StoreError, UnknownNameError
from edgewise.logs import log
from edgewise.models import load
from edgewise.pipeline.explaining import explain_pair
from edgewise.pipeline.live import Known
from edgewise.pipeline.neighbours import similar_users
from edgewise.pipeline.recommend import NO_RULE, Pipeline, PipelineConfig, RerankConfig
from edgewise.pipeline.titles import titles_of
from edgewise.recommender import Recommender
from edgewise.retrieval import RetrievalConfig, VectorIndex, make_index
from edgewise.serve.arrivals import Arrivals
from edgewise.serve.followed import Followed, settle
from edgewise.store import Appended, Event, EventStore, GroupCommit, ModelRegistry, StoredItem, StoredUser
from edgewise.store.event import SteadyClock, subject_of
from edgewise.threads import standing_back
from edgewise.types import Bools, Floats, Index

_PAGE = 5000
_MAX_CATEGORIES = 256
_AGAIN_S = 5.0  # before a version is tried again that could not be loaded for want of the store


@dataclass(frozen=True)
class Serving:
    """A model that answers.

    Attributes:
        version: in the registry. pipeline: makes the lists.
        user_ids, item_ids: of the model, as text, by dense index. titles: of the items.
        may_be_shown: bool [n_items], before anything was hidden through the service.
        followed: what the log tells beyond the model.
        trained: the pipeline of the model as it was trained. arrivals: who met the items that came after.
        arrived: ids of those of them that are in `pipeline` too.
        categories: the items of those asked for since something was told of an item.
        newest: items by their times, where somebody asked since something was told of an item.
        ruled: items of which something is told, and whether rule and settings let them through as they were told last.
    """

    version: str
    pipeline: Pipeline
    followed: Followed
    user_ids: list[str]
    item_ids: list[str]
    titles: list[str]
    may_be_shown: Bools
    item_index: dict[str, int]
    trained: Pipeline
    arrivals: Arrivals
    arrived: frozenset[str] = frozenset()
    categories: dict[str, Bools] = field(default_factory=dict)
    ruled: dict[str, tuple[StoredItem, bool]] = field(default_factory=dict)
    newest: list["_Newest"] = field(default_factory=list)

    @property
    def has_rule(self) -> bool:
        """Whether a rule says which items may be shown."""
        return self.pipeline.config.rule != NO_RULE

    @property
    def model(self) -> Recommender:
        """The model itself."""
        return self.pipeline.model

    @cached_property
    def subjects(self) -> dict[str, int]:
        """The place of each item by what the log calls it once it is erased."""
        return {subject_of(item): place for place, item in enumerate(self.item_ids)}


@dataclass(frozen=True)
class _Newest:
    """Items of which a time is known, the newest first: ids, milliseconds since 1970, places in the model (-1: not there).

    Attributes:
        others: of those that are not in the model, whether they may be shown.
    """

    ids: list[str]
    times: list[float]
    places: Index
    others: Bools


@dataclass(frozen=True)
class List:
    """A list of items, or of users.

    Attributes:
        ids: best first. scores: what speaks for each. titles: what to call them.
        sources: where each is from. note: what the asker should know; "" where there is nothing.
        version: of the model. stages_ms: name of each stage to its milliseconds.
    """

    ids: list[str]
    scores: list[float | None]
    titles: list[str]
    sources: tuple[str, ...]
    note: str
    version: str
    stages_ms: dict[str, float] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where the first item is from; "nothing" for an empty list."""
        return self.sources[0] if self.sources else "nothing"


class Service:
    """Answers questions and takes events; every method may be called from any thread.

    Args:
        store: events, users, items. models: the versions of the model.
        pipeline, rerank: how lists are made. retrieval: how items are found by their vectors.
        max_events_waiting: events that may wait for the disk. follow_s: how often to look into the log for events of others.
    """

    def __init__(
        self,
        store: EventStore,
        models: ModelRegistry,
        pipeline: PipelineConfig | None = None,
        rerank: RerankConfig | None = None,
        retrieval: RetrievalConfig | None = None,
        *,
        max_events_waiting: int = 20_000,
        follow_s: float = 0.05,
    ) -> None:
        self.store, self.models = store, models
        self.clock = SteadyClock()
        self.commit = GroupCommit(store, max_waiting=max_events_waiting, register=True, keep_erased_out=True)
        self._pipeline, self._rerank = pipeline, rerank
        self._retrieval = RetrievalConfig() if retrieval is None else retrieval
        self._serving: Serving | None = None
        self._following, self._swapping, self._telling = threading.Lock(), threading.Lock(), threading.Lock()
        self._names: dict[str, str] = {}  # of what this process erases, by subject: the log has only the hash
        self._items: dict[str, StoredItem] = {}  # those of which something is told
        self._stop = threading.Event()
        self._follow_s = follow_s
        self._let_in_at = 0.0
        self._follower = threading.Thread(target=self._follow_on, name="edgewise-follower", daemon=True)
        self.on_applied: Callable[[int], None] = lambda _: None
        self.on_listed: Callable[[str, List], None] = lambda *_: None
        self.on_stored: Callable[[Sequence[Event], Sequence[bool]], None] | None = None

    def start(self) -> None:
        """Load the current model, read the log from where the model has learned it, and answer from then on.

        Raises:
            StoreError: if there is no current model, or the store cannot be read.
            ModelFolderError: if the model is damaged.
        """
        version = self.models.current
        if version is None:
            raise UnknownNameError(
                "the store has no model yet; name a model folder: edgewise serve DIR --store FOLDER."
            )
        after: str | None = None
        while page := self.store.items(after, _PAGE):
            self._items |= {item.item_id: item for item in page if _tells_something(item)}
            after = page[-1].item_id
        serving = self._load(version)
        serving.pipeline.warm_up()
        settle()
        self._answer_with(serving)
        self._follower.start()
        log("ready", version=version, model=serving.model.name, log_seq=self.seq, covered=serving.followed.covered)

    def close(self) -> None:
        """Store what waits and stop; the store itself stays open."""
        self._stop.set()
        if self._follower.is_alive():
            self._follower.join()
        self.commit.close()

    @property
    def is_ready(self) -> bool:
        """Whether it can answer."""
        return self._serving is not None

    @property
    def serving(self) -> Serving:
        """The model that answers now.

        Raises:
            StoreBusyError: before `start` has ended.
        """
        if self._serving is None:
            raise StoreBusyError("the model is being loaded; try again in a moment.")
        return self._serving

    @property
    def seq(self) -> int:
        """The number of the last entry of the log that answers know."""
        return 0 if self._serving is None else self._serving.followed.seq

    # Lists

    def recommend(
        self, user_id: str, n: int, offset: int = 0, category: str | None = None, *, exclude_seen: bool = True
    ) -> List:
        """List what suits a user, known or not."""
        serving = self.serving
        found = self._listed(serving, user_id, n, offset, category, exclude_seen=exclude_seen)
        self.on_listed(user_id, found)
        return found

    def recommend_to_session(
        self, item_ids: Sequence[str], n: int, offset: int = 0, category: str | None = None
    ) -> List:
        """List what suits somebody of whom a few items are known, as of a newcomer."""
        serving = self.serving
        met = [serving.item_index[item] for item in item_ids if item in serving.item_index]
        ids = serving.model.catalogue.items.ids_at(np.array(met, dtype=np.int64))
        newcomers = serving.model.newcomers("user", history=ids)
        known = Known.newcomer("", newcomers)
        return self._listed(serving, known, n, offset, category, exclude_seen=True)

    def popular(self, n: int, offset: int = 0, category: str | None = None) -> List:
        """List what most people met, in training or since."""
        serving = self.serving
        places, counts = serving.pipeline.users.by_popularity.first(self._among(serving, category), n + offset)
        return self._list_of(serving, places[offset:], counts[offset:], "popular")

    def latest(self, n: int, offset: int = 0, category: str | None = None) -> List:
        """List the newest items by the times that were told of them, here or in training, in seconds since 1970."""
        serving = self.serving
        among = self._among(serving, category)
        newest = self._newest(serving)
        may = newest.others.copy()
        if category is not None:
            told = self._items
            for place in np.flatnonzero(may).tolist():
                item = told.get(newest.ids[place])
                may[place] = item is not None and category in item.categories
        is_known = newest.places != UNKNOWN
        may[is_known] = among[newest.places[is_known]]
        found = np.flatnonzero(may)[offset : n + offset].tolist()
        return List(
            [newest.ids[place] for place in found],
            [newest.times[place] / 1000 for place in found],
            [self._title(serving, newest.ids[place]) for place in found],
            ("latest",) * len(found),
            "",
            serving.version,
        )

    def _newest(self, serving: Serving) -> "_Newest":
        """Return all items of which a time is known, the newest first; kept until something is told of an item."""
        with self._telling:
            if not serving.newest:
                serving.newest.append(self._newest_of(serving))
            return serving.newest[0]

    def _newest_of(self, serving: Serving) -> "_Newest":
        times = serving.pipeline.users.times
        known = np.full(len(serving.item_ids), np.nan) if times is None else times.copy()
        hidden = set(serving.pipeline.config.hidden)
        rows: list[tuple[float, str, int, bool]] = []
        for item in self._items.values():
            if item.timestamp is None:
                continue
            place = serving.item_index.get(item.item_id)
            if place is not None:
                known[place] = item.timestamp
            else:
                is_ruled_out = serving.has_rule and not serving.ruled.get(item.item_id, (item, False))[1]
                may_be_shown = not (item.is_hidden or item.item_id in hidden or is_ruled_out)
                rows.append((item.timestamp, item.item_id, UNKNOWN, may_be_shown))
        there = np.flatnonzero(~np.isnan(known)).tolist()
        rows += [(float(known[place]), serving.item_ids[place], place, False) for place in there]
        rows.sort(key=lambda row: (-row[0], row[1]))
        return _Newest(
            [item for _, item, _, _ in rows],
            [time for time, _, _, _ in rows],
            np.array([place for _, _, place, _ in rows], dtype=np.int64),
            np.array([may_be_shown for _, _, _, may_be_shown in rows], dtype=np.bool_),
        )

    def similar_items(self, item_id: str, n: int, offset: int = 0, category: str | None = None) -> List:
        """List what is most like an item; nothing for one that the model does not know."""
        serving = self.serving
        place = serving.item_index.get(item_id)
        if place is None:
            return List([], [], [], (), f"{serving.model.name} does not know this item", serving.version)
        allowed = self._among(serving, category).copy()
        allowed[place] = False
        found = serving.pipeline.users.similar_items(place, n + offset, allowed)
        if found is None:
            return List([], [], [], (), f"{serving.model.name} tells no likeness", serving.version)
        return self._list_of(serving, found[0][offset:], found[1][offset:], "item-to-item")

    def similar_users(self, user_id: str, n: int, offset: int = 0) -> List:
        """List who met most of what a user met, erased users left out."""
        serving = self.serving
        index, cosines = similar_users(
            serving.pipeline.users, self._known(serving, user_id), n + offset + len(serving.followed.erased_users)
        )
        ids = [serving.user_ids[place] for place in index.tolist()]
        kept = [place for place, found in enumerate(ids) if not serving.followed.is_erased(found)][offset : offset + n]
        chosen = [ids[place] for place in kept]
        note = "by what they have met: the nearest there is to friends"
        return List(
            chosen,
            [float(cosines[place]) for place in kept],
            chosen,
            ("user-to-user",) * len(kept),
            note,
            serving.version,
        )

    def explain(self, user_id: str, item_id: str, n: int) -> dict[str, Any]:
        """Tell why an item would be recommended to a user, by all that is known of them now."""
        serving = self.serving
        known = self._known(serving, user_id)
        if known.is_known and known.before is None:
            return explain_pair(serving.model, user_id, item_id, n)
        history = serving.model.catalogue.items.ids_at(known.history)
        if not len(history):  # also of one who was erased, or took everything back: what training knew does not count
            return explain_pair(serving.model, user_id, item_id, n, is_stranger=True)
        return explain_pair(serving.model, None, item_id, n, history=history, name=user_id)

    # Events

    def submit(self, events: Sequence[Event]) -> "Future[Appended]":
        """Hand in events; when the future is done they are on the disk, and `follow` makes answers know them.

        Raises:
            StoreBusyError: if too many wait.
        """
        future = self.commit.submit(events)
        if (tell := self.on_stored) is not None:
            future.add_done_callback(lambda done: None if done.exception() else tell(events, done.result()))
        return future

    def accept(self, events: Sequence[Event]) -> list[bool]:
        """Store events and let answers know them; returns which are new."""
        new = self.submit(events).result()
        self.follow(new.seq)
        return new

    def follow(self, until: int | None = None) -> int:
        """Take from the log what answers do not know yet; returns how many entries that were.

        Args:
            until: the number of an entry; where answers know it already, the log is not looked at.
        """
        with self._following:
            if (serving := self._serving) is None:  # what waits is read when the model is there
                return 0
            if until is not None and serving.followed.seq >= until:  # somebody who came before has read this far
                return 0
            n = serving.followed.read(lambda: self._show(serving))
        if n:
            self.on_applied(n)
        return n

    # Users and items

    def erase_user(self, user_id: str) -> int:
        """Forget a user: events by and about them, what is told of them, and what training knew is not used again."""
        self._names[subject_of(user_id)] = user_id
        n = self.store.erase_user(user_id)
        self.clock.tick()  # what comes from now on, without a time of its own, is younger than the erasure
        self.follow()
        return n

    def erase_events(self, user_id: str, item_id: str, type: str | None = None) -> int:
        """Erase what a user did with an item."""
        self._names[subject_of(user_id)] = user_id
        n = self.store.erase_events(user_id, item_id, type)
        self.follow()
        return n

    def erase_item(self, item_id: str) -> int:
        """Forget an item, which is not shown again until it is put anew."""
        self._names[subject_of(item_id)] = item_id
        n = self.store.erase_item(item_id)
        with self._telling:
            self._items.pop(item_id, None)
        self.follow()
        return n

    def put_users(self, users: Sequence[StoredUser]) -> None:
        """Store what is told of users."""
        self.store.put_users(users)

    def put_items(self, items: Sequence[StoredItem]) -> None:
        """Store what is told of items, and let lists obey it."""
        self.store.put_items(items)
        self._tell(items)

    def patch_user(self, user_id: str, changes: Mapping[str, Any]) -> StoredUser | None:
        """Change what is told of a user; None for one who is unknown."""
        if self.store.user(user_id) is None and self.knows_user(user_id):
            self.store.put_users([StoredUser(user_id)])
        return self.store.patch_user(user_id, changes)

    def patch_item(self, item_id: str, changes: Mapping[str, Any]) -> StoredItem | None:
        """Change what is told of an item, and let lists obey it; None for one that is unknown."""
        if self.store.item(item_id) is None and self.knows_item(item_id):
            self.store.put_items([StoredItem(item_id)])
        item = self.store.patch_item(item_id, changes)
        if item is not None:
            self._tell([item])
        return item

    def put_or_patch_categories(self, item_id: str, categories: tuple[str, ...]) -> None:
        """Let an item have these categories, one that was unknown included."""
        if self.patch_item(item_id, {"categories": categories}) is None:
            self.put_items([StoredItem(item_id, categories=categories)])

    def title(self, item_id: str) -> str:
        """Return what to call an item: its title from training, or its id."""
        return self._title(self.serving, item_id)

    def search(self, text: str, n: int) -> list[str]:
        """Return up to n items of the model whose id or title has the text in it, in the order of the model."""
        serving, sought, found = self.serving, text.casefold(), []
        for item, title in zip(serving.item_ids, serving.titles, strict=True):
            if sought in title.casefold() or sought in item.casefold():
                found.append(item)
                if len(found) == n:
                    break
        return found

    def knows_user(self, user_id: str) -> bool:
        """Whether training met a user who was not erased."""
        serving = self.serving
        users = serving.model.catalogue.users
        index = users.index_of(users.from_text([user_id]))[0]
        return bool(index != UNKNOWN) and not serving.followed.is_erased(user_id)

    def knows_item(self, item_id: str) -> bool:
        """Whether training met an item that was not erased."""
        serving = self.serving
        return item_id in serving.item_index and subject_of(item_id) not in serving.followed.erased_items

    # Models

    def swap(self, version: str) -> None:
        """Let another version of the model answer; requests under way end with the old one.

        Raises:
            StoreError: if there is no such version.
            ModelFolderError: if it is damaged; the old one goes on answering.
        """
        self._swap(version, points=True)

    def _swap(self, version: str, *, points: bool) -> None:
        """Let another version answer; `points`: and write it down. What another process has written down is left alone."""
        with self._swapping:
            self.models.path(version)
            if not points and self.models.current != version:  # a swap came in between: what it wrote down answers
                return
            if self.serving.version != version:
                serving = standing_back(lambda: self._ready(version))  # requests need the processors
                if points:
                    self.models.swap(version)
                self._answer_with(serving)
                log("model swapped", version=version, model=serving.model.name, covered=serving.followed.covered)
            elif points and self.models.current != version:
                self.models.swap(version)

    def _ready(self, version: str) -> Serving:
        """Load a version on one processor, and let it answer once."""
        numba.set_num_threads(1)  # of this thread alone
        serving = self._load(version)
        serving.pipeline.warm_up()
        return serving

    def _answer_with(self, serving: Serving) -> None:
        """Let a loaded model answer, knowing all that the log tells by now."""
        followed = serving.followed
        with self._following:
            followed.read(lambda: self._show(serving))
            if self._serving is None or self._serving.followed is not followed:  # what was told while it was loaded
                followed.met |= set(self._items)
                self._bring_back(serving)
            self._show(serving)
            self._serving = serving

    def _bring_back(self, serving: Serving) -> None:
        """Let erased items count again of which something was told since: they have objects."""
        erased = serving.followed.erased_items
        if not erased:
            return
        names = {item for item in list(self._items) if subject_of(item) in erased}
        names |= {serving.item_ids[place] for subject, place in serving.subjects.items() if subject in erased}
        serving.followed.bring_back([item for item in names if self.store.item(item) is not None])

    def _make_index(self, vectors: Floats, queries: Floats) -> VectorIndex:
        return make_index(vectors, self._retrieval, queries=queries)

    def _load(self, version: str) -> Serving:
        model = load(self.models.path(version))
        covered = self.models.covered(version, self.store)
        if self._serving is not None and self._serving.followed.covered == covered:
            followed = self._serving.followed  # both have learned the same of the log
            self._serving.arrivals.forget(self._serving.arrived)  # what happened is told once, and to the new one
        else:
            followed = Followed(self.store, covered, self._names)
            followed.read()  # the long part; what comes meanwhile is read before it answers
        pipeline = Pipeline(model, followed.live, self._pipeline, self._rerank, self._make_index)
        user_ids = [str(user) for user in model.catalogue.users.ids.to_list()]
        serving = _serving(version, pipeline, followed, user_ids, pipeline, Arrivals(model, self.store))
        self._bring_back(serving)
        self._apply_rule(serving, list(self._items.values()))
        with self._following:
            followed.met |= followed.live.items() | set(self._items)
        try:
            return self._with_arrivals(serving) or serving
        except StoreError:
            raise
        except Exception:  # no item that somebody put may keep a model from answering
            log("new items cannot be placed", level=logging.ERROR, exc_info=True)
            return serving

    def _with_arrivals(self, serving: Serving) -> Serving | None:
        """Return the same with items that came after training and can be placed; None where nothing about such has changed."""
        with self._following:
            met, gone = serving.followed.take_met()
        if not met and not gone:
            return None
        try:
            return self._placed_anew(serving, sorted(met | serving.arrivals.touched_by(gone)))
        except StoreError:  # they are to be placed when the store is there again
            with self._following:
                serving.followed.met |= met
                serving.followed.gone |= gone
            raise

    def _placed_anew(self, serving: Serving, met: list[str]) -> Serving | None:
        trained = serving.trained
        index = trained.model.catalogue.items
        known = index.index_of(index.from_text(met)).tolist()
        news = {item for item, place in zip(met, known, strict=True) if place == UNKNOWN}
        if not news:
            return None
        serving.arrivals.forget(news)
        erased = serving.followed.erased_items
        wanted = [item for item in serving.arrived | news if subject_of(item) not in erased]
        model = serving.arrivals.placed(self._items, wanted)
        if model is None:
            if not serving.arrived:
                return None
            model = trained.model  # what had arrived was erased, or is no longer what could be placed
        pipeline = trained if model is trained.model else trained.extended(model)
        found = _serving(serving.version, pipeline, serving.followed, serving.user_ids, trained, serving.arrivals)
        arrived = frozenset(item for item in wanted if item in found.item_index)
        found = replace(found, arrived=arrived, ruled=serving.ruled)
        pipeline.recommend("", 1)
        self._show(found)
        return found

    def _follow_on(self) -> None:
        """Look for what others wrote into the store: events, and another current model."""
        numba.set_num_threads(1)
        failed, refused, again_at = "", "", 0.0
        while not self._stop.wait(self._follow_s):
            try:
                self.follow()
                _ = self.serving.trained.users.likeness  # made here, so that no request has to wait for it
                self._let_in()
                current = self.models.current
                if current == self.serving.version:
                    refused = ""
                elif current is not None and current != refused and time.monotonic() >= again_at:
                    again_at = time.monotonic() + _AGAIN_S
                    try:
                        self._swap(current, points=False)
                    except (ConfigError, ModelFolderError):
                        refused = current  # one that is damaged is not tried again before another was current
                        raise
                    again_at = 0.0
                failed = ""
            except Exception as error:  # whatever it is: who follows has to go on
                if str(error) != failed:  # once, not twenty times a second
                    is_ours = isinstance(error, EdgewiseError)
                    log("cannot follow the store", level=logging.ERROR, error=str(error), exc_info=not is_ours)
                failed = str(error)

    def _let_in(self) -> None:
        """Let lists have items that came after training; no more often than it takes a tenth of the time."""
        if time.monotonic() < self._let_in_at:
            return
        started = time.monotonic()
        try:
            with self._swapping:
                if (found := self._with_arrivals(self.serving)) is not None:
                    self._answer_with(found)
                    log("new items", n=len(found.arrived), ms=round((time.monotonic() - started) * 1000))
        finally:
            self._let_in_at = time.monotonic() + 9 * (time.monotonic() - started)

    def _known(self, serving: Serving, user_id: str) -> Known:
        return serving.pipeline.users.known(user_id, since_training_alone=serving.followed.is_erased(user_id))

    def _tell(self, items: Sequence[StoredItem]) -> None:
        with self._telling:
            for item in items:
                if _tells_something(item):
                    self._items[item.item_id] = item
                else:
                    self._items.pop(item.item_id, None)
        with self._following:  # what answers is not exchanged meanwhile
            serving = self.serving
            serving.followed.met.update(item.item_id for item in items)
            serving.followed.bring_back([item.item_id for item in items])
            self._show_some(serving, {item.item_id for item in items})

    def _show(self, serving: Serving) -> None:
        """Let a model's lists obey what is told of items."""
        with self._telling:
            serving.categories.clear()
            serving.newest.clear()
            mask = serving.may_be_shown.copy()
            if serving.has_rule:
                self._apply_rule(serving, self._items.values())
                ruled = [(item, serving.ruled[item][1]) for item in self._items if item in serving.item_index]
                mask[[serving.item_index[item] for item, _ in ruled]] = [is_shown for _, is_shown in ruled]
            hidden = [item.item_id for item in self._items.values() if item.is_hidden]
            mask[[serving.item_index[item] for item in hidden if item in serving.item_index]] = False
            if erased := serving.followed.erased_items:
                mask[[serving.subjects[subject] for subject in erased if subject in serving.subjects]] = False
            serving.pipeline.may_be_shown = mask

    def _show_some(self, serving: Serving, item_ids: Collection[str]) -> None:
        """Do what `_show` does where nothing but this was told of these items."""
        with self._telling:
            serving.categories.clear()
            serving.newest.clear()
            told = {item: self._items[item] for item in item_ids if item in self._items}
            self._apply_rule(serving, told.values())
            places = {item: serving.item_index[item] for item in item_ids if item in serving.item_index}
            if not places:
                return
            mask, erased = serving.pipeline.may_be_shown.copy(), serving.followed.erased_items
            for item, place in places.items():
                is_shown = bool(serving.may_be_shown[place])
                if item in told:
                    is_shown = serving.ruled[item][1] if serving.has_rule else is_shown
                    is_shown = is_shown and not told[item].is_hidden
                mask[place] = is_shown and not (erased and subject_of(item) in erased)
            serving.pipeline.may_be_shown = mask

    def _apply_rule(self, serving: Serving, told: Iterable[StoredItem]) -> None:
        """Find out what the rule says of items as they are told now, where that was not found out before."""
        if serving.has_rule:
            new = [item for item in told if serving.ruled.get(item.item_id, (None, False))[0] is not item]
            shown = _let_through(serving.trained, new)
            serving.ruled.update({item.item_id: (item, is_shown) for item, is_shown in zip(new, shown, strict=True)})

    def _among(self, serving: Serving, category: str | None) -> Bools:
        """Tell which items may be shown, of a category where one is asked for."""
        shown = serving.pipeline.may_be_shown
        return shown if category is None else shown & self._of_category(serving, category)

    def _of_category(self, serving: Serving, category: str) -> Bools:
        """Tell which items are of a category, by training or by what was told: bool [n_items], not to be written to."""
        with self._telling:
            mask = serving.categories.get(category)
            if mask is None:
                mask = serving.pipeline.of_category(category).copy()
                told = (item.item_id for item in self._items.values() if category in item.categories)
                mask[[serving.item_index[item] for item in told if item in serving.item_index]] = True
                if len(serving.categories) >= _MAX_CATEGORIES:
                    serving.categories.clear()
                serving.categories[category] = mask
        return mask

    def _listed(
        self, serving: Serving, user: str | Known, n: int, offset: int, category: str | None, *, exclude_seen: bool
    ) -> List:
        among = None if category is None else self._of_category(serving, category)
        served = serving.pipeline.recommend(
            user,
            n + offset,
            exclude_seen=exclude_seen,
            among=among,
            since_training_alone=isinstance(user, str) and serving.followed.is_erased(user),
        )
        items, scores = served.items[offset:].tolist(), served.scores[offset:].tolist()
        return List(
            [serving.item_ids[place] for place in items],
            scores if np.isfinite(served.scores).all() else [_finite(score) for score in scores],
            [serving.titles[place] for place in items],
            served.sources[offset:],
            served.note,
            serving.version,
            served.stages_ms,
        )

    def _list_of(self, serving: Serving, items: Index, scores: Floats, source: str) -> List:
        places = items.tolist()
        return List(
            [serving.item_ids[place] for place in places],
            scores.tolist(),
            [serving.titles[place] for place in places],
            (source,) * len(places),
            "",
            serving.version,
        )

    def _title(self, serving: Serving, item_id: str) -> str:
        place = serving.item_index.get(item_id)
        return item_id if place is None else serving.titles[place]


def _serving(
    version: str, pipeline: Pipeline, followed: Followed, user_ids: list[str], trained: Pipeline, arrivals: Arrivals
) -> Serving:
    items = pipeline.model.catalogue.items.ids
    texts = [str(item) for item in items.to_list()]
    places = {item: place for place, item in enumerate(texts)}
    titles = titles_of(pipeline.model.catalogue, items)
    return Serving(
        version, pipeline, followed, user_ids, texts, titles, pipeline.may_be_shown, places, trained, arrivals
    )


def _let_through(pipeline: Pipeline, told: Sequence[StoredItem]) -> list[bool]:
    """Ask the rule about items; one of which it cannot tell is not shown, and keeps no other from being asked about."""
    try:
        return pipeline.lets_through(told)
    except Exception:  # whatever somebody has told of an item
        if len(told) > 1:
            return [is_shown for item in told for is_shown in _let_through(pipeline, [item])]
        log("the rule cannot be applied to an item", level=logging.ERROR, exc_info=True)
        return [False]


def _tells_something(item: StoredItem) -> bool:
    return item.is_hidden or bool(item.categories) or item.timestamp is not None or bool(item.labels)


def _finite(score: float) -> float | None:
    return score if np.isfinite(score) else None
