"""The store in a PostgreSQL database: for a server that has its disk elsewhere, and consumers on several machines.

Whoever writes, wherever, holds one lock from the first statement of a transaction to its end. So entries of the log become
visible in the order of their numbers, and a follower that asks for what is behind a number misses nothing; numbers
drawn from a sequence would be given out in one order and become visible in another.
"""

import contextlib
import select
import threading
import zlib
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from edgewise.errors import ConfigError, DataError, StoreBusyError, StoreError
from edgewise.store.event import Event
from edgewise.store.lock import repeated, this_process
from edgewise.store.protocol import MAX_DEAD_LETTERS
from edgewise.store.sql_store import EVENT, GONE, HAPPENED, LAST_SEQ, Session, SqlStore, row_of

FORMAT = 1
"""The number of the tables' layout; a schema of another number is refused, not guessed at."""

_WRITING, _SERVING = (
    0x45445701,
    0x45445702,
)  # the two kinds of advisory locks; the second number is made from the schema
_KEEP_S = 1.0
_SETTINGS = {
    "lock_timeout": "10s",
    # A writer whose machine vanishes within a transaction must not keep the others out for longer than this.
    "idle_in_transaction_session_timeout": "15s",
    "default_transaction_isolation": "read committed",  # the numbers are read behind the lock, not before it
    "extra_float_digits": "1",
    # Each query here has an index that answers it in order; where the planner's statistics are old or not there yet, it would
    # rather read a table whole, or all of the log that is left, and sort.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}

_TABLES = """
CREATE TABLE about (format INTEGER NOT NULL, epoch BIGINT NOT NULL, holder TEXT NOT NULL);
CREATE TABLE events (
  seq BIGINT PRIMARY KEY, event_id TEXT COLLATE "C" NOT NULL UNIQUE, user_id TEXT COLLATE "C" NOT NULL,
  item_id TEXT COLLATE "C", type TEXT NOT NULL, value DOUBLE PRECISION NOT NULL, timestamp BIGINT NOT NULL,
  session_id TEXT, target_user_id TEXT COLLATE "C"
);
CREATE INDEX events_of_user ON events (user_id, timestamp, seq);
CREATE INDEX events_of_item ON events (item_id, timestamp, seq) WHERE item_id IS NOT NULL;
CREATE INDEX events_about_user ON events (target_user_id) WHERE target_user_id IS NOT NULL;
CREATE TABLE erased (
  seq BIGINT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, at BIGINT NOT NULL, item TEXT, type TEXT
);
CREATE TABLE users (
  user_id TEXT COLLATE "C" PRIMARY KEY, labels TEXT NOT NULL DEFAULT 'null', subscribe TEXT NOT NULL DEFAULT '[]',
  comment TEXT NOT NULL DEFAULT ''
);
CREATE TABLE items (
  item_id TEXT COLLATE "C" PRIMARY KEY, is_hidden INTEGER NOT NULL DEFAULT 0, categories TEXT NOT NULL DEFAULT '[]',
  timestamp BIGINT, labels TEXT NOT NULL DEFAULT 'null', comment TEXT NOT NULL DEFAULT ''
);
CREATE TABLE offsets (
  group_id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next BIGINT NOT NULL,
  PRIMARY KEY (group_id, topic, partition)
);
CREATE TABLE dead_letters (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source TEXT NOT NULL, reason TEXT NOT NULL, payload BYTEA NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX dead_letters_of_source ON dead_letters (source);
"""
_COPY = f"COPY events (seq, {EVENT}) FROM STDIN".encode()

_UNFIT = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded, UnicodeEncodeError)
"""What comes of an event that was not checked: the fault is in the event, not in the store."""


