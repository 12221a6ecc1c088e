"""What the routes of both kinds share: reading ids, pages and bodies, and running work beside the event loop."""

import asyncio
import contextvars
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, ParamSpec, TypeVar
from urllib.parse import unquote

from fastapi import Response
from pydantic import AfterValidator, StringConstraints

from edgewise.errors import DataError, StoreBusyError
from edgewise.store import Event
from edgewise.store.event import checked_id, records_of_json

REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The id of the request that is being answered, also in the thread that works for it."""

P = ParamSpec("P")
T = TypeVar("T")


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


class Workers:
    """Threads that make answers, and a limit on how many requests may wait for one.

    Args:
        n_threads: answers made at once. max_waiting: requests that may wait or be worked on.
    """

    def __init__(self, n_threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(n_threads, "edgewise-answer", initializer=_one_thread_each)
        self._max_waiting = max_waiting
        self.n_waiting = 0

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

    def close(self) -> None:
        """End the threads when they have finished."""
        self._pool.shutdown()


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    body = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    return Response(
        body, status, {name: _of_header(text) for name, text in (headers or {}).items()}, "application/json"
    )


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
    return "".join(letter if 32 <= ord(letter) < 127 else "?" for letter in text[:300])


def _one_thread_each() -> None:
    """Let kernels use the thread that calls them: many small answers side by side, not one fast one."""
    import numba

    numba.set_num_threads(1)
