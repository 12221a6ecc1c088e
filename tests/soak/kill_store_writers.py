"""Kill two writers of one store, or its database server, with -9 at random moments; compare it with an independent replay.

python tests/soak/kill_store_writers.py --rounds 100 --seed 0 [--server postgres | --server redis]

Each writer stands for a consumer: its threads read "partitions" whose messages follow from (partition, offset), begin a
little before the stored offset (messages are delivered again after a crash), store events and offset together, and write
down what was acknowledged. After each round the store must hold every acknowledged event, each message below the stored
offset exactly once, and nothing else; and each user's history must be what a replay of those messages gives. With a
database server, that is killed and started again while both write, and the writers go on where they were.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgewise.errors import StoreError
from edgewise.store import Event, EventStore, GroupCommit, Offset, StoreFolder, open_events

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.store.servers import DatabaseServer, PostgresServer, RedisServer

T = TypeVar("T")

N_PARTITIONS = 4
N_USERS = 7


def message(partition: int, offset: int) -> Event:
    """Give the event at one place of the topic; some come late."""
    rng = random.Random(f"{partition}/{offset}")
    timestamp = 1_700_000_000_000 + offset * 1000 - rng.choice((0, 0, 0, 50_000))
    user, item = f"u{rng.randrange(N_USERS)}", f"i{rng.randrange(50)}"
    return Event(f"t/{partition}/{offset}", user, item, timestamp=timestamp, value=rng.random())


def patiently(act: Callable[[], T]) -> T:
    """Do something until it succeeds: a server may be on its way back."""
    until = time.monotonic() + 60
    while True:
        try:
            return act()
        except StoreError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def open_store(folder: Path) -> EventStore:
    """Open the store in a folder, or the one that EDGEWISE_STORE_URL names."""
    return patiently(lambda: open_events(StoreFolder.open(folder)))


def write(folder: Path, partitions: list[int], seed: int) -> None:
    """Store messages until killed; a line "partition next" says that all before `next` are acknowledged."""
    store = open_store(folder)
    group = GroupCommit(store)
    stored = patiently(lambda: store.offsets("g"))

    def consume(partition: int) -> None:
        sizes = random.Random(f"{seed}/{partition}")
        known = stored.get(("t", partition), 0)
        offset = max(0, known - sizes.randrange(20))
        while True:
            n = sizes.choice((1, 1, 5, 40))
            events = [message(partition, offset + place) for place in range(n)]
            # Messages that come again do not turn the offset back.
            try:
                group.append(events, offsets=[Offset("g", "t", partition, max(known, offset + n))])
            except StoreError:  # the server is away: the same again
                time.sleep(0.02)
                continue
            offset += n
            os.write(1, f"{partition} {offset}\n".encode())

    for partition in partitions:
        threading.Thread(target=consume, args=(partition,)).start()


def run_round(folder: Path, seed: int, server: DatabaseServer | None = None) -> str:
    """Start two writers, kill one and later the other; returns what happened. Raises AssertionError if the store is wrong.

    Args:
        folder: the store. seed: of the moments. server: where the events are; it is killed too, and comes back.
    """
    moments = random.Random(seed)
    halves = [list(range(0, N_PARTITIONS, 2)), list(range(1, N_PARTITIONS, 2))]
    words = [
        [sys.executable, __file__, "--write", str(folder), "--partitions", *map(str, half), "--seed", str(seed)]
        for half in halves
    ]
    with tempfile.TemporaryFile("w+") as acknowledged:
        # A file and not a pipe: a full pipe would stop the writers.
        writers = [subprocess.Popen(word, stdout=acknowledged, stderr=subprocess.PIPE) for word in words]
        try:
            deadline = time.monotonic() + 60
            while os.fstat(acknowledged.fileno()).st_size == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            for _ in range(0 if server is None else 2):
                assert server is not None
                time.sleep(moments.uniform(0, 0.6))
                server.kill()
                time.sleep(moments.uniform(0, 0.3))
                server.start()
                size = os.fstat(acknowledged.fileno()).st_size
                while os.fstat(acknowledged.fileno()).st_size == size and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert os.fstat(acknowledged.fileno()).st_size > size, "the writers have not come back"
            for writer in writers:
                time.sleep(moments.uniform(0, 0.6))
                assert writer.poll() is None, (
                    f"a writer ended by itself: {writer.stderr.read()[-2000:] if writer.stderr else ''!r}"
                )
                writer.kill()
                writer.wait()
        finally:
            for writer in writers:
                writer.kill()
                writer.wait()
                if writer.stderr:
                    writer.stderr.close()
        acknowledged.seek(0)
        lines = [line.split() for line in acknowledged.read().splitlines() if line.count(" ") == 1]
    best: dict[int, int] = {}
    for partition, next_offset in lines:
        best[int(partition)] = max(best.get(int(partition), 0), int(next_offset))
    return f"{compare(folder, best)}, {len(lines)} calls acknowledged"


def compare(folder: Path, acknowledged: dict[int, int]) -> str:
    """Hold the store against the messages themselves."""
    store = open_store(folder)
    try:
        offsets = {partition: next_offset for (_, partition), next_offset in store.offsets("g").items()}
        assert all(offsets.get(partition, 0) >= n for partition, n in acknowledged.items()), (acknowledged, offsets)
        found = store.since(0, 10**9)
        assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
        assert store.last_seq == len(found)
        entries = [entry for _, entry in found if isinstance(entry, Event)]
        expected = {
            event.event_id: event
            for partition, n in offsets.items()
            for event in (message(partition, place) for place in range(n))
        }
        assert len(entries) == len(expected), f"{len(entries)} stored, {len(expected)} sent"
        assert {event.event_id: event for event in entries} == expected
        for user in range(N_USERS):
            # sorted() keeps the order of arrival among equal times
            replay = sorted(
                (event for event in entries if event.user_id == f"u{user}"), key=lambda event: event.timestamp
            )
            assert store.of_user(f"u{user}") == replay
    finally:
        store.close()
    return f"{len(entries)} events"


def main() -> None:
    """Run the rounds on one store; stops with an error at the first that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--server", choices=["postgres", "redis"], help="kill this too; without it, SQLite")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--partitions", type=int, nargs="+", default=[], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.write, arguments.partitions, arguments.seed)
        return
    server = {"postgres": PostgresServer, "redis": RedisServer}[arguments.server]() if arguments.server else None
    try:
        if server is not None:
            server.start()
            os.environ["EDGEWISE_STORE_URL"] = server.url
        with tempfile.TemporaryDirectory() as place:
            for number in range(arguments.rounds):
                seed = arguments.seed * 1_000_000 + number
                sys.stdout.write(f"round {number}, seed {seed}: {run_round(Path(place), seed, server)}\n")
                sys.stdout.flush()
    finally:
        if server is not None:
            server.remove()


if __name__ == "__main__":
    main()
