"""One event: the record that a log file, a Kafka message, the HTTP API and the store have in common, and how it is checked.

{"event_id", "user_id", "item_id", "type", "value", "timestamp"} and, where known, "session_id" and "target_user_id". What
comes from outside is checked here and nowhere else; keys that are not of the record are left out.
"""

import hashlib
import json
import time
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from edgewise.data.times import moment, written
from edgewise.data.vocabulary import EVENT_NAMES, rank_of, standard_type
from edgewise.errors import DataError

MAX_ID = 512
"""The most characters of an id or a type."""

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a user did. Ids are text, whatever the model's are.

    Attributes:
        event_id: the primary key: of two events with one id the second is the first sent again.
        user_id: who did it. item_id: with what; None where it is about a person alone (follow).
        timestamp: when, UTC milliseconds since 1970.
        type: the behaviour, by its built-in name where it has one.
        value: how much: a rating, seconds read, a count.
        session_id: the visit it belongs to. target_user_id: the person it is about.
    """

    event_id: str
    user_id: str
    item_id: str | None
    _: KW_ONLY
    timestamp: int
    type: str = "view"
    value: float = 1.0
    session_id: str | None = None
    target_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """An entry of the log that says: forget. Whoever follows the log and knows the subject reads it again from the store.

    Attributes:
        kind: "user": all events by and about a user are gone, and what was told of them. "item": the same of an item.
            "some": what a user did with an item is gone.
        subject: `subject_of` the user's or item's id; the id itself is kept nowhere.
        at: when, UTC milliseconds since 1970.
        item: of "some", `subject_of` the item's id; None in entries of a store that did not keep it yet.
        type: of "some", the type of the events; None: all types.
    """

    kind: Literal["user", "item", "some"]
    subject: str
    at: int
    item: str | None = None
    type: str | None = None


Entry: TypeAlias = tuple[int, Event | Erased]
"""A sequence number and what happened."""


def event_of(record: Mapping[str, Any], *, now: int, default_id: str | None = None) -> Event:
    """Check a record from outside and make it an event.

    Args:
        record: the keys of `Event`, as JSON has them. Ids may be 64-bit integers and become text. Types are known by
            their usual names ("buy", "加购"). A time is ISO 8601 or a number since 1970.
        now: the time of an event that has none, UTC milliseconds since 1970.
        default_id: the id of an event that has none, such as "topic/partition/offset". Without it: a hash of type, user,
            item and time where there is a time, so that sending it again counts once; else a fresh one.

    Raises:
        DataError: naming the key, the value seen and what was expected.
    """
    if type(record) is not dict and not isinstance(record, Mapping):
        raise DataError(f"an event is a JSON object with user_id and item_id; this one is {_shown(record)}.")
    user_id, item_id, target = _id(record, "user_id"), _id(record, "item_id"), _id(record, "target_user_id")
    if user_id is None:
        raise _missing(record, "user_id")
    if item_id is None and target is None:
        raise _missing(record, "item_id")
    kind = _kind(record.get("type"))
    timestamp = _timestamp(record.get("timestamp"))
    event_id = _id(record, "event_id") or default_id
    if event_id is None:
        event_id = uuid.uuid4().hex if timestamp is None else hashed_id(kind, user_id, item_id, timestamp, target)
    return Event(
        event_id,
        user_id,
        item_id,
        timestamp=now if timestamp is None else timestamp,
        type=kind,
        value=_value(record.get("value")),
        session_id=_id(record, "session_id"),
        target_user_id=target,
    )


def hashed_id(kind: str, user_id: str, item_id: str | None, timestamp: int, target_user_id: str | None = None) -> str:
    """Return the id of an event that was sent without one: the same event has the same id, whoever computes it.

    >>> hashed_id("view", "u1", "i1", 1_717_143_960_000)
    'c3796facf96ebc02983d0ba88fb3c3fe'
    """
    about = [kind, user_id, item_id, timestamp] + ([target_user_id] if target_user_id is not None else [])
    return _digest(json.dumps(about, ensure_ascii=False, separators=(",", ":")))


def subject_of(some_id: str) -> str:
    """Return the hash by which an erased user or item is told to those who know the id."""
    return _digest(some_id)


def erased_before(event: Event, erased_at: Mapping[str, int]) -> bool:
    """Whether an event is not younger than the erasure of its user, or of the user it is about.

    Args:
        erased_at: when users were erased, by subject, UTC milliseconds since 1970.
    """
    return any(
        event.timestamp <= erased_at.get(subject_of(some_id), -1)
        for some_id in (event.user_id, event.target_user_id)
        if some_id is not None
    )


def record_of(event: Event) -> dict[str, Any]:
    """Return the event as JSON has it, its time as ISO 8601; what is not known is left out."""
    record: dict[str, Any] = {"event_id": event.event_id, "user_id": event.user_id, "item_id": event.item_id}
    record |= {"type": event.type, "value": event.value, "timestamp": written(event.timestamp)}
    record |= {"session_id": event.session_id, "target_user_id": event.target_user_id}
    return {key: value for key, value in record.items() if value is not None}


def events_of_json(body: bytes, *, now: int) -> list[Event]:
    """Read one event, a list of events, or one a line.

    Raises:
        DataError: if it is not JSON in UTF-8 or one event is refused (the text says which, counted from 1); then none is read.
    """
    events = []
    for place, record in enumerate(records_of_json(body), start=1):
        try:
            events.append(event_of(record, now=now))
        except DataError as error:
            raise DataError(f"event {place}: {error}") from None
    return events


def records_of_json(body: bytes) -> list[Any]:
    """Read one JSON value, a list of them, or one a line, without looking into them.

    Raises:
        DataError: if it is not JSON in UTF-8; numbers that are not finite are not JSON.
    """
    try:
        text = body.decode().removeprefix("\ufeff").strip()
    except UnicodeDecodeError as error:
        raise DataError(f"the events are not UTF-8: byte {error.start} is {body[error.start]:#04x}.") from None
    if not text:
        raise DataError("there is no event; expected a JSON object, a list of objects, or one object a line.")
    try:
        try:
            found = _decode(text)
        except json.JSONDecodeError as error:
            if text[0] != "{" or not error.msg.startswith("Extra data"):
                raise
            return [_decode(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DataError(
            f"the events are not JSON: {why}. Expected an object, a list of objects, or one object a line."
        ) from None
    return found if isinstance(found, list) else [found]


class SteadyClock:
    """UTC milliseconds since 1970 that never go back, even where the machine's clock is set back."""

    def __init__(self) -> None:
        self._latest = 0

    def now(self) -> int:
        """Return the time; after the clock was set back, the latest time seen until it has caught up."""
        self._latest = max(self._latest, time.time_ns() // 1_000_000)
        return self._latest

    def tick(self) -> None:
        """Go on by a millisecond: whatever was written down until now is older than what comes."""
        self._latest = self.now() + 1


def checked_id(value: object, key: str) -> str:
    """Return an id as text.

    Raises:
        DataError: if it is not text or a 64-bit integer, is blank or long, or has control characters.
    """
    if isinstance(value, str) and value.isprintable() and len(value) <= MAX_ID and not value.isspace() and value:
        return value  # as nearly all are
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{key} is {_shown(value)}; expected text or a 64-bit integer.")
    if len(value) > MAX_ID:
        raise DataError(f"{key} has {len(value)} characters ({_shown(value)}); expected at most {MAX_ID}.")
    if not value.isprintable() and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise DataError(f"{key} is {_shown(value)}; expected text without control characters.")
    if not value.strip():
        raise DataError(f"{key} is {_shown(value)}; expected an id that is not blank.")
    return value


def _id(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    return None if value is None else checked_id(value, key)


def _kind(value: object) -> str:
    if value is None:
        return "view"
    if not isinstance(value, str):
        raise DataError(f"type is {_shown(value)}; expected a name such as view, cart or purchase.")
    return _standard(checked_id(value, "type"))


@lru_cache(maxsize=1024)
def _standard(name: str) -> str:
    return standard_type(name)


def _value(value: object) -> float:
    if value is None:
        return 1.0
    if isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300:
        return float(value)
    raise DataError(f"value is {_shown(value)}; expected a finite number, such as a rating or seconds.")


def _timestamp(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise DataError(
            f"timestamp is {_shown(value)}; expected a time as 2024-05-31T08:26:00Z, or a number since 1970."
        )
    try:
        return moment(value)
    except DataError as error:
        raise DataError(f"timestamp {error}") from None


def _missing(record: Mapping[str, Any], key: str) -> DataError:
    close = [
        str(name) for name in list(record)[:50] if name != key and rank_of(str(name), EVENT_NAMES[key]) is not None
    ]
    instead = (
        f"there is {close[0]!r}: call it {key!r}"
        if close
        else "it has " + (", ".join(map(_shown, list(record)[:8])) or "nothing")
    )
    about = " (or target_user_id, where it is about a person)" if key == "item_id" else ""
    return DataError(f"an event needs {key}{about}; {instead}.")


def _shown(value: object) -> str:
    """Show the beginning of a value that may be huge: whole payloads stay out of messages."""
    if isinstance(value, str | bytes):
        return repr(value[:_SHOWN]) + ("…" if len(value) > _SHOWN else "")
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge integer"
    return repr(value)[:_SHOWN]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode
