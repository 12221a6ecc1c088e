"""The log of a store as a table, and who was erased in it."""

from dataclasses import dataclass

import polars as pl

from edgewise import telemetry
from edgewise.data.vocabulary import UNDOES
from edgewise.store import Erased, Event, EventStore
from edgewise.store.event import Entry, subject_of

_PAGE = 50_000

_SCHEMA: dict[str, type[pl.DataType]] = {
    "seq": pl.Int64,
    "user_id": pl.String,
    "item_id": pl.String,
    "type": pl.String,
    "value": pl.Float64,
    "timestamp": pl.Int64,
    "session_id": pl.String,
    "target_user_id": pl.String,
}


@dataclass(frozen=True)
class Log:
    """All that a store's log says up to a number.

    Attributes:
        events: seq, user_id, item_id, type, value, timestamp, session_id, target_user_id; item_id may be missing.
        erased_users, erased_items: subject to the number of the last erasure. last_seq: the number read up to.
    """

    events: pl.DataFrame
    erased_users: dict[str, int]
    erased_items: dict[str, int]
    last_seq: int

    def net(self, other: str) -> pl.DataFrame:
        """Count per user what was done to whom, an undoing against what it undoes.

        Args:
            other: "item_id" or "target_user_id".

        Returns:
            user_id, the other id, n: the highest count of any kind, or the lowest where none is above 0.
        """
        kind = pl.col("type")
        done = kind.replace_strict(UNDOES, default=None, return_dtype=pl.String)
        counted = (
            self.events.filter(pl.col(other).is_not_null())
            .group_by("user_id", other, done.fill_null(kind).alias("done"))
            .agg(pl.when(done.is_null()).then(1).otherwise(-1).sum().alias("n"))
        )
        n = pl.col("n")
        return counted.group_by("user_id", other).agg(pl.when(n.max() > 0).then(n.max()).otherwise(n.min()).alias("n"))


def read_log(store: EventStore) -> Log:
    """Read the whole log of a store, as far as it reaches at this moment."""
    last, seq = store.last_seq, 0
    pages = [pl.DataFrame(schema=_SCHEMA)]
    erased: dict[str, dict[str, int]] = {"user": {}, "item": {}, "some": {}}
    with telemetry.step("reading the log", last) as progress:
        while seq < last and (entries := store.since(seq, _PAGE)):
            entries = [entry for entry in entries if entry[0] <= last]
            pages.append(_table(entries))
            for number, entry in entries:
                if isinstance(entry, Erased):
                    erased[entry.kind][entry.subject] = number
            progress.advance((entries[-1][0] if entries else last) - seq)
            seq = entries[-1][0] if entries else last
    return Log(pl.concat(pages), erased["user"], erased["item"], last)


def erased_since(store: EventStore, seq: int) -> dict[str, int]:
    """Return the subjects of users erased after a number of the log, and the numbers."""
    found: dict[str, int] = {}
    while entries := store.since(seq, _PAGE):
        found |= {
            entry.subject: number for number, entry in entries if isinstance(entry, Erased) and entry.kind == "user"
        }
        seq = entries[-1][0]
    return found


def named_by(subjects: dict[str, int], ids: pl.Series, *, after: int = 0) -> list[str]:
    """Return, as text, those ids that were erased after a number of the log."""
    wanted = {subject for subject, seq in subjects.items() if seq > after}
    return [some_id for some_id in ids.cast(pl.String).to_list() if subject_of(some_id) in wanted] if wanted else []


def _table(entries: list[Entry]) -> pl.DataFrame:
    events = [(seq, event) for seq, event in entries if isinstance(event, Event)]
    columns = {name: [getattr(event, name) for _, event in events] for name in _SCHEMA if name != "seq"}
    return pl.DataFrame({"seq": [seq for seq, _ in events], **columns}, schema=_SCHEMA)
