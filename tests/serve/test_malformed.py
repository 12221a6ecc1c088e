"""Whatever is sent, the answer is never a 5xx and never a stack trace."""

import importlib
import json
import os
import socket
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.server import Server, feedback

PLACES = [
    ("GET", "/api/recommend/{0}"),
    ("GET", "/api/recommend/{0}/{1}"),
    ("GET", "/api/popular/{0}"),
    ("GET", "/api/latest/{0}"),
    ("GET", "/api/item/{0}/neighbors"),
    ("GET", "/api/item-to-item/{0}/{1}"),
    ("GET", "/api/user/{0}/neighbors"),
    ("GET", "/api/user-to-user/{0}/{1}"),
    ("GET", "/api/feedback/{0}/{1}"),
    ("DELETE", "/api/feedback/x{0}/{1}"),
    ("GET", "/api/user/{0}"),
    ("GET", "/api/item/{0}"),
    ("PATCH", "/api/user/x{0}"),
    ("PATCH", "/api/item/x{0}"),
    ("PUT", "/api/item/x{0}/category/{1}"),
    ("POST", "/api/user"),
    ("POST", "/api/users"),
    ("POST", "/api/item"),
    ("POST", "/api/items"),
    ("POST", "/api/feedback"),
    ("PUT", "/api/feedback"),
    ("POST", "/api/session/recommend"),
    ("POST", "/v1/recommend"),
    ("POST", "/v1/events"),
    ("GET", "/v1/recommend/{0}"),
    ("GET", "/v1/similar/{0}"),
    ("GET", "/v1/explain/{0}/{1}"),
    ("GET", "/v1/users/{0}/export"),
    ("GET", "/v1/users/{0}"),
    ("GET", "/v1/items/{0}"),
    ("GET", "/v1/friends/{0}"),
    ("GET", "/v1/search"),
    ("GET", "/v1/neighbourhood/user/{0}"),
    ("GET", "/v1/neighbourhood/item/{0}"),
    ("GET", "/page/{0}"),
    ("GET", "/v1/events"),
    ("POST", "/v1/models/{0}/current"),
    ("GET", "/{0}"),
]

parts = st.text(max_size=8) | st.sampled_from(["u001", "1000", "..", "a/b", "%", "\x00", "null", "-1", "9" * 30])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    *("UserId", "ItemId", "FeedbackType", "Timestamp", "Value", "Labels", "Categories", "IsHidden", "Subscribe"),
    *("Comment", "user_id", "item_id", "type", "timestamp", "value", "event_id", "user_ids", "k", "category"),
]
records = st.dictionaries(st.sampled_from(KEYS), values, max_size=8)
bodies = (
    st.binary(max_size=60)
    | (records | st.lists(records, max_size=3) | values).map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"[" * 5000, b'{"a":' * 5000, b"\xff\xfe", b"[1e999]", b'"\\ud800"', b"1" * 5000, b"[NaN]"])
)
queries = st.dictionaries(
    st.sampled_from(
        [
            "n",
            "offset",
            "k",
            "cursor",
            "category",
            "q",
            "after",
            "limit",
            "write-back-delay",
            "exclude_seen",
            "kind",
            "n_people",
        ]
    ),
    parts,
    max_size=3,
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), parts, parts, queries, bodies)
def test_no_request_makes_the_server_fail(
    shared: Server, place: tuple[str, str], one: str, other: str, query: dict[str, str], body: bytes
) -> None:
    method, path = place
    path = path.format(*(quote(part, safe="", errors="surrogatepass") for part in (one, other)))
    asked = "&".join(f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in query.items())
    status, answer, headers = shared.ask(method, f"{path}?{asked}", None if method == "GET" else body)
    assert status < 500, (method, path, asked, body, answer)
    assert "x-request-id" in headers
    if status >= 400:
        assert set(answer) == {"error", "request_id"}
        assert "Traceback" not in answer["error"]


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET /api/recommend/u001 HTTP/1.1\r\nHost: \xff\xfe\r\nX-API-Key: k3y\r\n\r\n", (200, 400)),
        (b"GET /api/../../etc/passwd HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\n\r\n", (404,)),
        (b"GET //api//recommend//u001 HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\n\r\n", (404,)),
        (b"BREW /api/recommend/u001 HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\n\r\n", (400, 403, 405)),
        (b"GET /api/recommend/%zz HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\n\r\n", (200, 400)),
        (b"GET /api/recommend/%00 HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\n\r\n", (400,)),
        (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\nContent-Length: -5\r\n\r\n", (400,)),
        (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\nContent-Length: 99999999999\r\n\r\n", (413,)),
        (b"nonsense\r\n\r\n", (400,)),
    ],
)
def test_odd_requests_get_an_answer(shared: Server, request_bytes: bytes, expected: tuple[int, ...]) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as connection:
        connection.sendall(request_bytes)
        status = int(connection.recv(4096).split()[1])
    assert status in expected


def test_an_id_with_a_slash_is_one_id(shared: Server) -> None:
    name = quote("a/b?c d%", safe="")
    shared.ask("POST", "/api/feedback", feedback("a/b?c d%", "1000"))
    assert [row["UserId"] for row in shared.ask("GET", f"/api/user/{name}/feedback")[1]] == ["a/b?c d%"]
    assert shared.ask("GET", f"/v1/recommend/{name}")[1]["user_id"] == "a/b?c d%"


def test_large_and_deep_bodies_are_refused_in_words(shared: Server) -> None:
    status, answer, _ = shared.ask("POST", "/v1/events", b" " * (9 << 20))
    assert (status, answer["error"]) == (413, "the body is larger than 8388608 bytes; send it in parts.")
    status, answer, _ = shared.ask("POST", "/v1/events", b"[" * 40 + b"]" * 40)
    assert (status, answer["error"]) == (400, "the body is nested more than 32 deep.")


def test_a_batch_has_an_end(shared: Server) -> None:
    status, answer, _ = shared.ask("POST", "/v1/recommend", {"user_ids": ["u001"] * 501, "k": 200})
    assert status == 400
    assert answer["error"].startswith("501 lists of 200 are 100,200 items; expected at most 100,000 in all.")
    assert shared.ask("POST", "/v1/recommend", {"user_ids": ["u001"] * 500, "k": 200})[0] == 200


def test_a_wrong_event_is_named_and_nothing_of_its_list_is_stored(shared: Server) -> None:
    events = [{"event_id": "good", "user_id": "v", "item_id": "1000"}, {"user_id": "v", "value": "many"}]
    status, answer, _ = shared.ask("POST", "/v1/events", events)
    assert status == 400
    assert answer["error"].startswith("event 2: an event needs item_id")
    assert shared.ask("GET", "/v1/users/v/export")[1]["events"] == []


def test_a_half_open_client_does_not_hold_up_others(shared: Server) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-API-Key: k3y\r\nContent-Length: 100\r\n\r\n{")
        assert shared.ask("GET", "/api/recommend/u001")[0] == 200


@pytest.mark.slow
def test_requests_made_from_the_openapi_document_never_fail(shared: Server) -> None:
    schemathesis: Any = importlib.import_module("schemathesis")
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{shared.port}/openapi.json", headers={"X-API-Key": "k3y"})
    n = int(os.environ.get("EDGEWISE_MALFORMED", "30"))

    for operation in schema.get_all_operations():

        @settings(max_examples=n, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.ok().as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(headers={"X-API-Key": "k3y"})
            assert answer.status_code < 500, (case.method, case.path, answer.text)

        ask()
