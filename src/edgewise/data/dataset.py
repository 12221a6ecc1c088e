"""The data set: one table of events, tables about users, items and friends; everything else is derived from them."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.data.ids import IdMap, as_id_series, encode
from edgewise.errors import DataError
from edgewise.types import Bools, Index

if TYPE_CHECKING:
    from edgewise.data.clean import CleanConfig
    from edgewise.data.columns import Columns
    from edgewise.data.split import Split

EVENT_COLUMNS = ("user_id", "item_id", "type", "value", "timestamp", "session_id")
"""The columns of an interaction, in this order; all but the first two may be absent."""

NO_LABELS = pl.DataFrame(schema={"key": pl.String, "en": pl.String, "zh": pl.String})
"""The text table of a data set whose names need no translation."""

DEFAULT_TYPE = "interaction"
"""The type of events in a log that does not name any."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Who met what, and what is known about them.

    Attributes:
        users, items: the ids on either side; a table given beside the log adds ids that no event has.
        events: one row an event: user_index and item_index Int32, value Float32 (default 1), and where the log has them
            type (Enum), timestamp (Int64, UTC milliseconds since 1970) and session_id. In time order where there are times.
        user_table, item_table: a row for each index, in order: the id, then attributes; None where nothing is known.
        social: user_index, friend_index (Int32), weight (Float32) and, where known, timestamp; None without a social graph.
        labels: what names mean in English and Chinese: key, en, zh (keys such as "type.view", "column.age").
        history: what was done to the data so far, one line each, for the report.
    """

    users: IdMap
    items: IdMap
    events: pl.DataFrame
    user_table: pl.DataFrame | None = None
    item_table: pl.DataFrame | None = None
    social: pl.DataFrame | None = None
    labels: pl.DataFrame = field(default_factory=lambda: NO_LABELS)
    history: tuple[str, ...] = ()

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        format: str | None = None,
        columns: "Columns | dict[str, str] | None" = None,
        items: Path | str | None = None,
        users: Path | str | None = None,
        social: Path | str | None = None,
        clean: "CleanConfig | None" = None,
    ) -> "Dataset":
        """Read a log of interactions, and attribute and friendship tables beside it.

        Args:
            path: CSV, TSV, Parquet, JSON lines (plain, gz, zst), RecBole .inter, LightGCN text, MovieLens `::`, SciPy .npz.
            format: overrides what the name and the first lines say; `edgewise.data.read.FORMATS` lists them.
            columns: where the usual names do not fit: {"user_id": "customer", ...}.
            items, users, social: further files; their first or usual column is the id.
            clean: which cleaning steps to run; by default rows without ids are dropped and exact repeats merged.

        Raises:
            DataError: if a file is missing, empty, cut short or malformed; the text names the row and what to do.
        """
        from edgewise.data.read import read_dataset

        return read_dataset(path, format=format, columns=columns, items=items, users=users, social=social, clean=clean)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        columns: "Columns | dict[str, str] | None" = None,
        items: Any = None,
        users: Any = None,
        social: Any = None,
        clean: "CleanConfig | None" = None,
    ) -> "Dataset":
        """Take a Polars, pandas or Arrow frame of interactions (and frames of attributes); else as `from_file`."""
        from edgewise.data.read import dataset_from_frames

        return dataset_from_frames(frame, columns=columns, items=items, users=users, social=social, clean=clean)

    @classmethod
    def from_csr(cls, matrix: csr_array, *, user_ids: Any = None, item_ids: Any = None) -> "Dataset":
        """Take a SciPy matrix [n_users, n_items] of strengths, as `implicit` does; ids default to row and column numbers.

        Raises:
            DataError: if a stored value is not a number or not positive, or the ids do not fit the shape.
        """
        matrix = csr_array(matrix)
        n_users, n_items = matrix.shape
        users = _given_ids(user_ids, n_users, "user")
        items = _given_ids(item_ids, n_items, "item")
        values = np.asarray(matrix.data, dtype=np.float32)
        if bad := int((~np.isfinite(values) | (values <= 0)).sum()):
            raise DataError(
                f"{bad} of {values.size} stored values are not positive numbers; remove them (matrix.eliminate_zeros()) first."
            )
        user_index = np.repeat(np.arange(n_users), np.diff(matrix.indptr))
        events = pl.DataFrame(
            {
                "user_id": users.gather(user_index),
                "item_id": items.gather(matrix.indices.astype(np.int64)),
                "value": values,
            }
        )
        return cls.from_events(events, user_table=users.to_frame("user_id"), item_table=items.to_frame("item_id"))

    @classmethod
    def from_events(
        cls,
        events: pl.DataFrame,
        *,
        user_table: pl.DataFrame | None = None,
        item_table: pl.DataFrame | None = None,
        social: pl.DataFrame | None = None,
        labels: pl.DataFrame | None = None,
        history: tuple[str, ...] = (),
    ) -> "Dataset":
        """Build from tables that already have the names and types of `EVENT_COLUMNS`; the last step of every reader.

        Args:
            events: user_id, item_id and, where known, type, value, timestamp (Int64 milliseconds), session_id; ids not null.
            user_table, item_table: user_id / item_id, then attributes; one row an id.
            social: user_id, friend_id and, where known, weight, timestamp.
            labels: key, en, zh.
            history: lines for the report.

        Raises:
            DataError: if nothing is left, an id is missing, or a table has two rows for one id.
        """
        if events.is_empty():
            raise DataError("no interactions are left; a data set needs at least one row with a user and an item.")
        users = _map_of(events["user_id"], user_table, social, "user")
        items = _map_of(events["item_id"], item_table, None, "item")
        coded = events.select(
            pl.Series("user_index", encode(as_id_series(events["user_id"], "user").cast(users.ids.dtype), users)),
            pl.Series("item_index", encode(as_id_series(events["item_id"], "item").cast(items.ids.dtype), items)),
            *[pl.col(name) for name in ("type", "timestamp", "session_id") if name in events.columns],
            pl.col("value").cast(pl.Float32)
            if "value" in events.columns
            else pl.lit(1.0, dtype=pl.Float32).alias("value"),
        )
        if "type" in coded.columns and coded["type"].dtype != pl.Enum:
            names = coded["type"].cast(pl.String).unique().sort().to_list()
            coded = coded.with_columns(pl.col("type").cast(pl.String).cast(pl.Enum(names)))
        if "timestamp" in coded.columns and not coded["timestamp"].is_sorted():
            coded = _in_time_order(coded)
        return cls(
            users=users,
            items=items,
            events=coded,
            user_table=_aligned(user_table, users, "user_id"),
            item_table=_aligned(item_table, items, "item_id"),
            social=_coded_social(social, users),
            labels=NO_LABELS if labels is None else labels,
            history=history,
        )

    @property
    def n_users(self) -> int:
        """How many users the data set knows, with or without events."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """How many items the data set knows, with or without events."""
        return len(self.items)

    @property
    def n_events(self) -> int:
        """How many events it holds; a pair may have several."""
        return self.events.height

    @property
    def has_times(self) -> bool:
        """Whether events carry time stamps."""
        return "timestamp" in self.events.columns

    @property
    def type_names(self) -> tuple[str, ...]:
        """The kinds of events there are, ascending; one where the log does not name any."""
        dtype = self.events.schema.get("type")
        return tuple(dtype.categories) if isinstance(dtype, pl.Enum) else (DEFAULT_TYPE,)

    @cached_property
    def interactions(self) -> csr_array:
        """Who met what: float32 [n_users, n_items] of ones, columns ascending in each row. Treat it as read-only."""
        matrix = self.strengths.copy()
        matrix.data = np.ones_like(matrix.data)
        return matrix

    @cached_property
    def strengths(self) -> csr_array:
        """The sum of the values of each pair's events: float32 [n_users, n_items]. Treat it as read-only."""
        return _csr(
            self.events["user_index"].to_numpy(),
            self.events["item_index"].to_numpy(),
            self.events["value"].to_numpy(),
            (self.n_users, self.n_items),
        )

    @cached_property
    def ratings(self) -> csr_array:
        """The value of each pair's last event: float32 [n_users, n_items], the same pairs. Treat it as read-only.

        Who rates again has changed their mind, so values are not summed as in `strengths`. Last by time, else by row.
        """
        return _csr(
            self.events["user_index"].to_numpy(),
            self.events["item_index"].to_numpy(),
            self.events["value"].to_numpy(),
            (self.n_users, self.n_items),
            last=True,
        )

    @cached_property
    def item_counts(self) -> Index:
        """How many users met each item: int64 [n_items]."""
        return np.bincount(self.interactions.indices, minlength=self.n_items).astype(np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of ids and events: equal for equal data, whatever the file they came from."""
        digest = hashlib.sha256()
        for ids in (self.users.ids, self.items.ids):
            digest.update(ids.to_numpy().tobytes() if ids.dtype == pl.Int64 else "\0".join(ids.to_list()).encode())
        for column in self.events.select(pl.exclude("type", "session_id")).iter_columns():
            digest.update(column.name.encode() + column.to_numpy().tobytes())
        if "type" in self.events.columns:
            digest.update("\0".join(self.type_names).encode())
            digest.update(self.events["type"].to_physical().to_numpy().tobytes())
        return digest.hexdigest()

    def split(self, how: str = "time", **settings: Any) -> "Split":
        """Split into train and test (and valid, where asked); see `edgewise.data.split` for the ways and their settings."""
        from edgewise.data.split import split_dataset

        return split_dataset(self, how, **settings)

    def to_frame(self) -> pl.DataFrame:
        """Return the events with the caller's own ids: user_id, item_id, then the other columns."""
        return self.events.select(
            self.users.ids_at(self.events["user_index"].to_numpy()).alias("user_id"),
            self.items.ids_at(self.events["item_index"].to_numpy()).alias("item_id"),
            pl.exclude("user_index", "item_index"),
        )

    def subset(self, keep: pl.Series, *, note: str | None = None) -> "Dataset":
        """Return the data set of some of the events, with the ids that these, the tables and the friends have.

        A row without any attribute says nothing about its id, so it alone does not keep the id: a training set does not
        learn from the table which users and items the test events have. A table of ids alone keeps them all.

        Args:
            keep: Boolean, one an event.
            note: a line to add to `history`.

        Raises:
            DataError: if no event is kept.
        """
        events = self.events.filter(keep)
        if events.is_empty():
            raise DataError("no interactions are left; a data set needs at least one row with a user and an item.")
        befriended = [] if self.social is None else [self.social["user_index"], self.social["friend_index"]]
        users = _known(self.users, [events["user_index"], *befriended], self.user_table)
        items = _known(self.items, [events["item_index"]], self.item_table)
        return Dataset(
            users=_kept_ids(self.users, users),
            items=_kept_ids(self.items, items),
            events=_recoded(events, {"user_index": users, "item_index": items}),
            user_table=None if self.user_table is None else self.user_table.filter(pl.Series(users)),
            item_table=None if self.item_table is None else self.item_table.filter(pl.Series(items)),
            social=None if self.social is None else _recoded(self.social, {"user_index": users, "friend_index": users}),
            labels=self.labels,
            history=self.history if note is None else (*self.history, note),
        )

    def with_history(self, *lines: str) -> "Dataset":
        """Return the same data set with lines added to its history."""
        return replace(self, history=(*self.history, *lines))


def _known(id_map: IdMap, positions: list[pl.Series], table: pl.DataFrame | None) -> Bools:
    """Which ids some column of positions names, or the table describes: bool [n_ids]."""
    known = np.zeros(len(id_map), dtype=np.bool_)
    for column in positions:
        known[column.to_numpy()] = True
    if table is not None and table.width == 1:
        known[:] = True
    elif table is not None:
        known |= table.select(~pl.all_horizontal(pl.nth(range(1, table.width)).is_null())).to_series().to_numpy()
    return known


def _kept_ids(id_map: IdMap, known: Bools) -> IdMap:
    return id_map if known.all() else IdMap(id_map.ids.filter(pl.Series(known)), id_map.kind)


def _recoded(frame: pl.DataFrame, kept: dict[str, Bools]) -> pl.DataFrame:
    """Give columns of positions the positions that are left once only the kept ids are counted."""
    columns = [
        pl.Series(name, (np.cumsum(known, dtype=np.int32) - 1)[frame[name].to_numpy()])
        for name, known in kept.items()
        if not known.all()
    ]
    return frame.with_columns(columns)


def _in_time_order(events: pl.DataFrame) -> pl.DataFrame:
    """Sort events by time, equal times staying as they are."""
    if events["timestamp"].has_nulls():
        return events.sort("timestamp", maintain_order=True)
    times = events["timestamp"].to_numpy()
    n_bits = len(times).bit_length()
    lowest = int(times.min())
    if (int(times.max()) - lowest) >> (63 - n_bits):
        return events.sort("timestamp", maintain_order=True)
    # Time and row in one integer: one plain sort is several times faster than sorting positions, and cannot swap equals.
    keys = times - lowest
    keys <<= n_bits
    keys |= np.arange(len(times))
    keys.sort()
    order = pl.Series((keys & ((1 << n_bits) - 1)).astype(np.uint32 if n_bits < 32 else np.uint64))
    keys >>= n_bits
    keys += lowest
    columns = {"timestamp": pl.Series("timestamp", keys)}
    for name in events.columns:  # one after the other: of a long log there is never a second whole copy
        if name != "timestamp":
            columns[name] = events[name].rechunk().gather(order)
    return pl.DataFrame([columns[name] for name in events.columns])


def _csr(rows: Any, columns: Any, values: Any, shape: tuple[int, int], *, last: bool = False) -> csr_array:
    """Sum values by pair, or take the last, into CSR with 32-bit indices where they fit."""
    # One sort of a combined key is several times faster than SciPy's route over COO, and groups pairs at once.
    key = rows.astype(np.int64) * shape[1] + columns
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if key.size else np.empty(0, dtype=np.int64)
    if not key.size:
        of_pair = np.empty(0, dtype=np.float32)
    elif last:
        of_pair = values[order[np.append(first[1:], key.size) - 1]].astype(np.float32)
    else:
        of_pair = np.add.reduceat(values[order].astype(np.float64), first).astype(np.float32)
    pairs = key[first]
    index_type = np.int32 if max(pairs.size, *shape) < np.iinfo(np.int32).max else np.int64
    indptr = np.zeros(shape[0] + 1, dtype=index_type)
    np.cumsum(np.bincount(pairs // shape[1], minlength=shape[0]), out=indptr[1:])
    return csr_array((of_pair, (pairs % shape[1]).astype(index_type), indptr), shape=shape)


def _map_of(ids: pl.Series, table: pl.DataFrame | None, social: pl.DataFrame | None, kind: str) -> IdMap:
    parts = [as_id_series(ids, kind)]
    if table is not None:
        parts.append(as_id_series(table[f"{kind}_id"], kind))
    if social is not None:
        parts += [as_id_series(social["user_id"], kind), as_id_series(social["friend_id"], kind)]
    if len({part.dtype for part in parts}) > 1:
        parts = [part.cast(pl.String) for part in parts]
    # Distinct ids of each part first: concatenating the columns themselves would copy the whole log.
    return IdMap.of(
        pl.concat([part.unique().rename(kind) for part in parts]) if len(parts) > 1 else parts[0].rename(kind), kind
    )


def _aligned(table: pl.DataFrame | None, id_map: IdMap, key: str) -> pl.DataFrame | None:
    if table is None:
        return None
    ids = id_map.ids.to_frame(key)
    table = table.with_columns(pl.col(key).cast(ids[key].dtype))
    if table[key].n_unique() != table.height:
        repeated = table[key].filter(table[key].is_duplicated())
        raise DataError(f"the table of {key[:-3]}s has several rows for {key} {repeated[0]!r}; keep one row an id.")
    return ids.join(table, on=key, how="left", maintain_order="left")


def _coded_social(social: pl.DataFrame | None, users: IdMap) -> pl.DataFrame | None:
    if social is None:
        return None
    dtype = users.ids.dtype
    weight = (
        pl.col("weight").cast(pl.Float32)
        if "weight" in social.columns
        else pl.lit(1.0, dtype=pl.Float32).alias("weight")
    )
    return social.select(
        pl.Series("user_index", encode(social["user_id"].cast(dtype), users)),
        pl.Series("friend_index", encode(social["friend_id"].cast(dtype), users)),
        weight,
        *[pl.col(name) for name in ("timestamp",) if name in social.columns],
    )


def _given_ids(ids: Any, size: int, kind: str) -> pl.Series:
    if ids is None:
        return pl.Series(f"{kind}_id", np.arange(size, dtype=np.int64))
    series = as_id_series(ids, kind).rename(f"{kind}_id")
    if len(series) != size or series.n_unique() != size:
        raise DataError(
            f"{kind}_ids: the matrix has {size} {kind}s, and {len(series)} ids ({series.n_unique()} distinct) were given."
        )
    return series
