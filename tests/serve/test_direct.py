"""Routes that are answered without the framework: the same answers, errors and paths as with it."""

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from edgewise.errors import DataError
from edgewise.serve.asked import as_json, described, id_in_path, query_of
from edgewise.serve.direct import Direct
from edgewise.serve.gorse import ListQuery

router = APIRouter(prefix="/api")


@router.get("/direct/{user_id}", openapi_extra=described(ListQuery, "user_id"))
async def direct(request: Request) -> Response:
    asked = query_of(request, ListQuery)
    if asked.n == 7:
        raise DataError("seven")
    if asked.n == 8:
        raise ZeroDivisionError
    return as_json([id_in_path(request, "user_id"), asked.n, request.method])


@router.get("/framed/{user_id}")
async def framed(user_id: str, n: int = 10) -> Response:
    return as_json([user_id, n, "framed"])


async def told(_: Request, error: Exception) -> Response:
    return as_json({"error": str(error)}, 400)


def ask(app: Any, method: str, path: str, query: str = "") -> tuple[int, bytes, dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": ""}
    scope |= {"query_string": query.encode(), "headers": [], "state": {}, "client": None, "server": None}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], scope


@pytest.fixture(scope="module")
def framework() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    app.add_exception_handler(DataError, told)
    return app


@pytest.fixture(scope="module")
def app(framework: FastAPI) -> Direct:
    return Direct(framework, [router], {DataError: told})


def test_only_what_reads_its_request_itself_is_direct(app: Direct) -> None:
    assert [route.path for route in app.routes] == ["/api/direct/{user_id}"]
    assert ask(app, "GET", "/api/framed/u", "n=3")[:2] == (200, b'["u",3,"framed"]')


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/api/direct/u1", ""),
        ("GET", "/api/direct/a%2Fb", "n=3"),
        ("GET", "/api/direct/u1", "n=7"),
        ("HEAD", "/api/direct/u1", ""),
        ("POST", "/api/direct/u1", ""),
        ("GET", "/api/direct/u1/more", ""),
        ("GET", "/api/direct", ""),
    ],
)
def test_the_answer_is_the_same_as_through_the_framework(
    app: Direct, framework: FastAPI, method: str, path: str, query: str
) -> None:
    assert ask(app, method, path, query)[:2] == ask(framework, method, path, query)[:2]


def test_the_route_is_known_to_what_counts_requests(app: Direct) -> None:
    assert ask(app, "GET", "/api/direct/u1")[2]["route"].path == "/api/direct/{user_id}"


def test_an_error_that_nobody_tells_goes_on(app: Direct) -> None:
    with pytest.raises(ZeroDivisionError):
        ask(app, "GET", "/api/direct/u1", "n=8")
