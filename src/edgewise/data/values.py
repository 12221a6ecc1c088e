"""Values as people keep them: ids, numbers, yes and no, lengths of time. Moments are in `times`.

Every function takes a column as text or as the type it already has, works on the whole column at once, turns blanks to
null, and refuses what it cannot read by naming the row.
"""

from collections.abc import Sequence

import polars as pl

from edgewise.data.vocabulary import BLANK, NO, YES
from edgewise.data.wording import count
from edgewise.errors import DataError

_SHOWN = 60
"""How much of a wrong value a message repeats."""

_CANONICAL = r"^(?:0|-?[1-9][0-9]{0,18})$"

_AROUND_NUMBERS = r"(?i)[\s¥$€£₩₹+']|元|块|rmb|cny|usd|eur|gbp|星|分$|stars?$|points?$"
"""What may stand around a number: currencies, stars, spaces and the apostrophes of Swiss thousands."""

_GROUPED = r"^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?$"
_DECIMAL_COMMA = r"^-?\d+,\d+$"

_UNITS: tuple[tuple[str, float], ...] = (
    (r"天|日|days?|d", 86_400.0),
    (r"个?小时|时|点|hours?|hrs?|h", 3_600.0),
    (r"分钟|分|minutes?|mins?|m|'|′", 60.0),
    (r"秒钟?|seconds?|secs?|s|\"|″", 1.0),
    (r"毫秒|milliseconds?|msecs?|ms", 0.001),
)
_NUMBER = r"\d+(?:\.\d+)?"
_WITH_UNITS = "^" + "".join(rf"(?:({_NUMBER})\s*(?:{words})\s*)?" for words, _ in _UNITS) + "$"
_CLOCK = rf"^(?:(\d+):)?(\d+):({_NUMBER})$"

_HEADER_UNITS = {
    "ms": 0.001, "msec": 0.001, "毫秒": 0.001, "milliseconds": 0.001,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0, "秒": 1.0, "秒钟": 1.0,
    "min": 60.0, "mins": 60.0, "minutes": 60.0, "m": 60.0, "分钟": 60.0, "分": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0, "小时": 3600.0, "时": 3600.0,
}  # fmt: skip


