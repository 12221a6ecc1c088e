"""Moments as people write them, to UTC milliseconds since 1970.

Numbers count seconds, milliseconds, microseconds or nanoseconds: their size tells which, since a number that is a date of
this century in one unit lies in 1970 or beyond the year 5000 in the others. Text is ISO 8601 or a date as written in
spreadsheets; without a zone it is UTC.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import polars as pl

from edgewise.data.values import blanks_to_null, refusal
from edgewise.errors import DataError

TimeUnit: TypeAlias = Literal["auto", "s", "ms", "us"]

_UNITS = ("s", "ms", "us", "ns")
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_SMALL = 10**8
"""Numbers below this are early 1970 in seconds (or row counters, or zero for "unknown"): they tell nothing about the unit."""

_LIMITS = (10**11, 10**14, 10**17)
"""Below the first, a number counts seconds (until the year 5138), below the second milliseconds, then microseconds."""

_COMPACT = r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])[0-5]\d[0-5]\d)?$"
"""20140401 or 20140401123000: as counts of seconds or milliseconds these would be August 1970 or the year 2608."""

_ZONE = r"(?i)(?::\d{2}(?:[.,]\d+)?)\s*(z|utc|gmt|[+-]\d{2}(?::?\d{2})?)$"
_NUMERIC_DATE = r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})\b"

_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d",
    "%Y-%m",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %b %Y %H:%M:%S",
    "%b %d %Y",
    "%b %d %Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
)
"""Tried one after the other on what the ones before could not read; after tidying (see `_tidy`)."""


_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999."""


@dataclass(frozen=True)
class Moments:
    """A column of times read.

    Attributes:
        values: Int64 [n], UTC milliseconds since 1970, null where blank.
        notes: what was assumed, one line each.
    """

    values: pl.Series
    notes: tuple[str, ...] = ()


