"""The service under load: lists a second and their latency, and how long it takes from an event to the changed answer.

    python benchmarks/serve.py [--users 100000 --items 100000 --events-per-user 10] [--connections 4] [--seconds 20] [--events-per-s 50]

A model of ALS, 64 dimensions, is fitted on events of users who each care for three of 300 groups of items, a fifth of them random, and served by a process of
its own with the default configuration; the load comes from this one. Users are drawn uniformly among the warm ones; nothing is
answered from a cache. `constant` is the same server answering /api/health/live. Latencies are measured by the client; the
server's own processor time for a request tells more where other programs run beside.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from edgewise.data import Dataset
from edgewise.models import build
from edgewise.rng import make_rng

N_GROUPS = 300


class Connection(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, request: Callable[[], bytes], until: float, took: list[float], failed: list[int]) -> None:
        self.request, self.until, self.took, self.failed = request, until, took, failed
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.request())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self.took.append(now - self.started)
        if b" 200 " not in head[:20]:
            self.failed.append(int(head.split()[1]))
        self.buffer = b""
        if now < self.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, value: object) -> bytes:
    body = json.dumps(value).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def load(
    port: int, n_connections: int, seconds: float, request: Callable[[], bytes]
) -> tuple[list[float], list[int]]:
    took: list[float] = []
    failed: list[int] = []
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(request, until, took, failed), "127.0.0.1", port)
        for _ in range(n_connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    return took, failed


async def events_at(port: int, per_s: float, seconds: float, draw: Callable[[], bytes]) -> list[float]:
    """Send events at a steady rate over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    started = time.perf_counter()
    for place in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, started + place / per_s - time.perf_counter()))
        took.append(await ask_once(reader, writer, draw()))
    writer.close()
    return took


async def ask_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    started = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    return time.perf_counter() - started


@contextmanager
def spent(process: psutil.Process) -> Iterator[list[float]]:
    """Measure the processor seconds of the server."""
    cpu: list[float] = []
    before = process.cpu_times()
    yield cpu
    after = process.cpu_times()
    cpu.append(after.user + after.system - before.user - before.system)


def told(name: str, took: list[float], seconds: float, failed: list[int], cpu: list[float] | None = None) -> None:
    ms = np.array(took) * 1000
    p50, p99, most = np.percentile(ms, 50), np.percentile(ms, 99), ms.max()
    each = f", {cpu[0] / len(took) * 1000:.2f} ms of processor time each" if cpu else ""
    times = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {most:.1f} ms"
    print(f"{name}: {len(took) / seconds:,.0f}/s, {times}, failed {len(failed)}{each}")


def fit(folder: Path, n_users: int, n_items: int, per_user: int) -> None:
    rng = make_rng(0, "events of the benchmark")
    users = np.repeat(np.arange(n_users), per_user)
    tastes = rng.integers(N_GROUPS, size=(n_users, 3))  # the groups of items that a user cares for
    group = tastes[users, rng.integers(3, size=users.size)]
    size = n_items // N_GROUPS
    within = (size ** rng.random(users.size)).astype(np.int64) - 1  # popularity falls as Zipf has it
    anything = rng.random(users.size) < 0.2
    items = np.where(anything, rng.integers(n_items, size=users.size), group * size + within)
    users, items = (
        np.concatenate([users, rng.integers(n_users, size=n_items)]),
        np.concatenate([items, np.arange(n_items)]),
    )
    frame = pl.DataFrame({"user_id": pl.Series(users).cast(pl.String), "item_id": pl.Series(items).cast(pl.String)})
    build("als", {"embedding_dim": 64, "iterations": 3}).fit(Dataset.from_frame(frame)).save(folder)


async def measure(port: int, process: psutil.Process, arguments: argparse.Namespace) -> None:
    rng = np.random.default_rng(1)

    def user() -> int:
        return int(rng.integers(arguments.users))

    def event() -> bytes:
        return post("/v1/events", {"user_id": str(user()), "item_id": str(rng.integers(arguments.items))})

    n, seconds = arguments.connections, arguments.seconds
    with spent(process) as cpu:
        took, failed = await load(port, n, 5, lambda: get("/api/health/live"))
    told("constant", took, 5, failed, cpu)
    await load(port, n, 3, lambda: get(f"/api/recommend/{user()}"))
    with spent(process) as cpu:
        took, failed = await load(port, n, seconds, lambda: get(f"/api/recommend/{user()}"))
    told("lists, no events", took, seconds, failed, cpu)
    (took, failed), stored = await asyncio.gather(
        load(port, n, seconds, lambda: get(f"/api/recommend/{user()}")),
        events_at(port, arguments.events_per_s, seconds, event),
    )
    told(f"lists, {arguments.events_per_s} events/s", took, seconds, failed)
    told("those events", stored, seconds, [])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    changed = []
    for _ in range(200):
        asked = user()
        item = str(rng.integers(arguments.items))
        one = await ask_once(reader, writer, post("/v1/events", {"user_id": str(asked), "item_id": item}))
        changed.append(one + await ask_once(reader, writer, get(f"/api/recommend/{asked}")))
    writer.close()
    told("event to changed answer, nothing beside", changed, sum(changed), [])
    batches = [
        post(
            "/v1/events", [{"user_id": str(user()), "item_id": str(rng.integers(arguments.items))} for _ in range(500)]
        )
        for _ in range(100)
    ]
    left = iter(batches)
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for batch in left:
        await ask_once(reader, writer, batch)
    writer.close()
    print(
        f"events in batches of 500, one after the other: {len(batches) * 500 / (time.perf_counter() - started):,.0f}/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events-per-user", type=int, default=10)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--events-per-s", type=float, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fit(folder / "model", arguments.users, arguments.items, arguments.events_per_user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        started = time.perf_counter()
        command = [sys.executable, "-m", "edgewise.cli", "serve", str(folder / "model"), "--port", str(port)]
        env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*command, "--store", str(folder / "store"), "--set", "service.rate_per_s=0"],
            env=env,
            stderr=(folder / "log").open("wb"),
        )
        try:
            while b'"ready"' not in (folder / "log").read_bytes():
                if process.poll() is not None:
                    raise SystemExit((folder / "log").read_text())
                time.sleep(0.05)
            print(
                f"{arguments.users:,} users, {arguments.items:,} items: ready after {time.perf_counter() - started:.1f} s"
            )
            asyncio.run(measure(port, psutil.Process(process.pid), arguments))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
