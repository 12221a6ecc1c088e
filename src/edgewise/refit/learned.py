"""What a refit learns from: what the model was first fitted on, and what the store's log says."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.catalogue import Catalogue
from edgewise.data import Dataset
from edgewise.data.clean import CleanConfig, clean_events
from edgewise.data.dataset import DEFAULT_TYPE, NO_LABELS
from edgewise.data.ids import IdMap
from edgewise.data.vocabulary import UNDOES
from edgewise.errors import NothingLeftError
from edgewise.pipeline.told import with_told
from edgewise.refit.log import Log, named_by
from edgewise.store import StoredItem, StoredUser

BASE, BASE_FRIENDS = "base", "base_friends"
"""What a model folder keeps for the next refit: strengths and friends that do not stem from the store's log."""

_COLUMNS = ("user_id", "item_id", "type", "value", "timestamp", "session_id")


@dataclass(frozen=True)
class Base:
    """What is known beside the log; ids as text.

    Attributes:
        events: user_id, item_id, value and, of a log that was read again, type, timestamp, session_id.
        user_table, item_table: ids and attributes; None where nothing is known.
        social: user_id, friend_id; None where the model knows no friends. labels: as in a data set.
        user_numbers, item_numbers: whether the ids are numbers; None where there are none yet.
        is_log: whether the events are those of a log, or only the sums that a model keeps of one.
    """

    events: pl.DataFrame
    user_table: pl.DataFrame | None = None
    item_table: pl.DataFrame | None = None
    social: pl.DataFrame | None = None
    labels: pl.DataFrame = field(default_factory=lambda: NO_LABELS)
    user_numbers: bool | None = None
    item_numbers: bool | None = None
    is_log: bool = False

    @classmethod
    def of_model(cls, catalogue: Catalogue, strengths: csr_array, friends: csr_array | None) -> "Base":
        """Take what a model keeps: of each pair the sum of its events' values.

        Args:
            catalogue: of the model. strengths: [n_users, n_items], the sums that do not stem from this store's log.
            friends: [n_users, n_users], those that do not; None where the model knows no friends.
        """
        rows = np.repeat(np.arange(strengths.shape[0]), np.diff(strengths.indptr))
        events = pl.DataFrame(
            {
                "user_id": _texts(catalogue.users.ids_at(rows)),
                "item_id": _texts(catalogue.items.ids_at(strengths.indices.astype(np.int64))),
                "value": strengths.data.astype(np.float64),
            }
        )
        social = None
        if friends is not None:
            one, other = friends.nonzero()
            once = one < other
            ends = (catalogue.users.ids_at(end[once].astype(np.int64)) for end in (one, other))
            social = pl.DataFrame(dict(zip(("user_id", "friend_id"), map(_texts, ends), strict=True)))
        return cls(
            events,
            _with_text(catalogue.user_table, "user_id"),
            _with_text(catalogue.item_table, "item_id"),
            social,
            NO_LABELS if catalogue.labels is None else catalogue.labels,
            not catalogue.users.is_text,
            not catalogue.items.is_text,
        )

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> "Base":
        """Take a log that was read again, with types and times."""
        social = None
        if dataset.social is not None:
            ends = (dataset.users.ids_at(dataset.social[name].to_numpy()) for name in ("user_index", "friend_index"))
            social = pl.DataFrame(dict(zip(("user_id", "friend_id"), map(_texts, ends), strict=True)))
        frame = dataset.to_frame()
        types = [pl.col("type").cast(pl.String)] if "type" in frame.columns else []
        return cls(
            frame.with_columns(pl.col("user_id", "item_id").cast(pl.String), pl.col("value").cast(pl.Float64), *types),
            _with_text(dataset.user_table, "user_id"),
            _with_text(dataset.item_table, "item_id"),
            social,
            dataset.labels,
            not dataset.users.is_text,
            not dataset.items.is_text,
            is_log=True,
        )


