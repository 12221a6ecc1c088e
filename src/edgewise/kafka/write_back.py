"""Records back to Kafka: what was served, and what came over HTTP. Who hands one in never waits, and never fails."""

import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from edgewise.kafka.client import Trouble, make_producer
from edgewise.kafka.settings import EventsConfig
from edgewise.logs import log

_WAIT_S = 0.1
_FLUSH_S = 5.0


class WriteBack:
    """A bounded queue and a thread behind it that sends.

    Args:
        config: [events]. environment: where secrets are.
        n_in_client: records that the client may hold before the queue fills.

    Raises:
        ConfigError: if the settings cannot be used.
    """

    def __init__(
        self, config: EventsConfig, *, environment: Mapping[str, str] | None = None, n_in_client: int | None = None
    ) -> None:
        self.n_sent = self.n_dropped = 0
        self._trouble = Trouble("write-back", config.brokers)
        n = config.max_waiting if n_in_client is None else n_in_client
        bounded = config.model_copy(update={"options": {"queue.buffering.max.messages": n, **config.options}})
        self._producer = make_producer(bounded, environment, error_cb=self._on_error)
        self._queue: queue.Queue[tuple[str, str, Callable[[], Mapping[str, Any]]]] = queue.Queue(config.max_waiting)
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgewise-write-back", daemon=True)
        self._thread.start()

    def send(self, topic: str, key: str, record: Callable[[], Mapping[str, Any]]) -> None:
        """Hand in a record; where too many wait, it is dropped and counted.

        Args:
            topic: where to. key: records of one key stay in order. record: makes it, later and in another thread.
        """
        try:
            self._queue.put_nowait((topic, key, record))
        except queue.Full:
            self._drop()

    @property
    def n_waiting(self) -> int:
        """Records that wait to be acknowledged, or for their turn."""
        return self._queue.qsize() + len(self._producer)

    def close(self) -> None:
        """Send what waits, as far as that takes a few seconds, then stop; what is left counts as dropped."""
        self._stop.set()
        self._thread.join(_FLUSH_S)
        left = self._producer.flush(_FLUSH_S) + self._queue.qsize()
        self._drop(left)

    def _run(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            try:
                topic, key, record = self._queue.get(timeout=_WAIT_S)
            except queue.Empty:
                self._producer.poll(0)
                continue
            try:
                value = json.dumps(record(), ensure_ascii=False, separators=(",", ":")).encode()
            except Exception:  # one record that cannot be written must not end the others
                log("a record cannot be written back", level=logging.ERROR, topic=topic, exc_info=True)
                self._drop()
                continue
            while not self._produced(topic, key.encode(), value):
                self._producer.poll(_WAIT_S)
                if self._stop.is_set():
                    self._drop()
                    return
            self._producer.poll(0)

    def _produced(self, topic: str, key: bytes, value: bytes) -> bool:
        try:
            self._producer.produce(topic, value, key, on_delivery=self._on_delivery)
        except BufferError:
            return False
        except KafkaException as error:
            self._trouble.tell(error.args[0])
            self._drop()
        return True

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.n_sent += 1  # in the thread that polls alone
            self._trouble.end()
        else:
            self._trouble.tell(error)
            self._drop()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._TRANSPORT:
            self._trouble.tell(error)

    def _drop(self, n: int = 1) -> None:
        with self._counting:
            self.n_dropped += n
