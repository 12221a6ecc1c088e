"""From a model folder and a store folder to a server that runs until it is told to stop."""

import contextlib
import ipaddress
import logging
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from threadpoolctl import threadpool_limits

from edgewise.errors import ConfigError, EdgewiseError
from edgewise.kafka.settings import EventsConfig
from edgewise.logs import log, start_logs
from edgewise.pipeline.recommend import PipelineConfig, RerankConfig
from edgewise.retrieval import RetrievalConfig
from edgewise.serve.app import create_app
from edgewise.serve.keys import ONE_KEY, Keys
from edgewise.serve.patience import impatient_after
from edgewise.serve.service import Service
from edgewise.serve.settings import ServiceConfig
from edgewise.store import StoreConfig, StoreFolder, open_events

if TYPE_CHECKING:
    from edgewise.serve.stream import Stream


def run(
    model: Path | None,
    store: Path,
    host: str,
    port: int,
    keys: Keys,
    *,
    config: ServiceConfig | None = None,
    pipeline: PipelineConfig | None = None,
    rerank: RerankConfig | None = None,
    events_in: StoreConfig | None = None,
    retrieval: RetrievalConfig | None = None,
    kafka: EventsConfig | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; what is under way is finished first.

    Args:
        model: a model folder; one that the store has not seen becomes the current version, one that was removed from it does
            not come back. None: what the store has.
        store: the store folder, made where there is none.
        host, port: where to listen. keys: who may do what.
        config: of the server. pipeline, rerank: how lists are made. retrieval: how items are found by their vectors.
        events_in: where events are; without it, in the store folder.
        kafka: topics to read and to write back to, where it names brokers.

    Raises:
        ConfigError: if there is no key and `host` is not this machine alone, or the port cannot be had.
        StoreError: if the store is served by another process or cannot be used.
        ModelFolderError: if the model is damaged.
    """
    if not keys.are_set and not is_loopback(host):
        raise ConfigError(
            f"without a key only this machine may be served, and {host} is open to others. Set {ONE_KEY}, or listen on 127.0.0.1."
        )
    config = ServiceConfig() if config is None else config
    start_logs()
    folder = StoreFolder.open(store)
    with contextlib.ExitStack() as stack:
        stack.enter_context(folder.lock())
        events = stack.enter_context(contextlib.closing(open_events(folder, events_in)))
        stack.enter_context(events.lock())
        models = folder.models
        if model is not None and not (models.current is not None and models.was_removed(model)):
            had = set(models.versions())
            version = models.add(model)
            if version not in had or models.current is None:
                models.swap(version)
        elif models.current is None:
            raise ConfigError(f"{store} has no model yet; name a model folder: edgewise serve DIR --store {store}.")
        service = Service(
            events,
            models,
            pipeline,
            rerank,
            retrieval,
            max_events_waiting=config.max_events_waiting,
            follow_s=config.follow_s,
        )
        stream = None
        try:
            if kafka is not None and kafka.brokers:
                stream = _stream(kafka, service)
            with threadpool_limits(1, "blas"):  # many small answers side by side: threads would wait for each other
                _serve(service, config, keys, host, port, stream)
        finally:
            if stream is not None:
                stream.close()
            service.close()
    log("stopped")


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("localhost")
    (True, False, True)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _stream(kafka: EventsConfig, service: Service) -> "Stream":
    from edgewise.serve.stream import Stream  # only where Kafka is wanted: its client is an extra

    return Stream(kafka, service)


def _serve(
    service: Service, config: ServiceConfig, keys: Keys, host: str, port: int, stream: "Stream | None" = None
) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config, service, keys, register=None if stream is None else stream.register),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # what a caller says of its address is no reason to believe it
            limit_concurrency=config.max_connections,
            timeout_graceful_shutdown=max(1, round(config.grace_s)),
            http=impatient_after(config.head_timeout_s),
            ws="none",
        )
    )
    try:
        listening = server.config.bind_socket()
    except SystemExit:
        raise ConfigError(f"cannot listen on {host}:{port}; is another program there? Name another --port.") from None
    failed: list[EdgewiseError] = []

    def start() -> None:
        try:
            service.start()
        except EdgewiseError as error:
            failed.append(error)
            server.should_exit = True
        except BaseException:
            log("the model cannot be served", level=logging.CRITICAL, exc_info=True)
            failed.append(EdgewiseError("the model cannot be served; the log says why."))
            server.should_exit = True

    # uvicorn raises the signal that stopped it once more when it has finished: what is open here is to be closed first.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    starting = threading.Thread(target=start, name="edgewise-start")
    starting.start()
    if stream is not None:
        stream.start()
    log("listening", host=host, port=listening.getsockname()[1], pid=os.getpid(), keys=keys.are_set)
    server.run(sockets=[listening])
    starting.join()
    if failed:
        raise failed[0]
