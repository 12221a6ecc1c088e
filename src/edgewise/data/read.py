"""Reading: from files or frames to a `Dataset`, with what was assumed and cleaned on the way in its history."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from edgewise.data.attributes import Attributes, attributes_in_log, attributes_of, friendships_of
from edgewise.data.clean import CleanConfig, clean_events
from edgewise.data.columns import Columns, as_columns
from edgewise.data.dataset import Dataset
from edgewise.data.events import ReadReport, events_of, is_headerless, sentence
from edgewise.data.formats import FORMATS, open_table
from edgewise.data.frames import table_of_frame
from edgewise.data.source import checked_path, unchanged
from edgewise.data.table import Table
from edgewise.data.values import numbers
from edgewise.data.vocabulary import QUANTITY, labels_for, rank_of
from edgewise.data.wording import count
from edgewise.errors import DataError
from edgewise.telemetry import note

__all__ = [
    "FORMATS",
    "ReadReport",
    "check_usable",
    "dataset_from_frames",
    "read_attributes",
    "read_dataset",
    "read_events",
    "read_log",
    "read_quantity",
    "read_social",
    "read_table",
]

Mapped = Columns | Mapping[str, str] | None


def read_dataset(
    path: Path | str,
    *,
    format: str | None = None,
    columns: Mapped = None,
    items: Any = None,
    users: Any = None,
    social: Any = None,
    clean: CleanConfig | None = None,
) -> Dataset:
    """Read a log of interactions, the tables beside it, and clean it; see `Dataset.from_file`.

    Args:
        path, format, columns: the log; see `read_events`.
        items, users, social: files or frames of attributes and friendships.
        clean: which cleaning steps to run.

    Raises:
        DataError: if something is missing, malformed, or cleaning leaves nothing; the text names the file, the row, and what to do.
    """
    return _build(*read_log(path, format=format, columns=columns), items, users, social, clean)


def dataset_from_frames(
    frame: Any,
    *,
    columns: Mapped = None,
    items: Any = None,
    users: Any = None,
    social: Any = None,
    clean: CleanConfig | None = None,
) -> Dataset:
    """Take a Polars, pandas or Arrow frame of interactions, and frames or files of attributes; else as `read_dataset`."""
    with _naming("the frame"):
        events, report, found = _events_and_attributes(table_of_frame(frame), as_columns(columns))
    return _build(events, report, found, items, users, social, clean)


def read_events(
    path: Path | str, *, format: str | None = None, columns: Mapped = None
) -> tuple[pl.DataFrame, ReadReport]:
    """Read the events of a log as `read_log` does, and nothing else."""
    mapping = as_columns(columns)
    with _opened_log(path, format, mapping) as table:
        return events_of(table, mapping)


def read_log(
    path: Path | str, *, format: str | None = None, columns: Mapped = None
) -> tuple[pl.DataFrame, ReadReport, dict[str, Attributes]]:
    """Read a log without cleaning it.

    Args:
        path: the file, plain or packed with gzip or zstd.
        format: a key of `FORMATS`; None finds it.
        columns: standard name to name in the file, where the usual names do not fit; column_1 and so on name places.

    Returns:
        Events with the names of `EVENT_COLUMNS`, a row for each of the file's; how the file was understood; and what its
        other columns say of "item" and "user".

    Raises:
        DataError: if it cannot be read, or changes meanwhile.
    """
    mapping = as_columns(columns)
    with _opened_log(path, format, mapping) as table:
        return _events_and_attributes(table, mapping)


def read_quantity(
    path: Path | str, unused: Sequence[str], *, format: str | None = None, columns: Mapped = None
) -> pl.Series | None:
    """Read the spare column of a log that tells how much was bought, if there is one of numbers."""
    name = next((name for name in unused if rank_of(name, QUANTITY) is not None), None)
    if name is None:
        return None
    with contextlib.suppress(DataError), _opened_log(path, format, as_columns(columns)) as table:
        return numbers(table.load([name])[name]).alias(name)
    return None


def read_table(source: Any, kind: str, *, known_ids: pl.Series | None = None) -> pl.DataFrame:
    """Read a table of attributes of users or items.

    Args:
        source: a file or a frame.
        kind: "user" or "item".
        known_ids: the ids of the log, which tell the id column where several would do.

    Returns:
        user_id or item_id, then the attributes under their standard names; one row an id.
    """
    return read_attributes(source, kind, known_ids=known_ids).frame


def read_attributes(
    source: Any, kind: str, *, known_ids: pl.Series | None = None, log_names: Mapping[str, str] | None = None
) -> Attributes:
    """Read what `read_table` reads, with the file's own names of the columns, and what was assumed.

    Args:
        source, kind, known_ids: see `read_table`.
        log_names: standard name to the name in the log; with these a table of the other side is refused.
    """
    with _opened(source, f"the table of {kind}s") as table:
        found = attributes_of(table, kind, known_ids, log_names)
    for doubt in found.doubts:
        note(sentence(doubt))
    return found


def read_social(source: Any) -> pl.DataFrame:
    """Read friendships from a file or a frame: user_id, friend_id and, where known, weight and timestamp."""
    return _friendships(source).frame


def check_usable(dataset: Dataset) -> None:
    """Refuse what nobody can learn from: a recommender needs a choice of items and people who differ in it.

    Raises:
        DataError: if events name fewer than two users or two items.
    """
    n_users, n_items = (dataset.events[name].n_unique() for name in ("user_index", "item_index"))
    if n_users < 2 or n_items < 2:
        only = [f"{n} {what}" for n, what in ((n_users, "user"), (n_items, "item")) if n < 2]
        told = [line for place, line in enumerate(dataset.history) if place == 0 or line.startswith("Dropped")]
        raise DataError(
            f"the data have only {' and '.join(only)} in {count(dataset.n_events, 'event')}; a recommender needs at least 2 users "
            f"and 2 items. Check which columns were read as user and item, and what cleaning left. {' '.join(told)}".rstrip()
        )


def _events_and_attributes(table: Table, columns: Columns) -> tuple[pl.DataFrame, ReadReport, dict[str, Attributes]]:
    """Read a log, and what its spare columns say of items and users."""
    events, report = events_of(table, columns)
    found = attributes_in_log(table, report.unused, events)
    taken = {name for attributes in found.values() for name in attributes.names.values()}
    unused = tuple(name for name in report.unused if name not in taken)
    return events, replace(report, unused=unused), found


def _build(
    events: pl.DataFrame,
    report: ReadReport,
    found: dict[str, Attributes],
    items: Any,
    users: Any,
    social: Any,
    clean: CleanConfig | None,
) -> Dataset:
    """Clean the events and put the data set together; a table given takes the place of what the log itself says."""
    with _naming(report.source):
        cleaned, cleaning = clean_events(events, clean)
    del events
    tables = dict(found)
    for kind, source in (("user", users), ("item", items)):
        if source is not None:
            known_ids = cleaned[f"{kind}_id"].unique()
            tables[kind] = read_attributes(source, kind, known_ids=known_ids, log_names=report.columns)
    friends = None if social is None else _friendships(social)
    kinds = cleaned["type"].unique().sort().cast(pl.String).to_list() if "type" in cleaned.columns else []
    if kinds and isinstance(cleaned["type"].dtype, pl.Enum) and len(kinds) < len(cleaned["type"].dtype.categories):
        cleaned = cleaned.with_columns(
            pl.col("type").cast(pl.Enum(sorted(kinds)))
        )  # cleaning may have taken whole kinds away
    names = {
        **report.columns,
        **{name: own for table in tables.values() for name, own in table.names.items() if name not in report.columns},
    }
    notes = [
        sentence(line)
        for table in (*tables.values(), *([friends] if friends else []))
        for line in (*table.notes, *table.doubts)
    ]
    return Dataset.from_events(
        cleaned,
        user_table=tables["user"].frame if "user" in tables else None,
        item_table=tables["item"].frame if "item" in tables else None,
        social=friends.frame if friends else None,
        labels=labels_for([*cleaned.columns, *(name for name in names if name not in cleaned.columns)], kinds, names),
        history=(*report.lines(), *notes, *cleaning.lines()),
    )


def _friendships(source: Any) -> Attributes:
    with _opened(source, "the table of friendships") as table:
        return friendships_of(table)


@contextmanager
def _opened_log(path: Path | str, format: str | None, columns: Columns) -> Iterator[Table]:
    with _naming(path):
        path = checked_path(path)
        with unchanged(path):
            yield open_table(path, format, headerless=is_headerless(columns))


@contextmanager
def _opened(source: Any, what: str) -> Iterator[Table]:
    if isinstance(source, str | Path):
        with _naming(source):
            path = checked_path(source)
            with unchanged(path):
                yield open_table(path)
    else:
        with _naming(what):
            yield table_of_frame(source, what)


@contextmanager
def _naming(source: Path | str) -> Iterator[None]:
    """Put the name of the file in front of errors that do not have it yet."""
    try:
        yield
    except DataError as error:
        name = Path(source).name
        if name in str(error):
            raise
        text = str(error)
        raise type(error)(f"{name} {text}" if text.startswith("row ") else f"{name}: {text}") from error.__cause__
