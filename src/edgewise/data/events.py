"""From the columns of a log to events: the names, types and units that the rest of Edgewise knows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from edgewise.data.columns import Columns, Found, find_columns
from edgewise.data.dataset import EVENT_COLUMNS
from edgewise.data.table import Table
from edgewise.data.times import Moments, TimeUnit, looks_like_moments, moments
from edgewise.data.values import durations, ids, is_yes_no, numbers, refusal, unit_in_header, yes_no
from edgewise.data.vocabulary import EVENT_NAMES, STRENGTH_NAMES, rank_of, standard_type
from edgewise.data.wording import count
from edgewise.errors import DataError

_LIKE_WORDS = {True: "like", False: "view"}
_EARLIEST_TIME = 10**8
"""A third or fourth column of whole numbers from here on is a time, below it a rating."""

_CLOCK = r"^\s*\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*$"

_MADE_UP = re.compile(r"column_\d+")


@dataclass(frozen=True)
class ReadReport:
    """How a log was understood.

    Attributes:
        source: the file's name, or what to call the frame. format: a key of `FORMATS`, or the kind of frame.
        details: how the file is packed, written and laid out.
        rows: how many it has, before cleaning.
        columns: standard name to the name in the file.
        unused: columns that were left out.
        notes: assumptions and choices, one line each.
    """

    source: str
    format: str
    rows: int
    columns: dict[str, str]
    unused: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Say it in plain English: what was read, what each column was taken for, then the notes."""
        taken = ", ".join(f"{name} from {own!r}" if own != name else name for name, own in self.columns.items())
        unused = (
            f" Not used: {', '.join(map(repr, self.unused[:12]))}{' …' if len(self.unused) > 12 else ''}."
            if self.unused
            else ""
        )
        return (
            f"Read {self.source} ({', '.join((self.format, *self.details))}): {count(self.rows, 'row')} with {taken}.{unused}",
            *map(sentence, self.notes),
        )


def is_headerless(columns: Columns) -> bool:
    """Say whether a mapping names columns by their place (column_1), so that the file's first row is data."""
    given = [getattr(columns, name) for name in EVENT_COLUMNS]
    return any(name is not None and _MADE_UP.fullmatch(name) for name in given)


def events_of(table: Table, columns: Columns) -> tuple[pl.DataFrame, ReadReport]:
    """Load a log's columns and bring them to the names and types of `EVENT_COLUMNS`.

    Rows are neither dropped nor merged, and missing ids, impossible times and odd values stay: cleaning counts them.

    Args:
        table: the file or frame.
        columns: the mapping given.

    Returns:
        user_id and item_id (Int64 or String) and, where known, type (Enum), value (Float32 or Float64), timestamp (Int64
        UTC milliseconds) and session_id; and the report.

    Raises:
        DataError: if columns are missing, there is no row, or a cell cannot be what its column holds.
    """
    found, notes = _roles(table, columns)
    loaded = table.load(list(dict.fromkeys(found.names.values())))
    if loaded.is_empty():
        raise DataError(
            f"{table.path.name} has a header ({', '.join(table.header[:8])}) and no rows. Check that the export has finished."
        )
    # Each column is let go as soon as it is read: of a large file there is never a second whole copy.
    parts: dict[str, pl.Series] = {}
    for part in ("user_id", "item_id", "session_id"):
        if part in found.names:
            column = loaded[found.names[part]]
            if table.format in ("json", "jsonl"):
                _refuse_nested(column)
            parts[part], told = ids(column)
            notes += told
    if "type" in found.names:
        parts["type"] = _types(loaded[found.names["type"]], notes)
    _strength(loaded, found, parts, notes)
    if "timestamp" in found.names:
        read = _times(table, _with_day(table, found, loaded[found.names["timestamp"]], notes), columns.time_unit)
        parts["timestamp"] = read.values
        notes += read.notes
    for part in ("type", "value", "timestamp", "session_id"):
        if part in parts and parts[part].null_count() == loaded.height:
            notes.append(f"the column of {part} ({found.names.get(part, part)!r}) is empty, so it was left out.")
            del parts[part]
    events = pl.DataFrame([parts[part].alias(part) for part in EVENT_COLUMNS if part in parts])
    order = [*EVENT_COLUMNS, *STRENGTH_NAMES]
    names = {
        part: found.names[part] for part in order if part in found.names and (part in parts or part in STRENGTH_NAMES)
    }
    report = ReadReport(
        table.path.name, table.format, events.height, names, found.unused, table.details, (*table.notes, *notes)
    )
    return events, report


def _roles(table: Table, columns: Columns) -> tuple[Found, list[str]]:
    """Find which column is what: by name, or by place in a file without a header."""
    mapped = any(getattr(columns, name) for name in EVENT_COLUMNS)
    if table.named or mapped:
        found = find_columns(table.header, columns)
        return found, list(found.notes)
    roles = positional_roles(table, ("user_id", "item_id"), "value")
    names = dict(zip(roles, table.header, strict=False))
    note = f"there is no header, so the columns were taken as {', '.join(roles)}; name others with --set data.user_id=column_1 …"
    return Found(names, table.header[len(roles) :]), [note]


