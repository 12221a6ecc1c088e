"""Gorse's routes, keys and meanings, so that its clients work unchanged; where we differ, docs/service.md says so."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from edgewise.data.times import moment, written
from edgewise.data.vocabulary import standard_type
from edgewise.errors import DataError, UnknownNameError
from edgewise.serve.asked import (
    PathId,
    PathText,
    Workers,
    as_json,
    cursor_of,
    described,
    id_in_path,
    one_in,
    only_events,
    query_of,
    read_from,
    records_in,
)
from edgewise.serve.keys import Role
from edgewise.serve.metrics import Metrics
from edgewise.serve.service import List, Service
from edgewise.store import Event, EventStore, StoredItem, StoredUser, event_of
from edgewise.store.event import checked_id

_NO_TIME = "0001-01-01T00:00:00Z"  # how Gorse writes that there is none
_VERSION = "#"  # behind the id of a feedback that took the place of another
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}

_FEEDBACK_KEYS = {
    "feedbacktype": "type",
    "userid": "user_id",
    "itemid": "item_id",
    "timestamp": "timestamp",
    "value": "value",
}
_USER_KEYS = {"userid": "user_id", "labels": "labels", "subscribe": "subscribe", "comment": "comment"}
_ITEM_KEYS = {
    "itemid": "item_id",
    "ishidden": "is_hidden",
    "categories": "categories",
    "timestamp": "timestamp",
    "labels": "labels",
    "comment": "comment",
}

_API_VERSION = {
    "name": "X-API-Version",
    "in": "header",
    "required": False,
    "description": "2: with scores, as {Id, Score}; else ids alone.",
    "schema": {"type": "string"},
}

Number = Annotated[int, Query(ge=1)]
Offset = Annotated[int, Query(ge=0, le=100_000)]
Category = Annotated[str | None, Query(max_length=512)]


class ListQuery(BaseModel):
    """What may be said of a list beside whom it is for."""

    n: Annotated[int, Field(ge=1)] = 10
    offset: Annotated[int, Field(ge=0, le=100_000)] = 0
    category: Annotated[str | None, Field(max_length=512)] = None
    back: Annotated[str, Field(alias="write-back-type", max_length=512)] = ""
    delay: Annotated[str, Field(alias="write-back-delay", max_length=64)] = ""


def gorse_routes(service: Service, workers: Workers, metrics: Metrics, max_n: int) -> APIRouter:
    """Make the routes below /api."""
    api = APIRouter(prefix="/api")

    def page(n: int) -> int:
        return min(n, max_n)

    def scored(found: List) -> Response:
        pairs = [{"Id": item, "Score": score or 0.0} for item, score in zip(found.ids, found.scores, strict=True)]
        return as_json(pairs, headers=_told(found))

    # Lists

    async def recommend(
        request: Request, user_id: str, category: str | None, n: int, offset: int, back: str, delay: str
    ) -> Response:
        delay_ms = _duration_ms(delay)
        if back and request.state.role < Role.WRITE:
            return as_json({"error": "write-back-type stores events; this key may read."}, 403)
        run = workers.run_soon if category is None else workers.run  # items of a category may have to be looked for
        found = await run(service.recommend, user_id, page(n), offset, category)
        metrics.count_list(found.source, found.stages_ms)
        if back:
            now = service.clock.now() + delay_ms
            rows = [{"user_id": user_id, "item_id": item, "type": back, "timestamp": now} for item in found.ids]
            await store([event_of(row, now=now) for row in rows])
        if request.headers.get("x-api-version") == "2":
            return scored(found)
        return as_json(found.ids, headers=_told(found))

    described_list = described(ListQuery, "user_id")
    described_list["parameters"].append(_API_VERSION)

    @api.get("/recommend/{user_id}", tags=["lists"], openapi_extra=described_list)
    async def recommend_to_user(request: Request) -> Response:
        """Recommend items to a user, known or not: ids, with scores where X-API-Version is 2."""
        user_id, asked = id_in_path(request, "user_id"), query_of(request, ListQuery)
        return await recommend(request, user_id, asked.category or None, asked.n, asked.offset, asked.back, asked.delay)

    @api.get("/recommend/{user_id}/{category}", tags=["lists"], openapi_extra={"parameters": [_API_VERSION]})
    async def recommend_of_category(
        request: Request,
        user_id: PathId,
        category: PathText,
        n: Number = 10,
        offset: Offset = 0,
        back: Annotated[str, Query(alias="write-back-type", max_length=512)] = "",
        delay: Annotated[str, Query(alias="write-back-delay", max_length=64)] = "",
    ) -> Response:
        """Recommend items of a category."""
        return await recommend(request, user_id, category, n, offset, back, delay)

    @api.get("/popular", tags=["lists"])
    @api.get("/non-personalized/popular", tags=["lists"])
    async def popular(n: Number = 10, offset: Offset = 0, category: Category = None) -> Response:
        """List what most people met."""
        return scored(await workers.run(service.popular, page(n), offset, category or None))

    @api.get("/popular/{category}", tags=["lists"])
    @api.get("/non-personalized/popular/{category}", tags=["lists"])
    async def popular_of_category(category: PathText, n: Number = 10, offset: Offset = 0) -> Response:
        """List what most people met, of a category."""
        return scored(await workers.run(service.popular, page(n), offset, category))

    @api.get("/latest", tags=["lists"])
    @api.get("/non-personalized/latest", tags=["lists"])
    async def latest(n: Number = 10, offset: Offset = 0, category: Category = None) -> Response:
        """List the newest items."""
        return scored(await workers.run(service.latest, page(n), offset, category or None))

    @api.get("/latest/{category}", tags=["lists"])
    @api.get("/non-personalized/latest/{category}", tags=["lists"])
    async def latest_of_category(category: PathText, n: Number = 10, offset: Offset = 0) -> Response:
        """List the newest items of a category."""
        return scored(await workers.run(service.latest, page(n), offset, category))

    @api.get("/item/{item_id}/neighbors", tags=["lists"])
    async def item_neighbors(
        item_id: PathId, n: Number = 10, offset: Offset = 0, category: Category = None
    ) -> Response:
        """List what is most like an item."""
        return scored(await workers.run(service.similar_items, item_id, page(n), offset, category or None))

    @api.get("/item/{item_id}/neighbors/{category}", tags=["lists"])
    async def item_neighbors_of_category(
        item_id: PathId, category: PathText, n: Number = 10, offset: Offset = 0
    ) -> Response:
        """List what is most like an item, of a category."""
        return scored(await workers.run(service.similar_items, item_id, page(n), offset, category))

    @api.get("/item-to-item/{name}/{item_id}", tags=["lists"])
    async def item_to_item(
        name: PathText,  # noqa: ARG001 - Gorse has several ways under names of their own, we have one
        item_id: PathId,
        n: Number = 10,
        offset: Offset = 0,
        category: Category = None,
    ) -> Response:
        """List what is most like an item, by the model whatever the name."""
        return scored(await workers.run(service.similar_items, item_id, page(n), offset, category or None))

    @api.get("/user/{user_id}/neighbors", tags=["lists"])
    async def user_neighbors(user_id: PathId, n: Number = 10, offset: Offset = 0) -> Response:
        """List who met what a user met."""
        return scored(await workers.run(service.similar_users, user_id, page(n), offset))

    @api.get("/user-to-user/{name}/{user_id}", tags=["lists"])
    async def user_to_user(
        name: PathText,  # noqa: ARG001
        user_id: PathId,
        n: Number = 10,
        offset: Offset = 0,
    ) -> Response:
        """List who met what a user met, whatever the name."""
        return scored(await workers.run(service.similar_users, user_id, page(n), offset))

    async def session(request: Request, category: str | None, n: int, offset: int) -> Response:
        met = await read_from(request, _met_in)
        found = await workers.run(service.recommend_to_session, met, page(n), offset, category)
        pairs = [{"Id": item, "Score": score or 0.0} for item, score in zip(found.ids, found.scores, strict=True)]
        told = _told(found)
        told["X-Edgewise-Note"] = (
            told.get("X-Edgewise-Note") or "as to a newcomer who met these items; their order is not used"
        )
        return as_json(pairs, headers=told)

    @api.post("/session/recommend", tags=["lists"], openapi_extra=_body("a list of feedback"))
    async def session_recommend(
        request: Request, n: Number = 10, offset: Offset = 0, category: Category = None
    ) -> Response:
        """Recommend to somebody of whom a few feedbacks are known."""
        return await session(request, category or None, n, offset)

    @api.post("/session/recommend/{category}", tags=["lists"], openapi_extra=_body("a list of feedback"))
    async def session_recommend_of_category(
        request: Request, category: PathText, n: Number = 10, offset: Offset = 0
    ) -> Response:
        """Recommend items of a category to somebody of whom a few feedbacks are known."""
        return await session(request, category, n, offset)

    # Feedback

    async def store(events: list[Event]) -> int:
        new = await asyncio.wrap_future(service.submit(events))
        await asyncio.to_thread(service.follow, new.seq)
        n_new = sum(new)
        metrics.events.labels("new").inc(n_new)
        metrics.events.labels("repeated").inc(len(new) - n_new)
        return n_new

    @api.post("/feedback", tags=["feedback"], openapi_extra=_body("a feedback or a list of them"))
    async def insert_feedback(request: Request) -> Response:
        """Store feedback; answered when it is on the disk and the next list knows it."""
        now = service.clock.now()
        events = await read_from(request, lambda body: _events(body, now))
        await store(events)
        return as_json({"RowAffected": len(events)})

    @api.put("/feedback", tags=["feedback"], openapi_extra=_body("a feedback or a list of them"))
    async def upsert_feedback(request: Request) -> Response:
        """Store feedback, also where the same is there with another value, which this one takes the place of."""
        now = service.clock.now()
        events = await read_from(request, lambda body: _events(body, now))
        await store(await asyncio.to_thread(_renewed, service.store, events))
        return as_json({"RowAffected": len(events)})

    @api.get("/feedback", tags=["feedback"])
    def list_feedback(n: Number = 10, cursor: Annotated[str, Query(max_length=64)] = "") -> Response:
        """List feedback in the order of its arrival."""
        return _feedback_page(service, cursor, page(n), None)

    @api.get("/feedback/{kind}", tags=["feedback"])
    def list_feedback_of_type(
        kind: PathId, n: Number = 10, cursor: Annotated[str, Query(max_length=64)] = ""
    ) -> Response:
        """List feedback of a type."""
        return _feedback_page(service, cursor, page(n), standard_type(kind))

    @api.get("/feedback/{user_id}/{item_id}", tags=["feedback"])
    def list_feedback_between(user_id: PathId, item_id: PathId) -> Response:
        """List what a user did with an item."""
        return as_json(_latest_each(event for event in service.store.of_user(user_id) if event.item_id == item_id))

    @api.delete("/feedback/{user_id}/{item_id}", tags=["feedback"])
    def delete_feedback_between(user_id: PathId, item_id: PathId) -> Response:
        """Erase what a user did with an item since training."""
        return as_json({"RowAffected": service.erase_events(user_id, item_id)})

    @api.get("/feedback/{kind}/{user_id}/{item_id}", tags=["feedback"])
    def get_feedback(kind: PathId, user_id: PathId, item_id: PathId) -> Response:
        """Return one feedback."""
        wanted = standard_type(kind)
        events = service.store.of_user(user_id)
        found = _latest_each(event for event in events if event.item_id == item_id and event.type == wanted)
        if not found:
            raise UnknownNameError(f"user {user_id!r} has no feedback of type {wanted!r} on item {item_id!r}.")
        return as_json(found[-1])

    @api.delete("/feedback/{kind}/{user_id}/{item_id}", tags=["feedback"])
    def delete_feedback(kind: PathId, user_id: PathId, item_id: PathId) -> Response:
        """Erase what a user did with an item in one way."""
        return as_json({"RowAffected": service.erase_events(user_id, item_id, standard_type(kind))})

    @api.get("/user/{user_id}/feedback", tags=["feedback"])
    def feedback_of_user(user_id: PathId) -> Response:
        """List what a user did since training."""
        return as_json(_latest_each(service.store.of_user(user_id)))

    @api.get("/user/{user_id}/feedback/{kind}", tags=["feedback"])
    def feedback_of_user_and_type(user_id: PathId, kind: PathId) -> Response:
        """List what a user did in one way."""
        wanted = standard_type(kind)
        return as_json(_latest_each(event for event in service.store.of_user(user_id) if event.type == wanted))

    @api.get("/item/{item_id}/feedback", tags=["feedback"])
    def feedback_of_item(item_id: PathId) -> Response:
        """List what was done with an item since training."""
        return as_json(_latest_each(service.store.of_item(item_id)))

    @api.get("/item/{item_id}/feedback/{kind}", tags=["feedback"])
    def feedback_of_item_and_type(item_id: PathId, kind: PathId) -> Response:
        """List what was done with an item in one way."""
        wanted = standard_type(kind)
        return as_json(_latest_each(event for event in service.store.of_item(item_id) if event.type == wanted))

    # Users

    @api.post("/user", tags=["users"], openapi_extra=_body("a user"))
    async def insert_user(request: Request) -> Response:
        """Store what is told of a user."""
        user = await read_from(request, lambda body: _user(one_in(body)))
        await asyncio.to_thread(service.put_users, [user])
        return as_json({"RowAffected": 1})

    @api.post("/users", tags=["users"], openapi_extra=_body("a list of users"))
    async def insert_users(request: Request) -> Response:
        """Store what is told of users."""
        users = await read_from(request, lambda body: [_user(record) for record in records_in(body)])
        await asyncio.to_thread(service.put_users, users)
        return as_json({"RowAffected": len(users)})

    @api.get("/users", tags=["users"])
    def list_users(n: Number = 10, cursor: Annotated[str, Query(max_length=512)] = "") -> Response:
        """List users of whom something was told, or who did something since training, by id."""
        users = service.store.users(cursor or None, page(n))
        after = users[-1].user_id if len(users) == page(n) else ""
        return as_json({"Cursor": after, "Users": [_user_as_json(user) for user in users]})

    @api.get("/user/{user_id}", tags=["users"])
    def get_user(user_id: PathId) -> Response:
        """Return what is told of a user."""
        user = service.store.user(user_id) or (StoredUser(user_id) if service.knows_user(user_id) else None)
        if user is None:
            raise UnknownNameError(f"there is no user {user_id!r}.")
        return as_json(_user_as_json(user))

    @api.patch("/user/{user_id}", tags=["users"], openapi_extra=_body("what to change of a user"))
    async def update_user(request: Request, user_id: PathId) -> Response:
        """Change what is told of a user."""
        changes = await read_from(request, lambda body: _changes(one_in(body), _USER_KEYS))
        if await asyncio.to_thread(service.patch_user, user_id, changes) is None:
            raise UnknownNameError(f"there is no user {user_id!r}.")
        return as_json({"RowAffected": 1})

    @api.delete("/user/{user_id}", tags=["users"])
    def delete_user(user_id: PathId) -> Response:
        """Forget a user: events, what was told, and what training knew."""
        service.erase_user(user_id)
        return as_json({"RowAffected": 1})

    # Items

    @api.post("/item", tags=["items"], openapi_extra=_body("an item"))
    async def insert_item(request: Request) -> Response:
        """Store what is told of an item."""
        item = await read_from(request, lambda body: _item(one_in(body)))
        await asyncio.to_thread(service.put_items, [item])
        return as_json({"RowAffected": 1})

    @api.post("/items", tags=["items"], openapi_extra=_body("a list of items"))
    async def insert_items(request: Request) -> Response:
        """Store what is told of items."""
        items = await read_from(request, lambda body: [_item(record) for record in records_in(body)])
        await asyncio.to_thread(service.put_items, items)
        return as_json({"RowAffected": len(items)})

    @api.get("/items", tags=["items"])
    def list_items(
        n: Number = 10,
        cursor: Annotated[str, Query(max_length=512)] = "",
        q: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        """List items of which something was told, by id; with q, items of the model whose id or title has it."""
        if q:
            return as_json({"Cursor": "", "Items": [_item_of(service, item) for item in service.search(q, page(n))]})
        items = service.store.items(cursor or None, page(n))
        after = items[-1].item_id if len(items) == page(n) else ""
        return as_json({"Cursor": after, "Items": [_item_as_json(item) for item in items]})

    @api.get("/item/{item_id}", tags=["items"])
    def get_item(item_id: PathId) -> Response:
        """Return what is told of an item."""
        if service.store.item(item_id) is None and not service.knows_item(item_id):
            raise UnknownNameError(f"there is no item {item_id!r}.")
        return as_json(_item_of(service, item_id))

    @api.patch("/item/{item_id}", tags=["items"], openapi_extra=_body("what to change of an item"))
    async def update_item(request: Request, item_id: PathId) -> Response:
        """Change what is told of an item."""
        changes = await read_from(request, lambda body: _changes(one_in(body), _ITEM_KEYS))
        if await asyncio.to_thread(service.patch_item, item_id, changes) is None:
            raise UnknownNameError(f"there is no item {item_id!r}.")
        return as_json({"RowAffected": 1})

    @api.delete("/item/{item_id}", tags=["items"])
    def delete_item(item_id: PathId) -> Response:
        """Forget an item; it is shown again when it is put anew or somebody meets it."""
        service.erase_item(item_id)
        return as_json({"RowAffected": 1})

    @api.put("/item/{item_id}/category/{category}", tags=["items"])
    def insert_category(item_id: PathId, category: PathText) -> Response:
        """Add a category to an item."""
        item = service.store.item(item_id) or StoredItem(item_id)
        service.put_or_patch_categories(item_id, (*(word for word in item.categories if word != category), category))
        return as_json({"RowAffected": 1})

    @api.delete("/item/{item_id}/category/{category}", tags=["items"])
    def delete_category(item_id: PathId, category: PathText) -> Response:
        """Take a category from an item."""
        item = service.store.item(item_id) or StoredItem(item_id)
        service.put_or_patch_categories(item_id, tuple(word for word in item.categories if word != category))
        return as_json({"RowAffected": 1})

    # Health

    def health(is_fine: bool) -> Response:  # noqa: FBT001
        status = {
            "Ready": service.is_ready,
            "DataStoreError": None,
            "CacheStoreError": None,
            "DataStoreConnected": True,
            "CacheStoreConnected": True,
        }
        return as_json(status, 200 if is_fine else 503)

    @api.get("/health/live", tags=["health"])
    async def live() -> Response:
        """Whether the process runs."""
        return health(True)

    @api.get("/health/ready", tags=["health"])
    async def ready() -> Response:
        """Whether it can answer: 200, else 503."""
        return health(service.is_ready)

    return api


def _told(found: List) -> dict[str, str]:
    told = {"X-Edgewise-Source": found.source, "X-Edgewise-Model": found.version}
    return told | ({"X-Edgewise-Note": found.note} if found.note else {})


def _renamed(record: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """Give keys our names; like Gorse, we do not look at their case, and leave unknown ones out."""
    return {keys[key.lower()]: value for key, value in record.items() if key.lower() in keys}


def _feedback(record: Mapping[str, Any]) -> dict[str, Any]:
    found = _renamed(record, _FEEDBACK_KEYS)
    return {key: value for key, value in found.items() if not (key == "timestamp" and value in ("", _NO_TIME))}


def _met_in(body: bytes) -> list[str]:
    """Return the items of a session."""
    records = records_in(body) if body else []
    events = [event_of(_feedback(record) | {"user_id": "session"}, now=0) for record in records]
    return [event.item_id for event in events if event.item_id is not None]


def _events(body: bytes, now: int) -> list[Event]:
    events = []
    for place, record in enumerate(records_in(body), start=1):
        try:
            events.append(event_of(_feedback(record), now=now))
        except DataError as error:
            raise DataError(f"feedback {place}: {error}") from None
    return events


def _renewed(store: EventStore, events: Sequence[Event]) -> list[Event]:
    """Give events ids of their own where the store has the same with another value: a store keeps the first of an id."""
    versions: dict[str, list[Event]] = {}
    for user_id in {event.user_id for event in events}:
        for event in store.of_user(user_id):
            versions.setdefault(event.event_id.partition(_VERSION)[0], []).append(event)
    found = []
    for event in events:
        there = versions.setdefault(event.event_id, [])
        if there and there[-1].value == event.value:
            new = there[-1]
        else:
            new = replace(event, event_id=f"{event.event_id}{_VERSION}{len(there)}") if there else event
            there.append(new)
        found.append(new)
    return found


def _user(record: Mapping[str, Any]) -> StoredUser:
    told = {key: value for key, value in _renamed(record, _USER_KEYS).items() if value is not None}
    if "user_id" not in told:
        raise DataError("a user needs UserId.")
    return StoredUser(checked_id(told.pop("user_id"), "UserId"), **_checked_words(told))


def _item(record: Mapping[str, Any]) -> StoredItem:
    told = {key: value for key, value in _renamed(record, _ITEM_KEYS).items() if value is not None}
    if "item_id" not in told:
        raise DataError("an item needs ItemId.")
    return StoredItem(checked_id(told.pop("item_id"), "ItemId"), **_checked_words(_with_time(told)))


def _changes(record: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    told = {key: value for key, value in _renamed(record, keys).items() if value is not None}
    told = {key: value for key, value in told.items() if key not in ("user_id", "item_id")}
    return _checked_words(_with_time(told))


def _checked_words(told: dict[str, Any]) -> dict[str, Any]:
    for key in ("categories", "subscribe"):
        if key in told:
            words = told[key]
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise DataError(f"{key.capitalize()} must be a list of texts.")
            told[key] = tuple(checked_id(word, key.capitalize()) for word in words)
    return told


def _with_time(told: dict[str, Any]) -> dict[str, Any]:
    if "timestamp" not in told:
        return told
    value = told["timestamp"]
    if value in ("", _NO_TIME):
        return told | {"timestamp": None}
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise DataError("Timestamp must be a time such as 2024-05-31T08:26:00Z, or a number since 1970.")
    try:
        return told | {"timestamp": moment(value)}
    except DataError as error:
        raise DataError(f"Timestamp {error}") from None


def _duration_ms(text: str) -> int:
    """Read a duration as Go writes them: 1h30m.

    >>> _duration_ms("1h30m"), _duration_ms("")
    (5400000, 0)
    """
    if not text or text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        raise DataError(f"write-back-delay is {text[:40]!r}; expected a duration such as 10m or 1h30m.")
    ms = sum(float(number) * _MS[unit] for number, unit in _DURATION_PART.findall(text))
    if ms > 3.2e11:
        raise DataError(f"write-back-delay is {text[:40]!r}; expected less than ten years.")
    return int(ms)


def _time_text(ms: int | None) -> str:
    return _NO_TIME if ms is None else written(ms).replace(".000Z", "Z")


def _user_as_json(user: StoredUser) -> dict[str, Any]:
    return {
        "UserId": user.user_id,
        "Labels": user.labels,
        "Subscribe": list(user.subscribe),
        "Comment": user.comment,
    }


def _item_as_json(item: StoredItem) -> dict[str, Any]:
    return {
        "ItemId": item.item_id,
        "IsHidden": item.is_hidden,
        "Categories": list(item.categories),
        "Timestamp": _time_text(item.timestamp),
        "Labels": item.labels,
        "Comment": item.comment,
    }


def _item_of(service: Service, item_id: str) -> dict[str, Any]:
    """Return what is told of an item; its title from training where nothing is."""
    item = service.store.item(item_id)
    return _item_as_json(StoredItem(item_id, comment=service.title(item_id)) if item is None else item)


def _latest_each(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return the latest event of each type, user and item: what Gorse calls a feedback."""
    latest: dict[tuple[str, str, str], Event] = {}
    for event in events:
        if event.item_id is not None:
            latest[event.type, event.user_id, event.item_id] = event
    return [_feedback_as_json(event) for event in latest.values()]


def _feedback_as_json(event: Event) -> dict[str, Any]:
    return {
        "FeedbackType": event.type,
        "UserId": event.user_id,
        "ItemId": event.item_id,
        "Value": event.value,
        "Timestamp": _time_text(event.timestamp),
        "Comment": "",
    }


def _feedback_page(service: Service, cursor: str, n: int, kind: str | None) -> Response:
    """Return up to n events with items after a place in the log, and the place to go on from; "" at the end."""
    after = cursor_of(cursor)
    found: list[dict[str, Any]] = []
    while len(found) < n:
        entries = service.store.since(after, n - len(found))
        if not entries:
            return as_json({"Cursor": "", "Feedback": found})
        after = entries[-1][0]
        events = [event for event in only_events(entries) if event.item_id is not None]
        found += [_feedback_as_json(event) for event in events if kind is None or event.type == kind]
    return as_json({"Cursor": str(after), "Feedback": found})


def _body(what: str) -> dict[str, Any]:
    """Describe a body that the handler reads itself."""
    schema = {"description": what}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