def moments(column: pl.Series, unit: TimeUnit = "auto") -> Moments:
    """Read a column of times.

    Impossible times (before 1970, in the future) are kept where they are numbers; cleaning drops and counts them.

    Args:
        column: [n], numbers, text, Date or Datetime.
        unit: what numbers count; "auto" finds it by their size.

    Raises:
        DataError: if numbers of two units, or numbers and dates, are mixed in the column (naming a row of each), or a value
            is no time at all.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        return _of_datetimes(column, dtype)
    if dtype == pl.Date:
        return Moments(column.cast(pl.Datetime("ms")).cast(pl.Int64))
    if dtype.is_integer() or dtype.is_float():
        return _of_numbers(column, column, unit)
    if dtype == pl.Null:
        return Moments(column.cast(pl.Int64))
    if dtype not in (pl.String, pl.Categorical) and not isinstance(dtype, pl.Enum):
        raise DataError(f"{column.name} holds {dtype}; expected times as numbers, text or dates.")
    text = blanks_to_null(column.cast(pl.String).str.strip_chars())
    numbers = _numbers_of(text)
    n_given, n_numbers = text.count(), numbers.count()
    if n_numbers and text.drop_nulls().head(100).str.contains(_COMPACT).all():
        compact = text.drop_nulls().str.contains(_COMPACT).all()
    else:
        compact = False
    if n_numbers == n_given and not compact:
        return _of_numbers(numbers, column, unit)
    if n_numbers and not compact:
        first_number = numbers.is_not_null().arg_max() or 0
        first_other = (numbers.is_null() & text.is_not_null()).arg_max() or 0
        raise DataError(
            f"{column.name} mixes numbers and text: row {first_number + 1} has {column[first_number]!r}, row {first_other + 1} "
            f"has {column[first_other]!r}. Write all times in one way, as numbers or as dates."
        )
    return _of_dates(text, column)


def moment(value: float | str) -> int:
    """Read one time, such as an event carries: a number whose size tells what it counts, or ISO 8601, UTC without a zone.

    Args:
        value: a number, a number as text, or a date.

    Returns:
        UTC milliseconds since 1970.

    Raises:
        DataError: if it is no time, or before 1970 or after the year 9999.

    >>> moment(1_717_143_960), moment("2024-05-31T10:26:00+02:00"), moment("1717143960.5")
    (1717143960000, 1717143960000, 1717143960500)
    """
    found = _moment_of_text(value.strip()) if isinstance(value, str) else _moment_of_number(value)
    if found is None or not 0 <= found <= _LATEST:
        raise DataError(
            f"{str(value)[:40]!r} is not a time from 1970 to 9999; expected one as 2024-05-31T08:26:00Z, or a number counted "
            "from 1970 in seconds or milliseconds."
        )
    return found


def written(moment_ms: int) -> str:
    """Write a time so that nobody has to guess what it counts: ISO 8601, UTC.

    >>> written(1_717_143_960_000), written(1)
    ('2024-05-31T08:26:00.000Z', '1970-01-01T00:00:00.001Z')
    """
    return (_SINCE + timedelta(milliseconds=moment_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment_of_number(number: float) -> int | None:
    if isinstance(number, float) and not math.isfinite(number):
        return None
    per_second = _PER_SECOND[_UNITS[_place_of(number)]]
    if isinstance(number, int):
        return number * 1000 // per_second
    return round(number * (1000 / per_second))


def _moment_of_text(text: str) -> int | None:
    compact = re.match(_COMPACT, text)
    try:
        if not compact and re.fullmatch(r"[+-]?\d{1,20}", text, re.ASCII):
            return _moment_of_number(int(text))
        if not compact and re.fullmatch(r"[+-]?\d{1,20}\.\d{0,20}", text, re.ASCII):
            return _moment_of_number(float(text))
        spelt = text.upper() if not compact or len(text) == 8 else f"{text[:8]}T{text[8:]}"
        found = datetime.fromisoformat(spelt)
    except ValueError:
        return None
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - _SINCE) // timedelta(milliseconds=1)


def looks_like_moments(column: pl.Series) -> bool:
    """Say whether a column holds dates or counts since 1970, as against lengths of time."""
    if column.dtype.is_temporal():
        return column.dtype != pl.Duration
    given = column.drop_nulls().head(1000)
    if given.is_empty():
        return False
    if given.dtype.is_numeric():
        return bool((given >= _SMALL).all())
    text = given.cast(pl.String)
    numbers = _numbers_of(text)
    if numbers.null_count() == 0:
        return bool((numbers >= _SMALL).all())
    return bool(text.str.contains(r"^\s*(?:\d{4}[-/.年]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})").mean() or 0.0 > 0.5)


def _numbers_of(text: pl.Series) -> pl.Series:
    """Read whole numbers exactly, and where there are fractions all of them as Float64."""
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() == text.null_count():
        return whole
    real = text.cast(pl.Float64, strict=False)
    return real if real.count() > whole.count() else whole


def _of_numbers(numbers: pl.Series, column: pl.Series, unit: TimeUnit) -> Moments:
    if numbers.dtype.is_float():
        numbers = numbers.cast(pl.Float64)
        numbers = numbers.set(~numbers.is_finite(), None)
    elif numbers.dtype != pl.Int64:
        numbers = numbers.cast(pl.Int64, strict=False)
    if numbers.count() == 0:
        return Moments(numbers.cast(pl.Int64))
    counted = _unit_of(numbers, column) if unit == "auto" else unit
    notes = (
        (f"{column.name}: numbers of this size count {_UNIT_NAMES[counted]}.",) if unit == "auto" and counted else ()
    )
    per_second = _PER_SECOND[counted]
    if per_second == 1_000 and numbers.dtype == pl.Int64:
        return Moments(numbers, notes)
    limit = 9 * 10**18 * per_second // 1000 if per_second < 1000 else 9 * 10**18  # beyond this a product overflows
    numbers = numbers.clip(-limit, limit)
    if numbers.dtype.is_float():
        return Moments((numbers * (1000 / per_second)).round().cast(pl.Int64), notes)
    return Moments(numbers * 1000 if per_second == 1 else numbers // (per_second // 1000), notes)


def _unit_of(numbers: pl.Series, column: pl.Series) -> str:
    """Find what numbers count by their size, or say which two rows disagree."""
    lowest, highest = numbers.abs().min(), numbers.abs().max()
    if not isinstance(highest, int | float) or not isinstance(lowest, int | float):
        return "s"
    top = _place_of(highest)
    if top == _place_of(max(lowest, _SMALL)):
        return _UNITS[top]
    size = numbers.abs()
    lower = (size >= _SMALL) & (size < _LIMITS[top - 1])
    if not lower.fill_null(value=False).any():
        return _UNITS[top]
    low, high = lower.arg_max() or 0, size.arg_max() or 0
    low_unit, high_unit = _UNIT_NAMES[_UNITS[_place_of(numbers[low])]], _UNIT_NAMES[_UNITS[top]]
    raise DataError(
        f"{column.name} mixes units: row {low + 1} has {column[low]!r}, the size of {low_unit}, and row {high + 1} has "
        f"{column[high]!r}, the size of {high_unit}. Bring all times to one unit; if all of them count one and the same, "
        "say so with time_unit = 'ms' in [data] (or 's', 'us')."
    )


def _place_of(number: float) -> int:
    return sum(abs(number) >= limit for limit in _LIMITS)


def _of_datetimes(column: pl.Series, dtype: pl.Datetime) -> Moments:
    if dtype.time_zone is not None:
        return Moments(column.dt.convert_time_zone("UTC").dt.timestamp("ms"))
    return Moments(column.dt.timestamp("ms"))


def _of_dates(text: pl.Series, column: pl.Series) -> Moments:
    simple = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
    no_zone = f"{column.name}: times without a zone were taken as UTC."
    if simple.null_count() == text.null_count():
        return Moments(simple.cast(pl.Int64).alias(column.name), (no_zone,))
    frame = _tidy(text)
    frame, notes = _day_and_month(frame, column)
    found = frame["text"].str.to_datetime(_FORMATS[0], time_unit="ms", strict=False)
    for way in _FORMATS[1:]:
        missing = found.is_null() & text.is_not_null()
        if not missing.any():
            break
        rest = frame["text"].filter(missing).str.to_datetime(way, time_unit="ms", strict=False)
        found = found.scatter(missing.arg_true(), rest)
    if (wrong := found.is_null() & text.is_not_null()).any():
        expected = "2024-05-31 08:26:00, 2024-05-31T08:26:00Z, 31/05/2024 08:26, or a number counted from 1970"
        raise refusal(column, wrong.arg_true(), "is not a time", expected)
    if (frame["offset_min"].is_null() & text.is_not_null()).any():
        notes = (*notes, no_zone)
    return Moments((found.cast(pl.Int64) - frame["offset_min"].fill_null(0) * 60_000).alias(column.name), notes)


def _tidy(text: pl.Series) -> pl.DataFrame:
    """Bring dates to one spelling: text "2024-05-31 08:26:00", and offset_min, the minutes its zone is ahead of UTC."""
    written = text.str.normalize("NFKC").str.replace_all(r"[年月](\d)", "-$1").str.replace_all(r"[日号]\s*", " ")
    written = written.str.replace_all(r"[时点分](\d)", ":$1").str.replace_all(r"[年月分秒]", "").str.strip_chars()
    written = written.str.replace(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", "$1-$2-$3")
    written = written.str.replace(r"^(\d{4}-?\d{1,2}-?\d{1,2})[Tt](\d)", "$1 $2")
    written = (
        written.str.replace_all(",", " ", literal=True) if written.str.contains(r"[A-Za-z],|\d, ").any() else written
    )
    zone = written.str.extract(_ZONE, 1)
    sign = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1)
    hours, minutes = (pl.col("zone").str.extract(r"(\d{2}):?(\d{2})?$", place).cast(pl.Int64) for place in (1, 2))
    offset = sign * (hours.fill_null(0) * 60 + minutes.fill_null(0))
    tidied = pl.DataFrame({"text": written, "zone": zone}).with_columns(
        offset_min=pl.when(pl.col("zone").is_not_null()).then(offset).cast(pl.Int64)
    )
    zoned = pl.col("text").str.replace(r"(?i)\s*(?:z|utc|gmt|[+-]\d{2}(?::?\d{2})?)$", "")
    return tidied.with_columns(
        pl.when(pl.col("zone").is_not_null()).then(zoned).otherwise("text").str.replace_all(r"\s+", " ").alias("text")
    ).drop("zone")


def _day_and_month(frame: pl.DataFrame, column: pl.Series) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Turn 12/1/2010 into 2010-12-01: some row with a number above 12 tells which is the day."""
    parts = frame["text"].str.extract_groups(_NUMERIC_DATE).struct.unnest()
    first, second = (parts[name].cast(pl.Int64) for name in parts.columns[:2])
    here = first.is_not_null()
    if not here.any():
        return frame, ()
    day_first = (first > 12).fill_null(value=False)
    month_first = (second > 12).fill_null(value=False)
    if day_first.any() and month_first.any():
        one, other = day_first.arg_max() or 0, month_first.arg_max() or 0
        raise DataError(
            f"{column.name} mixes two orders of day and month: row {one + 1} has {column[one]!r}, row {other + 1} has "
            f"{column[other]!r}. Write all dates in one order, best as 2024-05-31."
        )
    order = "$3-$1-$2" if not day_first.any() else "$3-$2-$1"
    century = frame["text"].str.replace(r"^(\d{1,2}[/.\-]\d{1,2}[/.\-])(\d{2})\b([^\d]|$)", "${1}20$2$3")
    written = century.str.replace(_NUMERIC_DATE, order)
    notes: tuple[str, ...] = ()
    if not day_first.any() and not month_first.any():
        row = int(here.arg_max() or 0)
        unsure = f"{column.name}: nothing tells whether day or month comes first in dates such as {column[row]!r}"
        notes = (f"{unsure}; they were read as month first. Write 2024-05-31 to be sure.",)
    return frame.with_columns(text=written), notes