@dataclass(frozen=True)
class Learned:
    """What a model is to be fitted on.

    Attributes:
        base: without whom was erased. events: of the log, cleaned: `_COLUMNS` and seq. objects: see `with_told`.
        social: user_id, friend_id; None without. lines: what was done to the events, for people.
        n_erased: how many users of the base were left out because they were erased.
    """

    base: Base
    events: pl.DataFrame
    social: pl.DataFrame | None
    user_table: pl.DataFrame | None
    item_table: pl.DataFrame | None
    clean: CleanConfig
    lines: tuple[str, ...]
    n_erased: int

    def newest(self, after: int, share: float, most: int) -> pl.DataFrame:
        """Return the newest events of those after a number of the log: by time, at one time by arrival.

        Args:
            after: the number. share: of these events, in [0, 1]. most: not more than so many.
        """
        since = self.events.filter(pl.col("seq") > after).sort("timestamp", "seq")
        return since.tail(min(most, round(share * since.height)))

    def dataset(self, leave_out: pl.DataFrame | None = None) -> Dataset:
        """Put everything together.

        Args:
            leave_out: events of `events` that are not to be in it.

        Raises:
            DataError: if nothing is left.
        """
        events = self.events
        if leave_out is not None:
            events = events.filter(~pl.col("seq").is_in(leave_out["seq"].implode()))
        together = pl.concat([_full(self.base.events), _full(events)])
        empty = [name for name in ("timestamp", "session_id") if together[name].null_count() == together.height]
        together = together.drop(empty)
        fewest = {"min_user_interactions": self.clean.min_user_interactions, "min_item_interactions": self.clean.min_item_interactions}  # fmt: skip
        if any(fewest.values()):
            keep = {"missing_time": "drop", "impossible_times": "keep", "negative": "keep", "exact_repeats": "keep"}
            known = (
                together.with_columns(pl.col("timestamp").fill_null(0)) if "timestamp" in together.columns else together
            )
            cleaned = clean_events(
                known.with_row_index("place"), CleanConfig.model_validate({**fewest, **keep, "undo": "keep"})
            )[0]
            together = together[cleaned["place"]]
        users = _ids(together["user_id"], self.user_table, numbers=self.base.user_numbers, social=self.social)
        items = _ids(together["item_id"], self.item_table, numbers=self.base.item_numbers)
        social = self.social
        return Dataset.from_events(
            together.with_columns(pl.col("user_id").cast(users), pl.col("item_id").cast(items)),
            user_table=_cast(_that_say_something(self.user_table, together["user_id"]), "user_id", users),
            item_table=_cast(_that_say_something(self.item_table, together["item_id"]), "item_id", items),
            social=None if social is None else social.with_columns(pl.all().cast(users)),
            labels=self.base.labels,
            history=self.lines,
        )

    def to_keep(self, users: IdMap, items: IdMap) -> dict[str, csr_array]:
        """Return the base by dense index, for the next refit: `BASE` and, where there are friends, `BASE_FRIENDS`."""
        events, social = self.base.events, self.base.social
        kept = {BASE: _matrix(events["user_id"], users, events["item_id"], items, events["value"])}
        if social is not None:
            ones = pl.Series(np.ones(social.height))
            kept[BASE_FRIENDS] = _matrix(social["user_id"], users, social["friend_id"], users, ones)
            kept[BASE_FRIENDS] = csr_array(kept[BASE_FRIENDS] + kept[BASE_FRIENDS].T)
            kept[BASE_FRIENDS].data[:] = 1
        return kept


def learned_of(
    base: Base, log: Log, users: Sequence[StoredUser], items: Sequence[StoredItem], clean: CleanConfig
) -> Learned:
    """Bring together what is known beside the log and the log.

    Whoever was erased is taken out of the base; what the log has of them came later. What events of the log take back of
    the base goes as well. Events of the log are cleaned as `fit` cleans a log, but that one odd event cannot stop it:
    those with a negative value are left out unless the settings say what to do with them.
    """
    base, n_erased = _without_erased(base, log)
    if base.is_log and clean.types is not None and "type" in base.events.columns:
        kept = _with_undoings(clean.types)
        base = replace(base, events=base.events.filter(pl.col("type").is_in(kept)))
    if clean.undo == "apply":
        base = _without_taken_back(base, log)
    events = log.events.filter(pl.col("item_id").is_not_null()).select(*_COLUMNS, "seq")
    if base.is_log and clean.undo == "apply":
        events, base, lines = _cleaned_together(base, events, clean)
    else:
        events, lines = _cleaned(events, clean)
    return Learned(
        base,
        events,
        None if base.social is None else _followed(base.social, log),
        with_told(base.user_table, users, "user"),
        with_told(base.item_table, items, "item"),
        clean,
        lines,
        n_erased,
    )


