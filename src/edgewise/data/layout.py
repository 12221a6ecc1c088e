"""What a text table looks like: its separator, quotes, header, and what may stand above it; told by its first lines."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgewise.data.vocabulary import is_known
from edgewise.errors import DataError

_SEPARATORS = (",", "\t", ";", "|", "::", " ")
SEPARATOR_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", "::": "'::'", " ": "spaces"}
INSIDE = "\x1f"
"""Stands in for "::", since Polars takes one letter; the ASCII control made for this, which no text has."""

HEAD_ROWS = 200

_ML_100K_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
LAYOUTS: dict[str, tuple[str, ...]] = {
    "u.data": ("user_id", "item_id", "rating", "timestamp"),
    "u.user": ("user_id", "age", "gender", "occupation", "zip_code"),
    "u.item": ("item_id", "title", "release_date", "video_release_date", "url", *_ML_100K_GENRES),
    "ratings.dat": ("user_id", "item_id", "rating", "timestamp"),
    "movies.dat": ("item_id", "title", "genres"),
    "movies_extrainfos.dat": (
        *("item_id", "title", "year", "certificate", "released", "genres", "director", "writers", "actors"),
        *("description", "poster"),
    ),
    "users.dat": ("user_id", "gender", "age", "occupation", "zip_code"),
}
"""Files of MovieLens that have no header, by their original names."""

GENRE_FLAGS = frozenset(_ML_100K_GENRES)
"""Columns of 0 and 1 in u.item that are together one multi-valued attribute."""


def sniff_separator(head: str) -> str:
    """Find the separator: the one that cuts most rows into equally many fields, known column names counting most.

    >>> sniff_separator("user;item\\n1,5;2\\n"), sniff_separator("1::2::3\\n4::5::6\\n"), sniff_separator("1 2\\n3 4\\n")
    (';', '::', ' ')
    """
    best, best_score = ",", (0, 0.0, 0)
    for separator in _SEPARATORS:
        if separator == " " and best_score[2] > 1 and best_score[1] >= 0.9:
            continue  # spaces inside dates and titles are as regular as separators
        rows = [row for row in first_rows(_joined(head, separator), _one(separator), '"') if row][:HEAD_ROWS]
        lengths = Counter(map(len, rows))
        width, count = lengths.most_common(1)[0] if lengths else (1, 0)
        if width < 2:
            continue
        known = sum(map(is_known, rows[0]))
        score = (known, round(count / len(rows), 2), width)
        if score > best_score:
            best, best_score = separator, score
    return best


def without_preamble(data: bytes) -> tuple[bytes, str | None]:
    """Cut off leading comments ("# …", as SNAP's files have) and Excel's "sep=;"; also return the separator it names."""
    if said := re.match(rb"\s*\"?sep=([,;|\t])\"?\r?\n", data[:64]):
        return data[said.end() :], said[1].decode()
    comments = re.match(rb"(?:\s*#[^\n]*\n)+", data[: (1 << 16)])
    if comments is None:
        return data, None
    last = comments[0].rstrip().rpartition(b"\n")[2].lstrip(b"# ")
    names = re.split(rb"[,;|\t ]+", last)
    if sum(is_known(name.decode(errors="replace")) for name in names) >= 2:  # a header behind a "#"
        return last + b"\n" + data[comments.end() :], None
    return data[comments.end() :], None


def refuse_late_header(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Refuse a file that has something above its header, which would become a row of data."""
    if sum(map(is_known, rows[0])):
        return
    for place, row in enumerate(rows[1:20], start=1):
        known = sum(map(is_known, row))
        if known >= 2 and 2 * known >= len(row) and not any(map(_is_data, row)):
            raise DataError(
                f"{path.name}: row {place + 1} looks like the header ({', '.join(row[:8])}), and something stands above it: "
                f"{' '.join(rows[0])[:80]!r}. Remove the lines above the header."
            )


def quote_of(data: bytes, separator: str) -> str | None:
    """Find whether quotes have a meaning: in CSV they do; elsewhere only if each that opens a field also closes one."""
    if b'"' not in data:
        return None
    if separator in ",;":
        return '"'
    cut = separator.encode()
    opening = data.count(cut + b'"') + data.count(b'\n"') + data.startswith(b'"')
    closing = data.count(b'"' + cut) + data.count(b'"\n') + data.count(b'"\r\n') + data.endswith(b'"')
    return '"' if opening == closing > 0 else None


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether the first row is names: known ones, or text above numbers; a number or date in it speaks against."""
    first = rows[0]
    known = sum(map(is_known, first))
    if any(map(_is_data, first)) or len(first) == 1:
        return known >= min(2, len(first))
    if known or len(rows) == 1:
        return True
    below = [cell for row in rows[1:] for cell in row]
    return any(map(_is_data, below)) or not any(cell in first for cell in below)


def first_rows(head: str, separator: str, quote: str | None) -> list[list[str]]:
    """Split the first lines; a last row that the head cuts inside quotes is left out."""
    reader = csv.reader(
        io.StringIO(head),
        delimiter=separator,
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
    )
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if len(rows) > HEAD_ROWS:
                break
    except csv.Error:
        pass
    return rows


def _one(separator: str) -> str:
    return INSIDE if separator == "::" else separator


def _joined(head: str, separator: str) -> str:
    return head.replace("::", INSIDE) if separator == "::" else head


def _is_data(cell: str) -> bool:
    """Say whether a cell is a number or begins as a date does, as names of columns hardly do."""
    return re.match(r"\s*(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\s*$|\d{4}[-/.]\d{1,2}[-/.]\d)", cell) is not None


def original_name(path: Path) -> str:
    """Return the name of a file before it was packed, in lower case."""
    name = path.name.lower()
    for packing in (".gz", ".zst", ".zstd"):
        name = name.removesuffix(packing)
    return name
