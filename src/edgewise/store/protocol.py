"""What every store of events can do; `edgewise.testing.store_contract` holds one to it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from edgewise.store.event import Entry, Event
from edgewise.store.objects import StoredItem, StoredUser


@dataclass(frozen=True, slots=True)
class Offset:
    """How far a group of consumers has read a partition: `next` is the first offset that is not yet stored."""

    group: str
    topic: str
    partition: int
    next: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be read.

    Attributes:
        source: where it came from, such as "topic/partition/offset". reason: why it was refused.
        payload: its beginning, at most `MAX_PAYLOAD` bytes. at: when, UTC milliseconds since 1970.
    """

    source: str
    reason: str
    payload: bytes
    at: int

    def is_about(self, user_id: str) -> bool:
        """Whether it names a user: by its key, or by the id in quotes anywhere."""
        quoted = (json.dumps(user_id).encode(), json.dumps(user_id, ensure_ascii=False).encode())
        if any(text in self.payload for text in quoted):
            return True
        try:
            record = json.loads(self.payload)
        except (ValueError, RecursionError):
            return False
        return isinstance(record, dict) and user_id in (str(record.get("user_id")), str(record.get("target_user_id")))


MAX_PAYLOAD = 16_384
MAX_DEAD_LETTERS = 10_000
"""Of these the newest are kept, unless a store is told another number."""


class Appended(list[bool]):
    """For each event of a call whether it is new.

    Attributes:
        seq: the number of the last entry of the log when the call was stored: a follower that is there knows its events.
    """

    def __init__(self, new: Iterable[bool] = (), *, seq: int = 0) -> None:
        super().__init__(new)
        self.seq = seq


class EventStore(Protocol):
    """Durable state behind a service. Every method may be called from any thread; what has returned survives a crash.

    All methods raise `StoreError` where the store cannot be read or written (then nothing of that call was stored), and
    `StoreBusyError` where trying again later may help. Where the connection to a server breaks within a call, nobody can tell
    whether it was stored; sent again, it counts once. An event that nobody checked and no store can hold is a `DataError`.
    """

    def append(
        self,
        events: Sequence[Event],
        *,
        offsets: Sequence[Offset] = (),
        dead_letters: Sequence[DeadLetter] = (),
        register: bool = False,
        keep_erased_out: bool = False,
    ) -> Appended:
        """Store events, the offsets behind them and what could not be read in one transaction.

        Args:
            events: in the order in which followers will see them.
            offsets: replace those of the same group, topic and partition.
            dead_letters: messages that came between these events; one whose source is there already is left out, and of too
                many the oldest are dropped.
            register: also make an object of each user and item that has none, of those of events that are new.
            keep_erased_out: leave out events that are older than the erasure of their user, or of the one they are about: those that are sent again.

        Returns:
            For each event whether it is new; one whose id is there already (or twice in `events`) is left out.
        """

    def since(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries after `seq`, in order; numbers only grow, with gaps where something was erased."""

    @property
    def last_seq(self) -> int:
        """The number of the last entry; 0 where there is none."""

    def of_user(self, user_id: str, limit: int | None = None, *, after: int = 0) -> list[Event]:
        """Return a user's latest events with numbers above `after`, the oldest first: by time, at one time by arrival."""

    def of_item(self, item_id: str, limit: int | None = None) -> list[Event]:
        """Return an item's latest events, the oldest of them first."""

    def erase_events(self, user_id: str, item_id: str, type: str | None = None) -> int:
        """Erase what a user did with an item; returns how many events that were."""

    def erase_user(self, user_id: str) -> int:
        """Erase a user: events by and about them, object, dead letters that name them; an `Erased` entry stays.

        When it has returned, no file of the store holds the id any more; of PostgreSQL this holds only after its own
        clean-up (docs/stores.md). Repeating it does no harm.
        """

    def erase_item(self, item_id: str) -> int:
        """Erase an item, its events and its object; an `Erased` entry stays."""

    def export_user(self, user_id: str) -> dict[str, Any]:
        """Return all that is stored of a user, as JSON has it: "user" (or None) and "events"."""

    def put_users(self, users: Sequence[StoredUser]) -> None:
        """Store objects of users; one that is there is replaced."""

    def put_items(self, items: Sequence[StoredItem]) -> None:
        """Store objects of items; one that is there is replaced."""

    def user(self, user_id: str) -> StoredUser | None:
        """Return the object of a user; None where there is none."""

    def item(self, item_id: str) -> StoredItem | None:
        """Return the object of an item; None where there is none."""

    def patch_user(self, user_id: str, changes: Mapping[str, Any]) -> StoredUser | None:
        """Change parts of the object of a user; returns it as it is now, None where there is none."""

    def patch_item(self, item_id: str, changes: Mapping[str, Any]) -> StoredItem | None:
        """Change parts of the object of an item; returns it as it is now, None where there is none."""

    def users(self, after: str | None, limit: int) -> list[StoredUser]:
        """Return a page of objects in the order of ids, of those behind `after`; the last id is the next `after`."""

    def items(self, after: str | None, limit: int) -> list[StoredItem]:
        """Return a page of objects in the order of ids, of those behind `after`; the last id is the next `after`."""

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """Return the next offset of each (topic, partition) that a group has read."""

    def dead_letters(self, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
        """Return up to `limit` dead letters with numbers above `after`, in order."""

    def lock(self) -> AbstractContextManager[None]:
        """Be the one server of this store, on whatever machine, until the block ends; consumers write beside it.

        One that loses the store to another, because it could not be reached for some time, may not write any more.

        Raises:
            StoreBusyError: if another server holds it; the text tells which.
        """

    def close(self) -> None:
        """Let go of files; calls after it raise `StoreError`."""
