"""What a person looks up: users and items by name, histories, friends, and what lies around a user or an item."""

import math
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.data.ids import UNKNOWN
from edgewise.data.times import written
from edgewise.data.vocabulary import EVENT_TYPES, UNDOES
from edgewise.model_folder import read_about
from edgewise.pipeline.live import Known
from edgewise.pipeline.titles import titles_of
from edgewise.ranking import NOTHING, top_k
from edgewise.serve.finding import Finder, plain
from edgewise.serve.service import Service, Serving
from edgewise.store import Event
from edgewise.types import Index

Kind: TypeAlias = Literal["user", "item"]

MOST_EVENTS = 10_000
"""Of a user's or an item's events since training, so many of the latest are looked at."""

_MOST_NEW = 20_000
"""Of the users whom training did not meet, so many of the latest are searched."""

_MOST_PEOPLE = 2_000
"""Of those who met an item, so many are looked at, spread evenly."""

_MOST_TEXT, _MOST_VALUES = 500, 30


class Browser:
    """Looks things up in a service; every method may be called from any thread.

    Args:
        service: started.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._finders: dict[str, tuple[tuple[str, frozenset[str]], tuple[list[str], Finder]]] = {}
        self._examples: tuple[str, list[dict[str, Any]]] | None = None
        self._making = threading.Lock()
        self._abouts: dict[str, dict[str, Any]] = {}

    # By name

    def search(self, text: str, kind: Kind | None, n: int) -> list[dict[str, Any]]:
        """Find users and items by a part of an id or a title.

        Args:
            text: what is sought. kind: of which kind alone; None: both, items first where neither id is the text itself.
            n: the most of each kind.

        Returns:
            kind, id, title, n_met (how many items a user met in training, how many users met an item) and is_exact of each.
        """
        serving = self.service.serving
        kinds: tuple[Kind, ...] = ("item", "user") if kind is None else (kind,)
        found = [self._found(serving, text.strip(), each, n) for each in kinds]
        exact = [row for rows in found for row in rows if row["is_exact"]]
        return exact + [row for rows in found for row in rows if not row["is_exact"]]

    def _found(self, serving: Serving, text: str, kind: Kind, n: int) -> list[dict[str, Any]]:
        ids = [text] if self._is_there(serving, text, kind) else []
        ids += islice((each for each in self._finding(serving, text, kind) if each != text), n)
        return [
            {
                "kind": kind,
                "id": each,
                "title": self._title(serving, kind, each),
                "n_met": self._n_met(serving, kind, each),
                "is_exact": each == text,
            }
            for each in ids[:n]
        ]

    def _finding(self, serving: Serving, text: str, kind: Kind) -> Iterator[str]:
        if kind == "item":
            yield from filter(self.service.knows_item, self._found_in(serving, "item", text))
            yield from filter(self.service.knows_item, self._found_in(serving, "arrived", text))
        else:
            yield from filter(self.service.knows_user, self._found_in(serving, "user", text))
        sought = plain(text).strip()
        if kind == "user" and sought:
            for user in reversed(serving.pipeline.users.live.users()[-_MOST_NEW:]):
                is_new = sought in plain(user) and not self.service.knows_user(user)
                if is_new and self._is_there(serving, user, "user"):  # not if forgotten since
                    yield user

    def _is_there(self, serving: Serving, text: str, kind: Kind) -> bool:
        if kind == "item":
            return self.service.knows_item(text) or self.service.store.item(text) is not None
        if self.service.knows_user(text) or self.service.store.user(text) is not None:
            return True
        live = serving.pipeline.users.live
        return any(there for there, _ in (live.items_of(text), live.people_of(text)))

    def _found_in(self, serving: Serving, part: str, text: str) -> Iterator[str]:
        """Yield ids of users, of items of training, or of items that came after it, by what they are called.

        What finds them is made once, for a version of the model or for the items that have arrived; a million users take a second or two.
        """
        trained = serving.trained.model.catalogue
        made_for = serving.version, serving.arrived if part == "arrived" else frozenset()
        with self._making:
            if part not in self._finders or self._finders[part][0] != made_for:
                match part:
                    case "user":
                        ids, titles = serving.user_ids, None
                        weights = np.diff(trained.seen.indptr).astype(np.int64)
                    case "item":
                        ids = [str(item) for item in trained.items.ids.to_list()]
                        titles, weights = titles_of(trained, trained.items.ids), trained.item_counts
                    case _:
                        ids = sorted(serving.arrived)
                        places = [serving.item_index[item] for item in ids]
                        titles = [serving.titles[place] for place in places]
                        weights = serving.model.catalogue.item_counts[places]
                self._finders[part] = made_for, (ids, Finder(ids, titles, weights))
            ids, finder = self._finders[part][1]
        yield from (ids[place] for place in finder.find(text))

    # One user, one item

    def user(self, user_id: str, n: int, offset: int) -> dict[str, Any]:
        """Tell what is known of a user, and a page of the history: events of the store, the latest first, then what else training knew.

        Returns:
            user_id, is_known (to training), n_training (items), n_events, n_since (of these, what the model has not learned yet), n_counted
            (items by which lists are made), attributes, model, history, and next: the offset of the next page, None at the end. A
            row of the history has item_id, title, type, value, timestamp, event_id, target_user_id, is_event, and counts (for lists).
        """
        serving = self.service.serving
        known = self._known(serving, user_id)
        store, covered = self.service.store, serving.followed.covered
        events = store.of_user(user_id, MOST_EVENTS)[::-1]
        n_since = len(store.of_user(user_id, MOST_EVENTS, after=covered)) if covered and events else len(events)
        counted = set(known.history.tolist())
        rows = [self._row_of(serving, event, counted) for event in events[offset : offset + n]]
        training = self._training(serving, known, {event.item_id for event in events} if covered else set())
        start = max(0, offset - len(events))
        for item, strength in zip(*(part[start : start + n - len(rows)] for part in training), strict=True):
            rows.append(
                {
                    "item_id": item,
                    "title": self._title(serving, "item", item),
                    "type": None,
                    "value": round(float(strength), 4),
                    "timestamp": None,
                    "event_id": None,
                    "target_user_id": None,
                    "is_event": False,
                    "counts": serving.item_index.get(item, UNKNOWN) in counted,
                }
            )
        end = offset + len(rows)
        return {
            "user_id": user_id,
            "is_known": known.is_known,
            "n_training": self._n_met(serving, "user", user_id) if known.is_known else 0,
            "n_events": len(events),
            "n_since": n_since,
            "n_counted": len(counted),
            "attributes": _attributes(serving.model.catalogue.user_table, known.index, "user_id"),
            "model": serving.version,
            "history": rows,
            "next": end if end < len(events) + len(training[0]) else None,
        }

    def item(self, item_id: str) -> dict[str, Any]:
        """Tell what is known of an item.

        Returns:
            item_id, title, is_known (to the model), is_new (it came after training), may_be_shown, n_people (whom the model knows to have
            met it), n_events (in the store), attributes, model.
        """
        serving = self.service.serving
        place = self._item_place(serving, item_id)
        stored = self.service.store.item(item_id)
        attributes = {} if place is None else _attributes(serving.model.catalogue.item_table, place, "item_id")
        attributes.pop("title", None)
        if stored is not None and stored.categories:
            attributes["categories"] = list(stored.categories)[:_MOST_VALUES]
        shown = place is not None and bool(serving.pipeline.may_be_shown[place])
        return {
            "item_id": item_id,
            "title": self._title(serving, "item", item_id),
            "is_known": place is not None,
            "is_new": item_id in serving.arrived,
            "may_be_shown": shown,
            "n_people": self._n_met(serving, "item", item_id),
            "n_events": len(self.service.store.of_item(item_id, MOST_EVENTS)),
            "attributes": attributes,
            "model": serving.version,
        }

    def friends(self, user_id: str, n: int) -> dict[str, Any]:
        """List a user's friends, those with most in common first; where none is known, who met what the user met.

        Returns:
            user_id, source ("friends" or "similar"), model, and users: user_id, score (the cosine of what both met), n_shared (items that
            both met) and since_training.
        """
        serving = self.service.serving
        known = self._known(serving, user_id)
        catalogue, live = serving.model.catalogue, serving.pipeline.users.live
        followed, left = live.people_of(user_id)
        before: list[str] = []
        if catalogue.friends is not None and known.is_known:
            before = [serving.user_ids[place] for place in catalogue.friends[[known.index]].indices.tolist()]
            before = [friend for friend in before if friend not in left and self.service.knows_user(friend)]
        ids = list(dict.fromkeys([*followed, *before]))
        source = "friends"
        if not ids:
            source, ids = "similar", self.service.similar_users(user_id, n).ids
        mine = known.history
        rows: list[dict[str, Any]] = []
        for friend in ids:
            theirs = self._known(serving, friend).history
            n_shared = int(np.isin(mine, theirs).sum())
            score = n_shared / math.sqrt(max(1, mine.size) * max(1, theirs.size))
            rows.append(
                {
                    "user_id": friend,
                    "score": round(score, 6),
                    "n_shared": n_shared,
                    "since_training": source == "friends" and friend in followed and friend not in before,
                }
            )
        rows.sort(key=lambda row: -row["score"])
        return {"user_id": user_id, "source": source, "model": serving.version, "users": rows[:n]}

    # Around

    def around_user(self, user_id: str, n: int, n_people: int) -> dict[str, Any]:
        """Draw what lies around a user: items met, friends or those who met the same, and the items of the list.

        Args:
            n: the most items of each kind. n_people: the most people.

        Returns:
            source of the people ("friends", "similar"), note of the list, model, nodes and edges. A node has kind, id, title, role
            (centre, met, person, listed), n_met and rank; an edge has from and to (places in nodes) and kind (met, event,
            listed, friend, similar).
        """
        serving = self.service.serving
        known = self._known(serving, user_id)
        friends = self.friends(user_id, n_people)
        listed = self.service.recommend(user_id, n)
        drawing = _Drawing()
        centre = drawing.node(self._node(serving, "user", user_id, "centre"))
        people = {row["user_id"]: self._known(serving, row["user_id"]) for row in friends["users"]}
        events = self.service.store.of_user(user_id, MOST_EVENTS)
        news = set(serving.followed.live.items_of(user_id)[0])
        for item in self._telling(serving, known, list(people.values()), events, n):
            node = drawing.node(self._node(serving, "item", item, "met"))
            drawing.edge(centre, node, "event" if item in news else "met")
        for rank, item in enumerate(listed.ids, start=1):
            drawing.edge(centre, drawing.node(self._node(serving, "item", item, "listed", rank)), "listed")
        for user, theirs in people.items():
            node = drawing.node(self._node(serving, "user", user, "person"))
            drawing.edge(centre, node, "friend" if friends["source"] == "friends" else "similar")
            self._connect(serving, drawing, node, theirs)
        about = {"source": friends["source"], "note": listed.note, "model": serving.version}
        return {"kind": "user", "id": user_id, **about, **drawing.as_json()}

    def around_item(self, item_id: str, n: int, n_people: int) -> dict[str, Any]:
        """Draw what lies around an item: those who met it, the latest first, and what is most like it.

        Returns:
            The same as `around_user`; roles are centre, person and like, edges met, event and like.
        """
        serving = self.service.serving
        alike = self.service.similar_items(item_id, n)
        drawing = _Drawing()
        centre = drawing.node(self._node(serving, "item", item_id, "centre"))
        for rank, item in enumerate(alike.ids, start=1):
            drawing.edge(centre, drawing.node(self._node(serving, "item", item, "like", rank)), "like")
        place = self._item_place(serving, item_id)
        latest = dict.fromkeys(
            event.user_id for event in reversed(self.service.store.of_item(item_id, MOST_EVENTS)[-_MOST_PEOPLE:])
        )
        met = {user: self._known(serving, user) for user in islice(latest, n_people)}
        if place is not None:
            met = {user: known for user, known in met.items() if place in known.history}
            there = [serving.item_index[item] for item in alike.ids if item in serving.item_index]
            like = np.array(there, dtype=np.int64)
            for user in self._who_met(serving, place, like, n_people + len(latest)):
                if len(met) >= n_people:
                    break
                known = self._known(serving, user)
                if user not in latest and self.service.knows_user(user):
                    met[user] = known
        for user, known in met.items():
            node = drawing.node(self._node(serving, "user", user, "person"))
            drawing.edge(centre, node, "event" if item_id in serving.followed.live.items_of(user)[0] else "met")
            self._connect(serving, drawing, node, known)
        about = {"source": "met", "note": alike.note, "model": serving.version}
        return {"kind": "item", "id": item_id, **about, **drawing.as_json()}

    def _telling(
        self, serving: Serving, known: Known, people: Sequence[Known], events: Sequence[Event], n: int
    ) -> list[str]:
        """Choose items that a user met: the latest events, then what is shared with these people and met by few others."""
        history = known.history
        there = set(history.tolist())
        latest = [serving.item_index.get(event.item_id or "", UNKNOWN) for event in reversed(events)]
        chosen = list(dict.fromkeys(place for place in latest if place in there))[:n]
        catalogue = serving.model.catalogue
        shared = np.zeros(len(catalogue.items), dtype=np.float32)
        for person in people:
            shared[person.history] += 1
        worth = (shared[history] + 0.01) / np.sqrt(catalogue.item_counts[history] + 1)
        order = history[np.argsort(-worth, kind="stable")]
        chosen += [place for place in order[: n + len(chosen)].tolist() if place not in chosen]
        return [serving.item_ids[place] for place in chosen[:n]]

    def _who_met(self, serving: Serving, item: int, like: Index, n: int) -> list[str]:
        """Choose users who met an item in training: those of whom most of what they met is like it."""
        seen = serving.model.catalogue.seen
        places = np.flatnonzero(seen.indices == item)
        users = np.searchsorted(seen.indptr, places, side="right") - 1
        if users.size > _MOST_PEOPLE:
            users = users[np.linspace(0, users.size - 1, _MOST_PEOPLE).astype(np.int64)]
        rows: csr_array = seen[users]
        sizes = np.diff(rows.indptr)
        of_row = np.repeat(np.arange(users.size), sizes)
        shared = np.bincount(of_row[np.isin(rows.indices, like)], minlength=users.size)
        worth = ((shared + 0.01) / np.sqrt(sizes + 1)).astype(np.float32)
        best, _ = top_k(worth[None, :], min(n, worth.size)) if worth.size else (np.empty((1, 0), dtype=np.int64), None)
        return [serving.user_ids[users[place]] for place in best[0].tolist() if place != NOTHING]

    def _connect(self, serving: Serving, drawing: "_Drawing", node: int, known: Known) -> None:
        """Join a user with the items of a drawing that this user met."""
        there = set(known.history.tolist())
        for place, other in enumerate(drawing.nodes):
            if other["kind"] == "item" and serving.item_index.get(other["id"], UNKNOWN) in there:
                drawing.edge(node, place, "met")

    def _node(self, serving: Serving, kind: Kind, some_id: str, role: str, rank: int | None = None) -> dict[str, Any]:
        return {
            "kind": kind,
            "id": some_id,
            "title": self._title(serving, kind, some_id),
            "role": role,
            "n_met": self._n_met(serving, kind, some_id),
            "rank": rank,
        }

    # The server

    def models(self) -> list[dict[str, Any]]:
        """List the versions of the model with what is stored beside them, the oldest first."""
        current = self.service.serving.version
        rows = []
        for version in self.service.models.versions():
            if version not in self._abouts:  # a version never changes
                self._abouts[version] = _about(read_about(self.service.models.path(version)))
            rows.append({"version": version, "is_current": version == current, **self._abouts[version]})
        return rows

    def about(self) -> dict[str, Any]:
        """Tell what is served: model, sizes, kinds of events, names of attributes in English and Chinese."""
        serving = self.service.serving
        catalogue = serving.model.catalogue
        names: dict[str, dict[str, str]] = {}
        if catalogue.labels is not None:
            rows = catalogue.labels.select("key", "en", "zh").iter_rows()
            names = {key: {"en": en, "zh": zh} for key, en, zh in rows}
        types = {kind: {"en": name.en, "zh": name.zh} for kind, name in EVENT_TYPES.items()}
        types |= {key.removeprefix("type."): both for key, both in names.items() if key.startswith("type.")}
        return {
            "model": serving.version,
            "name": serving.model.name,
            "n_users": len(catalogue.users),
            "n_items": len(catalogue.items),
            "event_types": [{"type": kind, **both, "undoes": UNDOES.get(kind)} for kind, both in types.items()],
            "columns": {key.removeprefix("column."): both for key, both in names.items() if key.startswith("column.")},
            "users": [row for row in self._some_users(serving) if self.service.knows_user(row["user_id"])],
            "items": [{"item_id": item, "title": self.service.title(item)} for item in self.service.popular(6).ids],
        }

    def _some_users(self, serving: Serving) -> list[dict[str, Any]]:
        with self._making:
            if self._examples is None or self._examples[0] != serving.version:
                sizes = np.diff(serving.trained.model.catalogue.seen.indptr).astype(np.int64)
                self._examples = (serving.version, _spread(serving.user_ids, sizes))
            return self._examples[1]

    def _known(self, serving: Serving, user_id: str) -> Known:
        return serving.pipeline.users.known(user_id, since_training_alone=not self.service.knows_user(user_id))

    def _training(self, serving: Serving, known: Known, told: set[str | None]) -> tuple[list[str], list[float]]:
        """Return what training knew of a user's history: ids and strengths, the strongest first, then what few met.

        Items of `told` are left out: a model that learned from the log has their events in it.
        """
        if not known.is_known:
            return [], []
        catalogue = serving.trained.model.catalogue  # the other one has in it who met the items that arrived
        row = catalogue.strengths[[known.index]]
        order = np.lexsort((catalogue.item_counts[row.indices], -row.data))
        ids = [str(item) for item in catalogue.items.ids_at(row.indices[order].astype(np.int64)).to_list()]
        rows = [pair for pair in zip(ids, row.data[order].tolist(), strict=True) if pair[0] not in told]
        return [item for item, _ in rows], [strength for _, strength in rows]

    def _row_of(self, serving: Serving, event: Event, counted: set[int]) -> dict[str, Any]:
        title = "" if event.item_id is None else self._title(serving, "item", event.item_id)
        return {
            "item_id": event.item_id,
            "title": title,
            "type": event.type,
            "value": event.value,
            "timestamp": written(event.timestamp),
            "event_id": event.event_id,
            "target_user_id": event.target_user_id,
            "is_event": True,
            "counts": serving.item_index.get(event.item_id or "", UNKNOWN) in counted,
        }

    def _title(self, serving: Serving, kind: Kind, some_id: str) -> str:
        place = self._item_place(serving, some_id) if kind == "item" else None
        return some_id if place is None else serving.titles[place]

    def _item_place(self, serving: Serving, item_id: str) -> int | None:
        return serving.item_index.get(item_id) if self.service.knows_item(item_id) else None

    def _n_met(self, serving: Serving, kind: Kind, some_id: str) -> int:
        if kind == "item":
            place = self._item_place(serving, some_id)
            return 0 if place is None else int(serving.model.catalogue.item_counts[place])
        catalogue = serving.trained.model.catalogue
        if not self.service.knows_user(some_id):
            return len(serving.pipeline.users.live.items_of(some_id)[0])
        [place] = catalogue.users.index_of(catalogue.users.from_text([some_id]))
        return int(catalogue.seen.indptr[place + 1] - catalogue.seen.indptr[place])


class _Drawing:
    """Nodes, each once, and edges between them, each once."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self._places: dict[tuple[str, str], int] = {}
        self._edges: dict[tuple[int, int], str] = {}

    def node(self, node: dict[str, Any]) -> int:
        """Add a node unless it is there; returns its place."""
        key = (node["kind"], node["id"])
        if key not in self._places:
            self._places[key] = len(self.nodes)
            self.nodes.append(node)
        return self._places[key]

    def edge(self, one: int, other: int, kind: str) -> None:
        """Add an edge unless these two are joined."""
        if one != other:
            self._edges.setdefault((min(one, other), max(one, other)), kind)

    def as_json(self) -> dict[str, Any]:
        """Return plain lists."""
        edges = [{"from": one, "to": other, "kind": kind} for (one, other), kind in self._edges.items()]
        return {"nodes": self.nodes, "edges": edges}


