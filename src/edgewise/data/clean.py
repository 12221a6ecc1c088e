"""Cleaning a log of events: each step is optional, and what it drops, fills or merges is counted and shown.

The steps run in the order of `clean_events`: rows that cannot be used, values out of range, repeats, people who are not
people, and last the k-core, since every earlier step changes how many interactions are left.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from edgewise.config import Settings
from edgewise.data.dataset import DEFAULT_TYPE
from edgewise.data.ids import IdMap, as_id_series, encode
from edgewise.data.vocabulary import UNDOES
from edgewise.data.wording import count, share, time_text
from edgewise.errors import DataError, NothingLeftError
from edgewise.types import Bools, Index

DAY_MS = 86_400_000
MINUTE_MS = 60_000

_ROW = "__row__"
"""Where each event stood in the table as given, from 0; it goes through all steps so that examples can name a row."""


class CleanConfig(Settings):
    """Settings of the section [clean]."""

    missing: Literal["drop", "raise"] = "drop"  # rows without a user id or an item id
    undo: Literal["apply", "keep"] = "apply"  # an unlike takes back the like before it, a refund the purchase, …
    types: tuple[str, ...] | None = None  # the kinds of events to keep; all by default
    missing_time: Literal["drop", "raise"] = "drop"  # rows without a time in a log that has times
    impossible_times: Literal["drop", "raise", "keep"] = "drop"  # before 1970, or later than a day from now
    missing_value: Literal["fill", "drop"] = "fill"  # an event without a value still happened: it counts as fill_value
    fill_value: PositiveFloat = 1.0
    non_finite: Literal["drop", "raise"] = "drop"  # values that are NaN or infinite
    negative: Literal["raise", "drop", "keep"] = "raise"  # returns and dislikes mean something else in every log
    min_value: float | None = None  # the positive threshold: with 4, a rating of 4 and above counts as liked
    max_value: float | None = None
    exact_repeats: Literal["merge", "keep"] = "merge"  # rows that are the same in every column
    outliers: Literal["keep", "quantile", "iqr"] = "keep"  # values far above the others of their type
    outlier_quantile: float = Field(default=0.999, gt=0, lt=1)
    outlier_iqr: PositiveFloat = 3.0  # times the width of the middle half, above it: Tukey's "far out"
    max_events_per_minute: PositiveInt | None = None  # whoever has more in any 60 s is dropped as a machine
    max_events_per_day: PositiveInt | None = None  # the same for any 24 h
    repeated_pairs: Literal["all", "first", "last", "sum", "max"] = "all"  # a log may repeat, so all are kept
    min_user_interactions: NonNegativeInt = 0  # distinct items a user must have met,
    min_item_interactions: NonNegativeInt = 0  # and distinct users an item: repeated until both hold


@dataclass(frozen=True)
class CleanStep:
    """What one step did.

    Attributes:
        name: the setting that controls it. setting: as one would write it, such as "min_value = 4.0".
        found: what it looked for, in words: "with a value below 4".
        before, after: rows. filled: rows that were kept and changed.
        example: the first row concerned, "" where there was none.
    """

    name: str
    setting: str
    found: str
    before: int
    after: int
    filled: int = 0
    example: str = ""

    @property
    def dropped(self) -> int:
        """How many rows it took away."""
        return self.before - self.after

    def line(self) -> str:
        """Say it in a sentence or two."""
        if not self.dropped and not self.filled:
            return f"Found no rows {self.found} ([clean] {self.setting})."
        number = self.dropped or self.filled
        done = (
            "Filled in" if self.filled else "Merged" if self.name in ("exact_repeats", "repeated_pairs") else "Dropped"
        )
        of = f"{number:,} of {self.before:,} rows ({share(number, self.before)})"
        return f"{done} {of} {self.found} ([clean] {self.setting}). First: {self.example}."


@dataclass(frozen=True)
class CleanReport:
    """What cleaning did, step by step, in the order it was done.

    Attributes:
        before, after: rows given and rows left.
        steps: every step that ran, also those that found nothing.
    """

    before: int
    after: int
    steps: tuple[CleanStep, ...]

    def lines(self) -> tuple[str, ...]:
        """Say in plain English what changed: a summary, then a line for each step that found something."""
        if self.before == self.after:
            summary = "Cleaning kept the only row." if self.after == 1 else f"Cleaning kept all {self.after:,} rows."
        else:
            summary = f"Cleaning kept {self.after:,} of {self.before:,} rows ({share(self.after, self.before)})."
        return (summary, *(step.line() for step in self.steps if step.dropped or step.filled))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        steps = [asdict(step) | {"dropped": step.dropped} for step in self.steps]
        return {"before": self.before, "after": self.after, "steps": steps}


def clean_events(
    events: pl.DataFrame, config: CleanConfig | None = None, *, now: int | None = None
) -> tuple[pl.DataFrame, CleanReport]:
    """Clean a log and report every row that was dropped, filled or merged.

    Args:
        events: user_id, item_id and, where known, type, value, timestamp (Int64, UTC milliseconds), session_id. Rows are
            numbered from 1 in messages, without the header line. Further columns are kept.
        config: which steps to run; see `CleanConfig`.
        now: UTC milliseconds since 1970; the clock by default.

    Returns:
        The rows left, in the order given, with the same columns (and `value`, where sums of repeated pairs need it).

    Raises:
        DataError: if a row breaks a rule that is set to "raise", if a setting needs a column that the log lacks, or if a
            step leaves nothing: the text names the row, or the step and its setting.
    """
    config = CleanConfig() if config is None else config
    work = _Work(_checked(events, config).with_row_index(_ROW), config)
    _usable_rows(work, int(time.time() * 1000) if now is None else now)
    _values_in_range(work)
    _exact_repeats(work)
    _outliers(work)
    _inhuman_users(work)
    _repeated_pairs(work)
    _core(work)
    return work.frame.drop(_ROW), CleanReport(events.height, work.frame.height, tuple(work.steps))


class _Work:
    """The rows that are left so far, and the steps so far."""

    def __init__(self, frame: pl.DataFrame, config: CleanConfig) -> None:
        self.frame = frame
        self.given = frame.height
        self.config = config
        self.steps: list[CleanStep] = []

    def has(self, column: str) -> bool:
        return column in self.frame.columns

    def apply(self, name: str, bad: pl.Expr | pl.Series, found: str, *, hint: str = "", setting: str = "") -> None:
        """Do to the rows in `bad` what the setting `name` says: drop them, or raise.

        Args:
            name: the setting; with the value "raise" it raises at the first such row.
            bad: Boolean; null counts as no.
            found: what these rows are, as in "12 rows FOUND were dropped".
            hint: what to do, added where it raises or leaves nothing.
            setting: how to show the setting, where its name and value are not all.
        """
        rule = getattr(self.config, name)
        setting = setting or _setting(name, rule)
        mask = bad if isinstance(bad, pl.Series) else self.frame.select(bad.fill_null(value=False)).to_series()
        number = int(mask.sum())
        if number == 0:
            self._record(name, setting, found, self.frame, "")
            return
        example = _shown(self.frame.row(int(mask.arg_max() or 0), named=True))
        if rule == "raise":
            hint = hint or f"Set [clean] {name} = 'drop' to leave them out."
            raise DataError(f"{example}: {count(number, 'row')} {found}. {hint}")
        left = self.frame.filter(~mask)
        if left.is_empty():
            if number < self.given:
                gone = f"the last {number:,} of {self.given:,} rows, those"
            else:
                gone = "the only row," if number == 1 else f"all {number:,} rows"
            raise NothingLeftError(
                f"cleaning left nothing: [clean] {setting} took away {gone} {found}, such as {example}. "
                f"{hint or 'Loosen or unset it.'}"
            )
        self._record(name, setting, found, left, example)

    def fill(self, name: str, column: str, value: Any, found: str, setting: str) -> None:
        """Put `value` where `column` is null."""
        missing = self.frame[column].is_null()
        number = int(missing.sum())
        if number == 0:
            return
        example = _shown(self.frame.row(int(missing.arg_max() or 0), named=True))
        self.frame = self.frame.with_columns(pl.col(column).fill_null(value))
        height = self.frame.height
        self.steps.append(CleanStep(name, setting, found, height, height, number, example))

    def merge(self, name: str, left: pl.DataFrame, found: str, first: int) -> None:
        """Take `left` for the rows, `first` being the position of the first row that went into another."""
        example = _shown(self.frame.row(first, named=True)) if left.height < self.frame.height else ""
        self._record(name, _setting(name, getattr(self.config, name)), found, left, example)

    def _record(self, name: str, setting: str, found: str, left: pl.DataFrame, example: str) -> None:
        self.steps.append(CleanStep(name, setting, found, self.frame.height, left.height, 0, example))
        self.frame = left


# The steps.


def _usable_rows(work: _Work, now: int) -> None:
    """Rows that name a user, an item, a wanted type and a possible time."""
    blank = [pl.col(name).is_null() | _blank(work.frame[name].dtype, name) for name in ("user_id", "item_id")]
    work.apply("missing", blank[0] | blank[1], "without a user id or an item id")
    if work.has("type") and work.frame["type"].null_count():
        work.frame = work.frame.with_columns(pl.col("type").cast(pl.String))
        work.fill("type", "type", DEFAULT_TYPE, "without a type", f"events without a type become '{DEFAULT_TYPE}'")
    if work.has("timestamp"):
        work.apply("missing_time", pl.col("timestamp").is_null(), "without a time")
        if work.config.impossible_times != "keep":
            possible = pl.col("timestamp").is_between(0, now + DAY_MS)
            hint = (
                "If the column counts in another unit, set time_unit in [data]; to keep such rows as they are, "
                "set [clean] impossible_times = 'keep'."
            )
            work.apply("impossible_times", ~possible, "from before 1970 or from the future", hint=hint)
    if work.has("type"):
        if work.config.undo == "apply":
            _undo(work)
        if work.config.types is not None:
            _wanted_types(work, work.config.types)


def _undo(work: _Work) -> None:
    """Events that take back an earlier one go, and with each the latest event of its kind that is still there.

    Earlier in time, and in the table where times are equal or absent; one that finds nothing to take back goes too.
    """
    kind = pl.col("type").cast(pl.String)
    undone = kind.replace_strict(UNDOES, default=None, return_dtype=pl.String)
    of_pair = ["user_id", "item_id", "undone"]
    rows = work.frame.select(
        "user_id", "item_id", undone.fill_null(kind).alias("undone"), undone.is_not_null().alias("undo")
    )
    if not rows["undo"].any():
        return
    order = [name for name in ("timestamp",) if work.has(name)]
    rows = rows.with_columns(work.frame[name] for name in order).with_row_index("position")
    rows = rows.filter(pl.col("undo").any().over(of_pair)).sort(*of_pair, *order, "position")
    new = rows.select(pl.struct(of_pair).rle_id()).to_series()
    gone = np.zeros(work.frame.height, dtype=np.bool_)
    still_there: list[int] = []
    group = -1
    for position, undoes, pair in zip(rows["position"], rows["undo"], new, strict=True):
        if pair != group:
            still_there, group = [], pair
        if not undoes:
            still_there.append(position)
            continue
        gone[position] = True
        if still_there:
            gone[still_there.pop()] = True
    work.apply("undo", pl.Series(gone), "taken back by a later event, or that take one back")


def _wanted_types(work: _Work, types: tuple[str, ...]) -> None:
    there = work.frame["type"].unique().cast(pl.String).sort().to_list()
    if absent := [name for name in types if name not in there]:
        applied = work.config.undo == "apply" and any(name in UNDOES for name in absent)
        raise DataError(
            f"[clean] types names {', '.join(map(repr, absent))}, which the log does not have; it has {', '.join(map(repr, there))}."
            + (" Events that undo others have been applied; set [clean] undo = 'keep' to keep them." if applied else "")
        )
    work.apply("types", ~pl.col("type").is_in(list(types)), "of another type")


def _values_in_range(work: _Work) -> None:
    """Values that are numbers, not negative, and between the bounds."""
    if not work.has("value"):
        return
    config = work.config
    if config.missing_value == "fill":
        setting = f"missing_value = 'fill', fill_value = {config.fill_value}"
        work.fill("missing_value", "value", config.fill_value, "without a value", setting)
    else:
        work.apply("missing_value", pl.col("value").is_null(), "without a value")
    work.apply("non_finite", ~pl.col("value").is_finite(), "with a value that is not a finite number")
    if config.negative != "keep":
        hint = "Set [clean] negative = 'drop' to leave them out (returns and cancellations, say), or 'keep' if they are meant."
        work.apply("negative", pl.col("value") < 0, "with a negative value", hint=hint)
    if config.min_value is not None:
        highest = f"The highest value is {_number(work.frame['value'].max())}."
        work.apply(
            "min_value", pl.col("value") < config.min_value, f"with a value below {config.min_value:g}", hint=highest
        )
    if config.max_value is not None:
        lowest = f"The lowest value is {_number(work.frame['value'].min())}."
        work.apply(
            "max_value", pl.col("value") > config.max_value, f"with a value above {config.max_value:g}", hint=lowest
        )


def _exact_repeats(work: _Work) -> None:
    """Rows that are the same in every column; the first of them stays."""
    if work.config.exact_repeats == "keep":
        return
    repeats = _repeats(work.frame.drop(_ROW))
    first = int(repeats[0]) if repeats.size else 0
    keep = np.ones(work.frame.height, dtype=np.bool_)
    keep[repeats] = False
    left = work.frame.filter(pl.Series(keep)) if repeats.size else work.frame
    work.merge("exact_repeats", left, "that repeat an earlier row in every column read", first)


def _repeats(frame: pl.DataFrame) -> Index:
    """Return the positions of the rows that are equal to an earlier one, ascending.

    Equal rows have equal hashes, and in a log in time order they are among rows of one time; so the comparison in
    full, many times slower, is left to the few rows that this makes suspect.
    """
    suspects = frame.with_row_index("position")
    if "timestamp" in frame.columns and frame["timestamp"].is_sorted():
        moment = pl.col("timestamp")
        suspects = suspects.filter((moment == moment.shift(1)) | (moment == moment.shift(-1)))
    hashes = suspects.drop("position").hash_rows()
    if hashes.n_unique() == suspects.height:
        return np.empty(0, dtype=np.int64)
    suspects = suspects.filter(hashes.is_duplicated())
    distinct = suspects.unique(subset=frame.columns, keep="first", maintain_order=True)["position"]
    return np.setdiff1d(suspects["position"].to_numpy(), distinct.to_numpy(), assume_unique=True).astype(np.int64)


def _outliers(work: _Work) -> None:
    """Values far above the others of the same type."""
    config = work.config
    if config.outliers == "keep":
        return
    value = pl.col("value")
    if config.outliers == "quantile":
        limit, rule = value.quantile(config.outlier_quantile), f"outlier_quantile = {config.outlier_quantile}"
    else:
        # Where the middle half is one and the same value, the rule would drop all that is above it: then it says nothing.
        width = value.quantile(0.75) - value.quantile(0.25)
        limit = pl.when(width > 0).then(value.quantile(0.75) + config.outlier_iqr * width).otherwise(float("inf"))
        rule = f"outlier_iqr = {config.outlier_iqr}"
    setting = f"outliers = '{config.outliers}', {rule}"
    if work.has("type"):
        work.apply(
            "outliers", value > limit.over("type"), "with a value far above others of their type", setting=setting
        )
    else:
        highest = _number(work.frame.select(limit).item())
        work.apply("outliers", value > limit, f"with a value above {highest}, far from the others", setting=setting)


def _inhuman_users(work: _Work) -> None:
    """Users with more events in some minute, or some day, than a person makes."""
    windows = (("max_events_per_minute", MINUTE_MS, "minute"), ("max_events_per_day", DAY_MS, "day"))
    for name, window_ms, words in windows:
        limit = getattr(work.config, name)
        if limit is None:
            continue
        in_order = work.frame.select("user_id", "timestamp").sort("user_id", "timestamp")
        # More than `limit` events lie within the window where the one that comes `limit` places later is still in it.
        later = pl.all().shift(-limit).name.suffix("_later")
        fast = in_order.with_columns(later).filter(
            (pl.col("user_id") == pl.col("user_id_later"))
            & (pl.col("timestamp_later") - pl.col("timestamp") < window_ms)
        )
        users = fast["user_id"].unique()
        found = f"of {count(len(users), 'user')} with more than {limit:,} events in a {words}"
        work.apply(name, work.frame["user_id"].is_in(users.implode()), found)


def _repeated_pairs(work: _Work) -> None:
    """Several events of one user with one item (of one type): keep one of them, or their sum."""
    how = work.config.repeated_pairs
    if how == "all":
        return
    pair = [name for name in ("user_id", "item_id", "type") if work.has(name)]
    frame = work.frame
    if how in ("sum", "max") and not work.has("value"):
        frame = frame.with_columns(value=pl.lit(1.0))
    if how == "sum":
        frame = frame.with_columns(pl.col("value").sum().over(pair))
    if how == "max":
        frame = frame.sort("value", maintain_order=True)
    elif work.has("timestamp"):
        frame = frame.sort("timestamp", maintain_order=True)
    left = frame.unique(subset=pair, keep="first" if how == "first" else "last", maintain_order=True).sort(_ROW)
    gone = np.isin(work.frame[_ROW].to_numpy(), left[_ROW].to_numpy(), invert=True)
    work.merge(
        "repeated_pairs",
        left,
        f"of a {'-'.join(name.removesuffix('_id') for name in pair)} that has others",
        int(gone.argmax()),
    )


def _core(work: _Work) -> None:
    """Users and items with too few partners, again and again, since each that goes takes interactions from others."""
    least_user, least_item = work.config.min_user_interactions, work.config.min_item_interactions
    if least_user <= 1 and least_item <= 1:
        return
    users, items = (_codes(work.frame[name]) for name in ("user_id", "item_id"))
    keep, rounds = k_core(users, items, least_user, least_item)
    name = "min_user_interactions" if least_user > 1 else "min_item_interactions"
    few = []
    if least_user > 1:
        few.append(f"users with fewer than {least_user} items")
    if least_item > 1:
        few.append(f"items with fewer than {least_item} users")
    found = f"of {' or '.join(few)}" + (f", in {rounds} rounds until none was left" if rounds > 1 else "")
    setting = f"min_user_interactions = {least_user}, min_item_interactions = {least_item}"
    work.apply(name, pl.Series(~keep), found, hint="Lower these numbers.", setting=setting)


def k_core(users: Index, items: Index, least_user: int, least_item: int) -> tuple[Bools, int]:
    """Find the events between users that met at least so many items and items met by at least so many users.

    The largest such set is unique: leaving out what cannot be in it, round after round, ends there.

    Args:
        users, items: dense positions, one of each an event: int [n]. A pair may be repeated; it counts once.
        least_user, least_item: the least number of distinct partners.

    Returns:
        Which events stay: bool [n]; and how many rounds it took.
    """
    n_items = int(items.max(initial=-1)) + 1
    pairs, of_event = np.unique(users.astype(np.int64) * n_items + items, return_inverse=True)
    user, item = pairs // max(n_items, 1), pairs % max(n_items, 1)
    alive = np.arange(pairs.size)
    rounds = 0
    while alive.size:
        degree_user, degree_item = np.bincount(user[alive]), np.bincount(item[alive])
        stays = (degree_user[user[alive]] >= least_user) & (degree_item[item[alive]] >= least_item)
        if stays.all():
            break
        alive = alive[stays]
        rounds += 1
    keep = np.zeros(pairs.size, dtype=np.bool_)
    keep[alive] = True
    return keep[of_event], rounds


# Words.


def _shown(row: dict[str, Any]) -> str:
    """Name a row: its number in the table as given, and the columns of an interaction."""
    parts = []
    for name in ("user_id", "item_id", "type", "value", "timestamp"):
        if name in row:
            seen = row[name]
            text = "missing" if seen is None else time_text(seen) if name == "timestamp" else str(seen)[:60]
            parts.append(f"{name} {text or 'empty'}")
    return f"row {row[_ROW] + 1} ({', '.join(parts)})"


def _setting(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return f"{name} = {list(value)}"
    return f"{name} = {value!r}"


def _number(value: Any) -> str:
    return "missing" if value is None else f"{value:g}"


def _blank(dtype: pl.DataType, name: str) -> pl.Expr:
    return pl.col(name) == "" if dtype == pl.String else pl.lit(value=False)


def _codes(ids: pl.Series) -> Index:
    kind = ids.name.removesuffix("_id")
    return encode(ids, IdMap.of(ids, kind)).astype(np.int64)


def _checked(events: pl.DataFrame, config: CleanConfig) -> pl.DataFrame:
    """Check the columns and that every setting has the column it needs; ids become text or 64-bit integers."""
    for name in ("user_id", "item_id"):
        if name not in events.columns:
            raise DataError(f"the events have no column {name!r}; their columns are {', '.join(events.columns)}.")
    for name, kind in (("value", "numbers"), ("timestamp", "whole numbers of UTC milliseconds")):
        dtype = events.schema.get(name)
        if dtype is not None and not (dtype.is_numeric() if name == "value" else dtype.is_integer()):
            raise DataError(f"the column {name!r} holds {dtype}; cleaning expects {kind}.")
    needs = {
        "types": ("type", config.types is not None),
        "min_value": ("value", config.min_value is not None),
        "max_value": ("value", config.max_value is not None),
        "outliers": ("value", config.outliers != "keep"),
        "max_events_per_minute": ("timestamp", config.max_events_per_minute is not None),
        "max_events_per_day": ("timestamp", config.max_events_per_day is not None),
    }
    for setting, (column, wanted) in needs.items():
        if wanted and column not in events.columns:
            raise DataError(
                f"[clean] {setting} needs the column {column!r}, which the log does not have (it has {', '.join(events.columns)}). "
                f"Unset {setting}, or name the column in [data]."
            )
    ids = [as_id_series(events[name], name.removesuffix("_id")).alias(name) for name in ("user_id", "item_id")]
    values = (
        [pl.col("value").cast(pl.Float64)] if "value" in events.columns and not events["value"].dtype.is_float() else []
    )
    return events.with_columns(*ids, *values)
