"""What is told of users and items in a store, as attributes in the tables that models read."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import polars as pl

from edgewise.data.attributes import typed
from edgewise.data.vocabulary import standard_attribute
from edgewise.pipeline.titles import CATEGORY_COLUMNS
from edgewise.store import EventStore, StoredItem, StoredUser

_PAGE = 5000

T = TypeVar("T", StoredUser, StoredItem)


def told_users(store: EventStore) -> list[StoredUser]:
    """Return the users of whom something is told."""
    return [user for user in _pages(lambda after: store.users(after, _PAGE)) if user.labels]


def told_items(store: EventStore) -> list[StoredItem]:
    """Return the items of which something is told."""
    return [item for item in _pages(lambda after: store.items(after, _PAGE)) if item.labels or item.categories]


def with_told(
    table: pl.DataFrame | None, objects: Sequence[StoredUser] | Sequence[StoredItem], kind: str
) -> pl.DataFrame | None:
    """Put what is told into a table of attributes, over what it says.

    Labels that are an object are attributes by their names; a list of them are tags. Categories go where the table has its
    categories. A table that is there keeps its columns and their types, so that a model goes on reading what it has learned to
    read: other labels are left out. Where there is none, every label makes a column.

    Args:
        table: user_id or item_id as text, then attributes; None where nothing is known.
        objects: of the store. kind: "user" or "item".
    """
    key = f"{kind}_id"
    if not objects:
        return table
    known = set() if table is None else set(table.columns) - {key}
    rows = [_attributes(one, kind, known) for one in objects]
    names = list(dict.fromkeys(name for row in rows for name in row if not known or name in known))
    columns = {
        name: pl.Series(name, [_text(row.get(name)) for row in rows], dtype=pl.String)
        for name in names
        if any(name in row for row in rows)
    }
    if not columns:
        return table
    ids = pl.Series(key, [getattr(one, key) for one in objects], dtype=pl.String)
    if table is None or not known:
        return pl.DataFrame([ids, *(typed(column) for column in columns.values())])
    told = [_as(column, table.schema[name]) for name, column in columns.items()]
    return table.update(pl.DataFrame([ids, *told]), on=key, how="full")


def _attributes(one: StoredUser | StoredItem, kind: str, known: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(one.labels, dict):
        found = {standard_attribute(str(name), kind): value for name, value in one.labels.items()}
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
        return "|".join(words) or None
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _as(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.List):
        return column.str.split("|").cast(dtype, strict=False)
    return column.cast(dtype, strict=False)


def _pages(page: Any) -> Iterator[Any]:
    after: str | None = None
    while found := page(after):
        yield from found
        after = found[-1].user_id if isinstance(found[-1], StoredUser) else found[-1].item_id
