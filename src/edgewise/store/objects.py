"""What is told of users and items beside their events, with the parts that Gorse gives them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeAlias, TypeVar

from edgewise.errors import DataError
from edgewise.store.event import Event, checked_id, record_of

Json: TypeAlias = Any
"""What JSON can hold."""


@dataclass(frozen=True, slots=True)
class StoredUser:
    """What is told of a user.

    Attributes:
        labels: attributes, as any JSON. subscribe: what the user follows. comment: free text.
    """

    user_id: str
    labels: Json = None
    subscribe: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class StoredItem:
    """What is told of an item.

    Attributes:
        is_hidden: never to be recommended. categories: what a list can be limited to.
        timestamp: when it appeared, UTC milliseconds since 1970. labels: attributes, as any JSON. comment: free text.
    """

    item_id: str
    is_hidden: bool = False
    categories: tuple[str, ...] = ()
    timestamp: int | None = None
    labels: Json = None
    comment: str = ""


S = TypeVar("S", StoredUser, StoredItem)


def changed(stored: S, changes: Mapping[str, Any]) -> S:
    """Return a copy with some parts replaced.

    Raises:
        DataError: if a part does not exist or is the id.
    """
    known = [field.name for field in fields(stored)][1:]
    if unknown := [name for name in changes if name not in known]:
        raise DataError(f"{unknown[0]!r} cannot be changed; there are {', '.join(known)}.")
    return replace(stored, **changes)


def packed(stored: StoredUser | StoredItem) -> list[str | int | None]:
    """Return the parts in order as text and integers, lists and labels as JSON.

    Raises:
        DataError: if a part is not of its type.
    """
    return [_PACK[field.name](field.name, getattr(stored, field.name)) for field in fields(stored)]


def unpacked(kind: type[S], row: tuple[Any, ...]) -> S:
    """Undo `packed`."""
    return kind(*(_UNPACK.get(field.name, _same)(cell) for field, cell in zip(fields(kind), row, strict=True)))


def exported(user: StoredUser | None, events: Iterable[Event]) -> dict[str, Any]:
    """Return all that is stored of a user, as JSON has it."""
    told = None if user is None else asdict(user) | {"subscribe": list(user.subscribe)}
    return {"user": told, "events": [record_of(event) for event in events]}


def _id(name: str, part: Any) -> str:
    return checked_id(part, name)


def _json(name: str, part: Any) -> str:
    try:
        return json.dumps(part, allow_nan=False)  # nothing beyond ASCII, so half a surrogate pair is no trouble either
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{name} cannot be kept as JSON: {error}.") from None


def _words(name: str, part: Any) -> str:
    if not isinstance(part, list | tuple) or not all(isinstance(word, str) for word in part):
        raise _wrong(name, part, "a list of texts")
    return json.dumps(list(part))


def _text(name: str, part: Any) -> str:
    if not isinstance(part, str) or any("\ud800" <= letter <= "\udfff" for letter in part):
        raise _wrong(name, part, "text")
    return part


def _yes_no(name: str, part: Any) -> int:
    if not isinstance(part, bool):
        raise _wrong(name, part, "true or false")
    return int(part)


def _time(name: str, part: Any) -> int | None:
    if part is not None and (isinstance(part, bool) or not isinstance(part, int) or part.bit_length() > 62):
        raise _wrong(name, part, "milliseconds since 1970")
    return part


def _wrong(name: str, part: Any, expected: str) -> DataError:
    return DataError(f"{name} is {repr(part)[:60]}; expected {expected}.")


def _same(cell: Any) -> Any:
    return cell


def _tuple(cell: str) -> tuple[str, ...]:
    return tuple(json.loads(cell))


_PACK: dict[str, Callable[[str, Any], str | int | None]] = {
    "user_id": _id,
    "item_id": _id,
    "labels": _json,
    "subscribe": _words,
    "categories": _words,
    "comment": _text,
    "is_hidden": _yes_no,
    "timestamp": _time,
}
_UNPACK: dict[str, Callable[[Any], Any]] = {
    "labels": json.loads,
    "subscribe": _tuple,
    "categories": _tuple,
    "is_hidden": bool,
}
