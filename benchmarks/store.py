"""The event store: events a second, latency of single events, reading a history, size on disk; with flushing to the disk.

    python benchmarks/store.py [--sizes 100000 1000000] [--seconds 5] [--folder PLACE] [--databases]

Events have ids of 32 digits at random, as hashes are, users uniform over 100,000 and items over 20,000. Beside ours:
  - `flush`: what the disk itself takes to flush 4 kB (fdatasync), before and after: all durable figures stand on it;
  - `bare`: the same batches into one SQLite table with the primary key (user_id, timestamp, item_id) and nothing else: no
    numbering, no check for repeats by id, no further index.
Batches of ours and of `bare` take turns. Prints JSON.

With --databases, instead: the stores in SQLite, PostgreSQL and Redis, each in a server that is started for it on this machine, by
turns. Also appended to benchmarks/log.jsonl.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgewise.store import Event, EventStore, GroupCommit, SqliteStore, event_of, events_of_json
from edgewise.store.event import record_of

START = 1_700_000_000_000


def events(first: int, n: int, rng: np.random.Generator) -> list[Event]:
    users, items = rng.integers(0, 100_000, n), rng.integers(0, 20_000, n)
    return [
        Event(
            hashlib.sha256(str(first + k).encode()).hexdigest()[:32],
            f"user{user:06d}",
            f"item{item:05d}",
            timestamp=START + first + k,
        )
        for k, (user, item) in enumerate(zip(users.tolist(), items.tolist(), strict=True))
    ]


def spread(seconds: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    return {f"p{q}_ms": round(float(np.percentile(seconds, q)) * 1000, 3) for q in (50, 99)}


def timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def flush(folder: Path) -> dict[str, float]:
    with (folder / "flush").open("wb", buffering=0) as file:
        found = []
        for _ in range(200):
            file.write(bytes(4096))
            found.append(timed(lambda: os.fdatasync(file.fileno())))
    return spread(found)


def bare_table(path: Path) -> Callable[[list[Event]], None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE ev (user_id, timestamp, item_id, type, value, PRIMARY KEY (user_id, timestamp, item_id)) WITHOUT ROWID"
    )

    def write(batch: list[Event]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        rows = [(event.user_id, event.timestamp, event.item_id, event.type, event.value) for event in batch]
        connection.executemany("INSERT OR IGNORE INTO ev VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")

    return write


def batches(folder: Path, size: int, seconds: float) -> dict[str, object]:
    """Events a second in batches, ours and bare by turns."""
    rng = np.random.default_rng(size)
    store, bare = SqliteStore(folder / f"batches{size}.db"), bare_table(folder / f"bare{size}.db")
    took: dict[str, list[float]] = {"edgewise": [], "bare": []}
    first, until = 0, time.perf_counter() + 2 * seconds
    while time.perf_counter() < until:
        batch = events(first, size, rng)
        first += size
        took["edgewise"].append(timed(lambda batch=batch: store.append(batch)))
        took["bare"].append(timed(lambda batch=batch: bare(batch)))
    store.close()
    rates = {name: {"events_per_s": round(first / sum(all_of))} | spread(all_of) for name, all_of in took.items()}
    return {"batch": size, "events": first, **rates}


def singles(store: EventStore, n_threads: int, seconds: float) -> dict[str, object]:
    """Latency of one durable event, with several callers side by side."""
    group = GroupCommit(store)
    took: list[list[float]] = [[] for _ in range(n_threads)]
    ready = [events((thread + n_threads) * 10**7, 10_000, np.random.default_rng(thread)) for thread in range(n_threads)]
    until = time.perf_counter() + seconds

    def call(thread: int) -> None:
        for event in ready[thread]:
            if time.perf_counter() > until:
                return
            took[thread].append(timed(lambda event=event: group.append([event])))

    threads = [threading.Thread(target=call, args=(thread,)) for thread in range(n_threads)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - start
    group.close()
    latencies = [one for some in took for one in some]
    return {"threads": n_threads, "events_per_s": round(len(latencies) / wall), **spread(latencies)}


def size_of(path: Path) -> int:
    """Size in bytes, with nothing left in the write-ahead log."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


def rewrite(path: Path) -> None:
    """What erasing a user does where the file still has a copy of the id."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def growth(folder: Path, sizes: list[int]) -> list[dict[str, object]]:
    """Fill one store; at each size its bytes an event, and how long reading takes."""
    rng = np.random.default_rng(0)
    store, found, first = SqliteStore(folder / "growth.db"), [], 0
    # A hundred heavy users have 150 events each among the first, so that there are last 100 to read.
    heavy = [
        Event(f"heavy{k}", f"heavy{k % 100}", f"item{k % 20_000:05d}", timestamp=START + 50 * k) for k in range(15_000)
    ]
    rng.shuffle(heavy)  # type: ignore[arg-type]
    for size in sorted(sizes):
        seconds, began_with = 0.0, first
        while first < size:
            batch = [*events(first, 850, rng), *heavy[:150]] if heavy else events(first, 1000, rng)
            heavy = heavy[150:]
            seconds += timed(lambda batch=batch: store.append(batch))
            first += 1000
        reads = [timed(lambda k=k: store.of_user(f"heavy{k % 100}", 100)) for k in range(1000)]
        log = timed(lambda seq=first - 10_000: store.since(seq, 10_000))
        found.append(
            {
                "events": first,
                "bytes_per_event": round(size_of(folder / "growth.db") / first, 1),
                "written_per_s_since_the_size_before": round((first - began_with) / seconds),
                "last_100_of_a_user": spread(reads),
                "log_entries_read_per_s": round(10_000 / log),
                "erasing_a_user_s": round(timed(lambda: store.erase_user("user000001")), 2),
                "indexing_items_s": round(timed(lambda: store.of_item("item00000", 100)), 2),
                "bytes_per_event_with_the_index_of_items": round(size_of(folder / "growth.db") / first, 1),
                "writing_the_file_anew_s": round(timed(lambda: rewrite(folder / "growth.db")), 2),
            }
        )
    store.close()
    return found


def reading_json() -> dict[str, object]:
    """Events a second from JSON, and what of it is decoding; msgspec's decoder where it is installed."""
    records = [record_of(event) for event in events(0, 1000, np.random.default_rng(0))]
    body = json.dumps(records).encode()
    rates = {
        "decoded and checked": lambda: events_of_json(body, now=START),
        "decoded by json": lambda: json.loads(body),
        "checked": lambda: [event_of(record, now=START) for record in records],
    }
    try:
        import msgspec

        rates["decoded by msgspec"] = lambda: msgspec.json.decode(body)
    except ImportError:
        pass
    best = {name: min(timed(act) for _ in range(20)) for name, act in rates.items()}
    return {name: round(1000 / seconds) for name, seconds in best.items()}


