"""What takes long is done beside the event loop, on which all others wait."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from edgewise.serve import asked, v1
from edgewise.serve.app import create_app
from edgewise.serve.keys import Keys
from edgewise.serve.metrics import Metrics
from edgewise.serve.service import Service
from edgewise.serve.settings import ServiceConfig
from edgewise.store import StoreFolder, event

LARGE = "x" * 70_000
LIKE = {"FeedbackType": "like", "UserId": "u", "ItemId": "1000", "Comment": LARGE}


@pytest.fixture
def app(folder: StoreFolder) -> Iterator[Any]:
    store = folder.events()
    service = Service(store, folder.models, follow_s=60)
    service.start()
    yield create_app(ServiceConfig(), service, Keys())
    service.close()
    store.close()


async def ask(app: Any, method: str, path: str, body: Any) -> httpx.Response:
    """Answer a request on the loop of whoever calls."""
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.request(method, path, content=json.dumps(body))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/users", [{"UserId": "u", "Comment": LARGE}]),
        ("POST", "/api/user", {"UserId": "u", "Comment": LARGE}),
        ("PATCH", "/api/user/u000", {"Comment": LARGE}),
        ("POST", "/api/items", [{"ItemId": "i", "Comment": LARGE}]),
        ("POST", "/api/item", {"ItemId": "i", "Comment": LARGE}),
        ("PATCH", "/api/item/1000", {"Comment": LARGE}),
        ("POST", "/api/feedback", [LIKE]),
        ("POST", "/api/session/recommend", [LIKE]),
        ("POST", "/v1/events", {"user_id": "u", "item_id": "1000", "comment": LARGE}),
    ],
)
def test_a_large_body_is_read_beside_the_event_loop(
    method: str, path: str, body: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[int] = []
    decode = event._decode

    def noting(text: str) -> Any:
        where.append(threading.get_ident())
        return decode(text)

    monkeypatch.setattr(event, "_decode", noting)
    assert asyncio.run(ask(app, method, path, body)).status_code == 200
    assert len(where) == 1
    assert where[0] != threading.get_ident()


def test_lists_of_a_batch_are_written_beside_the_event_loop(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[int] = []

    def noting(value: Any) -> bytes:
        where.append(threading.get_ident())
        return asked.encoded(value)

    monkeypatch.setattr(v1, "encoded", noting)
    answer = asyncio.run(ask(app, "POST", "/v1/recommend", {"user_ids": ["u000", 5, "stranger"], "k": 2}))
    assert [(found["user_id"], len(found["items"])) for found in answer.json()["lists"]] == [
        ("u000", 2),
        ("5", 2),
        ("stranger", 2),
    ]
    assert len(where) == 3
    assert threading.get_ident() not in where


def test_figures_are_written_beside_the_event_loop(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[int] = []

    def noting(_: Metrics) -> bytes:
        where.append(threading.get_ident())
        return b""

    monkeypatch.setattr(Metrics, "text", noting)
    assert asyncio.run(ask(app, "GET", "/metrics", None)).status_code == 200
    assert len(where) == 1
    assert where[0] != threading.get_ident()
