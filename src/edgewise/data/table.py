"""A file opened but not yet read: its header, and a way to get the columns that are needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True)
class Table:
    """Columns that can be loaded.

    Attributes:
        path: the file.
        format: a key of `FORMATS`.
        header: the names of the columns, unique; column_1, column_2, … where the file has none.
        load: gives the named columns [n_rows], as text or with the types that the file itself has.
        named: whether the header is from the file (or from the format) rather than made up.
        sample: the first rows as text, where they are at hand.
        details: how the file is packed, written and laid out, a few words each.
        notes: what was assumed, one line each.
    """

    path: Path
    format: str
    header: tuple[str, ...]
    load: Callable[[Sequence[str]], pl.DataFrame]
    named: bool = True
    sample: tuple[tuple[str, ...], ...] = ()
    details: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def unique_names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names with a number behind those that are there already, and a made-up name for empty ones.

    >>> unique_names(["user", "item", "item", ""])
    ('user', 'item', 'item (2)', 'column_4')
    """
    names: list[str] = []
    for place, name in enumerate(header, start=1):
        name = name.strip() or f"column_{place}"
        number = 2
        unique = name
        while unique in names:
            unique, number = f"{name} ({number})", number + 1
        names.append(unique)
    return tuple(names)
