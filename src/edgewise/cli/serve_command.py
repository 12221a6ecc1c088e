"""`edgewise serve`: a model folder becomes an HTTP service."""

from typing import Annotated

import typer

from edgewise.cli import options


def serve(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="A model folder, or the store folder of an earlier `serve`.")
    ],
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one; the log tells which.")] = 8087,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="FOLDER", help="Where events and models are kept; without it, DIR-store."),
    ] = None,
    set_: options.Set = None,
    config: options.Config = None,
) -> None:
    """Answer over HTTP with a fitted model, and learn from each event.

    The key is in EDGEWISE_API_KEY; without one, only this machine is served. [serve], [rerank] and [service] of the
    configuration say how lists are made and how much callers may ask, [store] where events are kept, [events] which topics of
    Kafka are read and written back to. Ctrl-C stops it when all requests under way are answered.
    """
    from pathlib import Path

    from edgewise.errors import MissingExtraError
    from edgewise.run_config import read_config
    from edgewise.serve.keys import keys_of

    try:
        from edgewise.serve.run import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("fastapi", "starlette", "uvicorn", "prometheus_client"):
            raise
        raise MissingExtraError(
            f"the service needs {error.name}, which is not installed: pip install 'edgewise[serve]'."
        ) from None

    settings = read_config(config, set_, settable=("service", "serve", "rerank", "retrieval", "store", "events"))
    if settings.events.brokers:
        options.need_kafka()
    path = Path(directory)
    is_store = (path / "store.json").is_file()
    run(
        None if is_store else path,
        path if is_store and store is None else Path(store or f"{str(path).rstrip('/')}-store"),
        host,
        port,
        keys_of(),
        config=settings.service,
        pipeline=settings.serve,
        rerank=settings.rerank,
        events_in=settings.store,
        retrieval=settings.retrieval,
        kafka=settings.events,
    )
