"""Kill two writers of one store with -9 at random moments, again and again; compare the store with an independent replay.

python tests/soak/kill_store_writers.py --rounds 100 --seed 0

Each writer stands for a consumer: its threads read "partitions" whose messages follow from (partition, offset), begin a
little before the stored offset (messages are delivered again after a crash), store events and offset together, and write
down what was acknowledged. After each round the store must hold every acknowledged event, each message below the stored
offset exactly once, and nothing else; and each user's history must be what a replay of those messages gives.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from edgewise.store import Event, GroupCommit, Offset, SqliteStore

N_PARTITIONS = 4
N_USERS = 7


def message(partition: int, offset: int) -> Event:
    """Give the event at one place of the topic; some come late."""
    rng = random.Random(f"{partition}/{offset}")
    timestamp = 1_700_000_000_000 + offset * 1000 - rng.choice((0, 0, 0, 50_000))
    user, item = f"u{rng.randrange(N_USERS)}", f"i{rng.randrange(50)}"
    return Event(f"t/{partition}/{offset}", user, item, timestamp=timestamp, value=rng.random())


def write(path: Path, partitions: list[int], seed: int) -> None:
    """Store messages until killed; a line "partition next" says that all before `next` are acknowledged."""
    store = SqliteStore(path)
    group = GroupCommit(store)
    stored = store.offsets("g")

    def consume(partition: int) -> None:
        sizes = random.Random(f"{seed}/{partition}")
        known = stored.get(("t", partition), 0)
        offset = max(0, known - sizes.randrange(20))
        while True:
            n = sizes.choice((1, 1, 5, 40))
            events = [message(partition, offset + place) for place in range(n)]
            # Messages that come again do not turn the offset back.
            group.append(events, offsets=[Offset("g", "t", partition, max(known, offset + n))])
            offset += n
            os.write(1, f"{partition} {offset}\n".encode())

    for partition in partitions:
        threading.Thread(target=consume, args=(partition,)).start()


def run_round(path: Path, seed: int) -> str:
    """Start two writers, kill one and later the other; returns what happened. Raises AssertionError if the store is wrong."""
    moments = random.Random(seed)
    halves = [list(range(0, N_PARTITIONS, 2)), list(range(1, N_PARTITIONS, 2))]
    words = [
        [sys.executable, __file__, "--write", str(path), "--partitions", *map(str, half), "--seed", str(seed)]
        for half in halves
    ]
    with tempfile.TemporaryFile("w+") as acknowledged:
        # A file and not a pipe: a full pipe would stop the writers.
        writers = [subprocess.Popen(word, stdout=acknowledged, stderr=subprocess.PIPE) for word in words]
        try:
            deadline = time.monotonic() + 60
            while os.fstat(acknowledged.fileno()).st_size == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
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
    return f"{compare(path, best)}, {len(lines)} calls acknowledged"


def compare(path: Path, acknowledged: dict[int, int]) -> str:
    """Hold the store against the messages themselves."""
    store = SqliteStore(path)
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
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--partitions", type=int, nargs="+", default=[], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.write, arguments.partitions, arguments.seed)
        return
    with tempfile.TemporaryDirectory() as place:
        for number in range(arguments.rounds):
            seed = arguments.seed * 1_000_000 + number
            sys.stdout.write(f"round {number}, seed {seed}: {run_round(Path(place) / 'events.db', seed)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
