"""From topics into the store: one transaction a batch, with the positions behind it.

The store is the truth about how far a group has read. Positions are in the transaction of the events before them, and
whoever is given a partition goes on from the store's position; what is committed to Kafka afterwards is for those who watch.
An event that comes again, after a crash or because two consumers had a partition at one moment, is known by its id.
"""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka import Consumer as Client

from edgewise.data.times import moment
from edgewise.errors import ConfigError, DataError, StoreError
from edgewise.kafka.client import Trouble, make_consumer, make_producer
from edgewise.kafka.message import events_of_message
from edgewise.kafka.settings import EventsConfig
from edgewise.logs import log
from edgewise.store import DeadLetter, Event, EventStore, Offset
from edgewise.store.event import SteadyClock
from edgewise.store.protocol import MAX_PAYLOAD

Place: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""

T = TypeVar("T")

_WAIT_S = 0.25  # for a message; a stop is noticed as late
_MEASURE_S = 1.0
_ASK_S = 10.0  # for an answer of a broker about offsets
_FIRST_RETRY_S = 0.05
_HOLD_S = 240.0  # a batch; less than the client's own limit (max.poll.interval.ms, 300 s)
_FLUSH_S = 5.0
_YEAR_10000 = 253_402_300_800_000


@dataclass
class Figures:
    """What a consumer has done since it was started.

    Attributes:
        messages: that were stored or put to the dead letters. new: events that were new.
        left_out: events that were there already, or are older than the erasure of their user.
        dead_letters: messages that could not be read. batches: transactions. retries: of a store that refused.
        lag: messages of each partition that are not stored yet, as far as the broker has told.
    """

    messages: int = 0
    new: int = 0
    left_out: int = 0
    dead_letters: int = 0
    batches: int = 0
    retries: int = 0
    lag: dict[Place, int] = field(default_factory=dict)


