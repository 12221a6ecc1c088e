"""What every request passes before it reaches a route: id, rate, key, size, time; and what is noted when it has been answered."""

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from itertools import count
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgewise.logs import log
from edgewise.serve.asked import REQUEST_ID
from edgewise.serve.keys import Keys, Role
from edgewise.serve.limits import RateLimit, is_deeper
from edgewise.serve.metrics import Metrics
from edgewise.serve.settings import ServiceConfig

_OPEN = re.compile(r"/api/health/(live|ready)|/|/favicon\.ico|/page/[^/]+")
"""Paths that need no key, and are answered before the model is there: health, and the page, which asks for the key itself."""

_ASKING = re.compile(r"/api/session/recommend(/[^/]*)?|/v1/recommend")
"""Paths whose POST changes nothing."""

_ADMIN = re.compile(r"DELETE /api/user/[^/]+|DELETE /v1/users/[^/]+|GET /v1/users/[^/]+/export|POST /v1/models(/.*)?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\]|testserver)(:\d+)?")
_LARGE = 65_536
_DRAINED = 4
"""A body up to so many times too large is read to its end, and dropped: who is still sending does not read the answer."""


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A request that is answered here."""

    def __init__(self, status: int, text: str, reason: str, **headers: str) -> None:
        super().__init__(text)
        self.status, self.text, self.reason, self.headers = status, text, reason, headers


class Gate:
    """The outermost part of the app.

    Args:
        app: what answers. keys: of the callers. config: limits and times.
        metrics: where requests are counted. is_ready: whether the app can answer.
    """

    def __init__(
        self, app: ASGIApp, keys: Keys, config: ServiceConfig, metrics: Metrics, is_ready: Callable[[], bool]
    ) -> None:
        self.app, self.keys, self.config, self.metrics, self.is_ready = app, keys, config, metrics, is_ready
        self.rate = RateLimit(config.rate_per_s, config.rate_burst)
        self._name, self._numbers = uuid.uuid4().hex[:16], count(1)  # a request is known by this process and its number

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand on what is not one."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else f"{self._name}-{next(self._numbers):x}"
        scope["state"] = {"request_id": request_id}
        REQUEST_ID.set(request_id)
        status = 0

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            body = await self._admit(scope, headers, receive)
            if body is None:  # the caller went away
                return
            async with asyncio.timeout(self.config.answer_timeout_s):
                await self.app(scope, _replay(body, receive), send_noting)
        except Refused as refused:
            self.metrics.refused.labels(refused.reason).inc()
            await _send_error(send_noting, refused.status, refused.text, request_id, refused.headers)
        except TimeoutError:
            if not status:
                self.metrics.refused.labels("timeout").inc()
                text = f"no answer within {self.config.answer_timeout_s:g} s; try again later."
                await _send_error(send_noting, 503, text, request_id, {"retry-after": "1"})
        except Exception:
            log("a request failed", level=logging.ERROR, exc_info=True, request_id=request_id)
            if not status:
                await _send_error(
                    send_noting, 500, "something went wrong in the server; its log says what.", request_id, {}
                )
        seconds = time.perf_counter() - started
        route = getattr(scope.get("route"), "path", "(none)")
        self.metrics.count_request(scope["method"] if scope["method"] in _METHODS else "other", route, status, seconds)
        if self.config.log_requests or status >= 400:
            log(
                "request",
                level=logging.ERROR if status == 500 else logging.INFO,
                request_id=request_id,
                method=scope["method"][:20],
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
            )

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        """Check a request and read its body.

        Raises:
            Refused: if it may not pass.
        """
        # Parts of a path are decoded one by one, where they are read: an id may have a slash in it.
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.split(b"?")[0].decode("latin-1")
        path = path.rstrip("/") or "/"
        scope["path"] = path
        caller = (scope.get("client") or ("",))[0]
        wait = self.rate.wait_s(caller)
        if wait:
            raise Refused(429, "too many requests; slow down.", "rate", **{"retry-after": str(max(1, round(wait)))})
        if not is_open(path):
            scope["state"]["role"] = self._role(scope["method"], path, headers)
            if not self.is_ready():
                raise Refused(
                    503, "the model is being loaded; try again in a moment.", "starting", **{"retry-after": "1"}
                )
        return await self._body(headers, receive)

    def _role(self, method: str, path: str, headers: dict[bytes, bytes]) -> Role:
        if not self.keys.are_set:
            host = headers.get(b"host", b"").decode("latin-1")
            origin = headers.get(b"origin", b"").decode("latin-1")
            if not _LOOPBACK.fullmatch(host) or (origin and origin.partition("://")[2] != host):
                text = "without a key this server answers its own machine alone, and no page of another site; set EDGEWISE_API_KEY."
                raise Refused(403, text, "host")
        key = headers.get(b"x-api-key")
        bearer = headers.get(b"authorization", b"")
        if key is None and bearer[:7].lower() == b"bearer ":
            key = bearer[7:].strip()
        role = self.keys.role_of(key)
        if role is None:
            text = "no key was given" if key is None else "the key is not one of this server's"
            raise Refused(401, f"{text}; send a valid one as X-API-Key.", "key", **{"www-authenticate": "Bearer"})
        needed = needed_role(method, path)
        if role < needed:
            raise Refused(
                403,
                f"this key may {role.name.lower()}; {method[:20]} here needs one that may {needed.name.lower()}.",
                "role",
            )
        return role

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        limit = self.config.max_body_bytes
        too_large = Refused(
            413, f"the body is larger than {limit} bytes; send it in parts.", "size", connection="close"
        )
        length = headers.get(b"content-length")
        if length is None and b"transfer-encoding" not in headers:
            return b""
        if length is not None and length.isdigit() and int(length[:20]) > _DRAINED * limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.config.body_timeout_s):
                while size <= _DRAINED * limit:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    if size <= limit:
                        parts.append(part)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            text = f"the body did not arrive within {self.config.body_timeout_s:g} s."
            raise Refused(408, text, "slow", connection="close") from None
        if size > limit:
            raise too_large
        body = b"".join(parts)
        if body:
            depth = self.config.max_depth
            check = is_deeper(body, depth) if size < _LARGE else await asyncio.to_thread(is_deeper, body, depth)
            if check:
                raise Refused(400, f"the body is nested more than {depth} deep.", "depth")
        return body


_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


def is_open(path: str) -> bool:
    """Whether a path needs no key."""
    return _OPEN.fullmatch(path) is not None


def needed_role(method: str, path: str) -> Role:
    """Return what a key must allow for a request.

    >>> needed_role("GET", "/api/recommend/7").name, needed_role("DELETE", "/api/user/7").name
    ('READ', 'ADMIN')
    """
    if _ADMIN.fullmatch(f"{method} {path}"):
        return Role.ADMIN
    if method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and _ASKING.fullmatch(path)):
        return Role.READ
    return Role.WRITE


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then whatever comes."""
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _send_error(send: Send, status: int, text: str, request_id: str, headers: dict[str, str]) -> None:
    body = json.dumps(error_body(text, request_id)).encode()
    sent = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    sent += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


def error_body(text: str, request_id: str) -> dict[str, Any]:
    """Return how every error is told."""
    return {"error": text, "request_id": request_id}