def positional_roles(table: Table, sides: Sequence[str], strength: str) -> list[str]:
    """Tell what the columns of a file without a header are: two ids, then a strength and a time, by the size of numbers.

    Raises:
        DataError: if there are fewer than two columns, more than four, or the rest are not numbers.
    """
    width = len(table.header)
    if width == 1 and table.sample:
        raise DataError(
            f"{table.path.name}: the whole line was taken for one column, {table.sample[0][0][:80]!r}. Expected at least a user and an item "
            "in each, with commas, tabs, semicolons, bars, spaces or :: between them. Is the separator another one?"
        )
    if width == 2:
        return list(sides)
    kinds = [_kind([row[place] for row in table.sample if len(row) > place]) for place in range(2, min(width, 4))]
    known = {
        ("strength",): [strength],
        ("time",): ["timestamp"],
        ("strength", "time"): [strength, "timestamp"],
        ("time", "strength"): ["timestamp", strength],
    }
    if width in (3, 4) and tuple(kinds) in known:
        return [*sides, *known[tuple(kinds)]]
    first = ", ".join(repr(cell[:24]) for cell in (table.sample[0] if table.sample else table.header)[:8])
    raise DataError(
        f"{table.path.name} has no header, and its {width} columns are not `{' '.join(sides)} [{strength}] [timestamp]`; the first row is "
        f"{first}. Say which column is what by its place, such as --set data.user_id=column_1 --set data.item_id=column_2, or put a "
        "header on top."
    )


def _kind(cells: Sequence[str]) -> str:
    values = pl.Series(cells, dtype=pl.String).str.strip_chars()
    numeric = values.cast(pl.Float64, strict=False)
    if numeric.null_count() > values.is_in(["", "NA", "null", "NULL"]).sum():
        return "time" if looks_like_moments(values) else "other"
    return "time" if (numeric >= _EARLIEST_TIME).all() else "strength"


def _types(column: pl.Series, notes: list[str]) -> pl.Series:
    """Give kinds of events their built-in names."""
    text = column.cast(pl.String)
    given = text.drop_nulls().unique().to_list()
    standard = {name: standard_type(name) or None for name in given}
    kinds = sorted({kind for kind in standard.values() if kind is not None})
    renamed = [
        f"{name!r} is {kind}"
        for name, kind in sorted(standard.items())
        if kind is not None and name.strip().lower() != kind
    ]
    if renamed:
        notes.append(f"kinds of events: {', '.join(renamed[:12])}{' …' if len(renamed) > 12 else ''}.")
    return text.replace_strict(list(standard), list(standard.values()), default=None, return_dtype=pl.Enum(kinds))


def _strength(loaded: pl.DataFrame, found: Found, parts: dict[str, pl.Series], notes: list[str]) -> None:
    """Find the value: its own column, else the time spent, else likes; likes also tell the type where nothing else does."""
    names = found.names
    if "value" in names:
        parts["value"] = _mapped_value(loaded[names["value"]])
        return
    spent, liked = names.get("read_seconds"), names.get("like")
    if spent is not None and looks_like_moments(loaded[spent]):
        if "timestamp" in names:
            notes.append(
                f"{spent!r} holds moments, not lengths of time, and was not used: time was read from {names['timestamp']!r}."
            )
        else:
            names["timestamp"] = spent
            notes.append(f"{spent!r} holds moments, so it was read as time.")
        del names["read_seconds"]
        spent = None
    if liked is not None and not _is_choice(loaded[liked]):
        parts["value"] = numbers(loaded[liked])
        notes.append(f"value is the number of likes ({liked!r}).")
        return
    if spent is not None:
        parts["value"] = durations(loaded[spent], unit_s=unit_in_header(spent) or 1.0)
        notes.append(f"value is the time spent, in seconds ({spent!r}).")
    if liked is not None:
        likes = yes_no(loaded[liked])
        if spent is None:
            parts["value"] = likes.cast(pl.Float64)
            notes.append(f"value is 1 where {liked!r} is yes and 0 where it is no.")
        if "type" not in parts:
            other = "view" if spent is None else "read"
            kinds = likes.fill_null(value=False).replace_strict(
                [True, False], ["like", other], return_dtype=pl.Enum(sorted(("like", other)))
            )
            parts["type"] = kinds
            notes.append(f"type is like where {liked!r} is yes, else {other}.")


def _is_choice(column: pl.Series) -> bool:
    """Whether likes are yes or no, not a count of them."""
    return is_yes_no(column) or bool(column.cast(pl.String).drop_nulls().is_in(["0", "1", "0.0", "1.0", ""]).all())


def _mapped_value(column: pl.Series) -> pl.Series:
    """Read a column that a mapping calls the value: lengths of time under such a name, else numbers."""
    if column.dtype == pl.String and rank_of(column.name, STRENGTH_NAMES["read_seconds"]) is not None:
        return durations(column, unit_s=unit_in_header(column.name) or 1.0)
    return numbers(column)


def _refuse_nested(column: pl.Series) -> None:
    nested = column.str.contains(r"^[{\[]").fill_null(value=False)
    if nested.any():
        raise refusal(column, nested.arg_true(), "is not a plain id", "text or a number, not an object or an array")


def _with_day(table: Table, found: Found, column: pl.Series, notes: list[str]) -> pl.Series:
    """Put the day in front of times of day ("12:30") where another column has it."""
    given = column.drop_nulls().head(100)
    if given.dtype != pl.String or given.is_empty() or not given.str.contains(_CLOCK).all():
        return column
    for name in found.unused:
        if rank_of(name, EVENT_NAMES["timestamp"]) is not None:
            notes.append(f"the day was read from {name!r} and the time of day from {column.name!r}.")
            day = table.load([name]).to_series().cast(pl.String)
            return pl.select(pl.concat_str([day, column], separator=" ")).to_series().alias(f"{name} {column.name}")
    return column


def _times(table: Table, column: pl.Series, unit: TimeUnit) -> Moments:
    try:
        return moments(column, unit)
    except DataError as error:
        raise DataError(f"{table.path.name}: {error}") from None


def sentence(note: str) -> str:
    """Make a note a sentence: a capital letter (but for names of columns) and a full stop."""
    text = note[:1].upper() + note[1:] if re.match(r"[a-z]+\b(?![._])", note) else note
    return text if text.endswith((".", "…", "?")) else text + "."
