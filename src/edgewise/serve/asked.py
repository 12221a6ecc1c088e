"""What the routes of both kinds share: reading ids, pages and bodies, and running work beside the event loop."""

import asyncio
import contextvars
import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, ParamSpec, TypeVar
from urllib.parse import unquote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from edgewise.errors import DataError, StoreBusyError
from edgewise.store import Event
from edgewise.store.event import checked_id, records_of_json

REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The id of the request that is being answered, also in the thread that works for it."""

P = ParamSpec("P")
T = TypeVar("T")
Q = TypeVar("Q", bound=BaseModel)

_AT_ONCE_S = 0.001
"""Work that has lately taken less of a processor is done where the request is: to hand it to a thread would take as long."""

_LARGE = 65_536
"""A body of so many bytes is read in a thread: who asks meanwhile must not wait for it."""

_MEMORY = 0.1
"""How much the latest call counts in what work has lately taken."""

_TIMED_EVERY = 16
"""One call of so many is timed where it is quick: to ask for a thread's time is a call of the system, and on a busy machine it costs more than all else."""


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("the path is not UTF-8") from None


def _id(part: str) -> str:
    return checked_id(_decoded(part), "the id")


PathId = Annotated[str, AfterValidator(_id)]
"""An id in a path; a slash in it is written %2F."""

PathText = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_decoded)]
"""A name in a path."""


def query_of(request: Request, model: type[Q]) -> Q:
    """Read the query of a request, for the routes that are asked most: FastAPI's own way takes longer than their answer.

    Raises:
        RequestValidationError: naming each part that is wrong.
    """
    try:
        return model.model_validate(dict(request.query_params) if request.scope["query_string"] else {})
    except ValidationError as error:
        raise RequestValidationError(
            [found | {"loc": ("query", *found["loc"])} for found in error.errors(include_url=False)]
        ) from None


def id_in_path(request: Request, name: str) -> str:
    """Read an id in the path, as `PathId` does."""
    try:
        return _id(request.path_params[name])
    except ValueError as error:
        raise RequestValidationError([{"loc": ("path", name), "msg": str(error), "type": "value_error"}]) from None


def described(model: type[BaseModel], *in_path: str) -> dict[str, Any]:
    """Describe for OpenAPI what `query_of` and `id_in_path` read."""
    schema = model.model_json_schema()
    path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path]
    query = [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": part}
        for name, part in schema["properties"].items()
    ]
    return {"parameters": [*path, *query]}


class Workers:
    """Threads that make answers, and a limit on how many requests may wait for one.

    Args:
        n_threads: answers made at once. max_waiting: requests that may wait or be worked on.
    """

    def __init__(self, n_threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(n_threads, "edgewise-answer", initializer=one_thread_each)
        self._max_waiting = max_waiting
        self.n_waiting = 0
        self._takes_s: dict[str, float] = {}
        self._n_untimed: dict[str, int] = {}

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads.

        Raises:
            StoreBusyError: if too many wait.
        """
        if self.n_waiting >= self._max_waiting:
            raise StoreBusyError(f"{self.n_waiting} requests wait for an answer already; try again later.")
        self.n_waiting += 1
        try:
            call = functools.partial(contextvars.copy_context().run, work, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self.n_waiting -= 1

    async def run_soon(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function at once where it has lately been quick, else in one of the threads.

        Raises:
            StoreBusyError: if too many wait.
        """
        name = work.__name__
        if self._takes_s.get(name, 1.0) < _AT_ONCE_S and not self.n_waiting:
            n = self._n_untimed[name] = (self._n_untimed.get(name, 0) + 1) % _TIMED_EVERY
            return work(*args, **kwargs) if n else self._timed(name, functools.partial(work, *args, **kwargs))
        return await self.run(self._timed, name, functools.partial(work, *args, **kwargs))

    def _timed(self, name: str, call: Callable[[], T]) -> T:
        started = time.thread_time()  # not by the clock: how long threads wait for each other says nothing of the work
        found = call()
        took = min(time.thread_time() - started, 10 * _AT_ONCE_S)  # one slow call is not yet a habit
        self._takes_s[name] = (1 - _MEMORY) * self._takes_s.get(name, took) + _MEMORY * took
        return found

    def close(self) -> None:
        """End the threads when they have finished."""
        self._pool.shutdown()


_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


_PART = 100
"""Rows of a list that are written at once: Python lets no other thread run until they are."""


def encoded(value: Any) -> bytes:
    """Write JSON, long lists in parts, so that nobody waits for the whole of a large answer."""
    if isinstance(value, list) and len(value) > _PART:
        parts = (value[start : start + _PART] for start in range(0, len(value), _PART))
        return b"[" + b",".join(_JSON.encode(part)[1:-1].encode() for part in parts) + b"]"
    if isinstance(value, dict) and any(isinstance(part, list) and len(part) > _PART for part in value.values()):
        return b"{" + b",".join(encoded(str(name)) + b":" + encoded(part) for name, part in value.items()) + b"}"
    return _JSON.encode(value).encode()


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    body = encoded(value)
    return Response(
        body, status, {name: _of_header(text) for name, text in (headers or {}).items()}, "application/json"
    )


async def read_from(request: Request, read: Callable[[bytes], T]) -> T:
    """Read the body of a request with a function, a large one beside the event loop."""
    body = await request.body()
    return read(body) if len(body) < _LARGE else await asyncio.to_thread(read, body)


def records_in(body: bytes) -> list[Any]:
    """Read the objects of a body: one, or a list of them.

    Raises:
        DataError: if it is not JSON, or something in it is not an object.
    """
    records = records_of_json(body)
    for place, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise DataError(f"entry {place} of the body is no JSON object; expected an object or a list of objects.")
    return records


def one_in(body: bytes) -> dict[str, Any]:
    """Read the one object of a body."""
    records = records_in(body)
    if len(records) != 1:
        raise DataError(f"the body has {len(records)} objects; expected one.")
    found: dict[str, Any] = records[0]
    return found


def cursor_of(text: str) -> int:
    """Read a place in the log.

    Raises:
        DataError: if it is none.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise DataError(f"cursor is {text[:40]!r}; expected one that an answer gave, or none for the beginning.")
    return int(text)


def only_events(entries: Sequence[tuple[int, Any]]) -> list[Event]:
    """Leave out what the log says of erased ones."""
    return [entry for _, entry in entries if isinstance(entry, Event)]


def _of_header(text: str) -> str:
    text = text[:300]
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if 32 <= ord(letter) < 127 else "?" for letter in text)


def one_thread_each() -> None:
    """Let kernels use the thread that calls them: many small answers side by side, not one fast one."""
    import numba

    numba.set_num_threads(1)
