"""A real server and a real broker: an event over Kafka changes the next answer, and what was served and clicked goes back."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgewise.models import build
from edgewise.testing.planted import planted_tastes
from tests.kafka.broker import Broker, broker
from tests.kafka.processes import ConsumerProcess
from tests.serve.server import Server


@pytest.fixture(scope="module")
def kafka() -> Iterator[Broker]:
    with broker() as running:
        yield running


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "model"
    build("item-knn").fit(planted_tastes().train).save(folder)
    return folder


def until(is_so: Callable[[], bool], server: Server) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, server.log.read_text()[-3000:]
        time.sleep(0.02)


def items(server: Server, user: str) -> list[str]:
    return [item["item_id"] for item in server.ask("GET", f"/v1/recommend/{user}?k=5")[1]["items"]]


def figures(server: Server) -> dict[str, float]:
    lines = server.ask("GET", "/metrics")[1].decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


def test_events_over_kafka_change_the_next_answer_and_answers_and_clicks_go_back(
    kafka: Broker, model: Path, tmp_path: Path
) -> None:
    for topic in ("clicks", "served", "feedback"):
        kafka.make_topic(topic)
    config = tmp_path / "run.toml"
    config.write_text(
        f'[events]\nbrokers = "{kafka.address}"\ntopics = ["clicks"]\nsession_timeout_s = 1.0\n'
        'served_topic = "served"\nfeedback_topic = "feedback"\n'
    )
    server = Server(model, tmp_path / "store", tmp_path / "log", arguments=("--config", str(config))).wait()
    try:
        lists: list[list[str]] = []

        def ask() -> list[str]:
            lists.append(items(server, "newcomer"))
            return lists[-1]

        before = ask()
        kafka.send(
            "clicks", [(0, json.dumps({"user_id": "newcomer", "item_id": before[0], "event_id": "k1"}).encode())]
        )
        until(lambda: ask() != before, server)
        assert before[0] not in lists[-1], "what was met is not recommended"
        click = {"user_id": "u001", "item_id": "1003", "event_id": "h1", "timestamp": "2024-05-31T08:26:00Z"}
        assert server.ask("POST", "/v1/events", [click])[1]["new"] == 1
        assert server.ask("POST", "/v1/events", [click])[1]["new"] == 0
        status, answer, headers = server.ask("GET", "/v1/recommend/u001?k=3", headers={"X-Request-Id": "ask-1"})
        assert (status, headers["x-request-id"]) == (200, "ask-1")
        sent = 'edgewise_kafka_written_back_total{outcome="sent"}'
        until(lambda: figures(server)[sent] == len(lists) + 2, server)
        found = figures(server)
        assert found["edgewise_kafka_messages_total"] == 1
        assert found['edgewise_kafka_events_total{outcome="new"}'] == 1
        until(lambda: figures(server).get('edgewise_kafka_lag{partition="0",topic="clicks"}') == 0, server)
        assert found['edgewise_kafka_written_back_total{outcome="dropped"}'] == 0
    finally:
        assert server.stop() == 0
    (value, _), *others = kafka.read("feedback", 1)
    assert others == []
    assert json.loads(value) == click | {"type": "view", "value": 1.0, "timestamp": json.loads(value)["timestamp"]}
    served = [json.loads(value) for value, _ in kafka.read("served", int(found[sent]) - 1)]
    (asked,) = [record for record in served if record["request_id"] == "ask-1"]
    assert asked["user_id"] == "u001"
    assert asked["items"] == [item["item_id"] for item in answer["items"]]
    assert asked["model"] == answer["model"]
    assert asked["source"] == answer["source"]
    assert asked["timestamp"].endswith("Z")


@pytest.mark.slow
def test_a_consumer_of_its_own_beside_the_server_changes_the_next_answer(
    kafka: Broker, model: Path, tmp_path: Path
) -> None:
    topic = kafka.make_topic("beside")
    server = Server(model, tmp_path / "store", tmp_path / "log").wait()
    consumer = ConsumerProcess(
        kafka.address, topic, tmp_path / "store", tmp_path / "consumer.log", "--set", "events.session_timeout_s=1"
    )
    try:
        before = items(server, "stranger")
        kafka.send(topic, [(0, json.dumps({"user_id": "stranger", "item_id": before[0]}).encode())])
        until(lambda: items(server, "stranger") != before, server)
    finally:
        assert consumer.stop() == 0
        assert server.stop() == 0


@pytest.mark.slow
def test_a_server_whose_broker_is_away_answers_all_the_same(model: Path, tmp_path: Path) -> None:
    arguments = ("--set", "events.brokers=127.0.0.1:9", "--set", "events.served_topic=served")
    server = Server(model, tmp_path / "store", tmp_path / "log", arguments=arguments).wait()
    try:
        assert len(items(server, "u001")) == 5
        until(lambda: "trouble with Kafka" in server.log.read_text(), server)
        time.sleep(1.0)
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        kinds = [(line["message"], line.get("kind")) for line in lines if "trouble" in line["message"]]
        assert len(kinds) == len(set(kinds)), "told once, not each second"
    finally:
        assert server.stop() == 0
