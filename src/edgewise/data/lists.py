"""Text with a list of items a line: LightGCN's `user item item …`, sequences, sessions, and lists that begin with their length.

These look alike, and the wrong guess gives a data set that is nonsense without an error. So only what is surely LightGCN's
is read without being asked: each user has one line. The rest needs `--format`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from edgewise.data.source import Text
from edgewise.data.table import Table
from edgewise.data.values import ids
from edgewise.errors import DataError

LIST_FORMATS = ("lightgcn", "sequences", "sessions", "counted")

_NUMBERS = re.compile(r"-?\d+(?:[ \t]+-?\d+)*\s*")
_HEAD_LINES = 2000
_MOSTLY = 0.9


def looks_like_lists(head: str) -> bool:
    """Say whether lines are lists of integers, rather than rows of two, three or four columns.

    Rows of equal length are lists only if no first number comes twice, and the last numbers do not look like ratings (few
    kinds) or times (large).
    """
    lines = [line for line in head.splitlines()[:_HEAD_LINES] if line.strip()]
    if not lines or sum(_NUMBERS.fullmatch(line) is not None for line in lines) < _MOSTLY * len(lines):
        return False
    rows = [line.split() for line in lines]
    if len({len(row) for row in rows}) > 1:
        return all(len(row) <= 2 or "." not in "".join(row) for row in rows)
    width, first = len(rows[0]), {row[0] for row in rows}
    if width == 2 or len(rows) == 1:
        return False
    return len(first) == len(rows) and (width > 4 or (len({row[-1] for row in rows}) > 20 and len(rows[0][-1]) < 9))


def open_lists(path: Path, text: Text, format: str | None) -> Table:
    """Open a text of lists; with `format` None it is taken as LightGCN's if that is certain.

    Raises:
        DataError: on loading, if an entry is no id, or the lists are of an uncertain kind.
    """

    def load(columns: Sequence[str]) -> pl.DataFrame:
        lines = _lines(text.data)
        if format is None:
            _refuse_if_uncertain(path, lines)
        _refuse_mixed(path, lines)
        return _EVENTS[format or "lightgcn"](lines).select(columns)

    header = {
        "lightgcn": ("user_id", "item_id"),
        "counted": ("user_id", "item_id"),
        "sequences": ("user_id", "item_id", "timestamp"),
    }
    names = header.get(format or "lightgcn", ("user_id", "item_id", "session_id", "timestamp"))
    return Table(path, format or "lightgcn", names, load, details=text.details, notes=_NOTES.get(format or "", ()))


_ORDER = "the place in the line serves as time (in seconds since 1970): it orders what one {} did, and compares no two of them."
_NOTES = {
    "counted": ("the first number of each line is how many follow; users are the numbers of the lines, from 0.",),
    "sequences": (_ORDER.format("user"),),
    "sessions": (
        "each line is a session, which stands for a user; its id is the number of the line, from 0.",
        _ORDER.format("session"),
    ),
}


def _lines(data: bytes) -> pl.DataFrame:
    """Split into line (from 0) and entries, without blank lines."""
    column = pl.read_csv(data, has_header=False, schema={"text": pl.String}, separator="\x1f", quote_char=None)
    stripped = pl.col("text").str.replace_all("\t", " ", literal=True).str.strip_chars()
    tidy = column.with_row_index("line").with_columns(stripped).filter(pl.col("text").str.len_bytes() > 0)
    if tidy["text"].str.contains("  ", literal=True).any():
        tidy = tidy.with_columns(pl.col("text").str.replace_all(" +", " "))
    return tidy.select(pl.col("line").cast(pl.Int64), entries=pl.col("text").str.split(" "))


def _refuse_if_uncertain(path: Path, lines: pl.DataFrame) -> None:
    first = lines["entries"].list.first()
    repeated = first.is_duplicated()
    if not repeated.any():
        return
    counts = first.cast(pl.Int64, strict=False) == lines["entries"].list.len() - 1
    if counts.all():
        raise DataError(
            f"{path.name}: each line begins with the number of entries that follow, so lines do not name their users. If line n "
            "is the list of user n, say --format counted; if the first number is a user after all, --format lightgcn."
        )
    one = int(repeated.arg_max() or 0)
    other = int((first == first[one]).arg_true()[1])
    raise DataError(
        f"{path.name}: lines {lines['line'][one] + 1} and {lines['line'][other] + 1} both begin with {first[one]!r}, so the first entry is "
        "hardly the user. Say what the lines are: --format sessions (all entries are items, one session a line), "
        "--format counted (the first is how many follow), or --format lightgcn (it is the user, on several lines)."
    )


def _refuse_mixed(path: Path, lines: pl.DataFrame) -> None:
    """Text among integers is a damaged line; text throughout is ids."""
    entries = lines.explode("entries")
    wrong = ~entries["entries"].str.contains(r"^-?\d+$")
    if not wrong.any() or wrong.mean() > 1 - _MOSTLY:  # type: ignore[operator]
        return
    place = int(wrong.arg_max() or 0)
    raise DataError(
        f"{path.name} line {entries['line'][place] + 1}: {entries['entries'][place][:40]!r} stands among integers "
        f"({int(wrong.sum()):,} of {len(wrong):,} entries). Expected lines of integers, `user item item …`. Correct the line, or "
        "name another format with --format."
    )


def _lightgcn(lines: pl.DataFrame) -> pl.DataFrame:
    pairs = lines.select(
        user_id=pl.col("entries").list.first(),
        item_id=pl.col("entries").list.slice(1),
    ).filter(pl.col("item_id").list.len() > 0)
    return _with_ids(pairs.explode("item_id"), "user_id", "item_id")


def _sequences(lines: pl.DataFrame) -> pl.DataFrame:
    listed = lines.select(
        user_id=pl.col("entries").list.first(),
        item_id=pl.col("entries").list.slice(1),
    ).filter(pl.col("item_id").list.len() > 0)
    placed = listed.with_columns(timestamp=pl.int_ranges(0, pl.col("item_id").list.len()))
    return _with_ids(_timed(placed.explode("item_id", "timestamp")), "user_id", "item_id")


def _sessions(lines: pl.DataFrame) -> pl.DataFrame:
    placed = lines.select(
        user_id="line",
        item_id="entries",
        session_id="line",
        timestamp=pl.int_ranges(0, pl.col("entries").list.len()),
    )
    return _with_ids(_timed(placed.explode("item_id", "timestamp")), "item_id")


def _counted(lines: pl.DataFrame) -> pl.DataFrame:
    pairs = lines.select(user_id="line", item_id=pl.col("entries").list.slice(1)).filter(
        pl.col("item_id").list.len() > 0
    )
    return _with_ids(pairs.explode("item_id"), "item_id")


def _timed(placed: pl.DataFrame) -> pl.DataFrame:
    """Turn places into seconds since 1970."""
    return placed.with_columns((pl.col("timestamp") * 1000).cast(pl.Datetime("ms")))


def _with_ids(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    return frame.with_columns(ids(frame[name])[0] for name in names)


_EVENTS = {"lightgcn": _lightgcn, "sequences": _sequences, "sessions": _sessions, "counted": _counted}