def ids(column: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Read ids: 64-bit integers where every value is written as one, else text as it stands.

    "007", "1.0", "+1" and "-0" are text: as integers they would not come back as they were. Outer spaces go.

    Args:
        column: [n], text, integers, categories, or floats that are whole (as pandas makes of integers with gaps).

    Returns:
        Int64 or String [n], null where missing; and notes worth telling.

    Raises:
        DataError: for fractions, infinities, dates and nested values.
    """
    dtype = column.dtype
    if dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128):
        return column.cast(pl.Int64), ()
    if dtype.is_integer():
        column = column.cast(pl.String)
    elif dtype.is_float():
        return _ids_of_floats(column)
    elif dtype == pl.Null:
        return column.cast(pl.String), ()
    elif dtype == pl.Binary or dtype.is_nested() or dtype.is_temporal() or dtype == pl.Boolean:
        raise DataError(
            f"{column.name} holds {dtype}; ids are text or 64-bit integers. Name another column, or cast this one first."
        )
    column = column.cast(pl.String)
    if (integers := _canonical_integers(column)) is not None:
        return integers, ()
    column, notes = _without_outer_spaces(column)
    integers = _canonical_integers(column) if notes or column.has_nulls() else None
    return (column if integers is None else integers), notes


def numbers(column: pl.Series) -> pl.Series:
    """Read numbers: 4.5, 1,234.50, ¥99, 3,5 where the column uses decimal commas; a column of yes and no becomes 1 and 0.

    Returns:
        Float64 [n] (floats keep their width); null where blank, NaN and infinity as they are.

    Raises:
        DataError: naming the first row that is none of these.
    """
    if column.dtype.is_float():
        return column
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    if column.dtype == pl.Duration:
        return column.dt.total_microseconds().cast(pl.Float64) / 1e6
    text = column.cast(pl.String)
    read = text.cast(pl.Float64, strict=False)
    bad = read.is_null() & text.is_not_null()
    if not bad.any():
        return read
    rest = text.filter(bad).str.normalize("NFKC").str.to_lowercase().str.replace_all(_AROUND_NUMBERS, "")
    rest = rest.set(rest.is_in(BLANK), None)
    if is_yes_no(text):
        return yes_no(column).cast(pl.Float64)
    grouped = rest.str.contains(_GROUPED).fill_null(value=False)
    comma = rest.str.contains(_DECIMAL_COMMA).fill_null(value=False)
    if (comma & ~grouped).any():  # one "3,5" tells what "1,234" means in this column
        rest = rest.str.replace(",", ".", literal=True)
    else:
        rest = rest.str.replace_all(",", "", literal=True).zip_with(grouped, rest)
    found = rest.cast(pl.Float64, strict=False)
    blank = rest.is_null()
    if (wrong := found.is_null() & ~blank).any():
        rows = bad.arg_true().filter(wrong)
        raise refusal(column, rows, "is not a number", "a number such as 4 or 4.5")
    return read.scatter(bad.arg_true(), found)


def yes_no(column: pl.Series) -> pl.Series:
    """Read yes and no, true and false, 1 and 0, 是 and 否.

    Returns:
        Boolean [n], null where blank.

    Raises:
        DataError: naming the first row that is neither.
    """
    if column.dtype == pl.Boolean:
        return column
    text = _text(column).str.to_lowercase()
    yes, no = text.is_in(YES), text.is_in(NO)
    wrong = (~yes & ~no).fill_null(value=False)
    if wrong.any():
        raise refusal(column, wrong.arg_true(), "is neither yes nor no", "是/否, yes/no, true/false or 1/0")
    return yes


def is_yes_no(column: pl.Series) -> bool:
    """Say whether every value that is there is a word for yes or for no (and not just 1 or 0)."""
    if column.dtype == pl.Boolean:
        return True
    given = column.drop_nulls().unique()
    if given.dtype != pl.String or given.is_empty() or len(given) > len(YES) + len(NO):
        return False
    words = given.str.strip_chars().str.to_lowercase()
    return bool((words.is_in(YES) | words.is_in(NO) | words.is_in(BLANK)).all()) and not bool(
        words.is_in(["1", "0", *BLANK]).all()
    )


def durations(column: pl.Series, *, unit_s: float = 1.0) -> pl.Series:
    """Read lengths of time as seconds: 30分钟, 1小时20分, 90s, 2 min, 1.5h, 1:30 (a minute and a half), 1:02:03, 90.

    Args:
        column: text, numbers, or Duration.
        unit_s: how many seconds a bare number counts, 60 where the column is in minutes.

    Returns:
        Float64 [n] seconds, null where blank.

    Raises:
        DataError: naming the first row that is none of these.
    """
    if column.dtype == pl.Duration:
        return column.dt.total_microseconds().cast(pl.Float64) / 1e6
    if column.dtype.is_numeric():
        return column.cast(pl.Float64) * unit_s
    text = _text(column)
    bare = text.cast(pl.Float64, strict=False) * unit_s
    rest = text.is_not_null() & bare.is_null()
    if not rest.any():
        return bare
    written = text.filter(rest).str.normalize("NFKC").str.to_lowercase().str.strip_chars()
    parts = written.to_frame("text").select(
        *[_group(_WITH_UNITS, place).fill_null(0.0).alias(f"unit_{place}") for place in range(1, len(_UNITS) + 1)],
        *[_group(_CLOCK, place).fill_null(0.0).alias(f"clock_{place}") for place in range(1, 4)],
        units=pl.col("text").str.contains(_WITH_UNITS) & pl.col("text").str.contains(r"\d"),
        clock=pl.col("text").str.contains(_CLOCK),
    )
    with_units = pl.sum_horizontal(pl.col(f"unit_{place + 1}") * seconds for place, (_, seconds) in enumerate(_UNITS))
    with_clock = pl.col("clock_1") * 3600 + pl.col("clock_2") * 60 + pl.col("clock_3")
    found = parts.select(pl.when("units").then(with_units).when("clock").then(with_clock)).to_series()
    places = rest.arg_true()
    if found.has_nulls():
        wrong = places.filter(found.is_null())
        raise refusal(column, wrong, "is not a length of time", "seconds, or 30分钟, 90s, 2 min, 1:30, 1:02:03")
    return bare.scatter(places, found)


def unit_in_header(name: str) -> float | None:
    """Return how many seconds the unit in a column's name has: "阅读时长(分钟)", "dwell_time_ms"; None without one.

    >>> unit_in_header("阅读时长（分钟）"), unit_in_header("dwell_time_ms"), unit_in_header("duration")
    (60.0, 0.001, None)
    """
    for opening, closing in (("(", ")"), ("（", "）"), ("[", "]")):
        if opening in name and name.rstrip().endswith(closing):
            return _HEADER_UNITS.get(name.rstrip()[name.rindex(opening) + 1 : -1].strip().lower())
    stem, underscore, unit = name.strip().lower().rpartition("_")
    return _HEADER_UNITS.get(unit) if underscore and stem else None


def refusal(column: pl.Series, rows: pl.Series | Sequence[int], what: str, expected: str) -> DataError:
    """Make the error for values that cannot be read; the first of them is shown with its row, counted from 1."""
    row = int(rows[0])
    how_many = f"{count(len(rows), 'such row')} of {len(column):,}"
    return DataError(
        f"row {row + 1}: {column.name} {str(column[row])[:_SHOWN]!r} {what} ({how_many}). Expected {expected}. "
        "Correct or empty these cells, or name another column for this part (such as --set data.value=NAME; with nothing after "
        "the = none is read)."
    )


def blanks_to_null(text: pl.Series) -> pl.Series:
    """Turn the words for "nothing here" into null: NA, null, None, NaN, - and their like."""
    known = [*BLANK, *(word.upper() for word in BLANK), "NaN", "NaT", "Null", "None", "Nan"]
    return text.set(text.is_in(sorted(set(known))), None)


def _text(column: pl.Series) -> pl.Series:
    return blanks_to_null(column.cast(pl.String).str.strip_chars())


def _group(pattern: str, place: int) -> pl.Expr:
    return pl.col("text").str.extract(pattern, place).cast(pl.Float64)


def _canonical_integers(column: pl.Series) -> pl.Series | None:
    """Return a column of text as integers if each would be printed as it is written; None where one would not."""
    given = column.drop_nulls()
    if given.is_empty() or not (
        given.head(1000).str.contains(_CANONICAL).all() and given.str.contains(_CANONICAL).all()
    ):
        return None
    integers = column.cast(pl.Int64, strict=False)  # 19 digits may still be beyond 64 bits
    return integers if integers.null_count() == column.null_count() else None


def _without_outer_spaces(column: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Strip ids; one that is empty, or nothing but spaces, is missing."""
    notes: tuple[str, ...] = ()
    if number := int(column.str.contains(r"^\s|\s$").sum()):
        column = column.str.strip_chars()
        notes = (f"{column.name}: spaces around {number:,} ids were removed.",)
    empty = column == ""
    return (column.set(empty, None) if empty.any() else column), notes


def _ids_of_floats(column: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    values = column.fill_nan(None)
    whole = (values.is_finite() & (values == values.floor()) & (values.abs() <= 2**53)).fill_null(value=True)
    if not whole.all():
        rows = (~whole).arg_true()
        raise refusal(column, rows, "cannot be an id", "text or a 64-bit integer")
    note = f"{column.name}: whole numbers kept as {column.dtype} were read as integers (17850.0 is 17850)."
    return values.cast(pl.Int64), (note,)
