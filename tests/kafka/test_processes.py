"""`edgewise consume` as a process: killed, rebalanced, stopped, asked for its figures, and told to read again."""

import json
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from edgewise.cli.main import main
from edgewise.store import Event, StoreFolder
from tests.kafka.broker import broker, free_port
from tests.kafka.processes import ConsumerProcess
from tests.soak.kill_consumers import Rounds


@pytest.mark.slow
@pytest.mark.parametrize("kills_broker", [False, True])
def test_consumers_and_brokers_that_are_killed_lose_nothing_and_count_nothing_twice(
    kills_broker: bool, tmp_path: Path
) -> None:
    rounds = Rounds(tmp_path / "rounds", kills_broker=kills_broker)
    try:
        for seed in (101,):
            print(f"seed {seed}: {rounds.run(seed)}")  # noqa: T201 - shown where the test fails
    finally:
        rounds.close()


@pytest.mark.slow
def test_a_consumer_tells_prometheus_reads_again_when_told_and_ends_when_asked(tmp_path: Path) -> None:
    with broker() as kafka:
        topic = kafka.make_topic("events")
        kafka.send(topic, [(0, json.dumps({"user_id": "u", "item_id": str(number)}).encode()) for number in range(9)])
        kafka.send(topic, [(0, b"{")])
        port = free_port()
        more = ("--create", "--metrics-port", str(port), "--set", "events.session_timeout_s=1")
        for arguments, new, left_out in ((more, 9, 0), ((*more, "--from-offset", "6"), 0, 3)):
            consumer = ConsumerProcess(kafka.address, topic, tmp_path / "store", tmp_path / "log", *arguments)
            try:
                consumer.wait_for("metrics")
                wanted = {
                    f'edgewise_kafka_events_total{{outcome="new"}} {new}.0',
                    f'edgewise_kafka_events_total{{outcome="left_out"}} {left_out}.0',
                    "edgewise_kafka_dead_letters_total 1.0",
                    'edgewise_kafka_lag{partition="0",topic="events"} 0.0',
                }
                until = time.monotonic() + 20
                while True:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                        text = answer.read().decode()
                    if wanted <= set(text.splitlines()):
                        break
                    assert time.monotonic() < until, text
                    time.sleep(0.05)
            finally:
                assert consumer.stop() == 0
            (told,) = consumer.lines("events")
            assert (told["new"], told["left_out"], told["dead_letters"], told["lag"]) == (new, left_out, 1, 0)
    store = StoreFolder.open(tmp_path / "store", create=False).events()
    assert [entry.event_id for _, entry in store.since(0, 99) if isinstance(entry, Event)] == [
        f"events/0/{number}" for number in range(9)
    ]
    store.close()


def test_without_the_client_the_message_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    for words in (
        ["consume", "--brokers", "k:9092", "--store", str(tmp_path / "s")],
        ["serve", str(tmp_path), "--set", "events.brokers=k"],
    ):
        assert main(words) == 2
        assert "pip install 'edgewise[kafka]'" in capsys.readouterr().err


def test_a_consumer_without_brokers_or_with_a_wrong_topic_list_is_told_what_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["consume", "--store", str(tmp_path / "s"), "--create"]) == 2
    assert "no brokers: name them with --brokers HOST:PORT" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()
    assert main(["consume", "--store", str(tmp_path / "s"), "--set", "events.batch_size=0"]) == 2
    assert "events.batch_size" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_not_made_unless_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "nopestore", tmp_path / "empty"):
        assert main(["consume", "--brokers", f"127.0.0.1:{free_port()}", "--store", str(folder)]) == 2
        told = capsys.readouterr().err
        assert f"{folder} is not a store. Name the folder that `edgewise serve DIR --store FOLDER` was given" in told
        assert "add --create" in told
    assert not (tmp_path / "nopestore").exists()
    assert not any((tmp_path / "empty").iterdir())


def test_a_consumer_that_comes_first_makes_the_store_and_tells_that_no_broker_answers(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    consumer = ConsumerProcess(address, "events", tmp_path / "store", tmp_path / "log", "--create")
    try:
        consumer.wait_for(f"consumer of events: trouble with Kafka at {address}; trying again until it answers")
    finally:
        assert consumer.stop() == 0
    assert StoreFolder.open(tmp_path / "store", create=False).id
