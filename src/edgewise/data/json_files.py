"""JSON lines, and JSON files that hold one array of objects. Numbers are kept as they are written, as text."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from edgewise.data.source import Text
from edgewise.data.table import Table
from edgewise.errors import DataError

_PIECES, _PIECE_BYTES = 32, 1 << 15


def open_json_lines(path: Path, text: Text) -> Table:
    """Open one object a line; the header is the keys seen in 32 pieces spread over the file.

    Raises:
        DataError: naming the first line that is not an object, at the latest on loading.
    """
    if (mapping := _as_mapping(text.data)) is not None:
        return _open_mapping(path, text, mapping)
    keys = dict.fromkeys(key for row in _spread(path, text.data) for key in row)
    if not keys:
        raise DataError(f"{path.name}: no line holds an object with keys. Expected lines such as {_EXAMPLE}.")

    def load(columns: Sequence[str]) -> pl.DataFrame:
        try:
            frame = pl.read_ndjson(io.BytesIO(text.data), schema=dict.fromkeys(columns, pl.String))
        except pl.exceptions.PolarsError as error:
            raise _bad_line(path, text.data, error) from None
        return frame.select(columns)

    return Table(path, "jsonl", tuple(keys), load, details=text.details)


def open_json_array(path: Path, text: Text) -> Table:
    """Open a file that is one array of objects.

    Raises:
        DataError: if it is not JSON (giving the line), or not an array of objects.
    """
    try:
        rows = json.loads(text.data, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            f"{path.name}{where}: not valid JSON ({error}). Expected an array of objects, [{_EXAMPLE}, …], or one object a line."
        ) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        wrong = next((row for row in rows if not isinstance(row, dict)), None) if isinstance(rows, list) else rows
        raise DataError(f"{path.name} holds {_kind(wrong)}; expected an array of objects, [{_EXAMPLE}, …].")
    keys = tuple(dict.fromkeys(key for row in rows for key in row))

    def load(columns: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame(
            {name: pl.Series(name, [_as_text(row.get(name)) for row in rows], dtype=pl.String) for name in columns}
        )

    return Table(path, "json", keys, load, details=text.details)


class _Number(str):
    """A number as it is written: floats would round large ids."""

    __slots__ = ()


_EXAMPLE = '{"user_id": "u1", "item_id": "i1", "timestamp": 1700000000}'


def _as_mapping(data: bytes) -> dict[str, list[Any]] | None:
    """Return the file's one object if it maps ids to lists, as attributes are often kept; None where it is anything else."""
    if b"\n{" in data[:_PIECE_BYTES] or b"[" not in data[:_PIECE_BYTES]:
        return None
    try:
        whole = json.loads(data, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return None
    is_mapping = isinstance(whole, dict) and len(whole) > 1 and all(isinstance(value, list) for value in whole.values())
    return whole if is_mapping else None


def _open_mapping(path: Path, text: Text, mapping: dict[str, list[Any]]) -> Table:
    """Open an object that maps ids to lists as a table of two columns, the lists as a|b|c."""

    def load(columns: Sequence[str]) -> pl.DataFrame:
        joined = ["|".join(_as_text(value) or "" for value in values) or None for values in mapping.values()]
        whole = {"id": pl.Series(list(mapping), dtype=pl.String), "tags": pl.Series(joined, dtype=pl.String)}
        return pl.DataFrame(whole).select(columns)

    return Table(path, "json", ("id", "tags"), load, details=text.details, notes=("one object maps ids to lists.",))


def _spread(path: Path, data: bytes) -> list[dict[str, Any]]:
    """Parse the lines in pieces spread over the data: a key that only some rows have is hardly in none of them."""
    step = max(len(data) // _PIECES, _PIECE_BYTES)
    rows = []
    for start in range(0, len(data), step):
        begin = start if start == 0 else data.find(b"\n", start) + 1
        end = data.rfind(b"\n", begin, start + _PIECE_BYTES)
        if len(data) <= start + _PIECE_BYTES:
            end = len(data)
        elif end == -1:  # a line longer than a piece
            end = data.find(b"\n", begin)
        if start and begin == 0:
            continue
        for line in data[begin : end if end >= 0 else len(data)].splitlines():
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise _bad_line(path, data, error) from None
                if not isinstance(row, dict):
                    raise _bad_line(path, data, TypeError())
                rows.append(row)
    return rows


def _bad_line(path: Path, data: bytes, error: Exception) -> DataError:
    """Find the first line that is not an object."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        shown = repr(line[:80].decode(errors="replace"))
        try:
            row = json.loads(line)
        except ValueError as reason:
            return DataError(
                f"{path.name} line {number}: not valid JSON ({reason}): {shown}. Expected one object a line, such as {_EXAMPLE}."
            )
        if not isinstance(row, dict):
            return DataError(
                f"{path.name} line {number}: {_kind(row)}: {shown}. Expected one object a line, such as {_EXAMPLE}."
            )
    return DataError(f"{path.name} cannot be read as JSON lines ({error}).")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