def _attributes(table: pl.DataFrame | None, place: int, id_column: str) -> dict[str, Any]:
    """Return a row of a table as JSON can hold it, without what is missing."""
    if table is None or place == UNKNOWN:
        return {}
    [row] = table[[place]].to_dicts()
    cells = {name: _cell(value) for name, value in row.items() if name != id_column}
    kept = {name: value for name, value in cells.items() if value not in (None, "", [])}
    return dict(islice(kept.items(), _MOST_VALUES))


def _cell(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case float():
            return round(value, 6) if math.isfinite(value) else None
        case list():
            return [_cell(each) for each in value[:_MOST_VALUES]]
        case _:
            return str(value)[:_MOST_TEXT]


def _about(about: dict[str, Any]) -> dict[str, Any]:
    """Return what of model.json is shown: figures that are numbers, with intervals where there are any."""
    metrics = {
        name: value
        for name, value in about["metrics"].items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    return {
        "name": about["model"],
        "created_at": str(about.get("created_at", "")),
        "n_users": about["n_users"],
        "n_items": about["n_items"],
        "n_interactions": about.get("n_interactions"),
        "metrics": metrics,
        "intervals": {
            name: ends for name, ends in dict(about["metrics"].get("intervals") or {}).items() if name in metrics
        },
    }


def _spread(user_ids: Sequence[str], sizes: Index) -> list[dict[str, Any]]:
    """Choose users to begin with: the one in the middle by what they met, and others spread around."""
    if not len(user_ids):
        return []
    order = np.argsort(sizes, kind="stable")
    shares = (0.5, 0.8, 0.95, 0.3, 0.65, 1.0)
    places = dict.fromkeys(int(order[round(share * (order.size - 1))]) for share in shares)
    return [{"user_id": user_ids[place], "n_met": int(sizes[place])} for place in places]