def _cleaned(events: pl.DataFrame, clean: CleanConfig) -> tuple[pl.DataFrame, tuple[str, ...]]:
    given = events
    changes: dict[str, object] = {"types": None, "min_user_interactions": 0, "min_item_interactions": 0}
    changes["exact_repeats"] = "keep"  # done here: numbers of the log make all rows different
    if "negative" not in clean.model_fields_set:
        changes["negative"] = "drop"
    if clean.types is not None:
        events = events.filter(pl.col("type").is_in(_with_undoings(clean.types)))
    if clean.exact_repeats == "merge":
        events = events.unique(list(_COLUMNS), keep="first", maintain_order=True)
    if events.is_empty():
        return events, ()
    try:
        cleaned, report = clean_events(events, clean.model_copy(update=changes))
    except NothingLeftError:
        return events.clear(), (
            f"Of {given.height:,} events nothing is left: they are taken back, or not of a kind that counts.",
        )
    return cleaned, report.lines()


def _with_undoings(types: Sequence[str]) -> list[str]:
    return [*types, *(undoing for undoing, undone in UNDOES.items() if undone in types)]


def _cleaned_together(
    base: Base, events: pl.DataFrame, clean: CleanConfig
) -> tuple[pl.DataFrame, Base, tuple[str, ...]]:
    """Clean the log after events of the base that it takes back have gone: the base has types and times."""
    if "type" not in base.events.columns or events.is_empty():
        cleaned, lines = _cleaned(events, clean)
        return cleaned, base, lines
    numbered = _full(base.events).with_columns(pl.lit(-1, dtype=pl.Int64).alias("seq")).with_row_index("place")
    both = pl.concat([numbered, events.with_columns(pl.lit(None, dtype=pl.UInt32).alias("place"))], how="diagonal")
    undone = {"undo": "apply", "types": None, "missing_time": "drop", "impossible_times": "keep", "negative": "keep"}
    only_undo = CleanConfig.model_validate({**undone, "exact_repeats": "keep"})
    try:
        left = clean_events(both.with_columns(pl.col("timestamp").fill_null(0)), only_undo)[0]
    except NothingLeftError:
        left = both.clear()
    places = left["place"].drop_nulls()
    kept = base.events.with_row_index("place").filter(pl.col("place").is_in(places.implode())).drop("place")
    cleaned, lines = _cleaned(events.filter(pl.col("seq").is_in(left["seq"].implode())), clean)
    return cleaned, replace(base, events=kept), lines


def _without_erased(base: Base, log: Log) -> tuple[Base, int]:
    if not log.erased_users and not log.erased_items:
        return base, 0
    of_users = [base.events["user_id"]]
    of_users += [] if base.user_table is None else [base.user_table["user_id"]]
    of_users += [] if base.social is None else [base.social["user_id"], base.social["friend_id"]]
    of_items = [base.events["item_id"], *([] if base.item_table is None else [base.item_table["item_id"]])]
    users = named_by(log.erased_users, pl.concat([ids.alias("id") for ids in of_users]).unique())
    items = named_by(log.erased_items, pl.concat([ids.alias("id") for ids in of_items]).unique())
    gone_user, gone_item = pl.col("user_id").is_in(users), pl.col("item_id").is_in(items)
    return replace(
        base,
        events=base.events.filter(~gone_user & ~gone_item),
        user_table=None if base.user_table is None else base.user_table.filter(~gone_user),
        item_table=None if base.item_table is None else base.item_table.filter(~gone_item),
        social=None if base.social is None else base.social.filter(~gone_user & ~pl.col("friend_id").is_in(users)),
    ), len(users)


