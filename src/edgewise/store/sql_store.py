"""What the stores in SQL databases share: the questions, and which changes belong together.

Queries are written once, with `?` where a value goes and in the words that SQLite and PostgreSQL have in common. How
tables are made, how a transaction is held and how many events are inserted at once is each store's own.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from typing import Any, Protocol, TypeVar

from edgewise.store.event import Entry, Erased, Event, erased_before, subject_of
from edgewise.store.objects import StoredItem, StoredUser, changed, exported, packed, unpacked
from edgewise.store.protocol import MAX_PAYLOAD, Appended, DeadLetter, Offset

EVENT = "event_id, user_id, item_id, type, value, timestamp, session_id, target_user_id"
"""The columns of an event, in the order of `row_of`."""

_ALL = 2**62  # as a LIMIT: SQLite and PostgreSQL have no word for it in common
HAPPENED = f"SELECT seq, {EVENT} FROM events WHERE seq > ?"
GONE = "SELECT seq, NULL, subject, item, kind, CAST(0 AS DOUBLE PRECISION), at, type, NULL FROM erased WHERE seq > ?"
"""The two halves of the log: what was erased has no event id."""
LAST_SEQ = "SELECT coalesce(max(seq), 0) FROM (SELECT max(seq) AS seq FROM events UNION ALL SELECT max(seq) FROM erased) AS ends"
_PUT_USER = (
    "INSERT INTO users (user_id, labels, subscribe, comment) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE "
    "SET labels = excluded.labels, subscribe = excluded.subscribe, comment = excluded.comment"
)
_PUT_ITEM = (
    "INSERT INTO items (item_id, is_hidden, categories, timestamp, labels, comment) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (item_id) DO UPDATE SET is_hidden = excluded.is_hidden, categories = excluded.categories, "
    "timestamp = excluded.timestamp, labels = excluded.labels, comment = excluded.comment"
)
_GET_USER = "SELECT user_id, labels, subscribe, comment FROM users WHERE user_id"
_GET_ITEM = "SELECT item_id, is_hidden, categories, timestamp, labels, comment FROM items WHERE item_id"
_LETTER = "seq, source, reason, payload, at"
_PUT_LETTER = (
    "INSERT INTO dead_letters (source, reason, payload, at) SELECT ?, ?, ?, ? "
    "WHERE NOT EXISTS (SELECT 1 FROM dead_letters WHERE source = ?)"
)
_DROP_LETTERS = (
    "DELETE FROM dead_letters WHERE seq <= (SELECT seq FROM dead_letters ORDER BY seq DESC LIMIT 1 OFFSET ?)"
)
_PUT_OFFSET = (
    "INSERT INTO offsets (group_id, topic, partition, next) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (group_id, topic, partition) DO UPDATE SET next = excluded.next"
)

S = TypeVar("S", StoredUser, StoredItem)


class Session(Protocol):
    """A connection within a transaction."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Any:
        """Run one statement; returns a cursor."""

    def executemany(self, query: str, rows: Sequence[Sequence[Any]], /) -> Any:
        """Run one statement for each row."""