class PostgresStore(SqlStore):
    """An `EventStore` in a schema of a PostgreSQL database (12 or newer, encoded in UTF-8).

    Args:
        url: postgresql://USER@HOST:PORT/DATABASE.
        password: of that user, where the server asks for one and the address has none.
        schema: where the tables are; made where it is missing.
        max_dead_letters: the newest are kept.
        accept_loss: use a server that runs with `fsync = off` all the same.

    Raises:
        ConfigError: if the address cannot be understood.
        StoreError: if the server cannot be used, would lose what it has confirmed, or the schema is not ours.
        StoreBusyError: if the server cannot be reached.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        schema: str = "edgewise",
        max_dead_letters: int = MAX_DEAD_LETTERS,
        accept_loss: bool = False,
    ) -> None:
        super().__init__(max_dead_letters)
        try:
            told = conninfo_to_dict(url)
        except psycopg.Error:  # its text may show the password
            raise ConfigError(
                "the address of the store is not one of PostgreSQL; expected postgresql://USER@HOST:PORT/DATABASE."
            ) from None
        if password is not None:
            told["password"] = password
        defaults = {"connect_timeout": 5, "application_name": "edgewise", "client_encoding": "utf8"}
        # A server that has vanished, and not only ended, is noticed after some ten seconds.
        defaults |= {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
        self._told: dict[str, Any] = defaults | told
        host = told.get("host") or told.get("hostaddr") or "this machine"
        self.where = f"the PostgreSQL schema {schema} at {host}/{told.get('dbname') or told.get('user') or ''}"
        self._accept_loss = accept_loss
        self._schema, self._number = schema, zlib.crc32(schema.encode()) - 2**31
        self._begin = (
            f"BEGIN; SELECT pg_advisory_xact_lock({_WRITING}, {self._number}); SELECT epoch, ({LAST_SEQ}) FROM about"
        ).encode()
        self._writing = threading.RLock()  # threads of one process wait here, not at the server
        self._idle: deque[psycopg.Connection] = deque()
        self._is_open = True
        self._epoch: int | None = None  # while this process is the server of the store
        with self._explaining(), self._lent() as connection:
            self._set_up(connection)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one server of this store until the block ends or the process does.

        The lock lives in a connection. Where that is lost and another server comes first, writing is refused from then on:
        each transaction looks whether the store is still held by this process.

        Raises:
            StoreBusyError: if another server holds it; the text tells which.
        """
        with self._explaining():
            guard = self._connect()
        try:
            with self._explaining():
                if not self._take(guard):
                    holder = self._read("SELECT holder FROM about")[0][0]
                    raise StoreBusyError(
                        f"{self.where} is served by {holder} already, and one server at a time may. Stop that one, or name "
                        "another schema with [store] name."
                    )
                with self._transaction() as session:  # whoever wrote before has finished
                    update = "UPDATE about SET epoch = epoch + 1, holder = ? RETURNING epoch"
                    epoch = session.execute(update, (this_process(),)).fetchone()[0]
            self._epoch = epoch

            def keep() -> None:
                nonlocal guard
                with contextlib.suppress(psycopg.Error):
                    guard.execute("SELECT 1")
                    return
                guard.close()
                with contextlib.suppress(psycopg.Error):
                    guard = self._connect()
                    is_ours = self._read("SELECT epoch FROM about")[0][0] == epoch
                    if not (is_ours and self._take(guard)):
                        guard.close()  # another second, another try

            with repeated(keep, _KEEP_S):
                yield
        finally:
            self._epoch = None
            guard.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._is_open = False
        while self._idle:
            self._idle.pop().close()

    def _take(self, connection: psycopg.Connection) -> bool:
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_SERVING, self._number)).fetchone()
        return row is not None and bool(row[0])

    def _insert(self, session: Session, events: Sequence[Event], seq: int) -> list[bool]:
        """Copy what is new into the table; nobody else writes now, so what is not there will not be there."""
        if not events:
            return []
        ids = [event.event_id for event in events]
        there = {row[0] for row in session.execute("SELECT event_id FROM events WHERE event_id = ANY (?)", (ids,))}
        new = []
        with session.cursor() as cursor, cursor.copy(_COPY) as copy:  # type: ignore[attr-defined]
            for event in events:
                is_new = event.event_id not in there
                if is_new:
                    there.add(event.event_id)
                    copy.write_row((seq, *row_of(event)))
                    seq += 1
                new.append(is_new)
        return new

    def _log(self, seq: int, limit: int) -> list[tuple[Any, ...]]:
        # Without a limit of its own, the whole rest of each half would be read and sorted.
        halves = " UNION ALL ".join(f"({half} ORDER BY seq LIMIT ?)" for half in (HAPPENED, GONE))
        return self._read(f"{halves} ORDER BY seq LIMIT ?", (seq, limit, seq, limit, limit))

    def _last_seq(self, session: Session) -> int:
        assert isinstance(session, _Session)
        return session.last_seq

    def _register(self, session: Session, table: str, key: str, some_ids: Collection[str | None]) -> None:
        ids = sorted(some_id for some_id in some_ids if some_id is not None)
        if ids:  # always in one order, and all at once: a statement for each would cost more than the events
            session.execute(f"INSERT INTO {table} ({key}) SELECT unnest(?::text[]) ON CONFLICT DO NOTHING", (ids,))

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._explaining(), self._lent() as connection:
            return connection.execute(_translated(query), values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator["_Session"]:
        """Be the only writer: all or nothing, and on the server's disk when the block has ended."""
        with self._writing, self._explaining(), self._lent() as connection:
            try:
                cursor = connection.execute(self._begin, prepare=False)  # several statements at once
                while cursor.nextset():
                    pass
                epoch, last_seq = cursor.fetchone() or (0, 0)
                if self._epoch not in (None, epoch):
                    raise StoreError(
                        f"another server has taken over {self.where}, and this one may not write there any more. Stop one of the two."
                    )
                yield _Session(connection, last_seq)
                connection.execute(b"COMMIT")
            except BaseException:
                with contextlib.suppress(psycopg.Error):  # where the connection is gone, so is the transaction
                    connection.execute(b"ROLLBACK")
                raise

    @contextlib.contextmanager
    def _lent(self) -> Iterator[psycopg.Connection]:
        """Lend a connection: as many as are in use at once are opened, and then used again."""
        if not self._is_open:
            raise StoreError(f"{self.where} is closed; open it again.")
        connection = None
        while connection is None and self._idle:
            with contextlib.suppress(IndexError):
                connection = self._idle.pop()
                if _was_left(connection):
                    connection.close()
                    connection = None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            if self._is_open and connection.info.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                connection.close()

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(**self._told, autocommit=True)
        try:
            names = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items())
            confirmed = "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END"
            row = connection.execute(
                f"SELECT current_setting('fsync'), set_config('search_path', %s, false), set_config('synchronous_commit', {confirmed}, false), {names}".encode(),
                (self._schema,),
            ).fetchone()
            if (
                row is not None and row[0] != "on" and not self._accept_loss
            ):  # it may have come back with other settings
                raise StoreError(
                    f"{self.where} runs with fsync = off: what it confirms can be lost when its machine stops. Set fsync = on "
                    "there, or accept_loss = true in [store]."
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: psycopg.Connection) -> None:
        """Make the tables of a new schema, and check those of an old one."""
        row = connection.execute(
            "SELECT current_setting('server_encoding'), pg_is_in_recovery(), to_regclass('about')::text"
        ).fetchone()
        encoding, is_copy, there = row or ("", False, None)
        if encoding != "UTF8":
            raise StoreError(
                f"{self.where} is encoded in {encoding}; expected UTF8. Make a database WITH ENCODING 'UTF8'."
            )
        if is_copy:
            raise StoreError(
                f"{self.where} is a copy that follows another server, and cannot be written. Name that one."
            )
        if there is None:
            with connection.transaction():
                connection.execute(f"SELECT pg_advisory_xact_lock({_WRITING}, {self._number})".encode())
                row = connection.execute("SELECT to_regnamespace(%s) IS NULL", (self._schema,)).fetchone()
                if row is not None and row[0]:  # who may not make a schema may be given one
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
                tables = connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename", (self._schema,)
                ).fetchall()
                if not tables:
                    connection.execute(_TABLES.encode())
                    connection.execute("INSERT INTO about VALUES (%s, 0, '')", (FORMAT,))
                elif ("about",) not in tables:  # it may be ours, made a moment ago by another process
                    raise StoreError(
                        f"{self.where} has tables of another program ({tables[0][0]}); it was left alone. Name another with [store] name."
                    )
        row = connection.execute("SELECT format FROM about").fetchone()
        if row is None or row[0] != FORMAT:
            raise StoreError(
                f"{self.where} has format {row and row[0]}; this version of edgewise reads format {FORMAT}. Open it with the version that made it."
            )

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except _UNFIT as error:
            raise DataError(
                f"{self.where} cannot hold what was given, and stored nothing of it: {_line(error)}."
            ) from error
        except psycopg.Error as error:
            raise _explained(error, self.where) from error


