"""Records back to Kafka: who hands one in never waits, whatever the broker does."""

import json
import threading

from edgewise.kafka.settings import EventsConfig
from edgewise.kafka.write_back import WriteBack
from tests.kafka.broker import broker, free_port


def test_records_arrive_in_order_and_are_made_in_another_thread() -> None:
    makers: set[str] = set()

    def record(number: int) -> dict[str, object]:
        makers.add(threading.current_thread().name)
        return {"number": number, "name": "书"}

    with broker() as kafka:
        topic = kafka.make_topic("served")
        writing = WriteBack(EventsConfig(brokers=kafka.address), environment={})
        for number in range(100):
            writing.send(topic, "u", lambda number=number: record(number))  # type: ignore[misc]
        writing.close()
        assert (writing.n_sent, writing.n_dropped, writing.n_waiting) == (100, 0, 0)
        values = [json.loads(value) for value, _ in kafka.read(topic, 100)]
    assert values == [{"number": number, "name": "书"} for number in range(100)]
    assert makers == {"edgewise-write-back"}


def test_without_a_broker_what_does_not_fit_is_dropped_and_counted() -> None:
    settings = EventsConfig(brokers=f"127.0.0.1:{free_port()}", max_waiting=50, options={"message.timeout.ms": 500})
    writing = WriteBack(settings, environment={}, n_in_client=10)
    for _ in range(1000):
        writing.send("served", "u", dict)
    assert writing.n_dropped >= 1000 - 50 - 10 - 1
    assert writing.n_waiting <= 61
    writing.close()
    assert writing.n_sent == 0
    assert writing.n_dropped == 1000, "each is sent or counted as dropped"
