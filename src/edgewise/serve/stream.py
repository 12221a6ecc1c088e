"""Kafka beside the service: its events are known to the next answer, and what was served and clicked goes back."""

import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from edgewise.data.times import written
from edgewise.kafka.consumer import Consumer
from edgewise.kafka.metrics import KafkaMetrics
from edgewise.kafka.settings import EventsConfig
from edgewise.kafka.write_back import WriteBack
from edgewise.logs import log
from edgewise.serve.asked import REQUEST_ID
from edgewise.serve.service import List, Service
from edgewise.store import Event
from edgewise.store.event import record_of

_AGAIN_S = 5.0


class Stream:
    """A consumer in a thread, and the topics that are written back to.

    Args:
        config: [events], with brokers. service: whose store the events go to.

    Raises:
        ConfigError: if the settings cannot be used.
    """

    def __init__(self, config: EventsConfig, service: Service) -> None:
        self._config, self._service = config, service
        self._consumer = Consumer(service.store, config, on_stored=self._follow) if config.topics else None
        self._write_back = WriteBack(config) if config.served_topic or config.feedback_topic else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgewise-consumer", daemon=True)
        if config.served_topic:
            service.on_listed = self._served
        if config.feedback_topic:
            service.on_stored = self._stored

    def start(self) -> None:
        """Begin to read; the service need not be ready yet."""
        if self._consumer is not None:
            self._thread.start()

    def register(self, registry: CollectorRegistry) -> None:
        """Show figures among those of the server."""
        registry.register(KafkaMetrics(self._consumer, self._write_back))

    def close(self) -> None:
        """Store what was taken and send what waits; the service and its store are to be open still."""
        self._stop.set()
        if self._consumer is not None and self._thread.is_alive():
            self._consumer.stop()
            self._thread.join()
        if self._write_back is not None:
            self._write_back.close()

    def _run(self) -> None:
        assert self._consumer is not None
        while not self._stop.is_set():
            try:
                self._consumer.run()
            except Exception:  # the server answers on, and events wait on Kafka
                log("the consumer failed; it begins anew", level=logging.CRITICAL, exc_info=True)
                self._stop.wait(_AGAIN_S)

    def _follow(self) -> None:
        if self._service.is_ready:
            self._service.follow()

    def _served(self, user_id: str, found: List) -> None:
        assert self._write_back is not None
        request_id, at = REQUEST_ID.get(), self._service.clock.now()

        def record() -> dict[str, Any]:
            return {
                "request_id": request_id,
                "user_id": user_id,
                "items": found.ids,
                "model": found.version,
                "source": found.source,
                "timestamp": written(at),
            }

        self._write_back.send(str(self._config.served_topic), user_id, record)

    def _stored(self, events: Sequence[Event], new: Sequence[bool]) -> None:
        assert self._write_back is not None
        for event, is_new in zip(events, new, strict=True):
            if is_new:
                self._write_back.send(str(self._config.feedback_topic), event.user_id, partial(record_of, event))
