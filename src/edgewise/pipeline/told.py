"""What is told of users and items, as attributes in the columns that models read."""

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from edgewise.data.attributes import typed
from edgewise.data.vocabulary import standard_attribute
from edgewise.newcomers import Side
from edgewise.pipeline.item_times import TIME_COLUMNS
from edgewise.pipeline.rules import SEPARATOR
from edgewise.pipeline.titles import CATEGORY_COLUMNS
from edgewise.store import StoredItem, StoredUser

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def with_told(
    table: pl.DataFrame | None, objects: Sequence[StoredUser] | Sequence[StoredItem], kind: Side
) -> pl.DataFrame | None:
    """Put what is told into a table of attributes, over what it says.

    Labels that are an object are attributes by their names; a list of them are tags. Categories go where the table has its
    categories, and the time at which an item came where it has times. A table that is there keeps its columns and their types, so that a model goes on reading what it has learned to
    read: other labels are left out. Where there is none, every label makes a column.

    Args:
        table: user_id or item_id as text, then attributes; None where nothing is known.
        objects: of the store. kind: "user" or "item".
    """
    key = f"{kind}_id"
    if not objects:
        return table
    columns = told_columns(table, objects, kind)
    if not columns:
        return table
    told = pl.DataFrame([pl.Series(key, [getattr(one, key) for one in objects], dtype=pl.String), *columns])
    return told if table is None or table.width == 1 else table.update(told, on=key, how="full")


def told_columns(
    table: pl.DataFrame | None, objects: Sequence[StoredUser] | Sequence[StoredItem], kind: Side
) -> list[pl.Series]:
    """Return what is told as columns, a row for each object: those of the table in its types, or all where it has none."""
    known = set() if table is None else set(table.columns) - {f"{kind}_id"}
    rows = [_attributes(one, kind, known) for one in objects]
    names = list(dict.fromkeys(name for row in rows for name in row if not known or name in known))
    columns = [pl.Series(name, [_text(row.get(name)) for row in rows], dtype=pl.String) for name in names]
    if table is None or not known:
        return [typed(column) for column in columns]
    found = {column.name: _as(column, table.schema[column.name]) for column in columns}
    times = next((name for name in TIME_COLUMNS if name in known), None)
    moments = [one.timestamp if isinstance(one, StoredItem) else None for one in objects]
    if times is not None and any(moment is not None for moment in moments):
        told = _as_moments(pl.Series(times, moments, dtype=pl.Int64), table.schema[times])
        found[times] = told if times not in found else found[times].zip_with(found[times].is_not_null(), told)
    return list(found.values())


_standard = lru_cache(maxsize=1024)(standard_attribute)
"""Thousands of items have labels of the same few names."""


def _attributes(one: StoredUser | StoredItem, kind: Side, known: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(one.labels, dict):
        found = {_standard(str(name), kind): value for name, value in one.labels.items()}
    elif isinstance(one.labels, list):
        found = {"tags": one.labels}
    if isinstance(one, StoredItem) and one.categories:
        place = next((name for name in CATEGORY_COLUMNS if name in known), "category")
        found.setdefault(place, list(one.categories))
    return found


def _text(value: Any) -> str | None:
    """Write a value as a table of attributes has it: lists as `a|b|c`; what is nested further says nothing."""
    if isinstance(value, list | tuple):
        words = [str(word) for word in value if isinstance(word, str | int | float)]
        return SEPARATOR.join(words) or None
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _as_moments(moments: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Write UTC milliseconds since 1970 as a column has its times, which `item_times` reads."""
    if dtype.is_numeric():
        return moments.cast(dtype, strict=False)
    when = moments.cast(pl.Datetime("ms"))
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        when = when.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)
    if dtype == pl.String:
        return when.dt.to_string("%Y-%m-%d %H:%M:%S")
    with contextlib.suppress(pl.exceptions.PolarsError):
        return when.cast(dtype, strict=False)
    return pl.Series(moments.name, [None] * len(moments), dtype=dtype)


def _as(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Read text as another type; what cannot be read is not known, whatever somebody told."""
    if isinstance(dtype, pl.List):
        column = column.str.split(SEPARATOR)
    with contextlib.suppress(pl.exceptions.PolarsError):
        match dtype:
            case pl.Boolean():
                return column.str.to_lowercase().replace_strict(_TRUTH, default=None, return_dtype=pl.Boolean)
            case pl.Date():
                return column.str.to_date(strict=False)
            case pl.Datetime():
                return column.str.to_datetime(strict=False).cast(dtype)
            case pl.Time():
                return column.str.to_time(strict=False)
            case _:
                return column.cast(dtype, strict=False)
    return pl.Series(column.name, [None] * len(column), dtype=dtype)