class _Session:
    """A connection within a transaction, for queries with `?`."""

    __slots__ = ("_connection", "cursor", "last_seq")

    def __init__(self, connection: psycopg.Connection, last_seq: int) -> None:
        self._connection, self.cursor, self.last_seq = connection, connection.cursor, last_seq

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Any:
        """Run one statement; returns a cursor."""
        return self._connection.execute(_translated(query), values)

    def executemany(self, query: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Run one statement for each row."""
        with self.cursor() as cursor:
            cursor.executemany(_translated(query), rows)


@lru_cache(maxsize=256)
def _translated(query: str) -> bytes:
    return query.replace("?", "%s").encode()


def _was_left(connection: psycopg.Connection) -> bool:
    """Whether the server has ended a connection that nobody used: there is something to read, and be it the end."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _line(error: Exception) -> str:
    """Say in one line what went wrong; a server's details show the row, and are left out."""
    told = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return " ".join((told or str(error)).split())[:500]


def _explained(error: psycopg.Error, where: str) -> StoreError:
    """Say what PostgreSQL's error means, and what to do."""
    state, text = error.sqlstate or "", _line(error)
    if not state or state.startswith(("08", "57P")):
        return StoreBusyError(
            f"{where} cannot be reached ({text}). Try again when it is back; an event that was stored all the same counts once."
        )
    if state in ("55P03", "40001", "40P01", "57014", "25P03", "53300"):
        return StoreBusyError(f"{where} is busy ({text}); nothing of this call was stored. Try again.")
    if state in ("53100", "53200"):
        return StoreError(
            f"the machine of {where} is full ({text}); nothing of this call was stored. Free some space there, then send it again."
        )
    if state in ("25006", "42501"):
        return StoreError(f"{where} cannot be written ({text}). Check what this user may do there.")
    return StoreError(f"{where}: {text} ({state}); nothing of this call was stored.")
