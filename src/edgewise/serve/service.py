"""The service without HTTP: a model, a store and what happened since, and every question that may be asked of them.

Events are stored first and then taken from the store's log, in its order, whoever wrote them: this process or one beside it.
What is known of a user is therefore always what a replay of the log would give.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgewise.data.ids import UNKNOWN
from edgewise.errors import EdgewiseError, StoreBusyError, UnknownNameError
from edgewise.models import load
from edgewise.pipeline.explaining import explain_pair
from edgewise.pipeline.fallback import popular_scores
from edgewise.pipeline.live import Known, LiveEvents
from edgewise.pipeline.neighbours import similar_users
from edgewise.pipeline.recommend import Pipeline, PipelineConfig, RerankConfig
from edgewise.pipeline.sources import item_times
from edgewise.pipeline.titles import titles_of
from edgewise.ranking import NOTHING, top_k
from edgewise.recommender import Recommender
from edgewise.serve.logs import log
from edgewise.store import Erased, Event, EventStore, GroupCommit, ModelRegistry, StoredItem, StoredUser
from edgewise.store.event import Entry, SteadyClock, subject_of
from edgewise.types import Bools, Floats, Index

_PAGE = 5000


@dataclass(frozen=True)
class Serving:
    """A model that answers.

    Attributes:
        version: in the registry. pipeline: makes the lists.
        user_ids, item_ids: of the model, as text, by dense index. titles: of the items.
        may_be_shown: bool [n_items], before anything was hidden through the service.
    """

    version: str
    pipeline: Pipeline
    user_ids: list[str]
    item_ids: list[str]
    titles: list[str]
    may_be_shown: Bools
    item_index: dict[str, int]

    @property
    def model(self) -> Recommender:
        """The model itself."""
        return self.pipeline.model


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
        pipeline, rerank: how lists are made.
        max_events_waiting: events that may wait for the disk. follow_s: how often to look into the log for events of others.
    """

    def __init__(
        self,
        store: EventStore,
        models: ModelRegistry,
        pipeline: PipelineConfig | None = None,
        rerank: RerankConfig | None = None,
        *,
        max_events_waiting: int = 20_000,
        follow_s: float = 0.05,
    ) -> None:
        self.store, self.models = store, models
        self.clock = SteadyClock()
        self.commit = GroupCommit(store, max_waiting=max_events_waiting, register=True)
        self._pipeline, self._rerank = pipeline, rerank
        self._live = LiveEvents()
        self._serving: Serving | None = None
        self._seq = self._seq_at_start = 0
        self._following, self._swapping, self._telling = threading.Lock(), threading.Lock(), threading.Lock()
        self._erased_users: set[str] = set()
        self._erased_items: set[str] = set()  # by subject, both
        self._names: dict[str, str] = {}  # of what this process erases, by subject: the log has only the hash
        self._read_again: dict[str, tuple[set[str], int]] = {}
        self._items: dict[str, StoredItem] = {}  # those of which something is told
        self._stop = threading.Event()
        self._follow_s = follow_s
        self._follower = threading.Thread(target=self._follow_on, name="edgewise-follower", daemon=True)
        self.on_applied: Callable[[int], None] = lambda _: None
        self.on_listed: Callable[[str, List], None] = lambda *_: None
        self.on_stored: Callable[[Sequence[Event], Sequence[bool]], None] | None = None

    def start(self) -> None:
        """Load the current model, read the log, and answer from then on.

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
        self._seq_at_start = self.store.last_seq
        self.follow()
        serving = self._load(version)
        if self._erased_items:  # one that has an object was told of anew
            self._bring_back([item for item in serving.item_ids if self.store.item(item) is not None])
            self._show(serving)
        serving.pipeline.recommend("", 1)  # compiles what is compiled at the first call
        self._serving = serving
        self._follower.start()
        log("ready", version=version, model=serving.model.name, log_seq=self._seq)

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
        return self._seq

    # Lists

    def recommend(
        self, user_id: str, n: int, offset: int = 0, category: str | None = None, *, exclude_seen: bool = True
    ) -> List:
        """List what suits a user, known or not."""
        serving = self.serving
        found = self._listed(serving, self._known(serving, user_id), n, offset, category, exclude_seen=exclude_seen)
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
        known = Known("", UNKNOWN, newcomers, None, newcomers.history.indices.astype(np.int64))
        return self._listed(serving, known, n, offset, category, exclude_seen=True)

    def popular(self, n: int, offset: int = 0, category: str | None = None) -> List:
        """List what most people met in training."""
        serving = self.serving
        return self._best(serving, popular_scores(serving.model.catalogue), n, offset, category, "popular")

    def latest(self, n: int, offset: int = 0, category: str | None = None) -> List:
        """List the newest items by the times that were told of them, here or in training, in seconds since 1970."""
        serving = self.serving
        times = item_times(serving.model.catalogue.item_table)
        known = np.full(len(serving.item_ids), np.nan) if times is None else times.copy()
        others: list[tuple[float, str]] = []
        for item in list(self._items.values()):
            if item.timestamp is None:
                continue
            place = serving.item_index.get(item.item_id)
            if place is not None:
                known[place] = item.timestamp
            elif not item.is_hidden and (category is None or category in item.categories):
                others.append((item.timestamp, item.item_id))
        known[~self._among(serving, category)] = np.nan
        wanted = n + offset
        there = np.flatnonzero(~np.isnan(known))
        there = there[np.argsort(-known[there], kind="stable")[:wanted]]
        found = [(known[place], serving.item_ids[place]) for place in there.tolist()] + others
        found.sort(key=lambda pair: (-pair[0], pair[1]))
        found = found[offset:wanted]
        return List(
            [item for _, item in found],
            [time / 1000 for time, _ in found],
            [self._title(serving, item) for _, item in found],
            ("latest",) * len(found),
            "",
            serving.version,
        )

    def similar_items(self, item_id: str, n: int, offset: int = 0, category: str | None = None) -> List:
        """List what is most like an item; nothing for one that the model does not know."""
        serving = self.serving
        place = serving.item_index.get(item_id)
        alike = None if place is None else serving.model.similarity_block(np.array([place]))
        if place is None or alike is None:
            why = (
                f"{serving.model.name} does not know this item"
                if place is None
                else f"{serving.model.name} tells no likeness"
            )
            return List([], [], [], (), why, serving.version)
        scores = np.asarray(alike[0], dtype=np.float32).copy()
        scores[place] = np.nan
        scores[scores == 0] = np.nan  # nothing in common is no likeness
        return self._best(serving, scores, n, offset, category, "item-to-item")

    def similar_users(self, user_id: str, n: int, offset: int = 0) -> List:
        """List who met most of what a user met, erased users left out."""
        serving = self.serving
        index, cosines = similar_users(
            serving.pipeline.users, self._known(serving, user_id), n + offset + len(self._erased_users)
        )
        ids = [serving.user_ids[place] for place in index.tolist()]
        kept = [place for place, found in enumerate(ids) if not self._is_erased(found)][offset : offset + n]
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
        history = serving.model.catalogue.items.ids_at(known.now.history.indices.astype(np.int64))
        if not len(history):
            return explain_pair(serving.model, user_id, item_id, n)
        return explain_pair(serving.model, None, item_id, n, history=history) | {"user_id": user_id}

    # Events

    def submit(self, events: Sequence[Event]) -> "Future[list[bool]]":
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
        self.follow()
        return new

    def follow(self) -> int:
        """Take from the log what answers do not know yet; returns how many entries that were."""
        n = 0
        with self._following:
            while entries := self.store.since(self._seq, _PAGE):
                self._take(entries)
                self._seq = entries[-1][0]
                n += len(entries)
                if len(entries) < _PAGE:
                    break
            if self._read_again:
                self._read_again = {user: read for user, read in self._read_again.items() if read[1] > self._seq}
        if n:
            self.on_applied(n)
        return n

    # Users and items

    def erase_user(self, user_id: str) -> int:
        """Forget a user: events by and about them, what is told of them, and what training knew is not used again."""
        self._names[subject_of(user_id)] = user_id
        n = self.store.erase_user(user_id)
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
        catalogue = self.serving.model.catalogue
        index = catalogue.users.index_of(catalogue.users.from_text([user_id]))[0]
        return bool(index != UNKNOWN) and not self._is_erased(user_id)

    def knows_item(self, item_id: str) -> bool:
        """Whether training met an item that was not erased."""
        return item_id in self.serving.item_index and subject_of(item_id) not in self._erased_items

    # Models

    def swap(self, version: str) -> None:
        """Let another version of the model answer; requests under way end with the old one.

        Raises:
            StoreError: if there is no such version.
            ModelFolderError: if it is damaged; the old one goes on answering.
        """
        with self._swapping:
            self.models.path(version)
            if self.serving.version != version:
                serving = self._load(version)
                serving.pipeline.recommend("", 1)
                self.models.swap(version)
                self._serving = serving
                log("model swapped", version=version, model=serving.model.name)

    def _load(self, version: str) -> Serving:
        model = load(self.models.path(version))
        pipeline = Pipeline(model, self._live, self._pipeline, self._rerank)
        items = model.catalogue.items.ids
        texts = [str(item) for item in items.to_list()]
        serving = Serving(
            version,
            pipeline,
            [str(user) for user in model.catalogue.users.ids.to_list()],
            texts,
            titles_of(model.catalogue, items),
            pipeline.may_be_shown,
            {item: place for place, item in enumerate(texts)},
        )
        self._show(serving)
        return serving

    def _follow_on(self) -> None:
        """Look for what others wrote into the store: events, and another current model."""
        failed = ""
        while not self._stop.wait(self._follow_s):
            try:
                self.follow()
                current = self.models.current
                if current is not None and current != self.serving.version:
                    self.swap(current)
                failed = ""
            except EdgewiseError as error:
                if str(error) != failed:  # once, not twenty times a second
                    log("cannot follow the store", level=logging.ERROR, error=str(error))
                failed = str(error)

    def _take(self, entries: Sequence[Entry]) -> None:
        waiting: list[Event] = []
        for seq, entry in entries:
            if isinstance(entry, Event):
                if self._erased_items and entry.item_id is not None:
                    self._bring_back([entry.item_id])
                if entry.event_id not in self._read_again.get(entry.user_id, (frozenset(), 0))[0]:
                    waiting.append(entry)
                continue
            self._live.apply(waiting)
            waiting = []
            self._forget(entry, is_old=seq <= self._seq_at_start)
        self._live.apply(waiting)

    def _forget(self, erased: Erased, *, is_old: bool) -> None:
        """Forget what was erased; what had been before this process started was never read."""
        name = self._names.pop(erased.subject, None)
        if erased.kind == "user":
            self._erased_users.add(erased.subject)
        elif erased.kind == "item":
            self._erased_items.add(erased.subject)
        if is_old:
            return
        if name is None:
            known = self._live.items() if erased.kind == "item" else self._live.users()
            name = next((some_id for some_id in known if subject_of(some_id) == erased.subject), None)
        if name is not None:
            match erased.kind:
                case "user":
                    self._live.forget(name)
                case "item":
                    self._live.forget_item(name)
                case "some":
                    events = self.store.of_user(name)
                    self._live.replace(name, events)
                    # Those among them that the log has not come to yet must not be counted again then.
                    self._read_again[name] = ({event.event_id for event in events}, self.store.last_seq)
        if erased.kind == "item" and self._serving is not None:
            self._show(self._serving)

    def _bring_back(self, item_ids: Sequence[str]) -> None:
        """Show erased items again: somebody met them, or told something of them, since."""
        back = self._erased_items & {subject_of(item) for item in item_ids}
        if back:
            self._erased_items -= back
            if self._serving is not None:
                self._show(self._serving)

    def _is_erased(self, user_id: str) -> bool:
        return bool(self._erased_users) and subject_of(user_id) in self._erased_users

    def _known(self, serving: Serving, user_id: str) -> Known:
        return serving.pipeline.users.known(user_id, since_training_alone=self._is_erased(user_id))

    def _tell(self, items: Sequence[StoredItem]) -> None:
        with self._telling:
            for item in items:
                if _tells_something(item):
                    self._items[item.item_id] = item
                else:
                    self._items.pop(item.item_id, None)
        if self._erased_items:
            self._bring_back([item.item_id for item in items])
        self._show(self.serving)

    def _show(self, serving: Serving) -> None:
        """Let a model's lists obey what is told of items."""
        with self._telling:
            mask = serving.may_be_shown.copy()
            hidden = [item.item_id for item in self._items.values() if item.is_hidden]
            if self._erased_items:
                hidden += [item for item in serving.item_ids if subject_of(item) in self._erased_items]
            mask[[serving.item_index[item] for item in hidden if item in serving.item_index]] = False
            serving.pipeline.may_be_shown = mask

    def _among(self, serving: Serving, category: str | None) -> Bools:
        """Tell which items may be shown, of a category where one is asked for."""
        shown = serving.pipeline.may_be_shown
        return shown if category is None else shown & self._of_category(serving, category)

    def _of_category(self, serving: Serving, category: str) -> Bools:
        mask = serving.pipeline.of_category(category).copy()
        for item in list(self._items.values()):
            place = serving.item_index.get(item.item_id)
            if place is not None and category in item.categories:
                mask[place] = True
        return mask

    def _listed(
        self, serving: Serving, known: Known, n: int, offset: int, category: str | None, *, exclude_seen: bool
    ) -> List:
        among = None if category is None else self._of_category(serving, category)
        served = serving.pipeline.recommend(known, n + offset, exclude_seen=exclude_seen, among=among)
        items, scores = served.items[offset:].tolist(), served.scores[offset:].tolist()
        return List(
            [serving.item_ids[place] for place in items],
            [_finite(score) for score in scores],
            [serving.titles[place] for place in items],
            served.sources[offset:],
            served.note,
            serving.version,
            served.stages_ms,
        )

    def _best(self, serving: Serving, scores: Floats, n: int, offset: int, category: str | None, source: str) -> List:
        scores = np.where(self._among(serving, category), scores, np.nan).astype(np.float32)
        best: Index
        best, found = top_k(scores[None, :], min(n + offset, scores.size))
        places = best[0][best[0] != NOTHING][offset:].tolist()
        return List(
            [serving.item_ids[place] for place in places],
            found[0][offset : offset + len(places)].tolist(),
            [serving.titles[place] for place in places],
            (source,) * len(places),
            "",
            serving.version,
        )

    def _title(self, serving: Serving, item_id: str) -> str:
        place = serving.item_index.get(item_id)
        return item_id if place is None else serving.titles[place]


def _tells_something(item: StoredItem) -> bool:
    return item.is_hidden or bool(item.categories) or item.timestamp is not None


def _finite(score: float) -> float | None:
    return score if np.isfinite(score) else None
