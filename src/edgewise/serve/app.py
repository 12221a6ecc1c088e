"""The HTTP app: routes of both kinds behind one gate."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp

from edgewise import __version__
from edgewise.errors import DataError, EdgewiseError, StoreBusyError, StoreError, UnknownNameError
from edgewise.logs import log
from edgewise.serve.asked import Workers, as_json, one_thread_each
from edgewise.serve.browse_routes import browse_routes
from edgewise.serve.direct import Direct, ErrorHandler
from edgewise.serve.document import App
from edgewise.serve.gate import Gate, error_body
from edgewise.serve.gorse import gorse_routes
from edgewise.serve.keys import Keys
from edgewise.serve.limits import is_deeper
from edgewise.serve.metrics import Metrics
from edgewise.serve.service import Service
from edgewise.serve.settings import ServiceConfig
from edgewise.serve.v1 import v1_routes
from edgewise.serve.webpage import page_routes


def create_app(
    config: ServiceConfig,
    service: Service,
    keys: Keys,
    *,
    register: Callable[[CollectorRegistry], None] | None = None,
) -> ASGIApp:
    """Make the app; nothing of it is kept outside.

    Args:
        config: limits and times. service: answers; started and closed by the caller. keys: who may do what.
        register: adds figures of what runs beside it to the metrics.
    """
    metrics = Metrics()
    if register is not None:
        register(metrics.registry)
    workers = Workers(config.n_threads, config.max_waiting)
    service.on_applied = metrics.count_applied
    metrics.gauge("events_waiting", "Events that wait for the disk.", lambda: service.commit.n_waiting)
    metrics.gauge("requests_waiting", "Requests that wait for a thread or are worked on.", lambda: workers.n_waiting)
    metrics.gauge("log_seq", "The last entry of the log that answers know.", lambda: service.seq)
    metrics.gauge("ready", "1 where the server can answer.", lambda: float(service.is_ready))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        one_thread_each()  # for what is done at once, on this thread
        is_deeper(b"[]", 1)  # compiles it
        app.openapi()  # made now, so that nobody has to wait for it
        yield
        workers.close()

    app = App(
        title="Edgewise",
        version=__version__,
        description="Recommendations of a fitted model that learn from each event.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,  # JSON is read as such whatever it is called, by all routes alike
    )
    routers = [
        gorse_routes(service, workers, metrics, config.max_n),
        v1_routes(service, workers, metrics, config.max_n),
        browse_routes(service, workers, metrics, config.max_n, keys_are_set=keys.are_set),
        page_routes(),
    ]
    for router in routers:
        app.include_router(router)

    @app.get("/metrics", tags=["health"], response_class=Response)
    def show_metrics() -> Response:  # in a thread: it takes as long as twenty lists
        """Return figures for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    handlers: dict[type[Exception], ErrorHandler] = {
        EdgewiseError: _told,
        RequestValidationError: _invalid,
        StarletteHTTPException: _refused,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    return Gate(Direct(app, routers, handlers), keys, config, metrics, lambda: service.is_ready)


async def _told(request: Request, error: Exception) -> Response:
    """Tell an error of ours as it is: its text is meant for people."""
    match error:
        case StoreBusyError():
            status = 503
        case StoreError():
            status = 503
            log("the store failed", level=logging.ERROR, error=str(error), request_id=request.state.request_id)
        case UnknownNameError():
            status = 404
        case DataError():
            status = 400
        case _:
            status = 422
    headers = {"Retry-After": "1"} if status == 503 else {}
    return as_json(error_body(str(error), request.state.request_id), status, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """Tell what of a request could not be read, in one line."""
    lines = []
    for problem in error.errors() if isinstance(error, RequestValidationError) else []:
        place = ".".join(str(part) for part in problem["loc"] if part != "body")
        lines.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}" if place else problem["msg"])
    return as_json(error_body("; ".join(lines[:10]) or "the request cannot be read", request.state.request_id), 400)


async def _refused(request: Request, error: Exception) -> Response:
    status, text = 500, "the request cannot be answered"
    if isinstance(error, HTTPException | StarletteHTTPException):
        status, text = error.status_code, str(error.detail)
    if status == 404:
        text = "there is no such route; see /openapi.json."
    headers = dict(getattr(error, "headers", None) or {})
    return as_json(error_body(text, request.state.request_id), status, headers)