class Consumer:
    """Reads topics into a store until it is told to stop.

    Args:
        store: where to. config: [events].
        on_stored: called after each transaction, such as to let answers know its events at once.
        environment: where secrets are; the process's own where not given.

    Raises:
        ConfigError: if the settings cannot be used. Whether brokers can be reached shows only later, and may change.
    """

    def __init__(
        self,
        store: EventStore,
        config: EventsConfig,
        *,
        on_stored: Callable[[], object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.store, self.config = store, config
        self.figures = Figures()
        self._on_stored = on_stored
        self._clock = SteadyClock()
        self._from_time = None if config.from_time is None else _time_of(config.from_time)
        if self._from_time is not None and config.from_offset is not None:
            raise ConfigError("from_offset and from_time cannot both say where to read again from; leave one out.")
        self._trouble = Trouble(f"consumer of {', '.join(config.topics)}", config.brokers)
        self._environment = environment
        self._client = self._made()  # here, so that wrong settings show before anything is read
        self._is_closed = False
        self._dead = None
        if config.dead_letter_topic is not None:
            self._dead = make_producer(config, environment, error_cb=self._on_error)
        self._stop = threading.Event()
        self._next: dict[Place, int] = {}  # of the partitions that are ours: the first offset that is not stored
        self._read_again: set[Place] = set()  # partitions that were set back already
        self._skip_before: dict[Place, int] = {}
        self._measured = self._told = time.monotonic()
        self._messages_told = 0

    def run(self) -> None:
        """Read until `stop`; then leave the group, all that was taken being stored or left to the next.

        Raises:
            KafkaException: if the client says that it can never go on; `run` may be called again.
        """
        if self._is_closed:
            self._client, self._is_closed = self._made(), False
        self._subscribe()
        log("reading events", topics=self.config.topics, group=self.config.group, brokers=self.config.brokers)
        try:
            while not self._stop.is_set():
                batch = self._batch()
                if batch:
                    self._keep(batch)
                self._now_and_then(is_idle=not batch)
        finally:
            if self._dead is not None:
                self._dead.flush(_FLUSH_S)
            self._client.close()
            self._is_closed = True
            self._tell_progress()
            log("reads no more events", topics=self.config.topics, group=self.config.group)

    def stop(self) -> None:
        """Let `run` end soon; may be called from any thread, but not from a signal's handler, which may hold its lock."""
        self._stop.set()

    def _made(self) -> Client:
        return make_consumer(self.config, self._environment, error_cb=self._on_error)

    def _subscribe(self) -> None:
        self._client.subscribe(
            list(self.config.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    # Positions

    def _on_assign(self, client: Client, partitions: list[TopicPartition]) -> None:
        """Begin where the store says that the group has come to."""
        known = self._patiently(lambda: self.store.offsets(self.config.group))
        if known is None:  # told to stop
            client.assign([])
            return
        chosen: list[Offset] = []
        for partition in partitions:
            place = (partition.topic, partition.partition)
            partition.offset = self._begin(client, partition, known.get(place))
            if partition.offset >= 0 and partition.offset != known.get(place):
                chosen.append(Offset(self.config.group, *place, partition.offset))
        if chosen:  # at once: whoever has the partition next is to begin there as well
            self._patiently(lambda: self.store.append([], offsets=chosen))
        client.assign(partitions)
        self._next = {(each.topic, each.partition): max(0, each.offset) for each in partitions}
        log(
            "partitions",
            group=self.config.group,
            begin_at={f"{one.topic}/{one.partition}": one.offset for one in partitions},
        )

    def _begin(self, client: Client, partition: TopicPartition, known: int | None) -> int:
        place = (partition.topic, partition.partition)
        is_set_back = self.config.from_offset is not None or self._from_time is not None
        if is_set_back and place not in self._read_again:
            self._read_again.add(place)
            if self.config.from_offset is not None:
                return self.config.from_offset
            return self._at_time(client, partition)
        if known is not None:
            return known
        if self.config.start == "latest":
            # Written down as a number: after a restart, "the end" would be another place.
            with contextlib.suppress(KafkaException):
                return int(client.get_watermark_offsets(partition, timeout=_ASK_S)[1])
            return OFFSET_END
        return OFFSET_BEGINNING

    def _at_time(self, client: Client, partition: TopicPartition) -> int:
        """Find the first message of a time or later.

        Not every broker can (some answer with their first message): so messages before the time are passed over until one
        has come that is not.
        """
        wanted = self._from_time or 0
        try:
            asked = TopicPartition(partition.topic, partition.partition, wanted)
            found = client.offsets_for_times([asked], timeout=_ASK_S)[0]
            if found.error is None and found.offset == OFFSET_END:  # all messages are older
                return int(client.get_watermark_offsets(partition, timeout=_ASK_S)[1])
            if found.error is None and found.offset >= 0:
                self._skip_before[partition.topic, partition.partition] = wanted
                return int(found.offset)
            why = str(found.error)
        except KafkaException as error:
            why = error.args[0].str()
        self._skip_before[partition.topic, partition.partition] = wanted
        name = f"{partition.topic}/{partition.partition}"
        log(
            "the broker cannot look up times; reading from the beginning",
            level=logging.WARNING,
            partition=name,
            why=why,
        )
        return 0

    def _on_revoke(self, _: Client, partitions: list[TopicPartition]) -> None:
        """Let go of partitions: what was taken of them is stored, or still in hand and then left to the next owner."""
        for partition in partitions:
            self._next.pop((partition.topic, partition.partition), None)
            self._skip_before.pop((partition.topic, partition.partition), None)

    def _find_again(self, message: Message) -> None:
        """Go on after the broker has thrown away what was next, or has begun its topic anew."""
        place = _place(message)
        if place not in self._next:
            return
        try:
            first, end = self._client.get_watermark_offsets(TopicPartition(*place), timeout=_ASK_S)
        except KafkaException as error:
            self._trouble.tell(error.args[0])
            first, end = OFFSET_BEGINNING, OFFSET_END
        else:
            log(
                "the broker no longer has the position; reading on from its first message",
                level=logging.ERROR,
                partition=f"{place[0]}/{place[1]}",
                position=self._next[place],
                first=first,
                end=end,
                lost_messages=max(0, first - self._next[place]),
            )
            self._next[place] = first
        # The client has given the partition up, so that seeking in it is refused: all are assigned as they are, but this one.
        ours = self._client.position([TopicPartition(*each) for each in self._next])
        for one in ours:
            if (one.topic, one.partition) == place:
                one.offset = first
            elif one.offset < 0:
                one.offset = self._next[one.topic, one.partition]
        self._client.assign(ours)

    # Messages

    def _batch(self) -> list[Message]:
        """Take what is there, and wait a little where nothing is: a full batch is not waited for."""
        first = self._client.poll(_WAIT_S)
        if first is None:
            return []
        taken = [first]
        if self.config.batch_size > 1:
            taken += self._client.consume(self.config.batch_size - 1, timeout=0)
        batch = [message for message in taken if self._is_good(message)]
        if batch:
            self._trouble.end()
        return batch

    def _is_good(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return self._is_late_enough(message)
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._find_again(message)
        elif error.fatal():
            raise KafkaException(error)
        elif error.code() != KafkaError._PARTITION_EOF:
            self._trouble.tell(error)
        return False

    def _is_late_enough(self, message: Message) -> bool:
        if not self._skip_before:
            return True
        place = _place(message)
        wanted = self._skip_before.get(place)
        if wanted is None:
            return True
        time_of_message = _time(message)
        if time_of_message is not None and time_of_message < wanted:
            return False
        del self._skip_before[place]
        return True

    def _keep(self, batch: Sequence[Message]) -> None:
        """Store a batch, and take no other until that is done."""
        # Not those that were taken while their partition went to another consumer, which reads them.
        batch = [message for message in batch if _place(message) in self._next]
        sent: set[str] = set()

        def store() -> bool:
            self._store(batch, sent)
            return True

        if self._patiently(store, for_s=_HOLD_S) is None and not self._stop.is_set():
            # A client that takes nothing for longer is thought dead, and its partitions are given away. So we let go of
            # them ourselves, and of the batch: all is read again from the store's positions.
            self._next.clear()
            self._client.unsubscribe()
            self._subscribe()

    def _store(self, batch: Sequence[Message], sent: set[str]) -> None:
        if not batch:
            return
        events: list[Event] = []
        letters: list[DeadLetter] = []
        following: dict[Place, int] = {}
        for message in batch:
            place, offset = _place(message), int(message.offset() or 0)
            following[place] = offset + 1
            source = f"{place[0]}/{place[1]}/{offset}"
            value = message.value()
            try:
                now = _time(message)
                now = self._clock.now() if now is None else now
                events += events_of_message(value, source, now=now, max_bytes=self.config.max_message_bytes)
            except Exception as error:  # whatever it is: one message must not hold up all that come after it
                why = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
                letters.append(_letter(source, why, value, self._clock.now()))
        offsets = [Offset(self.config.group, *place, offset) for place, offset in following.items()]
        self._send_dead(letters, batch, sent)
        try:
            new = self.store.append(events, offsets=offsets, dead_letters=letters, register=True, keep_erased_out=True)
        except DataError as error:
            # One event is such as no store can hold, though it passed the checks.
            if len(batch) > 1:
                self._store(batch[: len(batch) // 2], sent)
                self._store(batch[len(batch) // 2 :], sent)
                return
            (place, offset), value = next(iter(following.items())), batch[0].value()
            letters = [_letter(f"{place[0]}/{place[1]}/{offset - 1}", str(error), value, self._clock.now())]
            self._send_dead(letters, batch, sent)
            new = self.store.append([], offsets=offsets, dead_letters=letters)
        self._count(new, letters, len(batch), following)

    def _count(
        self, new: Sequence[bool], letters: Sequence[DeadLetter], n: int, following: Mapping[Place, int]
    ) -> None:
        figures = self.figures
        figures.messages += n
        figures.new += sum(new)
        figures.left_out += len(new) - sum(new)
        figures.dead_letters += len(letters)
        figures.batches += 1
        self._next.update({place: offset for place, offset in following.items() if place in self._next})
        with contextlib.suppress(KafkaException):  # only for those who watch
            self._client.commit(
                offsets=[TopicPartition(*place, offset) for place, offset in following.items()], asynchronous=True
            )
        if self._on_stored is not None:
            with contextlib.suppress(StoreError):  # the batch is stored; whoever follows tries again by itself
                self._on_stored()

    def _send_dead(self, letters: Sequence[DeadLetter], batch: Sequence[Message], sent: set[str]) -> None:
        """Copy dead letters to their topic before they are stored: after a crash there may be two copies, not none."""
        if self._dead is None or not letters:
            return
        values = {_source(message): message for message in batch}
        for letter in letters:
            if letter.source in sent:
                continue
            sent.add(letter.source)
            message = values[letter.source]
            headers: list[tuple[str, Any]] = [("reason", letter.reason.encode()), ("source", letter.source.encode())]
            try:
                try:
                    self._dead.produce(
                        str(self.config.dead_letter_topic), message.value(), message.key(), headers=headers
                    )
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                        raise
                    headers.append(("truncated", b"true"))
                    self._dead.produce(str(self.config.dead_letter_topic), letter.payload, headers=headers)
            except (KafkaException, BufferError) as error:
                log(
                    "a dead letter cannot be sent to its topic; the store has it", level=logging.ERROR, error=str(error)
                )
        left = self._dead.flush(_FLUSH_S)
        if left:
            log("dead letters wait for their topic; the store has them", level=logging.WARNING, waiting=left)

    # Patience

    def _patiently(self, act: Callable[[], T], *, for_s: float = math.inf) -> T | None:
        """Do something to the store until it succeeds; None where the consumer is told to stop before, or time is over."""
        wait, told, until = _FIRST_RETRY_S, "", time.monotonic() + for_s
        while True:
            try:
                done = act()
            except StoreError as error:
                if str(error) != told:
                    log("the store refuses events; trying again", level=logging.ERROR, error=str(error))
                told = str(error)
                self.figures.retries += 1
            else:
                if told:
                    log("the store takes events again")
                return done
            if self._stop.wait(wait) or time.monotonic() >= until:
                return None
            wait = min(2 * wait, self.config.retry_s)

    # Telling

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._TRANSPORT:  # one connection; when all are gone, that is said too
            self._trouble.tell(error)

    def _now_and_then(self, *, is_idle: bool) -> None:
        now = time.monotonic()
        if now - self._measured >= _MEASURE_S:
            self._measured = now
            self._measure()
            if is_idle and self._trouble.is_there:
                with contextlib.suppress(KafkaException):
                    self._client.list_topics(self.config.topics[0], timeout=_MEASURE_S)
                    self._trouble.end()
        if now - self._told >= self.config.log_every_s:
            self._tell_progress()

    def _measure(self) -> None:
        lag = {}
        for place, following in self._next.items():
            with contextlib.suppress(KafkaException):
                # What came with the last messages: some brokers answer the question itself wrongly.
                first, end = self._client.get_watermark_offsets(TopicPartition(*place), cached=True)
                if end >= 0:
                    lag[place] = max(0, end - max(first, following))
        self.figures.lag = lag

    def _tell_progress(self) -> None:
        figures, now = self.figures, time.monotonic()
        n, seconds = figures.messages - self._messages_told, now - self._told
        self._told, self._messages_told = now, figures.messages
        if n or any(figures.lag.values()):
            log(
                "events",
                messages=figures.messages,
                per_s=round(n / max(seconds, 1e-3)),
                new=figures.new,
                left_out=figures.left_out,
                dead_letters=figures.dead_letters,
                partitions=len(self._next),
                lag=sum(figures.lag.values()),
            )


def _place(message: Message) -> Place:
    return str(message.topic()), int(message.partition() or 0)


def _source(message: Message) -> str:
    return f"{message.topic()}/{message.partition()}/{message.offset()}"


def _time(message: Message) -> int | None:
    """Return when a message was written, UTC milliseconds since 1970; None where it does not say."""
    kind, ms = message.timestamp()
    return ms if kind and 0 < ms < _YEAR_10000 else None


def _letter(source: str, reason: str, value: bytes | None, at: int) -> DeadLetter:
    return DeadLetter(source, reason, (value or b"")[:MAX_PAYLOAD], at)


def _time_of(text: str) -> int:
    try:
        return moment(int(text) if text.isdigit() else text)
    except DataError as error:
        raise ConfigError(f"from_time {error}") from None