def _without_taken_back(base: Base, log: Log) -> Base:
    """Take out pairs of which the log says nothing but that they are taken back; of a log with types, cleaning does it."""
    if base.is_log and "type" in base.events.columns:
        return base
    gone = log.net("item_id").filter(pl.col("n") < 0)
    if gone.is_empty():
        return base
    return replace(base, events=base.events.join(gone, on=["user_id", "item_id"], how="anti", maintain_order="left"))


def _followed(social: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Add whom users follow since, and take out whom they no longer follow, in either direction."""
    net = log.net("target_user_id").rename({"target_user_id": "friend_id"})
    gone = net.filter(pl.col("n") < 0).select("user_id", "friend_id")
    both = pl.concat([gone, gone.select(pl.col("friend_id").alias("user_id"), pl.col("user_id").alias("friend_id"))])
    kept = social.select("user_id", "friend_id").join(
        both, on=["user_id", "friend_id"], how="anti", maintain_order="left"
    )
    new = net.filter(pl.col("n") > 0).select("user_id", "friend_id").sort("user_id", "friend_id")
    ends = (
        pl.min_horizontal("user_id", "friend_id").alias("one"),
        pl.max_horizontal("user_id", "friend_id").alias("other"),
    )
    new = new.with_columns(ends).unique(["one", "other"], keep="first", maintain_order=True)
    new = new.join(kept.select(ends), on=["one", "other"], how="anti", maintain_order="left")
    return pl.concat([kept, new.select("user_id", "friend_id")])


def _full(events: pl.DataFrame) -> pl.DataFrame:
    """Give events all columns, missing ones empty, and a type."""
    types = {"type": pl.String, "value": pl.Float64, "timestamp": pl.Int64, "session_id": pl.String}
    lacking = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in types.items() if name not in events.columns]
    full = events.with_columns(lacking).select(
        "user_id", "item_id", *[pl.col(name).cast(dtype) for name, dtype in types.items()]
    )
    return full.with_columns(pl.col("type").fill_null(DEFAULT_TYPE), pl.col("value").fill_null(1.0))


def _matrix(rows: pl.Series, row_ids: IdMap, columns: pl.Series, column_ids: IdMap, values: pl.Series) -> csr_array:
    """Sum values by pair of ids; pairs with an id that is not known are left out."""
    row, column = (
        ids.index_of(given.cast(ids.ids.dtype, strict=False)) for given, ids in ((rows, row_ids), (columns, column_ids))
    )
    there = (row >= 0) & (column >= 0)
    found = csr_array(
        (values.to_numpy().astype(np.float32)[there], (row[there], column[there])),
        shape=(len(row_ids), len(column_ids)),
    )
    found.sum_duplicates()
    return found


def _ids(
    ids: pl.Series, table: pl.DataFrame | None, *, numbers: bool | None, social: pl.DataFrame | None = None
) -> type[pl.DataType]:
    """Tell the type of ids: numbers where they have been so far, and every new one is written like a number."""
    if not numbers:
        return pl.String
    every = [ids.alias("id")]
    every += [] if table is None else [table.to_series(0).alias("id")]
    every += [] if social is None else [social["user_id"].alias("id"), social["friend_id"].alias("id")]
    read = IdMap(pl.Series("id", [0]), "user").from_text(pl.concat(every).unique().to_list())
    return pl.String if read.has_nulls() else pl.Int64


def _that_say_something(table: pl.DataFrame | None, met: pl.Series) -> pl.DataFrame | None:
    """Leave out rows without any attribute of whom no event tells: nothing is known of them any more."""
    if table is None or table.width == 1:
        return None
    key = table.columns[0]
    says = ~pl.all_horizontal(pl.nth(range(1, table.width)).is_null())
    return table.filter(says | pl.col(key).is_in(met.unique().implode()))


def _cast(table: pl.DataFrame | None, key: str, dtype: type[pl.DataType]) -> pl.DataFrame | None:
    return None if table is None else table.with_columns(pl.col(key).cast(dtype))


def _with_text(table: pl.DataFrame | None, key: str) -> pl.DataFrame | None:
    return None if table is None or table.width == 1 else table.with_columns(pl.col(key).cast(pl.String))


def _texts(ids: pl.Series) -> pl.Series:
    return ids.cast(pl.String)
