"""What a person should look at in a log: machines among the users, ids that are no ids, columns that say nothing."""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from edgewise.data.clean import DAY_MS, MINUTE_MS
from edgewise.data.dataset import Dataset
from edgewise.data.wording import count, share, time_text

_FASTEST_PERSON = 60
"""Nobody acts more often than this in a minute; MovieLens users, who rate lists of films, come close."""

_FASTEST_BASKETS = 30
"""Where what belongs together is logged at one time (a basket, a list of ratings), times are counted instead of events."""

_BASKETS = 0.3

_NO_IDS = (
    "null",
    "none",
    "nan",
    "na",
    "n/a",
    "unknown",
    "undefined",
    "anonymous",
    "guest",
    "test",
    "0",
    "-1",
    "未知",
    "匿名",
)
"""Texts that stand for "nobody" in many logs; so do the integers 0 and -1."""

_STAND_IN = 0.02
_MUCH = 0.05
_MUCH_MORE = 10
"""Of one user (or item): this share of all events, and so many times what the median one has."""
_MOST = 0.9
_ENOUGH = 20
"""Shares of fewer users than this are nothing to go by."""


def odd_things(
    events: pl.DataFrame,
    dataset: Dataset,
    items: pl.DataFrame | None = None,
    *,
    names: Mapping[str, str] | None = None,
    quantity: pl.Series | None = None,
) -> tuple[str, ...]:
    """List what is odd, one line each.

    Args:
        events: as read, before cleaning.
        dataset: of the cleaned events.
        items: the table of items, for names that several share.
        names: standard name to the name in the file.
        quantity: a column of the log that is not read, and tells how much was bought.
    """
    found: list[str] = []
    found += _negative_values(events)
    cancelled = _cancelled(events)
    if quantity is not None:
        found += _returned(quantity, cancelled)
    of = events["value"] if "value" in events.columns else quantity
    if cancelled is not None:
        told = cancelled if of is None else cancelled & ~(of < 0).fill_null(value=False)  # the rest is told as negative
        found += _still_counted(told, events["session_id"], (names or {}).get("session_id", "session_id"))
    for kind in ("user", "item"):
        found += _dominant(dataset, kind)
        found += _odd_ids(dataset, kind)
    found += _one_event_each(dataset)
    found += _constant(dataset)
    found += _skewed_values(dataset)
    if dataset.has_times:
        found += _machines(dataset)
        found += _coarse_times(dataset)
    if items is not None:
        found += _same_names(items)
    return tuple(found)


def _negative_values(events: pl.DataFrame) -> Iterator[str]:
    if "value" not in events.columns:
        return
    negative = (events["value"] < 0).fill_null(value=False)
    if number := int(negative.sum()):
        row = int(negative.arg_max() or 0)
        yield (
            f"{number:,} of {events.height:,} rows ({share(number, events.height)}) have a negative value; the first is row {row + 1} "
            f"(value {events['value'][row]:g}). A fit refuses them until [clean] negative says 'drop' or 'keep'."
        )


def _returned(quantity: pl.Series, cancelled: pl.Series | None) -> Iterator[str]:
    negative = (quantity < 0).fill_null(value=False)
    if number := int(negative.sum()):
        row = int(negative.arg_max() or 0)
        both = 0 if cancelled is None else int((negative & cancelled).sum())
        yield (
            f"{number:,} of {count(len(quantity), 'row')} ({share(number, len(quantity))}) have a negative {quantity.name!r}, as returns do; the first "
            f"is row {row + 1} ({quantity[row]:g})."
            + (f" {both:,} of them are of an order or invoice that begins with C, as cancellations do." if both else "")
            + " The column is not read, so they count as interest like any other. To leave them out: "
            f"--set data.value={quantity.name} --set clean.negative=drop, which takes it for the strength of the others."
        )


def _cancelled(events: pl.DataFrame) -> pl.Series | None:
    """Say which rows are of a cancellation, where sessions are numbers of orders and some have a C before them."""
    if "session_id" not in events.columns:
        return None
    text = events["session_id"].cast(pl.String)
    cancelled = text.str.contains(r"^[Cc]\d+$").fill_null(value=False)
    numbered = text.filter(~cancelled).str.contains(r"^\d+$").fill_null(value=False)
    return cancelled if cancelled.any() and int(numbered.sum()) > _MOST * len(numbered) else None


def _still_counted(cancelled: pl.Series, sessions: pl.Series, name: str) -> Iterator[str]:
    if number := int(cancelled.sum()):
        yield (
            f"{number:,} of {count(len(cancelled), 'row')} ({share(number, len(cancelled))}) have {name!r} beginning with C, as cancellations do, such as "
            f"{sessions.filter(cancelled)[0]!r}. They count as interest like any other: take them out of the file first, or give them a type "
            "(refund), which takes back the purchase."
        )


def _dominant(dataset: Dataset, kind: str) -> Iterator[str]:
    """One user or item with a large share of all events."""
    counts = np.bincount(dataset.events[f"{kind}_index"].to_numpy())
    top, top_count, part = int(counts.argmax()), int(counts.max()), float(counts.max() / counts.sum())
    if part > _MUCH and top_count > _MUCH_MORE * float(np.median(counts)):
        one = dataset.users if kind == "user" else dataset.items
        yield f"{kind} {one.ids[top]!r} has {part:.1%} of all events ({top_count:,}); the median {kind} has {np.median(counts):g}."


