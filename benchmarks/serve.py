"""The service under load: lists a second and their latency, from an event to the changed answer, a swap, a start.

    python benchmarks/serve.py [--users 100000 --items 100000 --events-per-user 20] [--connections 4] [--seconds 60]
                               [--set serve.sources=model,similar …]

A model of ALS, 64 dimensions, is fitted on events of users who each care for three of 300 groups of items, a fifth of their events
random, and served by a process of its own; the load comes from another: wrk where it is installed, else this one. Users are drawn
uniformly among the warm ones, 50 events a second arrive meanwhile, and nothing is answered from a cache. Beside it, on the same
machine in the same run: `constant`, the same server answering /api/health/live, and `plain`, FastAPI with NumPy
(benchmarks/plain_service.py). Latencies are measured by the client; the server's own processor time for a request tells more where
other programs run beside. Appends its figures to benchmarks/log.jsonl.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

from edgewise.data import Dataset
from edgewise.models import build
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.store import StoreFolder

HERE = Path(__file__).parent
N_GROUPS = 300

WRK = """
math.randomseed(os.time())
request = function() return wrk.format("GET", PATH == nil and "/api/recommend/" .. math.random(0, USERS - 1) or PATH) end
"""


class Connection(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, request: Callable[[], bytes], until: float, took: list[tuple[float, float]]) -> None:
        self.request, self.until, self.took = request, until, took
        self.failed: list[str] = []
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
        self.took.append((now, now - self.started))
        if b" 200 " not in head[:20]:
            self.failed.append(head[:20].decode())
        self.buffer = b""
        if now < self.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None or time.perf_counter() < self.until:
            self.failed.append(f"closed: {error}")
        if not self.done.done():
            self.done.set_result(None)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, value: object) -> bytes:
    body = json.dumps(value).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def own_load(
    port: int, n_connections: int, seconds: float, request: Callable[[], bytes]
) -> tuple[list[tuple[float, float]], list[str]]:
    """Ask over some connections; returns when each answer came and how long it took, and what failed."""
    took: list[tuple[float, float]] = []
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(request, until, took), "127.0.0.1", port)
        for _ in range(n_connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    return took, [text for _, protocol in made for text in protocol.failed]


async def wrk_load(port: int, n_connections: int, seconds: float, script: str) -> dict[str, float]:
    """Let wrk ask; returns requests a second, latencies and failures as it tells them."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + WRK)
        file.flush()
        command = ["wrk", "-t1", f"-c{n_connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", file.name]
        process = await asyncio.create_subprocess_exec(
            *command, f"http://127.0.0.1:{port}", stdout=asyncio.subprocess.PIPE
        )
        told = (await process.communicate())[0].decode()
    ms = {"us": 1e-3, "ms": 1.0, "s": 1e3}

    def found(pattern: str) -> float:
        match = re.search(pattern, told)
        return float(match[1]) * (ms.get(match[2], 1.0) if match.lastindex == 2 else 1.0) if match else 0.0

    return {
        "per_s": found(r"Requests/sec:\s+([\d.]+)"),
        "p50_ms": found(r"50%\s+([\d.]+)(us|ms|s)"),
        "p99_ms": found(r"99%\s+([\d.]+)(us|ms|s)"),
        "max_ms": found(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)"),
        "failed": sum(
            map(int, re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", told))
        ),
    }


def figures(took: list[tuple[float, float]], seconds: float, failed: list[str]) -> dict[str, float]:
    ms = np.array([each for _, each in took]) * 1000
    return {
        "per_s": len(ms) / seconds,
        "p50_ms": float(np.percentile(ms, 50)),
        "p99_ms": float(np.percentile(ms, 99)),
        "max_ms": float(ms.max()),
        "failed": len(failed),
    }


async def load_of(port: int, n: int, seconds: float, n_users: int, path: str | None = None) -> dict[str, float]:
    """Ask for lists of users drawn at random, or for one path."""
    if shutil.which("wrk"):
        return await wrk_load(
            port, n, seconds, f"USERS = {n_users}\n" + ("" if path is None else f"PATH = {json.dumps(path)}\n")
        )
    rng = np.random.default_rng()
    took, failed = await own_load(port, n, seconds, lambda: get(path or f"/api/recommend/{rng.integers(n_users)}"))
    return figures(took, seconds, failed)


async def events_at(port: int, per_s: float, seconds: float, draw: Callable[[], bytes]) -> list[tuple[float, float]]:
    """Send events at a steady rate over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    started = time.perf_counter()
    for place in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, started + place / per_s - time.perf_counter()))
        took.append((time.perf_counter(), (await ask_once(reader, writer, draw()))[0]))
    writer.close()
    return took


async def ask_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[float, Any]:
    """Ask and wait; returns the seconds and the answer."""
    started = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    took = time.perf_counter() - started
    assert b" 200 " in head[:20], body
    return took, json.loads(body)


def fit(folder: Path, n_users: int, n_items: int, per_user: int, seed: int = 0) -> Recommender:
    rng = make_rng(0, "events of the benchmark")
    users = np.repeat(np.arange(n_users), per_user)
    tastes = rng.integers(N_GROUPS, size=(n_users, 3))  # the groups of items that a user cares for
    group = tastes[users, rng.integers(3, size=users.size)]
    size = n_items // N_GROUPS
    within = (size ** rng.random(users.size)).astype(np.int64) - 1  # popularity falls as Zipf has it
    anything = rng.random(users.size) < 0.2
    items = np.where(anything, rng.integers(n_items, size=users.size), group * size + within)
    users = np.concatenate([users, rng.integers(n_users, size=n_items)])
    items = np.concatenate([items, np.arange(n_items)])
    frame = pl.DataFrame({"user_id": pl.Series(users).cast(pl.String), "item_id": pl.Series(items).cast(pl.String)})
    model = build("als", {"embedding_dim": 64, "iterations": 3}, seed=seed).fit(Dataset.from_frame(frame))
    model.save(folder)
    return model


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[tuple[psutil.Process, float]]:
    """Run a server until it answers, and then to the end of the block; gives its process and the seconds to the first answer."""
    started = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, stderr=out, stdout=out, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit(log.read_text())
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as found:
                    found.sendall(b"GET /api/health/ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                    head = found.recv(100)
                    if b" 200 " in head or b" 404 " in head:  # the plain service has no such route
                        break
            except OSError:
                pass
            time.sleep(0.02)
        yield psutil.Process(process.pid), time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def recall_of(port: int, model: Recommender, n: int = 500) -> float:
    """Compare served lists with the exact top 10 of users to whom nothing has happened since training."""
    users = np.random.default_rng(5).integers(len(model.catalogue.users), size=n)
    exact = [{str(item) for item, _ in ranked} for ranked in model.recommend(users, 10)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = [(await ask_once(reader, writer, get(f"/api/recommend/{user}")))[1] for user in users]
    writer.close()
    return float(np.mean([len(truth & set(served)) / 10 for truth, served in zip(exact, found, strict=True)]))


async def swapped(port: int, arguments: argparse.Namespace, store: Path, other: Path) -> dict[str, Any]:
    """Swap the model under load; returns p99 in each half second, from 5 s before to 10 s after."""
    version = await asyncio.to_thread(StoreFolder.open(store).models.add, other)
    rng = np.random.default_rng(2)
    at: list[float] = []

    async def swap() -> None:
        await asyncio.sleep(5)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        at.append(time.perf_counter())
        await ask_once(reader, writer, post(f"/v1/models/{version}/current", {}))
        at.append(time.perf_counter())
        writer.close()

    asking = own_load(port, arguments.connections, 15, lambda: get(f"/api/recommend/{rng.integers(arguments.users)}"))
    (took, failed), _ = await asyncio.gather(asking, swap())
    when, each = np.array(took).T
    windows = [
        round(float(np.percentile(each[(when >= begin) & (when < begin + 0.5)], 99)) * 1000, 2)
        for begin in np.arange(at[0] - 4, at[0] + 8, 0.5)
    ]
    usual = float(np.median(windows[:8]))
    return {
        "failed": len(failed),
        "swap_s": round(at[1] - at[0], 2),
        "p99_before_ms": usual,
        "p99_each_half_second_ms": windows[8:],
        "seconds_above_double": 0.5 * sum(window > 2 * usual for window in windows[8:]),
    }


async def measure(
    port: int, process: psutil.Process, arguments: argparse.Namespace, model: Recommender, store: Path, other: Path
) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    n, seconds, n_users = arguments.connections, arguments.seconds, arguments.users

    def user() -> str:
        return str(rng.integers(n_users))

    def event() -> dict[str, str]:
        return {"user_id": user(), "item_id": str(rng.integers(arguments.items))}

    # With other sources, or another order, the model's own top 10 is not what a list ought to be.
    found: dict[str, Any] = {} if arguments.settings else {"recall@10": await recall_of(port, model)}
    found["constant"] = await load_of(port, n, 5, n_users, "/api/health/live")
    await load_of(port, n, 3, n_users)
    before = process.cpu_times()
    (lists, stored) = await asyncio.gather(
        load_of(port, n, seconds, n_users),
        events_at(port, arguments.events_per_s, seconds, lambda: post("/v1/events", event())),
    )
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    found["lists"] = lists | {"cpu_ms_each": used / (lists["per_s"] * seconds) * 1000}
    found["events beside them"] = figures(stored, seconds, [])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    changed = []
    for _ in range(300):
        asked = event()
        first, _ = await ask_once(reader, writer, post("/v1/events", asked))
        second, answer = await ask_once(reader, writer, get(f"/api/recommend/{asked['user_id']}"))
        assert asked["item_id"] not in answer
        changed.append((0.0, first + second))
    found["event to changed answer"] = figures(changed, sum(each for _, each in changed), [])
    batches = [post("/v1/events", [event() for _ in range(500)]) for _ in range(100)]
    started = time.perf_counter()
    for batch in batches:
        await ask_once(reader, writer, batch)
    found["events in batches of 500, a second"] = len(batches) * 500 / (time.perf_counter() - started)
    writer.close()
    found["swap"] = await swapped(port, arguments, store, other)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events-per-user", type=int, default=20)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--events-per-s", type=float, default=50)
    parser.add_argument("--start-only", action="store_true", help="measure the start and the memory, and nothing else")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": "made events",
        "model": "serve",
        "load": list(psutil.getloadavg()),
        **{name: value for name, value in vars(arguments).items() if name != "start_only"},
        "client": "wrk" if shutil.which("wrk") else "own",
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = fit(folder / "model", arguments.users, arguments.items, arguments.events_per_user)
        port = free_port()
        command = [sys.executable, "-m", "edgewise.cli", "serve", str(folder / "model"), "--port", str(port)]
        command += ["--store", str(folder / "store"), "--set", "service.rate_per_s=0"]
        command += [part for text in arguments.settings for part in ("--set", text)]
        with running(command, port, folder / "log") as (process, ready_s):
            found |= {"ready_s": round(ready_s, 2), "rss_mb": round(process.memory_info().rss / 1e6)}
            if not arguments.start_only:
                fit(folder / "other", arguments.users, arguments.items, arguments.events_per_user, seed=1)
                found |= asyncio.run(measure(port, process, arguments, model, folder / "store", folder / "other"))
                found["rss_mb_at_the_end"] = round(process.memory_info().rss / 1e6)
        if not arguments.start_only:
            port = free_port()
            plain = [sys.executable, str(HERE / "plain_service.py"), str(folder / "model"), str(port)]
            with running(plain, port, folder / "log"):
                asyncio.run(load_of(port, 2, 2, arguments.users))
                found["plain"] = asyncio.run(load_of(port, arguments.connections, 10, arguments.users))
    for key, value in found.items():
        print(f"{key}: {json.dumps(value)}")
    with (HERE / "log.jsonl").open("a") as log:
        log.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