class SqlStore(ABC):
    """An `EventStore` in a SQL database, without what differs between databases.

    Args:
        max_dead_letters: the newest are kept.
    """

    def __init__(self, max_dead_letters: int) -> None:
        self._max_dead_letters = max_dead_letters
        self._erased_at: dict[str, int] = {}  # users, by subject
        self._erased_up_to = 0  # the last entry of the log that it tells of

    @abstractmethod
    def _transaction(self) -> contextlib.AbstractContextManager[Session]:
        """Be the only writer: all or nothing, and on the disk when the block has ended."""

    @abstractmethod
    def _read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask one question, as of one moment."""

    @abstractmethod
    def _insert(self, session: Session, events: Sequence[Event], seq: int) -> list[bool]:
        """Insert the events that are new and number them from `seq` on without gaps; returns which were."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""

    def append(
        self,
        events: Sequence[Event],
        *,
        offsets: Sequence[Offset] = (),
        dead_letters: Sequence[DeadLetter] = (),
        register: bool = False,
        keep_erased_out: bool = False,
    ) -> Appended:
        """Store events and what belongs to them in one transaction; see `EventStore.append`."""
        with self._transaction() as session:
            seq = self._last_seq(session)
            erased_at = self._erased_until_now(session) if keep_erased_out else {}
            may_come = [not erased_before(event, erased_at) for event in events] if erased_at else [True] * len(events)
            coming = list(compress(events, may_come))
            inserted = iter(self._insert(session, coming, seq + 1))
            new = [may and next(inserted) for may in may_come]
            if register:
                stored = list(compress(events, new))
                people = {event.user_id for event in stored} | {event.target_user_id for event in stored}
                self._register(session, "users", "user_id", people)
                self._register(session, "items", "item_id", {event.item_id for event in stored})
            if offsets:
                rows = [(offset.group, offset.topic, offset.partition, offset.next) for offset in offsets]
                session.executemany(_PUT_OFFSET, rows)
            if dead_letters:
                session.executemany(
                    _PUT_LETTER,
                    [
                        (letter.source, letter.reason, letter.payload[:MAX_PAYLOAD], letter.at, letter.source)
                        for letter in dead_letters
                    ],
                )
                session.execute(_DROP_LETTERS, (self._max_dead_letters,))
        return Appended(new, seq=seq + sum(new))

    def since(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries after `seq`, in order."""
        return [(row[0], _entry(row)) for row in self._log(seq, limit)]

    @property
    def last_seq(self) -> int:
        """The number of the last entry; 0 where there is none."""
        return int(self._read(LAST_SEQ)[0][0])

    def of_user(self, user_id: str, limit: int | None = None, *, after: int = 0) -> list[Event]:
        """Return a user's latest events with numbers above `after`, the oldest of them first."""
        query = f"SELECT {EVENT} FROM events WHERE user_id = ? AND seq > ? ORDER BY timestamp DESC, seq DESC LIMIT ?"
        return self._latest(query, (user_id, after), limit)

    def of_item(self, item_id: str, limit: int | None = None) -> list[Event]:
        """Return an item's latest events, the oldest of them first."""
        query = f"SELECT {EVENT} FROM events WHERE item_id = ? ORDER BY timestamp DESC, seq DESC LIMIT ?"
        return self._latest(query, (item_id,), limit)

    def erase_events(self, user_id: str, item_id: str, type: str | None = None) -> int:
        """Erase what a user did with an item; returns how many events that were."""
        with self._transaction() as session:
            seq = self._last_seq(session) + 1
            where, values = "user_id = ? AND item_id = ?", [user_id, item_id]
            if type is not None:
                where, values = f"{where} AND type = ?", [*values, type]
            n_events = self._delete(session, where, values)
            if n_events:
                _tell_erased(session, seq, "some", user_id, subject_of(item_id), type)
        return n_events

    def erase_user(self, user_id: str) -> int:
        """Erase a user; returns how many events by and about them there were."""
        with self._transaction() as session:
            seq = self._last_seq(session) + 1  # asked before deleting: the last entry may be among the deleted
            n_events = self._delete(session, "user_id = ?", [user_id])
            n_events += self._delete(session, "target_user_id = ?", [user_id])
            session.execute("DELETE FROM users WHERE user_id = ?", (user_id,))
            letters = [(row[0], _letter(row[1:])) for row in session.execute(f"SELECT {_LETTER} FROM dead_letters")]
            about = [(number,) for number, letter in letters if letter.is_about(user_id)]
            if about:
                session.executemany("DELETE FROM dead_letters WHERE seq = ?", about)
            _tell_erased(session, seq, "user", user_id)
        return n_events

    def erase_item(self, item_id: str) -> int:
        """Erase an item, its events and its object; returns how many events it had."""
        with self._transaction() as session:
            seq = self._last_seq(session) + 1
            n_events = self._delete_of_item(session, item_id)
            session.execute("DELETE FROM items WHERE item_id = ?", (item_id,))
            _tell_erased(session, seq, "item", item_id)
        return n_events

    def export_user(self, user_id: str) -> dict[str, Any]:
        """Return all that is stored of a user, as JSON has it."""
        by, about = (f"SELECT seq, {EVENT} FROM events WHERE {key} = ?" for key in ("user_id", "target_user_id"))
        rows = self._read(f"{by} UNION {about} ORDER BY seq", (user_id, user_id))
        return exported(self.user(user_id), [event_at(row[1:]) for row in rows])

    def put_users(self, users: Sequence[StoredUser]) -> None:
        """Store objects of users; one that is there is replaced."""
        rows = [packed(user) for user in users]
        with self._transaction() as session:
            session.executemany(_PUT_USER, rows)

    def put_items(self, items: Sequence[StoredItem]) -> None:
        """Store objects of items; one that is there is replaced."""
        rows = [packed(item) for item in items]
        with self._transaction() as session:
            session.executemany(_PUT_ITEM, rows)

    def user(self, user_id: str) -> StoredUser | None:
        """Return the object of a user; None where there is none."""
        rows = self._read(f"{_GET_USER} = ?", (user_id,))
        return unpacked(StoredUser, rows[0]) if rows else None

    def item(self, item_id: str) -> StoredItem | None:
        """Return the object of an item; None where there is none."""
        rows = self._read(f"{_GET_ITEM} = ?", (item_id,))
        return unpacked(StoredItem, rows[0]) if rows else None

    def patch_user(self, user_id: str, changes: Mapping[str, Any]) -> StoredUser | None:
        """Change parts of the object of a user; returns it as it is now, None where there is none."""
        return self._patch(StoredUser, f"{_GET_USER} = ?", _PUT_USER, user_id, changes)

    def patch_item(self, item_id: str, changes: Mapping[str, Any]) -> StoredItem | None:
        """Change parts of the object of an item; returns it as it is now, None where there is none."""
        return self._patch(StoredItem, f"{_GET_ITEM} = ?", _PUT_ITEM, item_id, changes)

    def users(self, after: str | None, limit: int) -> list[StoredUser]:
        """Return a page of objects in the order of ids, of those behind `after`."""
        rows = self._read(f"{_GET_USER} > ? ORDER BY user_id LIMIT ?", (after or "", limit))
        return [unpacked(StoredUser, row) for row in rows]

    def items(self, after: str | None, limit: int) -> list[StoredItem]:
        """Return a page of objects in the order of ids, of those behind `after`."""
        rows = self._read(f"{_GET_ITEM} > ? ORDER BY item_id LIMIT ?", (after or "", limit))
        return [unpacked(StoredItem, row) for row in rows]

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """Return the next offset of each (topic, partition) that a group has read."""
        rows = self._read("SELECT topic, partition, next FROM offsets WHERE group_id = ?", (group,))
        return {(topic, partition): next_offset for topic, partition, next_offset in rows}

    def dead_letters(self, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
        """Return up to `limit` dead letters with numbers above `after`, in order."""
        rows = self._read(f"SELECT {_LETTER} FROM dead_letters WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return [(row[0], _letter(row[1:])) for row in rows]

    def _erased_until_now(self, session: Session) -> dict[str, int]:
        """Return when users were erased, by subject; read once, and then only what was erased since."""
        query = "SELECT seq, subject, at FROM erased WHERE kind = 'user' AND seq > ?"
        for seq, subject, at in session.execute(query, (self._erased_up_to,)).fetchall():
            self._erased_at[subject] = max(at, self._erased_at.get(subject, at))
            self._erased_up_to = max(self._erased_up_to, seq)
        return self._erased_at

    def _log(self, seq: int, limit: int) -> list[tuple[Any, ...]]:
        return self._read(f"{HAPPENED} UNION ALL {GONE} ORDER BY seq LIMIT ?", (seq, seq, limit))

    def _last_seq(self, session: Session) -> int:
        return int(session.execute(LAST_SEQ).fetchone()[0])

    def _delete(self, session: Session, where: str, values: Sequence[str]) -> int:
        return int(session.execute(f"DELETE FROM events WHERE {where}", values).rowcount)

    def _delete_of_item(self, session: Session, item_id: str) -> int:
        return self._delete(session, "item_id = ?", [item_id])

    def _register(self, session: Session, table: str, key: str, some_ids: Collection[str | None]) -> None:
        """Make an object of each id that has none."""
        rows = [(some_id,) for some_id in sorted(some_id for some_id in some_ids if some_id is not None)]
        session.executemany(f"INSERT INTO {table} ({key}) VALUES (?) ON CONFLICT DO NOTHING", rows)

    def _latest(self, query: str, values: Sequence[Any], limit: int | None) -> list[Event]:
        return [event_at(row) for row in reversed(self._read(query, (*values, _ALL if limit is None else limit)))]

    def _patch(self, kind: type[S], get: str, put: str, some_id: str, changes: Mapping[str, Any]) -> S | None:
        with self._transaction() as session:  # no other writer comes between
            row = session.execute(get, (some_id,)).fetchone()
            if row is None:
                return None
            cells = packed(changed(unpacked(kind, row), changes))
            session.execute(put, cells)
        return unpacked(kind, tuple(cells))


def row_of(event: Event) -> tuple[Any, ...]:
    """Return an event as the columns `EVENT`."""
    about = (event.event_id, event.user_id, event.item_id, event.type, event.value)
    return (*about, event.timestamp, event.session_id, event.target_user_id)


def event_at(row: tuple[Any, ...]) -> Event:
    """Undo `row_of`."""
    event_id, user_id, item_id, kind, value, timestamp, session_id, target = row
    return Event(
        event_id,
        user_id,
        item_id,
        timestamp=timestamp,
        type=kind,
        value=value,
        session_id=session_id,
        target_user_id=target,
    )


def _entry(row: tuple[Any, ...]) -> Event | Erased:
    """Read a row of the log."""
    return event_at(row[1:]) if row[1] is not None else Erased(row[4], row[2], row[6], row[3], row[7])


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    return DeadLetter(*row)


def _tell_erased(
    session: Session, seq: int, kind: str, some_id: str, item: str | None = None, type: str | None = None
) -> None:
    row = (seq, kind, subject_of(some_id), time.time_ns() // 1_000_000, item, type)
    session.execute("INSERT INTO erased (seq, kind, subject, at, item, type) VALUES (?, ?, ?, ?, ?, ?)", row)
