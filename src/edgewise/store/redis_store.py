"""The store in Redis or Valkey: all of it in the server's memory, and each write on its disk before it is confirmed.

The server has to run with `appendonly yes` and `appendfsync always`; with anything less, what it confirms can be lost, and
it is refused unless that is asked for. What belongs together is one Lua script (`redis_scripts`): the server runs it alone, and
its append-only file has it whole or not at all.
"""

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import redis
from redis import exceptions as problems
from redis.backoff import NoBackoff
from redis.retry import Retry

from edgewise.errors import ConfigError, DataError, StoreBusyError, StoreError
from edgewise.store import redis_scripts as scripts
from edgewise.store.event import Entry, Erased, Event, subject_of
from edgewise.store.lock import repeated, this_process
from edgewise.store.objects import StoredItem, StoredUser, changed, exported, packed, unpacked
from edgewise.store.protocol import MAX_DEAD_LETTERS, MAX_PAYLOAD, Appended, DeadLetter, Offset

FORMAT = 1
"""The number of the keys' layout; another is refused, not guessed at."""

_CHUNK = 512  # as in the scripts
_CHUNKS_AT_ONCE = 20
_WAIT_S = 10.0
_LASTS_MS, _KEEP_S = 6_000, 1.5  # a server is there for so long after it has last said so, and how often it says so
_REWRITE_S = 25.0
_ALL = 2**31
_NUMBER = 15  # digits of a number in a member of a sorted set

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

S = TypeVar("S", StoredUser, StoredItem)


