"""Our own routes: small, typed, and only those that work."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from edgewise.errors import DataError, UnknownNameError
from edgewise.serve.asked import (
    PathId,
    PathText,
    Workers,
    as_json,
    described,
    encoded,
    id_in_path,
    only_events,
    query_of,
    read_from,
)
from edgewise.serve.metrics import Metrics
from edgewise.serve.service import List, Service
from edgewise.store import events_of_json
from edgewise.store.event import checked_id, record_of

MAX_IN_BATCH = 100_000
"""Items of all lists of a batch: some 10 MB, which a client that reads slowly keeps in memory."""


class Item(BaseModel):
    """An item of a list."""

    item_id: str
    title: str
    score: float | None
    rank: int
    source: str


class Items(BaseModel):
    """A list: best first."""

    user_id: str | None = None
    item_id: str | None = None
    source: str
    note: str
    model: str
    items: list[Item]
    stages_ms: dict[str, float]


class Similar(BaseModel):
    """A user who met what another met."""

    user_id: str
    score: float
    rank: int


class SimilarUsers(BaseModel):
    """Users: best first."""

    user_id: str
    note: str
    model: str
    users: list[Similar]


class Asked(BaseModel):
    """Whom a batch is for."""

    model_config = ConfigDict(extra="forbid")

    user_ids: list[str | int] = Field(min_length=1, max_length=1000)
    k: int = Field(default=10, ge=1, le=1000)
    category: str | None = Field(default=None, max_length=512)
    exclude_seen: bool = True


class Batch(BaseModel):
    """A list for each user, in the order asked."""

    lists: list[Items]


class Accepted(BaseModel):
    """What became of events: all are on the disk, and the next list knows them."""

    accepted: int
    new: int
    last_seq: int


class Events(BaseModel):
    """A page of the log, and where the next begins."""

    events: list[dict[str, Any]]
    next: int
    is_end: bool


class Model(BaseModel):
    """A version of the model."""

    version: str
    is_current: bool
    name: str | None = None


class Erased(BaseModel):
    """What was erased."""

    user_id: str
    events: int


class ListQuery(BaseModel):
    """What may be said of a list beside whom it is for."""

    k: int = Field(default=10, ge=1, le=1000)
    category: str | None = Field(default=None, max_length=512)
    exclude_seen: bool = True


Count = Annotated[int, Query(ge=1, le=1000)]
_EVENTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "description": "One event, a list of events, or one a line. Without event_id: a hash of type, user, item and time where there is a time, else a fresh one.",
                    "type": "object",
                    "required": ["user_id"],
                    "properties": {
                        "event_id": {"type": "string"},
                        "user_id": {"type": "string"},
                        "item_id": {"type": "string"},
                        "type": {"type": "string", "default": "view"},
                        "value": {"type": "number", "default": 1},
                        "timestamp": {"type": "string"},
                        "session_id": {"type": "string"},
                        "target_user_id": {"type": "string"},
                    },
                }
            }
        },
    }
}


def v1_routes(service: Service, workers: Workers, metrics: Metrics, max_n: int) -> APIRouter:
    """Make the routes below /v1."""
    v1 = APIRouter(prefix="/v1", tags=["v1"])

    @v1.get("/recommend/{user_id}", response_model=Items, openapi_extra=described(ListQuery, "user_id"))
    async def recommend(request: Request) -> Response:
        """Recommend items to a user, known or not."""
        user_id, asked = id_in_path(request, "user_id"), query_of(request, ListQuery)
        run = (
            workers.run_soon if asked.category is None else workers.run
        )  # items of a category may have to be looked for
        found = await run(
            service.recommend, user_id, min(asked.k, max_n), 0, asked.category, exclude_seen=asked.exclude_seen
        )
        metrics.count_list(found.source, found.stages_ms)
        return as_json(_as_json(found, user_id=user_id))

    @v1.post("/recommend", response_model=Batch)
    async def recommend_to_many(asked: Asked) -> Response:
        """Recommend items to up to 1000 users, 100,000 items in all."""
        if (n := len(asked.user_ids) * min(asked.k, max_n)) > MAX_IN_BATCH:
            raise DataError(
                f"{len(asked.user_ids)} lists of {asked.k} are {n:,} items; expected at most {MAX_IN_BATCH:,} in all. Ask for fewer users at once."
            )
        users = [checked_id(user, "user_ids") for user in asked.user_ids]

        def listed(user: str) -> tuple[List, bytes]:
            found = service.recommend(user, min(asked.k, max_n), 0, asked.category, exclude_seen=asked.exclude_seen)
            return found, encoded(_as_json(found, user_id=user))

        lists = []
        for user in users:  # one after the other, written where it is made: a large batch holds up nobody else
            found, text = await workers.run(listed, user)
            metrics.count_list(found.source, found.stages_ms)
            lists.append(text)
        return Response(b'{"lists":[' + b",".join(lists) + b"]}", media_type="application/json")

    @v1.get("/similar/{item_id}", response_model=Items)
    async def similar(item_id: PathId, k: Count = 10) -> Response:
        """List what is most like an item."""
        return as_json(_as_json(await workers.run(service.similar_items, item_id, min(k, max_n)), item_id=item_id))

    @v1.get("/users/{user_id}/similar", response_model=SimilarUsers)
    async def similar_users(user_id: PathId, k: Count = 10) -> Response:
        """List who met what a user met."""
        found = await workers.run(service.similar_users, user_id, min(k, max_n))
        rows = zip(found.ids, found.scores, strict=True)
        users = [{"user_id": user, "score": score, "rank": rank} for rank, (user, score) in enumerate(rows, 1)]
        return as_json({"user_id": user_id, "note": found.note, "model": found.version, "users": users})

    @v1.get("/explain/{user_id}/{item_id}", response_model=dict[str, Any])
    async def explain(user_id: PathId, item_id: PathId, n: Annotated[int, Query(ge=1, le=20)] = 3) -> Response:
        """Tell why an item would be recommended to a user."""
        return as_json(await workers.run(service.explain, user_id, item_id, n))

    @v1.post("/events", response_model=Accepted, openapi_extra=_EVENTS_BODY)
    async def accept(request: Request) -> Response:
        """Store events; answered when they are on the disk and the next list knows them."""
        now = service.clock.now()
        events = await read_from(request, lambda body: events_of_json(body, now=now))
        new = await asyncio.wrap_future(service.submit(events))
        await asyncio.to_thread(service.follow, new.seq)
        metrics.events.labels("new").inc(sum(new))
        metrics.events.labels("repeated").inc(len(new) - sum(new))
        return as_json({"accepted": len(new), "new": sum(new), "last_seq": service.seq})

    @v1.get("/events", response_model=Events)
    def events(
        after: Annotated[int, Query(ge=0, le=2**62)] = 0, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
    ) -> Response:
        """List events in the order of their arrival; go on with `next` as `after`."""
        entries = service.store.since(after, limit)
        return as_json(
            {
                "events": [record_of(event) for event in only_events(entries)],
                "next": entries[-1][0] if entries else after,
                "is_end": len(entries) < limit,
            }
        )

    @v1.get("/users/{user_id}/export", response_model=dict[str, Any])
    def export(user_id: PathId) -> Response:
        """Return all that is stored of a user."""
        return as_json(service.store.export_user(user_id))

    @v1.delete("/users/{user_id}", response_model=Erased)
    def erase(user_id: PathId) -> Response:
        """Forget a user: events, what was told, and what training knew."""
        return as_json({"user_id": user_id, "events": service.erase_user(user_id)})

    @v1.post("/models/{version}/current", response_model=Model)
    async def swap(version: PathText) -> Response:
        """Let a version answer; requests under way end with the old one."""
        if version not in service.models.versions():
            raise UnknownNameError(f"there is no version {version[:60]!r}; see GET /v1/models.")
        await asyncio.to_thread(service.swap, version)
        return as_json({"version": version, "is_current": True, "name": service.serving.model.name})

    return v1


def _as_json(found: List, **about: str) -> dict[str, Any]:
    rows = zip(found.ids, found.titles, found.scores, found.sources, strict=True)
    items = [
        {"item_id": item, "title": title, "score": score, "rank": rank, "source": source}
        for rank, (item, title, score, source) in enumerate(rows, start=1)
    ]
    stages = {name: round(ms, 3) for name, ms in found.stages_ms.items()}
    return {
        **about,
        "source": found.source,
        "note": found.note,
        "model": found.version,
        "items": items,
        "stages_ms": stages,
    }
