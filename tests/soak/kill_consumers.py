"""Kill consumers and the broker with -9 at random moments, again and again; compare the store with a replay of the topic.

python -m tests.soak.kill_consumers --rounds 100 --seed 0

Two `edgewise consume` of one group write into one store while a producer sends: events with and without an id, some twice,
some late, and messages that cannot be read. In each round one consumer is killed, in some the broker too, and started again.
Then the topic is read without any code of ours: the store must hold each of its events once, with the position behind the
last, each unreadable message as a dead letter once, and what the broker had acknowledged must be there.

The broker for tests can leave a group without a leader for good when the leader goes away while the group forms. So each round
has a group of its own, which begins where the one before ended, and consumers are killed when they have partitions.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from edgewise.store import Event, Offset, StoreFolder
from tests.kafka.broker import Broker
from tests.kafka.processes import ConsumerProcess

TOPIC = "events"
N_PARTITIONS = 4
START = 1_700_000_000_000
SESSION_S = 2.0
_PATIENCE_S = 240
BAD = [b"{", b"", b"\xff\xfe", b'{"user_id": "u1"}', b"[1, 2]", b'{"user_id": "u1", "item_id": "i", "value": "much"}']


class Sender:
    """A producer that sends until told to stop, and notes what was acknowledged.

    Args:
        address: of the broker. first: the number of the first message. seed: of the moments.
        linger_ms: how long messages are collected before they are sent.
    """

    def __init__(self, address: str, first: int, seed: int, linger_ms: int) -> None:
        self.acknowledged: set[tuple[int, int]] = set()
        self.n_sent, self.n_failed = first, 0
        self._moments = random.Random(seed)
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": address,
                "acks": "all",
                "log_level": 0,
                "message.timeout.ms": 60_000,
                "linger.ms": linger_ms,
            }
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until all is acknowledged or given up."""
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(90) == 0

    def _run(self) -> None:
        while not self._stop.is_set():
            for _ in range(self._moments.choice((1, 5, 60))):
                partition, value = message(self.n_sent)
                self._producer.produce(TOPIC, value, partition=partition, on_delivery=self._note)
                self.n_sent += 1
            self._producer.poll(0)
            self._stop.wait(self._moments.uniform(0, 0.03))

    def _note(self, error: KafkaError | None, sent: Message) -> None:
        if error is None:
            self.acknowledged.add((int(sent.partition() or 0), int(sent.offset() or 0)))
        else:
            self.n_failed += 1


def message(number: int) -> tuple[int, bytes]:
    """Give the partition and the value of a message; the same number gives the same."""
    rng = random.Random(number)
    if rng.random() < 0.02:
        return rng.randrange(N_PARTITIONS), rng.choice(BAD)
    if number and rng.random() < 0.05:
        return message(number - 1)  # sent again
    timestamp = START + number * 1000 - rng.choice((0, 0, 0, 50_000))
    record = {"user_id": f"u{rng.randrange(7)}", "item_id": f"i{rng.randrange(50)}", "type": "cart", "value": number}
    if rng.random() < 0.7:
        record |= {"event_id": f"e{number}"}
    if rng.random() < 0.8:
        record |= {"timestamp": timestamp}
    return rng.randrange(N_PARTITIONS), json.dumps(record).encode()


