"""What Prometheus reads about Kafka, beside a server or from a consumer of its own."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edgewise.errors import ConfigError
from edgewise.kafka.consumer import Consumer
from edgewise.kafka.write_back import WriteBack


class KafkaMetrics(Collector):
    """Figures of a consumer and of what is written back, as they are when they are asked for.

    Args:
        consumer, write_back: None: there is none.
    """

    def __init__(self, consumer: Consumer | None = None, write_back: WriteBack | None = None) -> None:
        self._consumer, self._write_back = consumer, write_back

    def collect(self) -> Iterator[Metric]:
        """Give each figure."""
        if self._consumer is not None:
            yield from _of_consumer(self._consumer)
        if self._write_back is not None:
            yield from _of_write_back(self._write_back)


def _of_consumer(consumer: Consumer) -> Iterator[Metric]:
    figures = consumer.figures
    yield CounterMetricFamily(
        "edgewise_kafka_messages", "Messages stored or put to the dead letters.", figures.messages
    )
    events = CounterMetricFamily("edgewise_kafka_events", "Events that came over Kafka.", labels=["outcome"])
    events.add_metric(["new"], figures.new)
    events.add_metric(["left_out"], figures.left_out)
    yield events
    yield CounterMetricFamily("edgewise_kafka_dead_letters", "Messages that could not be read.", figures.dead_letters)
    yield CounterMetricFamily("edgewise_kafka_batches", "Transactions.", figures.batches)
    yield CounterMetricFamily("edgewise_kafka_store_retries", "Times that the store refused.", figures.retries)
    lag = GaugeMetricFamily(
        "edgewise_kafka_lag", "Messages of a partition that are not stored yet.", labels=["topic", "partition"]
    )
    for (topic, partition), n in figures.lag.items():
        lag.add_metric([topic, str(partition)], n)
    yield lag


def _of_write_back(write_back: WriteBack) -> Iterator[Metric]:
    records = CounterMetricFamily("edgewise_kafka_written_back", "Records written back.", labels=["outcome"])
    records.add_metric(["sent"], write_back.n_sent)
    records.add_metric(["dropped"], write_back.n_dropped)
    yield records
    yield GaugeMetricFamily("edgewise_kafka_write_back_waiting", "Records that wait.", write_back.n_waiting)


def serve_metrics(consumer: Consumer, port: int) -> int:
    """Answer Prometheus on this machine alone; returns the port, which is any free one for 0.

    Raises:
        ConfigError: if the port cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(KafkaMetrics(consumer))
    try:
        server, _ = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on 127.0.0.1:{port} ({error.strerror}); name another --metrics-port."
        ) from None
    return int(server.server_port)