def _odd_ids(dataset: Dataset, kind: str) -> Iterator[str]:
    """Ids that stand for nobody, differ by case alone, or were once integers."""
    ids = (dataset.users if kind == "user" else dataset.items).ids
    counts = np.bincount(dataset.events[f"{kind}_index"].to_numpy(), minlength=len(ids))
    lower = ids.cast(pl.String).str.to_lowercase()
    for place in lower.is_in(_NO_IDS).arg_true().to_list():
        if counts[place] > max(_STAND_IN * counts.sum(), 10 * float(np.median(counts))):
            yield f"{kind} {ids[place]!r} looks like a stand-in for an unknown {kind}, with {count(int(counts[place]), 'event')}."
    if ids.dtype != pl.String:
        return
    if number := len(ids) - lower.n_unique():
        pair = ids.filter(lower.is_duplicated() & (lower == lower.filter(lower.is_duplicated())[0])).to_list()[:2]
        yield f"{kind} ids that differ from another only by case: {number:,}, such as {pair[0]!r} and {pair[1]!r}; they count as different."
    if (floats := float(ids.str.contains(r"^-?\d+\.0$").mean() or 0.0)) > _MOST:  # type: ignore[arg-type]
        yield f"{floats:.1%} of the {kind} ids look like {ids[0]!r}: integers that became decimals because some were missing."


def _one_event_each(dataset: Dataset) -> Iterator[str]:
    for kind in ("user", "item"):
        counts = np.bincount(dataset.events[f"{kind}_index"].to_numpy())
        alone = float((counts == 1).sum() / (counts > 0).sum())
        if alone > _MOST and dataset.n_events > _ENOUGH:
            yield f"{alone:.1%} of the {kind}s have one event only, which teaches little. Is the {kind} column perhaps one of rows or visits?"


def _constant(dataset: Dataset) -> Iterator[str]:
    for name in ("value", "type", "timestamp"):
        if name in dataset.events.columns and dataset.n_events > 1:
            column = dataset.events[name]
            if column[0] is not None and column.n_unique() == 1:
                shown = (
                    time_text(column[0])
                    if name == "timestamp"
                    else f"{column[0]:g}"
                    if name == "value"
                    else str(column[0])
                )
                if name != "value" or column[0] != 1.0:
                    yield f"{name} is {shown} in every row, so it says nothing."


def _skewed_values(dataset: Dataset) -> Iterator[str]:
    values = dataset.events["value"].to_numpy()
    median, highest = float(np.median(values)), float(values.max())
    if median > 0 and highest > 100 * median:
        yield f"the highest value, {highest:g}, is {highest / median:,.0f} times the median {median:g}; a model that uses values may see little else."


def _machines(dataset: Dataset) -> Iterator[str]:
    """Users with more events in some minute than a person makes."""
    by_user = dataset.events.select("user_index", "timestamp").sort("user_index", "timestamp")
    times = by_user.unique(maintain_order=True)
    in_baskets = 1 - times.height / by_user.height > _BASKETS
    limit = _FASTEST_BASKETS if in_baskets else _FASTEST_PERSON
    by_user = times if in_baskets else by_user
    later = by_user.shift(-limit)
    fast = (by_user["user_index"] == later["user_index"]) & (later["timestamp"] - by_user["timestamp"] < MINUTE_MS)
    users = by_user["user_index"].filter(fast.fill_null(value=False))
    if users.is_empty() or (dataset.events["timestamp"] % DAY_MS == 0).all():
        return
    worst = users.value_counts(sort=True)["user_index"][0]
    total = int((dataset.events["user_index"] == worst).sum())
    yield (
        f"{count(users.n_unique(), 'user')} had more than {limit} {'times' if in_baskets else 'events'} in some minute, such as {dataset.users.ids[worst]!r} "
        f"({total:,} events in all); people hardly do. [clean] max_events_per_minute leaves them out."
    )


def _coarse_times(dataset: Dataset) -> Iterator[str]:
    times = dataset.events["timestamp"]
    if times.n_unique() > 1 and (times % DAY_MS == 0).all():
        yield "all times are at midnight, so they are days: nothing tells the order within one."
        return
    spread = dataset.events.group_by("user_index").agg(
        n=pl.len(), same=pl.col("timestamp").max() == pl.col("timestamp").min()
    )
    several = spread.filter(pl.col("n") > 1)
    if several.height >= _ENOUGH and (part := float(several["same"].mean() or 0.0)) > 0.5:  # type: ignore[arg-type]
        yield f"{part:.1%} of the users with several events have all of them at one time: the order of their events is unknown."


def _same_names(items: pl.DataFrame) -> Iterator[str]:
    if "title" not in items.columns:
        return
    titles = items["title"].cast(pl.String).str.strip_chars().str.to_lowercase()
    repeated = titles.is_duplicated() & titles.is_not_null()
    if number := int(repeated.sum()):
        first = items["title"].filter(repeated)[0]
        yield f"{count(number, 'item')} share their title with another, such as {first!r}: one thing under several ids?"
