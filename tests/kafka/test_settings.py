"""[events] and the environment: what reaches the client, and what is refused without a secret in the text."""

import re
from pathlib import Path

import pytest

from edgewise.errors import ConfigError
from edgewise.kafka.client import client_options, make_consumer
from edgewise.kafka.consumer import Consumer
from edgewise.kafka.settings import EventsConfig
from edgewise.run_config import read_config
from edgewise.store import SqliteStore


def test_options_of_the_file_the_environment_and_its_file_come_together(tmp_path: Path) -> None:
    path = tmp_path / "options"
    path.write_text("# of the company\nsasl.mechanism = PLAIN\nssl.key.password=a=b\n\n")
    settings = EventsConfig(brokers="k1:9092,k2:9092", options={"security.protocol": "SASL_SSL", "check.crcs": True})
    given = {
        "EDGEWISE_KAFKA_USERNAME": "me",
        "EDGEWISE_KAFKA_PASSWORD": "s3cret",
        "EDGEWISE_KAFKA_OPTIONS_FILE": str(path),
    }
    assert client_options(settings, given) == {
        "bootstrap.servers": "k1:9092,k2:9092",
        "security.protocol": "SASL_SSL",
        "check.crcs": "true",
        "sasl.mechanism": "PLAIN",
        "ssl.key.password": "a=b",
        "sasl.username": "me",
        "sasl.password": "s3cret",
    }


@pytest.mark.parametrize(
    "name", ["sasl.password", "ssl.key.pem", "ssl.keystore.password", "sasl.oauthbearer.client.secret"]
)
def test_a_secret_in_the_configuration_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(
        ConfigError, match=f"options has {name}, which is secret: set EDGEWISE_KAFKA_PASSWORD"
    ) as caught:
        client_options(EventsConfig(brokers="k", options={name: "hunter2"}), {})
    assert "hunter2" not in str(caught.value)


def test_options_that_would_break_the_promise_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"enable\.auto\.commit, which this program needs for itself to be as it is"):
        client_options(EventsConfig(brokers="k", options={"enable.auto.commit": True}), {})
    with pytest.raises(ConfigError, match=r"group\.id, which this program needs for itself; set group in \[events\]"):
        client_options(EventsConfig(brokers="k", options={"group.id": "other"}), {})


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no brokers: name them with --brokers HOST:PORT"):
        client_options(EventsConfig(), {})
    with pytest.raises(ConfigError, match=r'\[events\] options: No such configuration property: "no\.such"'):
        make_consumer(EventsConfig(brokers="k", options={"no.such": 1}), {})
    path = tmp_path / "options"
    path.write_text("sasl.mechanism=PLAIN\nhunter2\n")
    with pytest.raises(ConfigError, match="line 2: expected name=value") as caught:
        client_options(EventsConfig(brokers="k"), {"EDGEWISE_KAFKA_OPTIONS_FILE": str(path)})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"file of options .*gone.* cannot be read"):
        client_options(EventsConfig(brokers="k"), {"EDGEWISE_KAFKA_OPTIONS_FILE": str(tmp_path / "gone")})


def test_a_wrong_time_or_two_places_to_read_again_from_are_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "events.db")
    with pytest.raises(ConfigError, match="from_time 'yesterday' is not a time"):
        Consumer(store, EventsConfig(brokers="k", from_time="yesterday"), environment={})
    with pytest.raises(ConfigError, match="from_offset and from_time cannot both"):
        Consumer(store, EventsConfig(brokers="k", from_time="2024-05-31", from_offset=0), environment={})
    store.close()


def test_the_section_is_read_and_written_like_the_others(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[events]\nbrokers = "k:9092"\ntopics = ["a", "b"]\n[events.options]\n"client.id" = "x"\n')
    run = read_config(str(path), ["events.group=night"], events={"topics": None, "from_offset": 7})
    assert (run.events.topics, run.events.group, run.events.from_offset) == (("a", "b"), "night", 7)
    assert run.events.options == {"client.id": "x"}
    path.write_text(run.to_toml())
    assert read_config(str(path), None).events == run.events


@pytest.mark.parametrize("page", ["kafka.md", "zh/kafka.md"])
def test_the_pages_example_can_be_read_and_every_setting_is_told(page: str, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    path = tmp_path / "run.toml"
    path.write_text(example, encoding="utf-8")
    assert read_config(str(path), None).events.dead_letter_topic == "events-dead"
    table = text.partition("`brokers` (`--brokers`)" if page == "kafka.md" else "`brokers`（`--brokers`）")[
        2
    ].partition("\n\n")[0]
    for name in set(EventsConfig.model_fields) - {"brokers"}:
        assert f"`{name}`" in table
