"""Text tables: CSV, TSV, `;`, `|`, spaces, MovieLens `::`, and RecBole's atomic files.

All cells are read as text, so that ids stay as they are written. Polars parses; where it stumbles (a stray quote, a row
with too many fields), Python's slower reader goes through the file again and either copes or names the line.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from edgewise.data.layout import (
    HEAD_ROWS,
    INSIDE,
    LAYOUTS,
    SEPARATOR_NAMES,
    first_rows,
    has_header,
    original_name,
    quote_of,
    refuse_late_header,
    sniff_separator,
    without_preamble,
)
from edgewise.data.source import Text
from edgewise.data.table import Table, unique_names
from edgewise.data.vocabulary import without_recbole_type
from edgewise.errors import DataError

_OWN_FORMAT = {"\t": "tsv", INSIDE: "movielens"}

_HEAD_BYTES = 1 << 16


def open_delimited(path: Path, text: Text, *, format: str = "csv", headerless: bool = False) -> Table:
    """Find separator, quotes and header, and return the table.

    Args:
        path: for names and messages.
        text: the content.
        format: "csv" finds the separator itself; "tsv", "movielens" and "recbole" say which it is.
        headerless: the caller knows that the first row is data.

    Raises:
        DataError: if the separator that the format names is not in the first line.
    """
    data, said = without_preamble(text.data)
    head = data[:_HEAD_BYTES].decode(errors="ignore")
    if len(data) > _HEAD_BYTES:
        head = head[: head.rfind("\n") + 1] or head
    expected = {"tsv": "\t", "movielens": "::", "recbole": "\t"}.get(format, said)
    separator = expected or sniff_separator(head)
    first_line = head.lstrip().partition("\n")[0]
    if expected and expected not in first_line:
        raise DataError(
            f"{path.name}: the format {format!r} has {SEPARATOR_NAMES[expected]} between columns, and the first line has none: "
            f"{first_line[:80]!r}. Leave --format out to have the separator found, or name another format."
        )
    if separator == "::":
        data, head, separator = data.replace(b"::", INSIDE.encode()), head.replace("::", INSIDE), INSIDE
    if separator == " ":
        data, head = _single_spaces(data), _single_spaces(head.encode()).decode()
    quote = quote_of(data, separator)
    rows = [row for row in first_rows(head, separator, quote) if any(cell.strip() for cell in row)]
    if not rows:
        raise DataError(f"{path.name} has only empty cells. Check that the export has finished.")
    named = not headerless and has_header(rows)
    if not headerless:
        refuse_late_header(path, rows)
    header = unique_names(rows[0] if named else [""] * max(map(len, rows)))
    layout = LAYOUTS.get(original_name(path))
    details = list(text.details)
    if separator in ";| ":
        details.append(f"{SEPARATOR_NAMES[separator]} between columns")
    kind = _OWN_FORMAT.get(separator, format) if format == "csv" else format
    notes = []
    if repeated := [name for name, count in Counter(rows[0]).items() if count > 1 and named and name.strip()]:
        notes.append(
            f"the header has {repeated[0]!r} more than once; the later ones are called {repeated[0] + ' (2)'!r} …"
        )
    if not named and layout is not None and len(layout) == len(header) and not headerless:
        header, named = layout, True
        body = data
    else:
        body = _after_header(data, head, separator, quote) if named else data

    def load(columns: Sequence[str]) -> pl.DataFrame:
        return _parse(
            path, body, separator, quote, header, n_before=data.count(b"\n", 0, len(data) - len(body))
        ).select(columns)

    sample = tuple(tuple(row) for row in rows[1 if body is not data else 0 :][:HEAD_ROWS])
    return Table(path, kind, header, load, named, sample, tuple(details), tuple(notes))


def _single_spaces(data: bytes) -> bytes:
    if (
        b"  " not in data
        and b" \n" not in data
        and b" \r" not in data
        and b"\n " not in data
        and not data.startswith(b" ")
    ):
        return data
    return re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb" +", b" ", data))


def _after_header(data: bytes, head: str, separator: str, quote: str | None) -> bytes:
    """Cut the header off: the first row that is not blank, which may have line breaks inside quotes."""
    reader = csv.reader(
        io.StringIO(head, newline=""),
        delimiter=separator,
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
    )
    for row in reader:
        if any(cell.strip() for cell in row):
            break
    start = 0
    for _ in range(reader.line_num):
        start = data.find(b"\n", start) + 1
        if start == 0:
            return b""
    return data[start:]


def _parse(
    path: Path, body: bytes, separator: str, quote: str | None, header: tuple[str, ...], *, n_before: int
) -> pl.DataFrame:
    """Parse the rows; `n_before` lines of the file are not in `body`."""
    schema = dict.fromkeys(header, pl.String)
    if not body or body.isspace():
        return pl.DataFrame(schema=schema)
    try:
        frame = pl.read_csv(body, has_header=False, schema=schema, separator=separator, quote_char=quote)
    except pl.exceptions.PolarsError:
        frame = _parse_carefully(path, body, separator, quote, header, n_before=n_before)
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series() if frame[header[0]].has_nulls() else None
    return frame if blank is None or not blank.any() else frame.filter(~blank)


def _parse_carefully(
    path: Path, body: bytes, separator: str, quote: str | None, header: tuple[str, ...], *, n_before: int
) -> pl.DataFrame:
    """Parse row by row, forgiving quotes inside fields, and naming the line where the columns do not fit."""
    columns: list[list[str | None]] = [[] for _ in header]
    lines = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline="")
    reader = csv.reader(
        lines, delimiter=separator, quotechar=quote, quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    )
    start = 1
    try:
        for row in reader:
            if len(row) > len(header):
                raise _ragged(path, row, header, n_before + start, separator)
            for cells, cell in zip(columns, [*row, *[None] * (len(header) - len(row))], strict=True):
                cells.append(cell or None)
            start = reader.line_num + 1
    except csv.Error as error:
        raise _open_quote(path, n_before + start, str(error)) from None
    last = next((cells[-1] for cells in reversed(columns) if cells and cells[-1] is not None), None)
    if last is not None and last.endswith("\n"):
        lines_in_row = last.count("\n")
        raise _open_quote(path, n_before + reader.line_num - lines_in_row + 1, "it runs to the end of the file")
    return pl.DataFrame(
        {name: pl.Series(name, cells, dtype=pl.String) for name, cells in zip(header, columns, strict=True)}
    )


def _ragged(path: Path, row: Sequence[str], header: Sequence[str], line: int, separator: str) -> DataError:
    name = "'::'" if separator == INSIDE else SEPARATOR_NAMES[separator]
    lists = " If each line is a user and the items of this user, say --format lightgcn." if separator == " " else ""
    return DataError(
        f"{path.name} line {line}: {len(row)} fields, where the first row has {len(header)} ({', '.join(header[:8])}); the line "
        f"begins {separator.join(row)[:80]!r}. Fields that hold {name} or line breaks need quotes around them.{lists}"
    )


def _open_quote(path: Path, line: int, reason: str) -> DataError:
    return DataError(
        f'{path.name} line {line}: a quote (") opens a field and nothing closes it ({reason}). Close it, or double quotes that '
        'are part of the text: "6"" pipe".'
    )


def strip_recbole_types(table: Table) -> Table:
    """Return a RecBole table whose columns are called user_id rather than user_id:token, `token_seq` becoming a|b|c."""
    names = {without_recbole_type(name): name for name in table.header}
    lists = {name for name, own in names.items() if own.endswith("_seq")}

    def load(columns: Sequence[str]) -> pl.DataFrame:
        frame = table.load([names[name] for name in columns]).rename({names[name]: name for name in columns})
        return frame.with_columns(
            pl.col(name).str.replace_all(" ", "|", literal=True) for name in columns if name in lists
        )

    return Table(table.path, "recbole", tuple(names), load, table.named, table.sample, table.details, table.notes)