class RedisStore:
    """An `EventStore` under one prefix of a database of Redis or Valkey (6.2 or newer).

    Args:
        url: redis://USER@HOST:PORT/DATABASE, rediss:// with TLS, or unix://PATH.
        password: of that user, where the server asks for one and the address has none.
        prefix: what all keys begin with.
        max_dead_letters: the newest are kept.
        accept_loss: use a server that can lose what it confirms all the same.

    Raises:
        ConfigError: if the address cannot be understood.
        StoreError: if the server cannot be used, or would lose what it has confirmed, or holds another format.
        StoreBusyError: if the server cannot be reached.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        prefix: str = "edgewise",
        max_dead_letters: int = MAX_DEAD_LETTERS,
        accept_loss: bool = False,
    ) -> None:
        self._is_open, self._keeps_snapshots = True, False
        more: dict[str, Any] = {} if password is None else {"password": password}
        try:
            # Nothing is sent twice by itself: what became of a call whose answer was lost is for the caller to find out.
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=_WAIT_S,
                socket_connect_timeout=5,
                socket_keepalive=True,
                retry=Retry(NoBackoff(), 0),
                redis_connect_func=self._connected,
                **more,
            )
        except (ValueError, TypeError):  # its text may show the password
            raise ConfigError(
                "the address of the store is not one of Redis; expected redis://USER@HOST:PORT/DATABASE."
            ) from None
        told = self._client.connection_pool.connection_kwargs
        place = told.get("path") or f"{told.get('host', 'localhost')}:{told.get('port', 6379)}"
        self.where = f"the Redis keys {prefix}:* at {place}/{told.get('db') or 0}"
        self._prefix, self._max_dead_letters, self._accept_loss = prefix, max_dead_letters, accept_loss
        self._scripts = {
            name: self._client.register_script(text)
            for name, text in vars(scripts).items()
            if name.isupper() and name[0] != "_"
        }
        self._epoch: str | None = None  # while this process is the server of the store
        self._check_format()

    def append(
        self,
        events: Sequence[Event],
        *,
        offsets: Sequence[Offset] = (),
        dead_letters: Sequence[DeadLetter] = (),
        register: bool = False,
        keep_erased_out: bool = False,
    ) -> Appended:
        """Store events and what belongs to them in one script; see `EventStore.append`."""
        try:
            texts = [_written(event) for event in events]
            head: dict[str, Any] = {
                "register": register,
                "user": _NO_USER,
                "item": _NO_ITEM,
                "offsets": [
                    (offset.group, json.dumps([offset.topic, offset.partition]), str(offset.next)) for offset in offsets
                ],
                "letters": [(letter.source, _letter_text(letter)) for letter in dead_letters],
                "max_letters": self._max_dead_letters,
            }
            if keep_erased_out:
                head["subjects"] = [
                    [subject_of(some_id) for some_id in (event.user_id, event.target_user_id) if some_id is not None]
                    for event in events
                ]
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.where} cannot hold what was given, and stored nothing of it: {error}.") from error
        new, seq = self._write("APPEND", head, *texts)
        return Appended((is_new == 1 for is_new in new), seq=int(seq))

    def since(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries after `seq`, in order."""
        found: list[Entry] = []
        seq = max(seq, 0)
        while len(found) < limit:
            first = seq // _CHUNK
            n_chunks = min((limit - len(found)) // _CHUNK + 2, _CHUNKS_AT_ONCE)
            with self._explaining():
                pipe = self._client.pipeline(transaction=False)
                for chunk in range(first, first + n_chunks):
                    pipe.lrange(self._key(f"log:{chunk}"), seq % _CHUNK if chunk == first else 0, -1)
                lists = pipe.execute()
            for texts in lists:
                found += [(seq + place, _read(text)) for place, text in enumerate(texts, start=1) if text]
                seq += len(texts)
                if (
                    seq % _CHUNK or not texts
                ):  # the end, as of the moment this list was read: what came since is behind it
                    return found[:limit]
        return found[:limit]

    @property
    def last_seq(self) -> int:
        """The number of the last entry; 0 where there is none."""
        with self._explaining():
            return int(self._client.get(self._key("seq")) or 0)

    def of_user(self, user_id: str, limit: int | None = None, *, after: int = 0) -> list[Event]:
        """Return a user's latest events with numbers above `after`, the oldest of them first."""
        return self._latest(f"user:{user_id}", limit, after)

    def of_item(self, item_id: str, limit: int | None = None) -> list[Event]:
        """Return an item's latest events, the oldest of them first."""
        return self._latest(f"item:{item_id}", limit)

    def erase_events(self, user_id: str, item_id: str, type: str | None = None) -> int:
        """Erase what a user did with an item; returns how many events that were."""
        entry = _gone("some", user_id, _now(), item=subject_of(item_id), type=type)
        head = {"user": user_id, "item": item_id, "entry": entry}
        return int(self._write("ERASE_EVENTS", head if type is None else head | {"type": type}))

    def erase_user(self, user_id: str) -> int:
        """Erase a user; returns how many events by and about them there were.

        The append-only file still has what came before, until the server has written it anew, which is waited for; so it is
        with a snapshot, where the server keeps one.

        Raises:
            StoreBusyError: if all is erased, but the server is not done with its files, or failed with them.
        """
        at = _now()  # asked once: what is left out of a replay goes by the moment that the log tells
        head = {
            "id": user_id,
            "letters": [member for member, letter in self._letters(0, _ALL) if letter.is_about(user_id)],
            "entry": _gone("user", user_id, at),
            "subject": subject_of(user_id),
            "at": str(at),
        }
        n_events = int(self._write("ERASE_USER", head))
        self._write_files_anew()
        return n_events

    def erase_item(self, item_id: str) -> int:
        """Erase an item, its events and its object; returns how many events it had."""
        return int(self._write("ERASE_ITEM", {"id": item_id, "entry": _gone("item", item_id, _now())}))

    def export_user(self, user_id: str) -> dict[str, Any]:
        """Return all that is stored of a user, as JSON has it."""
        events = [_event(text) for text in self._run("EXPORT", {"id": user_id})]
        return exported(self.user(user_id), events)

    def put_users(self, users: Sequence[StoredUser]) -> None:
        """Store objects of users; one that is there is replaced."""
        self._put("user", [(user.user_id, user) for user in users])

    def put_items(self, items: Sequence[StoredItem]) -> None:
        """Store objects of items; one that is there is replaced."""
        self._put("item", [(item.item_id, item) for item in items])

    def user(self, user_id: str) -> StoredUser | None:
        """Return the object of a user; None where there is none."""
        return self._get(StoredUser, "user", user_id)

    def item(self, item_id: str) -> StoredItem | None:
        """Return the object of an item; None where there is none."""
        return self._get(StoredItem, "item", item_id)

    def patch_user(self, user_id: str, changes: Mapping[str, Any]) -> StoredUser | None:
        """Change parts of the object of a user; returns it as it is now, None where there is none."""
        return self._patch(StoredUser, "user", user_id, changes)

    def patch_item(self, item_id: str, changes: Mapping[str, Any]) -> StoredItem | None:
        """Change parts of the object of an item; returns it as it is now, None where there is none."""
        return self._patch(StoredItem, "item", item_id, changes)

    def users(self, after: str | None, limit: int) -> list[StoredUser]:
        """Return a page of objects in the order of ids, of those behind `after`."""
        return self._page(StoredUser, "user", after, limit)

    def items(self, after: str | None, limit: int) -> list[StoredItem]:
        """Return a page of objects in the order of ids, of those behind `after`."""
        return self._page(StoredItem, "item", after, limit)

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """Return the next offset of each (topic, partition) that a group has read."""
        with self._explaining():
            found = self._client.hgetall(self._key(f"offsets:{group}"))
        return {tuple(json.loads(place)): int(next_offset) for place, next_offset in found.items()}

    def dead_letters(self, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
        """Return up to `limit` dead letters with numbers above `after`, in order."""
        return [(int(member[:_NUMBER]), letter) for member, letter in self._letters(after, limit)]

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one server of this store until the block ends.

        The server of a store says every 1.5 s that it is there; 6 s after it has last said so another may take its
        place. Each write looks whether the store is still held by this process, so one that comes back is refused.

        Raises:
            StoreBusyError: if another server holds it; the text tells which.
        """
        me, until, left = this_process(), time.monotonic() + _LASTS_MS / 1000 + 1, None
        while True:
            taken, said, lasts = self._bare("SERVE", me, _LASTS_MS)
            if taken:
                break
            # Somebody who was killed is waited for; somebody who is there says so while we wait.
            if (left is not None and lasts > left) or time.monotonic() > until:
                raise StoreBusyError(
                    f"{self.where} is served by {said.decode()} already, and one server at a time may. Stop that one, or name "
                    "another prefix with [store] name."
                )
            left = lasts
            time.sleep(0.2)
        self._epoch = said.decode()
        try:
            with repeated(lambda: self._bare("STAY", self._epoch, me, _LASTS_MS), _KEEP_S):
                yield
        finally:
            with contextlib.suppress(StoreError):
                self._bare("STAY", self._epoch, me, 0)
            self._epoch = None

    def close(self) -> None:
        """Let go of the connections."""
        self._is_open = False
        self._client.close()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _latest(self, key: str, limit: int | None, after: int = 0) -> list[Event]:
        head = {"key": key, "limit": _ALL if limit is None else limit, "after": after}
        return [_event(text) for text in self._run("LATEST", head)]

    def _letters(self, after: int, limit: int) -> list[tuple[str, DeadLetter]]:
        with self._explaining():
            members = self._client.zrangebyscore(self._key("letters"), f"({after}", "+inf", start=0, num=limit)
        found = []
        for member in members:
            source, reason, payload, at = json.loads(member[_NUMBER:])
            found.append((member.decode(), DeadLetter(source, reason, base64.b64decode(payload), at)))
        return found

    def _put(self, kind: str, objects: Sequence[tuple[str, StoredUser | StoredItem]]) -> None:
        words = [word for some_id, stored in objects for word in (some_id, _object(stored))]
        if words:
            self._write("PUT", {"kind": kind}, *words)

    def _get(self, kind: type[S], name: str, some_id: str) -> S | None:
        with self._explaining():
            text = self._client.hget(self._key(f"{name}s"), some_id)
        return None if text is None else _stored(kind, some_id, text)

    def _patch(self, kind: type[S], name: str, some_id: str, changes: Mapping[str, Any]) -> S | None:
        while True:  # until nobody came between reading and writing
            with self._explaining():
                text = self._client.hget(self._key(f"{name}s"), some_id)
            if text is None:
                return None
            now = changed(_stored(kind, some_id, text), changes)
            written = _object(now)
            if self._write("CHANGE", {"kind": name}, some_id, text, written):
                return _stored(kind, some_id, written)

    def _page(self, kind: type[S], name: str, after: str | None, limit: int) -> list[S]:
        head = {"kind": name, "after": "-" if not after else f"({after}", "limit": limit}
        words = self._run("PAGE", head)
        return [_stored(kind, some_id.decode(), text) for some_id, text in zip(words[::2], words[1::2], strict=True)]

    def _write(self, name: str, head: dict[str, Any], *words: Any) -> Any:
        return self._run(name, head if self._epoch is None else head | {"epoch": self._epoch}, *words)

    def _run(self, name: str, head: dict[str, Any], *words: Any) -> Any:
        return self._bare(name, json.dumps(head, ensure_ascii=False), *words)

    def _bare(self, name: str, *words: Any) -> Any:
        with self._explaining():
            return self._scripts[name](keys=[self._prefix], args=words)

    def _connected(self, connection: Any) -> None:
        """Look at the server's settings at each new connection: it may have come back with others."""
        connection.on_connect()
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        told: dict[str, str] = {}
        try:
            for name in (*wanted, "maxmemory", "save"):
                connection.send_command("CONFIG", "GET", name)
                answer = connection.read_response()
                words = [word for pair in answer.items() for word in pair] if isinstance(answer, dict) else answer
                told[name] = words[1].decode() if words else ""
        except problems.ResponseError as error:
            if self._accept_loss:
                return
            raise _Unfit(
                f"{self.where} does not tell its settings ({error}), so nobody can say whether it loses what it confirms. See to "
                "it that it runs with appendonly yes and appendfsync always, then set accept_loss = true in [store]."
            ) from error
        self._keeps_snapshots = bool(told["save"])
        if told["maxmemory"] == "0":  # without a limit nothing is thrown away
            del wanted["maxmemory-policy"]
        wrong = " and ".join(f"{name} {told[name]}" for name, value in wanted.items() if told[name] != value)
        if wrong and not self._accept_loss:
            right = ", ".join(f"{name} {value}" for name, value in wanted.items())
            raise _Unfit(
                f"{self.where} runs with {wrong}: what it confirms can be lost. Set {right} there, or accept_loss = true in [store]."
            )

    def _check_format(self) -> None:
        with self._explaining():
            self._client.set(self._key("format"), FORMAT, nx=True)
            number = int(self._client.get(self._key("format")) or 0)
        if number != FORMAT:
            raise StoreError(
                f"{self.where} has format {number}; this version of edgewise reads format {FORMAT}. Open it with the version that made it."
            )

    def _write_files_anew(self) -> None:
        """Let the server write its files from what is in memory now, and wait until it has."""
        with self._explaining():
            if self._client.info("persistence").get("aof_enabled"):
                self._let(self._client.bgrewriteaof, "aof_rewrite_in_progress", "aof_last_bgrewrite_status")
            if self._keeps_snapshots:
                self._let(self._client.bgsave, "rdb_bgsave_in_progress", "rdb_last_bgsave_status")

    def _let(self, begin: Callable[[], object], flag: str, outcome: str) -> None:
        until, has_begun = time.monotonic() + _REWRITE_S, False
        while time.monotonic() < until:
            known = self._client.info("persistence")
            if not known[flag] and not known.get("aof_rewrite_scheduled"):
                if has_begun:
                    if known[outcome] == "ok":
                        return
                    break
                with contextlib.suppress(
                    problems.ResponseError
                ):  # another one began at this moment; ours comes after it
                    begin()
                    has_begun = True
            time.sleep(0.02)
        raise StoreBusyError(
            f"erased from {self.where}, but the server has not written its files anew ({flag} {known[flag]}, {outcome} "
            f"{known[outcome]}), and they still hold what was erased. Repeat the erasure."
        )

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        if not self._is_open:
            raise StoreError(f"{self.where} is closed; open it again.")
        try:
            yield
        except (UnicodeEncodeError, redis.DataError) as error:
            raise DataError(f"{self.where} cannot hold what was given, and stored nothing of it: {error}.") from error
        except problems.RedisError as error:
            raise _explained(error, self.where) from error


class _Unfit(problems.RedisError):
    """A server that can lose what it confirms; raised where a connection is made."""


def _written(event: Event) -> bytes:
    """Write an event as the scripts take it.

    Raises:
        TypeError, ValueError: if a part is not what it should be; the server would take anything.
    """
    named = (event.event_id, event.user_id, event.type)
    others = (event.item_id, event.session_id, event.target_user_id)
    if not (
        all(isinstance(part, str) for part in named) and all(part is None or isinstance(part, str) for part in others)
    ):
        raise TypeError(f"ids and types are text; this event has {(*named, *others)!r:.200}")
    if not isinstance(event.timestamp, int) or not -(2**53) < event.timestamp < 2**53:
        raise ValueError(f"the timestamp is {event.timestamp!r:.60}")
    parts = [*named[:2], event.item_id, event.type, float(event.value), event.timestamp, *others[1:]]
    return _encode(parts).encode()


def _read(text: bytes) -> Event | Erased:
    parts = json.loads(text)
    return _of_parts(parts) if isinstance(parts, list) else Erased(**parts)


def _event(text: bytes) -> Event:
    return _of_parts(json.loads(text))


def _of_parts(parts: list[Any]) -> Event:
    event_id, user_id, item_id, kind, value, timestamp, session_id, target = parts
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


def _object(stored: StoredUser | StoredItem) -> str:
    """Write the parts without the id; one object serves as the beginning of each that has nothing told of it."""
    return _encode(packed(stored)[1:])


def _stored(kind: type[S], some_id: str, text: bytes | str) -> S:
    return unpacked(kind, (some_id, *json.loads(text)))


def _letter_text(letter: DeadLetter) -> str:
    payload = base64.b64encode(letter.payload[:MAX_PAYLOAD]).decode()
    return _encode([letter.source, letter.reason, payload, letter.at])


def _gone(kind: str, some_id: str, at: int, **more: str | None) -> str:
    return _encode({"kind": kind, "subject": subject_of(some_id), "at": at, **more})


def _now() -> int:
    return time.time_ns() // 1_000_000


def _explained(error: problems.RedisError, where: str) -> StoreError:
    """Say what the server's error means, and what to do."""
    text = " ".join(str(error).split())[:500]
    if isinstance(error, _Unfit):
        return StoreError(str(error))
    if isinstance(error, problems.AuthenticationError | problems.AuthorizationError | problems.NoPermissionError):
        return StoreError(f"{where} refuses this user ({text}). Check user and password.")
    if isinstance(error, problems.ConnectionError | problems.TimeoutError | problems.BusyLoadingError):
        return StoreBusyError(
            f"{where} cannot be reached ({text}). Try again when it is back; an event that was stored all the same counts once."
        )
    if "TAKENOVER" in text:
        return StoreError(
            f"another server has taken over {where}, and this one may not write there any more. Stop one of the two."
        )
    if isinstance(error, problems.OutOfMemoryError):
        return StoreError(
            f"the memory of {where} is full ({text}); nothing of this call was stored. Give it more (maxmemory), then send it again."
        )
    if isinstance(error, problems.ReadOnlyError):
        return StoreError(f"{where} is a copy that follows another server, and cannot be written. Name that one.")
    return StoreError(f"{where}: {text}; nothing of this call was stored.")


_NO_USER, _NO_ITEM = _object(StoredUser("-")), _object(StoredItem("-"))  # of which nothing is told