class Rounds:
    """A broker, a store, and what has been sent so far.

    Args:
        folder: for all of it. kills_broker: whether the broker is killed too; it is durable then, and slow: each batch of
            messages is a file for it, so that they are sent in fewer.
    """

    def __init__(self, folder: Path, *, kills_broker: bool) -> None:
        (folder / "bucket").mkdir(parents=True)
        self.folder, self.kills_broker = folder, kills_broker
        self.broker = Broker(folder / "bucket" if kills_broker else None)
        self.broker.make_topic(TOPIC, N_PARTITIONS)
        self.acknowledged: set[tuple[int, int]] = set()
        self.log: dict[int, list[Message]] = {partition: [] for partition in range(N_PARTITIONS)}
        self.n_sent = self.n_rounds = 0

    def close(self) -> None:
        """End the broker."""
        self.broker.close()

    def run(self, seed: int) -> str:
        """Do one round; returns what happened. Raises AssertionError if the store is wrong."""
        moments = random.Random(seed)
        self._next_group()
        consumers = [self._consumer(name) for name in ("one", "two")]
        for consumer in consumers:
            consumer.wait_for("partitions")
        sender = Sender(self.broker.address, self.n_sent, seed, linger_ms=300 if self.kills_broker else 2)
        told = []
        try:
            time.sleep(moments.uniform(0, 2 * SESSION_S))
            place = moments.randrange(2)
            consumers[place].kill()
            told.append(f"consumer {place + 1} killed")
            if self.kills_broker:
                time.sleep(moments.uniform(0, SESSION_S))
                self.broker.kill()
                time.sleep(moments.uniform(0, 2.0))
                self.broker.start()
                told.append("broker killed")
            time.sleep(moments.uniform(0, 2 * SESSION_S))
            consumers.append(self._consumer("three"))
            consumers[-1].wait_for("reading events")
            time.sleep(moments.uniform(0, SESSION_S))
            sender.stop()
            self.n_sent = sender.n_sent
            self.acknowledged |= sender.acknowledged
            self.read()
            self._wait_for({partition: len(messages) for partition, messages in self.log.items()})
            codes = [consumer.stop() for number, consumer in enumerate(consumers) if number != place]
            assert codes == [0, 0], codes
        finally:
            sender.stop()
            for consumer in consumers:
                consumer.kill()
        return f"{self.compare()}, {', '.join(told)}, {sender.n_failed} sendings given up"

    def read(self) -> None:
        """Read what the topic has more than at the round before, without a group."""
        client = Consumer(
            {
                "bootstrap.servers": self.broker.address,
                "group.id": "replay",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "log_level": 0,
            }
        )
        client.assign([TopicPartition(TOPIC, partition, len(found)) for partition, found in self.log.items()])
        at_end: set[int] = set()
        until = time.monotonic() + _PATIENCE_S
        while len(at_end) < N_PARTITIONS:
            assert time.monotonic() < until, f"the topic cannot be read to its end: {at_end}"
            for found in client.consume(1000, timeout=0.2):
                error, partition = found.error(), int(found.partition() or 0)
                if error is None:
                    gap = f"offset {found.offset()} of partition {partition} follows on {len(self.log[partition]) - 1}"
                    assert found.offset() == len(self.log[partition]), gap
                    self.log[partition].append(found)
                elif error.code() == KafkaError._PARTITION_EOF:
                    at_end.add(partition)
                else:
                    assert error.retriable() or error.code() == KafkaError._TRANSPORT, error
        client.close()

    def compare(self) -> str:
        """Hold the store against a replay of the topic, written here once more from the description of events."""
        there = {
            (partition, int(found.offset() or 0)) for partition, messages in self.log.items() for found in messages
        }
        lost = self.acknowledged - there
        assert not lost, f"the broker lost {len(lost)} messages that it had acknowledged: {sorted(lost)[:5]}"
        expected: dict[str, Event] = {}
        dead: set[str] = set()
        for partition, messages in self.log.items():
            for found in messages:
                source = f"{TOPIC}/{partition}/{found.offset()}"
                if (found.value() or b"") in BAD:
                    dead.add(source)
                    continue
                record = json.loads(found.value() or b"")
                event = Event(
                    record.get("event_id", source),
                    record["user_id"],
                    record["item_id"],
                    type="cart",
                    value=float(record["value"]),
                    timestamp=record.get("timestamp", found.timestamp()[1]),
                )
                expected.setdefault(event.event_id, event)  # of two with one id the first
        store = StoreFolder.open(self.folder / "store", create=False).events()
        try:
            entries = [entry for _, entry in store.since(0, 10**9) if isinstance(entry, Event)]
            counts = Counter(entry.event_id for entry in entries)
            twice = [event_id for event_id, n in counts.items() if n > 1]
            assert not twice, f"counted twice: {twice[:5]}"
            missing, more = expected.keys() - counts.keys(), counts.keys() - expected.keys()
            assert not missing, f"{len(missing)} events lost, such as {sorted(missing)[:5]}"
            assert not more, f"{len(more)} events from nowhere, such as {sorted(more)[:5]}"
            wrong = [entry for entry in entries if entry != expected[entry.event_id]]
            assert not wrong, f"{len(wrong)} events differ, such as {wrong[0]} from {expected[wrong[0].event_id]}"
            for user in range(7):
                history = store.of_user(f"u{user}")
                assert [event.timestamp for event in history] == sorted(event.timestamp for event in history)
                assert set(history) == {event for event in expected.values() if event.user_id == f"u{user}"}
            letters = [letter.source for _, letter in store.dead_letters(0, 10**9)]
            assert sorted(letters) == sorted(dead), "dead letters differ"
            assert store.offsets(self.group) == {
                (TOPIC, partition): len(found) for partition, found in self.log.items()
            }
        finally:
            store.close()
        return f"{len(there)} messages, {len(entries)} events, {len(letters)} dead letters"

    @property
    def group(self) -> str:
        """The group of this round."""
        return f"g{self.n_rounds}"

    def _next_group(self) -> None:
        store = StoreFolder.open(self.folder / "store").events()
        come_to = store.offsets(self.group)
        self.n_rounds += 1
        store.append([], offsets=[Offset(self.group, *place, offset) for place, offset in come_to.items()])
        store.close()

    def _consumer(self, name: str) -> ConsumerProcess:
        return ConsumerProcess(
            self.broker.address,
            TOPIC,
            self.folder / "store",
            self.folder / f"{name}.log",
            "--set",
            f"events.session_timeout_s={SESSION_S}",
            "--set",
            "events.batch_size=50",
            group=self.group,
        )

    def _wait_for(self, ends: dict[int, int]) -> None:
        store = StoreFolder.open(self.folder / "store", create=False).events()
        until = time.monotonic() + _PATIENCE_S
        try:
            wanted = {(TOPIC, partition): end for partition, end in ends.items()}
            while (found := store.offsets(self.group)) != wanted:
                assert time.monotonic() < until, f"the consumers came to {found}, the topic ends at {wanted}"
                time.sleep(0.05)
        finally:
            store.close()


def main() -> None:
    """Run the rounds on one store; stops with an error at the first that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        both = [Rounds(Path(place) / name, kills_broker=name == "durable") for name in ("memory", "durable")]
        try:
            for number in range(arguments.rounds):
                seed = arguments.seed * 1_000_000 + number
                begun = time.monotonic()
                told = both[number % 2].run(seed)
                sys.stdout.write(f"round {number}, seed {seed}: {told}, {time.monotonic() - begun:.0f} s\n")
                sys.stdout.flush()
        finally:
            for rounds in both:
                rounds.close()


if __name__ == "__main__":
    main()