def measured(stores: dict[str, EventStore], size_of: dict[str, Callable[[], int]], seconds: float) -> dict[str, object]:
    """Let several stores do the same by turns."""
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, object]] = {name: {} for name in stores}
    empty = {name: size_of[name]() for name in stores}
    first = 0
    for size in (100, 1000):
        took: dict[str, list[float]] = {name: [] for name in stores}
        until = time.perf_counter() + seconds * len(stores)
        while time.perf_counter() < until:
            batch = events(first, size, rng)
            first += size
            for name, store in stores.items():
                took[name].append(timed(lambda store=store, batch=batch: store.append(batch, register=True)))
        for name, all_of in took.items():
            found[name][f"batches of {size}"] = {"events_per_s": round(size / float(np.median(all_of)))} | spread(
                all_of
            )
    for name, store in stores.items():
        found[name]["bytes_per_event"] = round((size_of[name]() - empty[name]) / first)
        heavy = [
            Event(f"heavy{k}", f"heavy{k % 100}", f"item{k % 20_000:05d}", timestamp=START + 50 * k)
            for k in range(15_000)
        ]
        for start in range(0, len(heavy), 1000):
            store.append(heavy[start : start + 1000])
        for n_threads in (1, 8):
            found[name][f"single events, {n_threads} callers"] = singles(store, n_threads, seconds)
    for name, store in stores.items():
        reads = [timed(lambda k=k, store=store: store.of_user(f"heavy{k % 100}", 100)) for k in range(1000)]
        entries = min(timed(lambda store=store: store.since(first // 2, 10_000)) for _ in range(5))
        nothing = [timed(lambda store=store, end=store.last_seq: store.since(end, 5000)) for _ in range(300)]
        erased = [timed(lambda store=store, k=k: store.erase_user(f"heavy{k}")) for k in range(3)]
        found[name] |= {
            "last_100_of_a_user": spread(reads),
            "log_entries_read_per_s": round(10_000 / entries),
            "looking_for_what_is_new": spread(nothing),
            "erasing_a_user_s": round(float(np.median(erased)), 3),
        }
    return {"events": first, **found}


def databases(seconds: float) -> None:
    """Compare the stores, each database in a server of its own; printed and logged."""
    import sys

    import psycopg
    import redis

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.store.servers import PostgresServer, RedisServer

    from edgewise.compare.machine import machine
    from edgewise.store.postgres_store import PostgresStore
    from edgewise.store.redis_store import RedisStore

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres, cache = PostgresServer("shared_buffers=128MB"), RedisServer()
        for server in (postgres, cache):
            stack.callback(server.remove)
            server.start()
        stores: dict[str, EventStore] = {
            "sqlite": SqliteStore(folder / "events.db"),
            "postgres": PostgresStore(postgres.url),
            "redis": RedisStore(cache.url),
        }
        for store in stores.values():
            stack.callback(store.close)
        client = stack.enter_context(redis.Redis.from_url(cache.url))
        connection = stack.enter_context(psycopg.connect(postgres.url, autocommit=True))
        tables = "SELECT sum(pg_total_relation_size(format('edgewise.%I', tablename)::regclass)) FROM pg_tables WHERE schemaname = 'edgewise'"
        sizes: dict[str, Callable[[], int]] = {
            "sqlite": lambda: size_of(folder / "events.db"),
            "postgres": lambda: int(connection.execute(tables).fetchone()[0]),  # type: ignore[index]
            "redis": lambda: int(client.info("memory")["used_memory"]),
        }
        row: dict[str, object] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "model": "stores"}
        row |= {"load": os.getloadavg(), "flush": [flush(folder)], "seconds": seconds}
        row |= {"rows": measured(stores, sizes, seconds), "machine": machine()}
        row["versions"] = {
            "postgres": connection.info.server_version,
            "redis": client.info("server")["redis_version"],
            "sqlite": sqlite3.sqlite_version,
        }
    print(json.dumps(row, indent=1))
    with (Path(__file__).parent / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path, help="where to write; default: the system's folder for temporary files")
    parser.add_argument("--databases", action="store_true", help="compare the stores in SQLite, PostgreSQL and Redis")
    arguments = parser.parse_args()
    if arguments.databases:
        databases(arguments.seconds)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = Path(place)
        found: dict[str, object] = {"flush": [flush(folder)]}
        found["batches"] = [batches(folder, size, arguments.seconds) for size in (100, 1000)]
        with contextlib.closing(SqliteStore(folder / "singles.db")) as store:
            found["single events"] = [singles(store, n_threads, arguments.seconds) for n_threads in (1, 8)]
        found["growth"] = growth(folder, arguments.sizes)
        found["events a second from JSON"] = reading_json()
        found["flush"] = [*found["flush"], flush(folder)]  # type: ignore[misc]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
