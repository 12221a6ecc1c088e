"""How the clients are set up: our settings, the user's options of librdkafka, and secrets from elsewhere."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from edgewise.errors import ConfigError
from edgewise.kafka.settings import EventsConfig
from edgewise.logs import log

USERNAME, PASSWORD, OPTIONS_FILE = (
    "EDGEWISE_KAFKA_USERNAME",
    "EDGEWISE_KAFKA_PASSWORD",
    "EDGEWISE_KAFKA_OPTIONS_FILE",
)
"""Names in the environment: sasl.username; sasl.password; a file with a `name=value` of librdkafka a line."""

_SECRET = re.compile(r"password|passphrase|secret|key\.pem|oauthbearer\.config")

_OURS = {
    "bootstrap.servers": "brokers",
    "metadata.broker.list": "brokers",
    "group.id": "group",
    "session.timeout.ms": "session_timeout_s",
    "auto.offset.reset": "start",
    "max.poll.interval.ms": None,
    "enable.auto.commit": None,
    "enable.auto.offset.store": None,
    "partition.assignment.strategy": None,
    "group.protocol": None,
    "enable.partition.eof": None,
}
"""Options that this program needs as they are, and the setting that does the same where there is one."""

_QUIET = logging.getLogger("edgewise.kafka.client")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False  # the client repeats itself each second while brokers are away; `Trouble` tells it once


C = TypeVar("C")


class Trouble:
    """What is wrong with the brokers, told when it begins and when it ends, and not each second between."""

    def __init__(self, what: str, brokers: str | None) -> None:
        self._what, self._brokers = what, brokers
        self._told: set[str] = set()

    @property
    def is_there(self) -> bool:
        """Whether something is wrong at the moment."""
        return bool(self._told)

    def tell(self, error: KafkaError) -> None:
        """Note an error; the first of a kind is logged."""
        if error.name() not in self._told:
            self._told.add(error.name())
            what = f"{self._what}: trouble with Kafka at {self._brokers}; trying again until it answers"
            log(what, level=logging.WARNING, kind=error.name(), error=error.str())

    def end(self) -> None:
        """Note that all is well."""
        if self._told:
            self._told.clear()
            log(f"{self._what}: Kafka answers again")


def make_consumer(
    config: EventsConfig, environment: Mapping[str, str] | None = None, **callbacks: Callable[..., None]
) -> Consumer:
    """Make a consumer whose position we keep ourselves.

    Raises:
        ConfigError: if the settings or the environment cannot be used.
    """
    timeout_ms = round(config.session_timeout_s * 1000)
    ours = {
        "group.id": config.group,
        "session.timeout.ms": timeout_ms,
        "heartbeat.interval.ms": max(100, min(3000, timeout_ms // 3)),
        "max.poll.interval.ms": 300_000,
        "auto.offset.reset": "error",  # a position that the broker no longer has is to be told, not jumped over
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
    }
    below = {
        "queued.max.messages.kbytes": 32_768,
        "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 30_000,  # a topic made later is found within half a minute
    }
    settings = {**below, **client_options(config, environment), **ours, **callbacks}
    return _told(lambda: Consumer(settings, logger=_QUIET))


def make_producer(
    config: EventsConfig, environment: Mapping[str, str] | None = None, **callbacks: Callable[..., None]
) -> Producer:
    """Make a producer that waits for all replicas and repeats without writing twice.

    Raises:
        ConfigError: if the settings or the environment cannot be used.
    """
    below = {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 30_000}
    settings = {**below, **client_options(config, environment), **callbacks}
    return _told(lambda: Producer(settings, logger=_QUIET))


def _told(make: Callable[[], C]) -> C:
    """Make a client; what it says of an option is the user's to mend."""
    try:
        return make()
    except KafkaException as error:
        raise ConfigError(f"[events] options: {error.args[0].str()}.") from None


def client_options(config: EventsConfig, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Put the brokers, the options of the configuration and the secrets together.

    Raises:
        ConfigError: if no broker is named, an option is a secret or one of ours, or the file of options cannot be read;
            the text has no value in it.
    """
    environment = os.environ if environment is None else environment
    if not config.brokers:
        raise ConfigError('no brokers: name them with --brokers HOST:PORT, or brokers = "HOST:PORT" in [events].')
    for name in config.options:
        if _SECRET.search(name):
            raise ConfigError(
                f"[events] options has {name}, which is secret: set {PASSWORD}, or name a file in {OPTIONS_FILE}."
            )
    options = dict(config.options)
    options |= _of_file(environment[OPTIONS_FILE]) if environment.get(OPTIONS_FILE) else {}
    for variable, option in ((USERNAME, "sasl.username"), (PASSWORD, "sasl.password")):
        if environment.get(variable):
            options[option] = environment[variable]
    for name in options:
        if name in _OURS:
            instead = (
                f"; set {_OURS[name]} in [events]" if _OURS[name] else " to be as it is: the store keeps positions"
            )
            raise ConfigError(f"[events] options has {name}, which this program needs for itself{instead}.")
    # The client wants Booleans in lower case, which is how TOML writes them.
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
    return {**texts, "bootstrap.servers": config.brokers}


def _of_file(name: str) -> dict[str, str]:
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file of options {name} (from {OPTIONS_FILE}) cannot be read: {error}.") from None
    options = {}
    for place, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        option, equals, value = line.partition("=")
        if not equals or not option.strip():
            raise ConfigError(f"{name}, line {place}: expected name=value, such as sasl.mechanism=PLAIN.")
        options[option.strip()] = value.strip()
    return options
