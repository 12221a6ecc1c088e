"""[events]: which topics are read, by whom, and what is written back."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from edgewise.config import Settings

Name: TypeAlias = Annotated[str, Field(min_length=1)]


class EventsConfig(Settings):
    """[events]: Kafka, where brokers are named; without them, events come over HTTP alone."""

    brokers: str | None = None  # host:port, several with commas between
    topics: tuple[Name, ...] = ("events",)  # none: nothing is read, only written back
    group: Name = "edgewise"  # consumers of one group share the partitions
    start: Literal["earliest", "latest"] = "earliest"  # of a partition of which the store knows no position
    from_offset: NonNegativeInt | None = None  # read each partition again from here, once for each start of the process
    from_time: str | None = None  # the same, from the first message of this time
    batch_size: PositiveInt = 10_000  # the most messages of one transaction, and in memory beside the client's own
    max_message_bytes: PositiveInt = 1_048_576  # what is larger is not read but put to the dead letters
    session_timeout_s: PositiveFloat = 45.0  # after which the partitions of a dead consumer go to the others
    retry_s: PositiveFloat = 10.0  # the longest pause before a store that refused is tried again
    log_every_s: PositiveFloat = 30.0  # a line about progress
    dead_letter_topic: Name | None = None  # a copy of each message that cannot be read, with the reason in a header
    served_topic: Name | None = None  # each list that was served
    feedback_topic: Name | None = None  # each event that came over HTTP
    max_waiting: PositiveInt = 10_000  # records that may wait to be written back; what comes on top is dropped
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)  # of librdkafka; no secrets
