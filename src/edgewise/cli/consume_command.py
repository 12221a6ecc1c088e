"""`edgewise consume`: events from Kafka into a store, beside the server or alone."""

from typing import Annotated

import typer

from edgewise.cli import options


def consume(
    store: Annotated[str, typer.Option("--store", metavar="FOLDER", help="The store, such as `serve --store` made.")],
    brokers: Annotated[
        str | None, typer.Option("--brokers", metavar="HOST:PORT", help="Of Kafka; several with commas between.")
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", metavar="NAME", help="What to read. Can be repeated.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="Consumers of one group share the partitions.")
    ] = None,
    from_offset: Annotated[
        int | None, typer.Option("--from-offset", min=0, metavar="N", help="Read each partition again from here.")
    ] = None,
    from_time: Annotated[
        str | None, typer.Option("--from-time", metavar="TIME", help="Read again from the first message of this time.")
    ] = None,
    dead_letter_topic: Annotated[
        str | None,
        typer.Option("--dead-letter-topic", metavar="NAME", help="For a copy of what cannot be read, with the reason."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=0, max=65535, help="For Prometheus, on this machine alone.")
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the store where there is none, for a consumer that comes first.")
    ] = False,
    set_: options.Set = None,
    config: options.Config = None,
) -> None:
    """Store events from Kafka; a server on the same store knows them within a moment.

    Each event counts once, whatever is killed or sent again. What is not given here is in [events] of the configuration.
    SIGTERM or Ctrl-C: what was taken is stored, then it ends.
    """
    import signal
    import threading
    from pathlib import Path

    options.need_kafka()
    from edgewise.errors import StoreError
    from edgewise.kafka.client import client_options
    from edgewise.kafka.consumer import Consumer
    from edgewise.logs import log, start_logs
    from edgewise.run_config import read_config
    from edgewise.store import StoreFolder, open_events

    given = {"brokers": brokers, "topics": topic or None, "group": group, "from_offset": from_offset}
    given |= {"from_time": from_time, "dead_letter_topic": dead_letter_topic}
    run = read_config(config, set_, events=given)
    start_logs()
    folder = Path(store)
    if not create and not (folder / "store.json").is_file():
        raise StoreError(
            f"{folder} is not a store. Name the folder that `edgewise serve DIR --store FOLDER` was given; to read events before "
            "there is a server, add --create, which makes the store."
        )
    client_options(run.events)  # what is wrong with them shows before anything is made
    events = open_events(StoreFolder.open(folder, create=create), run.store)
    try:
        consumer = Consumer(events, run.events)
        for number in (signal.SIGTERM, signal.SIGINT):
            # In a thread: a handler interrupts whatever holds the lock that `stop` needs.
            signal.signal(number, lambda *_: threading.Thread(target=consumer.stop).start())
        if metrics_port is not None:
            from edgewise.kafka.metrics import serve_metrics

            log("metrics", port=serve_metrics(consumer, metrics_port))
        consumer.run()
    finally:
        events.close()
