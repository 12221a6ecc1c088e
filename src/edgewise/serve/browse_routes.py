"""Routes for looking things up: search, histories, friends, what lies around, versions, and how the server does."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from edgewise import __version__
from edgewise.serve.asked import PathId, Workers, as_json
from edgewise.serve.browse import Browser
from edgewise.serve.metrics import Metrics
from edgewise.serve.service import Service


class Found(BaseModel):
    """A user or an item that was found by name."""

    kind: Literal["user", "item"]
    id: str
    title: str
    n_met: int
    is_exact: bool


class FoundList(BaseModel):
    """What was found: ids that are the text itself, then items, then users."""

    found: list[Found]


class Met(BaseModel):
    """A row of a history: an event, or a pair of the training data, of which no time is kept."""

    item_id: str | None
    title: str
    type: str | None
    value: float
    timestamp: str | None
    event_id: str | None
    target_user_id: str | None
    is_event: bool
    counts: bool


class User(BaseModel):
    """What is known of a user, and a page of the history."""

    user_id: str
    is_known: bool
    n_training: int
    n_events: int
    n_since: int
    n_counted: int
    attributes: dict[str, Any]
    model: str
    history: list[Met]
    next: int | None


class ItemAlone(BaseModel):
    """What is known of an item."""

    item_id: str
    title: str
    is_known: bool
    is_new: bool
    may_be_shown: bool
    n_people: int
    n_events: int
    attributes: dict[str, Any]
    model: str


class Friend(BaseModel):
    """A friend, or somebody who met the same."""

    user_id: str
    score: float
    n_shared: int
    since_training: bool


class Friends(BaseModel):
    """Friends where any are known, else the nearest there is, which `source` tells."""

    user_id: str
    source: Literal["friends", "similar"]
    model: str
    users: list[Friend]


class Node(BaseModel):
    """A user or an item of a drawing."""

    kind: Literal["user", "item"]
    id: str
    title: str
    role: Literal["centre", "met", "listed", "like", "person"]
    n_met: int
    rank: int | None


_Edge = Literal["met", "event", "listed", "like", "friend", "similar"]


class Neighbourhood(BaseModel):
    """What lies around a user or an item; edges name places in `nodes` under "from" and "to"."""

    kind: Literal["user", "item"]
    id: str
    source: Literal["friends", "similar", "met"]
    note: str
    model: str
    nodes: list[Node]
    edges: list[dict[Literal["from", "to", "kind"], int | _Edge]]


class Version(BaseModel):
    """A version of the model, and the figures that are stored with it."""

    version: str
    is_current: bool
    name: str
    created_at: str
    n_users: int
    n_items: int
    n_interactions: int | None
    metrics: dict[str, float]
    intervals: dict[str, list[float | None]]


class Versions(BaseModel):
    """All versions, the oldest first."""

    models: list[Version]


class About(BaseModel):
    """What is served, and what the key that came along may do."""

    edgewise: str
    role: Literal["read", "write", "admin"]
    is_key_needed: bool
    model: str
    name: str
    n_users: int
    n_items: int
    event_types: list[dict[str, str | None]]
    columns: dict[str, dict[str, str]]
    users: list[dict[str, Any]]
    items: list[dict[str, str]]


class Stats(BaseModel):
    """The last minute: rates a second, times in milliseconds, and one row for each second, the oldest first."""

    model: str
    last_seq: int
    n_waiting: int
    window_s: int
    requests_per_s: float
    events_per_s: float
    failed: int
    latency_ms: dict[str, float | None]
    kinds: dict[str, dict[str, float | None]]
    series: list[dict[str, float | None]]


Around = Annotated[int, Query(ge=1, le=30)]


def browse_routes(service: Service, workers: Workers, metrics: Metrics, max_n: int, *, keys_are_set: bool) -> APIRouter:
    """Make the routes below /v1 that the page at / is made of."""
    v1 = APIRouter(prefix="/v1", tags=["browse"])
    browser = Browser(service)

    @v1.get("/search", response_model=FoundList)
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=200)],
        kind: Literal["user", "item"] | None = None,
        n: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> Response:
        """Find users and items by a part of an id or of a title; `n` of each kind."""
        return as_json({"found": await workers.run(browser.search, q, kind, min(n, max_n))})

    @v1.get("/users/{user_id}", response_model=User)
    async def user(
        user_id: PathId,
        n: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[int, Query(ge=0, le=2**31)] = 0,
    ) -> Response:
        """Tell what is known of a user, with a page of the history; go on with `next` as `cursor`."""
        return as_json(await workers.run(browser.user, user_id, min(n, max_n), cursor))

    @v1.get("/items/{item_id}", response_model=ItemAlone)
    async def item(item_id: PathId) -> Response:
        """Tell what is known of an item."""
        return as_json(await workers.run(browser.item, item_id))

    @v1.get("/friends/{user_id}", response_model=Friends)
    async def friends(user_id: PathId, k: Annotated[int, Query(ge=1, le=1000)] = 10) -> Response:
        """List a user's friends; where none is known, who met what the user met, and `source` tells which."""
        return as_json(await workers.run(browser.friends, user_id, min(k, max_n)))

    @v1.get("/neighbourhood/user/{user_id}", response_model=Neighbourhood)
    async def around_user(user_id: PathId, n: Around = 8, n_people: Around = 6) -> Response:
        """Draw what lies around a user: items met and items of the list, `n` of each, and people."""
        return as_json(await workers.run(browser.around_user, user_id, n, n_people))

    @v1.get("/neighbourhood/item/{item_id}", response_model=Neighbourhood)
    async def around_item(item_id: PathId, n: Around = 8, n_people: Around = 6) -> Response:
        """Draw what lies around an item: `n` items like it, and people who met it."""
        return as_json(await workers.run(browser.around_item, item_id, n, n_people))

    @v1.get("/models", response_model=Versions)
    async def models() -> Response:
        """List the versions of the model, with the figures stored beside them."""
        return as_json({"models": await workers.run(browser.models)})

    @v1.get("/about", response_model=About)
    async def about(request: Request) -> Response:
        """Tell what is served, and what the key may do."""
        told = await workers.run(browser.about)
        role = request.state.role.name.lower()
        return as_json({"edgewise": __version__, "role": role, "is_key_needed": keys_are_set, **told})

    @v1.get("/stats", response_model=Stats)
    async def stats() -> Response:
        """Tell how the last minute was, second by second."""
        about = {"model": service.serving.version, "last_seq": service.seq, "n_waiting": workers.n_waiting}
        return as_json({**about, **metrics.recent.figures()})

    return v1
