"""What is told of users and items beside their events, with the parts that Gorse gives them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, TypeVar

from edgewise.errors import DataError
from edgewise.store.event import checked_id

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
    return [_packed(field.name, getattr(stored, field.name)) for field in fields(stored)]


def unpacked(kind: type[S], row: tuple[Any, ...]) -> S:
    """Undo `packed`."""
    return kind(*(_READ.get(field.name, _same)(cell) for field, cell in zip(fields(kind), row, strict=True)))


def _same(cell: Any) -> Any:
    return cell


def _words(cell: str) -> tuple[str, ...]:
    return tuple(json.loads(cell))


_READ = {"labels": json.loads, "subscribe": _words, "categories": _words, "is_hidden": bool}


def _packed(name: str, part: Any) -> str | int | None:
    if name in ("user_id", "item_id"):
        return checked_id(part, name)
    if name in ("subscribe", "categories"):
        if not isinstance(part, list | tuple) or not all(isinstance(word, str) for word in part):
            raise DataError(f"{name} is {str(part)[:60]!r}; expected a list of texts.")
        return json.dumps(list(part))  # not a character beyond ASCII, so half a surrogate pair is no trouble either
    if name == "labels":
        try:
            return json.dumps(part, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"labels cannot be kept as JSON: {error}.") from None
    kinds: dict[str, type | tuple[type, ...]] = {"is_hidden": bool, "timestamp": (int, type(None)), "comment": str}
    if not isinstance(part, kinds[name]) or (name == "timestamp" and isinstance(part, bool)):
        raise DataError(f"{name} is {str(part)[:60]!r}, of the wrong type {type(part).__name__}.")
    if name == "comment" and any("\ud800" <= letter <= "\udfff" for letter in part):
        raise DataError("comment has half a surrogate pair in it; expected text.")
    if name == "timestamp" and part is not None and not abs(part) < 2**63:
        raise DataError(f"timestamp is {part!r}, which is no time.")
    return int(part) if isinstance(part, bool) else part
