"""A consumer in this process, a real broker beside it: what is stored, where it begins, and what it does with the unreadable."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import StoreBusyError, StoreError
from edgewise.kafka.consumer import Consumer
from edgewise.kafka.message import events_of_message
from edgewise.kafka.settings import EventsConfig
from edgewise.store import DeadLetter, Event, Offset, SqliteStore
from tests.kafka.broker import Broker, broker

NOW = 1_717_143_960_000


@pytest.fixture(scope="module")
def kafka() -> Iterator[Broker]:
    with broker() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "events.db")
    yield opened
    opened.close()


def config(kafka: Broker, topic: str, **settings: Any) -> EventsConfig:
    """Settings with a short session: the broker for tests lets a group form after half of it."""
    return EventsConfig(brokers=kafka.address, topics=(topic,), session_timeout_s=1.0, **settings)


@contextmanager
def consuming(store: Any, settings: EventsConfig, environment: Mapping[str, str] | None = None) -> Iterator[Consumer]:
    consumer = Consumer(store, settings, environment=environment)
    thread = threading.Thread(target=consumer.run)
    thread.start()
    try:
        yield consumer
    finally:
        consumer.stop()
        thread.join(20)
        assert not thread.is_alive()


def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def message(number: int, **more: Any) -> bytes:
    record = {"event_id": f"e{number}", "user_id": f"u{number % 5}", "item_id": f"i{number}", "timestamp": NOW + number}
    return json.dumps(record | more).encode()


def ids(store: SqliteStore) -> list[str]:
    return [entry.event_id for _, entry in store.since(0, 10**6) if isinstance(entry, Event)]


def test_events_are_stored_once_with_the_position_behind_them(kafka: Broker, store: SqliteStore) -> None:
    topic = kafka.make_topic("once", 3)
    kafka.send(topic, [(number % 3, message(number)) for number in range(30)])
    kafka.send(topic, [(0, message(0)), (1, message(4))])  # sent again
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 32)
    assert sorted(ids(store)) == sorted(f"e{number}" for number in range(30))
    assert (consumer.figures.new, consumer.figures.left_out) == (30, 2)
    assert store.offsets("edgewise") == {(topic, 0): 11, (topic, 1): 11, (topic, 2): 10}
    assert store.user("u3") is not None, "users become known"
    kafka.send(topic, [(2, message(99))])
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 1)
    assert ids(store)[-1] == "e99"


def test_a_message_without_an_id_is_its_place_and_without_a_time_its_own(kafka: Broker, store: SqliteStore) -> None:
    topic = kafka.make_topic("bare")
    several = json.dumps([{"user_id": "b", "item_id": "1"}, {"user_id": "b", "item_id": "2"}]).encode()
    kafka.send(topic, [(0, b'{"user_id": "a", "item_id": 7, "type": "buy"}'), (0, several)], at=NOW)
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 2)
    assert store.of_user("a") == [Event("bare/0/0", "a", "7", timestamp=NOW, type="purchase")]
    assert ids(store) == ["bare/0/0", "bare/0/1/1", "bare/0/1/2"]


def test_what_cannot_be_read_goes_to_the_dead_letters_and_holds_up_nothing(kafka: Broker, store: SqliteStore) -> None:
    topic, dead = kafka.make_topic("poison"), kafka.make_topic("dead")
    deep = b"[" * 100_000 + b"]" * 100_000
    large = b'{"user_id": "' + b"x" * 300_000 + b'"}'
    bad = [b"{", b"\xff", None, b'{"user_id": "a"}', b'{"user_id": "a", "item_id": "\\u0000"}', b"7", deep, large]
    kafka.send(topic, [(0, message(0)), *[(0, value) for value in bad], (0, message(1))])
    settings = config(kafka, topic, dead_letter_topic=dead, max_message_bytes=250_000)
    with consuming(store, settings) as consumer:
        until(lambda: consumer.figures.messages == len(bad) + 2)
    assert ids(store) == ["e0", "e1"]
    letters = [letter for _, letter in store.dead_letters(0, 100)]
    assert [letter.source for letter in letters] == [f"poison/0/{place}" for place in range(1, len(bad) + 1)]
    reasons = [
        "not JSON",
        "not UTF-8",
        "is empty",
        "needs item_id",
        "control characters",
        "JSON object",
        "deeply",
        "300015 bytes",
    ]
    for reason, letter in zip(reasons, letters, strict=True):
        assert reason in letter.reason
    assert letters[0].payload == b"{"
    copies = kafka.read(dead, len(bad))
    assert [headers["reason"].decode() for _, headers in copies] == [letter.reason for letter in letters]
    assert [headers["source"].decode() for _, headers in copies] == [letter.source for letter in letters]
    assert [value for value, _ in copies] == [value or b"" for value in bad]


def test_reading_again_counts_nothing_twice_and_brings_no_erased_user_back(kafka: Broker, store: SqliteStore) -> None:
    topic = kafka.make_topic("again", 2)
    kafka.send(topic, [(number % 2, message(number)) for number in range(10)] + [(0, b"{")])
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 11)
    store.erase_user("u3")  # events 3 and 8
    with consuming(store, config(kafka, topic, from_offset=2)) as consumer:
        until(lambda: consumer.figures.messages == 7)
        until(lambda: consumer.figures.batches > 0)
    assert (consumer.figures.new, consumer.figures.left_out) == (0, 6)
    assert sorted(ids(store)) == sorted(f"e{number}" for number in range(10) if number % 5 != 3)
    assert store.offsets("edgewise") == {(topic, 0): 6, (topic, 1): 5}
    assert len(store.dead_letters(0, 100)) == 1, "a dead letter that is read again is there already"


def test_reading_again_from_a_time_begins_at_its_first_message(kafka: Broker, store: SqliteStore) -> None:
    topic = kafka.make_topic("since")
    for number in range(6):
        kafka.send(topic, [(0, message(number))], at=NOW + 1000 * number)
    kafka.send(topic, [(0, message(6))], at=NOW)  # a late one, behind the first of the time
    with consuming(store, config(kafka, topic, from_time="2024-05-31T08:26:03Z")) as consumer:
        until(lambda: consumer.figures.messages == 4)
    assert ids(store) == ["e3", "e4", "e5", "e6"]


class Refusing:
    """A store that takes nothing for a while."""

    def __init__(self, store: SqliteStore, errors: Sequence[StoreError]) -> None:
        self.store, self.errors = store, list(errors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def append(self, events: Sequence[Event], **more: Any) -> list[bool]:
        if events and self.errors:
            raise self.errors.pop()
        return self.store.append(events, **more)


def test_a_store_that_refuses_is_tried_again_and_nothing_is_passed_over(
    kafka: Broker, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edgewise.serve")
    topic = kafka.make_topic("busy", 2)
    kafka.send(topic, [(number % 2, message(number)) for number in range(200)])
    errors = [StoreBusyError("held by another"), StoreBusyError("held by another"), StoreError("the disk is full")]
    refusing = Refusing(store, errors)
    with consuming(refusing, config(kafka, topic, batch_size=7, retry_s=0.3)) as consumer:
        until(lambda: consumer.figures.retries == 1)
        kafka.send(topic, [(number % 2, message(number)) for number in range(200, 210)])
        until(lambda: consumer.figures.messages == 210)
    assert consumer.figures.retries == 3
    assert sorted(ids(store)) == sorted(f"e{number}" for number in range(210))
    told = [record.getMessage() for record in caplog.records]
    assert told.count("the store refuses events; trying again") == 2, "once for each reason"
    assert told.count("the store takes events again") == 1


def test_a_batch_that_cannot_be_stored_for_long_is_let_go_and_read_again(
    kafka: Broker, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.kafka.consumer._HOLD_S", 0.3)
    topic = kafka.make_topic("long", 2)
    kafka.send(topic, [(number % 2, message(number)) for number in range(200)])
    refusing = Refusing(store, [StoreError("the disk is full")] * 10_000)
    with consuming(refusing, config(kafka, topic, retry_s=0.1, batch_size=30)) as consumer:
        until(lambda: consumer.figures.retries > 10)  # more than one batch has
        refusing.errors.clear()
        until(lambda: consumer.figures.messages == 200)
    assert sorted(ids(store)) == sorted(f"e{number}" for number in range(200))
    assert consumer.figures.left_out == 0
    assert store.offsets("edgewise") == {(topic, 0): 100, (topic, 1): 100}


def test_a_stop_while_the_store_refuses_leaves_the_messages_to_the_next(kafka: Broker, store: SqliteStore) -> None:
    topic = kafka.make_topic("stopped")
    kafka.send(topic, [(0, message(number)) for number in range(5)])
    refusing = Refusing(store, [StoreError("the disk is full")] * 1000)
    with consuming(refusing, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.retries > 1)
    assert ids(store) == []
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 5)
    assert len(ids(store)) == 5


def test_the_stores_position_counts_and_not_what_was_committed_to_kafka(
    kafka: Broker, store: SqliteStore, tmp_path: Path
) -> None:
    topic = kafka.make_topic("truth")
    kafka.send(topic, [(0, message(number)) for number in range(10)])
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 10)
    other = SqliteStore(tmp_path / "restored.db")  # as from a backup of four events ago
    other.append([], offsets=[Offset("edgewise", topic, 0, 6)])
    with consuming(other, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 4)
    assert ids(other) == ["e6", "e7", "e8", "e9"]
    other.close()


def test_an_event_that_no_store_can_hold_is_a_dead_letter_and_the_others_are_stored(
    kafka: Broker, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unchecked(value: bytes | None, source: str, **more: Any) -> list[Event]:
        found = events_of_message(value, source, **more)
        if found[0].event_id == "e5":
            return [Event("e5", "\ud800", "i", timestamp=0)]  # no UTF-8
        return found

    monkeypatch.setattr("edgewise.kafka.consumer.events_of_message", unchecked)
    topic = kafka.make_topic("unfit")
    kafka.send(topic, [(0, message(number)) for number in range(12)])
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 12)
    assert ids(store) == [f"e{number}" for number in range(12) if number != 5]
    (_, letter), *others = store.dead_letters(0, 10)
    assert others == []
    assert letter == DeadLetter("unfit/0/5", letter.reason, message(5), letter.at)
    assert "cannot hold" in letter.reason
    assert store.offsets("edgewise") == {(topic, 0): 12}


def test_lag_counts_what_is_not_stored(kafka: Broker, store: SqliteStore) -> None:
    topic = kafka.make_topic("lagging")
    kafka.send(topic, [(0, message(number)) for number in range(50)])
    with consuming(store, config(kafka, topic)) as consumer:
        until(lambda: consumer.figures.messages == 50)
        until(lambda: consumer.figures.lag == {(topic, 0): 0})


@pytest.mark.slow
def test_a_broker_that_is_gone_and_back_is_told_once_and_nothing_is_lost(
    store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edgewise.serve")
    (tmp_path / "bucket").mkdir()
    with broker(tmp_path / "bucket") as kafka:
        topic = kafka.make_topic("back")
        kafka.send(topic, [(0, message(number)) for number in range(10)])
        with consuming(store, config(kafka, topic)) as consumer:
            until(lambda: consumer.figures.messages == 10)
            kafka.kill()
            until(lambda: "trouble with Kafka" in caplog.text)
            time.sleep(2)
            kafka.start()
            kafka.send(topic, [(0, message(number)) for number in range(10, 20)])
            until(lambda: consumer.figures.messages >= 20, 60)
    told = [record.getMessage() for record in caplog.records if "Kafka" in record.getMessage()]
    troubles = [text for text in told if "trouble" in text]
    assert 1 <= len(troubles) <= 2, "each kind once, not each second"
    assert "consumer of back: Kafka answers again" in told
    assert ids(store) == [f"e{number}" for number in range(20)]


@pytest.mark.slow
def test_a_topic_that_is_made_later_is_found(kafka: Broker, store: SqliteStore) -> None:
    settings = config(kafka, "later", options={"topic.metadata.refresh.interval.ms": 1000})
    with consuming(store, settings) as consumer:
        time.sleep(2)
        kafka.make_topic("later", 2)
        kafka.send("later", [(number % 2, message(number)) for number in range(4)])
        until(lambda: consumer.figures.messages == 4)
    assert len(ids(store)) == 4


def test_a_position_that_the_broker_no_longer_has_is_told_and_reading_goes_on(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    # Tansu keeps silent about such a position; the client's own mock of a cluster says what Kafka says.
    from confluent_kafka import Producer

    host = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0})
    (one,) = host.list_topics(timeout=10).brokers.values()
    address = f"{one.host}:{one.port}"
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    for number in range(5):
        producer.produce("short", message(number), partition=0)
    assert producer.flush(10) == 0
    store.append([], offsets=[Offset("edgewise", "short", 0, 1000)])
    settings = EventsConfig(brokers=address, topics=("short",), session_timeout_s=6.0)
    with consuming(store, settings) as consumer:
        until(lambda: consumer.figures.messages == 5, 30)
    assert ids(store) == [f"e{number}" for number in range(5)]
    assert store.offsets("edgewise")["short", 0] == 5
    assert "the broker no longer has the position" in caplog.text
