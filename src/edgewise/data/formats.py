"""Which format a file has: told by its first bytes, then its name; a format that the caller names comes before both."""

from pathlib import Path

from edgewise.data.binary_files import PARQUET_MARK, open_npz, open_parquet
from edgewise.data.delimited import open_delimited, strip_recbole_types
from edgewise.data.json_files import open_json_array, open_json_lines
from edgewise.data.lists import LIST_FORMATS, looks_like_lists, open_lists
from edgewise.data.source import Text, checked_path, head_of, read_text
from edgewise.data.table import Table
from edgewise.errors import DataError, UnknownNameError

FORMATS: dict[str, str] = {
    "csv": "text with a header; separated by commas, semicolons, tabs, bars or spaces, found by itself",
    "tsv": "text with tabs between columns, such as GRU4Rec's SessionId, ItemId, Time",
    "movielens": "text with :: between columns, without a header",
    "recbole": "RecBole's atomic files: .inter .user .item .net .link, with headers such as user_id:token",
    "jsonl": "JSON lines: one object a line",
    "json": "one JSON array of objects",
    "parquet": "Parquet",
    "lightgcn": "one user a line: user item item …",
    "sequences": "one user a line, items in the order of time: user item item …",
    "sessions": "one session a line, items in the order of time: item item …",
    "counted": "one user a line, beginning with the number of items: n item item …",
    "npz": "a SciPy sparse matrix (save_npz), users in rows",
}
"""The formats that can be named with --format, and what they are."""

_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


def open_table(path: Path | str, format: str | None = None, *, headerless: bool = False) -> Table:
    """Open a file as a table; nothing but text formats is read in full before columns are asked for.

    Args:
        path: the file, plain or packed with gzip or zstd.
        format: a key of `FORMATS`; None finds it.
        headerless: the first row of a text table is data whatever it looks like.

    Raises:
        UnknownNameError: if there is no such format.
        DataError: if the file is not there, empty, damaged, or not of the format.
    """
    if format is not None and format not in FORMATS:
        listed = "; ".join(f"{name} ({what})" for name, what in FORMATS.items())
        raise UnknownNameError(f"there is no format {format!r}; there are {listed}.")
    path = checked_path(path)
    head = head_of(path)
    binary = _binary_format(path, head)
    if binary == "parquet" and format in (None, "parquet"):
        with path.open("rb") as file:
            packed = file.read(4).startswith(_PACKED)
        return open_parquet(path, packed=packed)
    if binary == "npz" and format in (None, "npz"):
        return open_npz(path)
    if format in ("parquet", "npz") or (format is None and _suffix(path) in (".parquet", ".pq", ".npz")):
        raise DataError(
            f"{path.name} does not begin as {format or _suffix(path)[1:]} does (its first bytes are {head[:8]!r}). It may be damaged, "
            "or named wrongly; leave --format out, or rename it."
        )
    return _open_text(path, read_text(path), format, headerless=headerless)


def _open_text(path: Path, text: Text, format: str | None, *, headerless: bool) -> Table:
    first = text.data[:4096].lstrip()[:1]
    if format == "jsonl" or (format is None and first == b"{"):
        return open_json_lines(path, text)
    if format == "json" or (format is None and first == b"["):
        return open_json_array(path, text)
    if format in LIST_FORMATS:
        return open_lists(path, text, format)
    head = text.data[: 1 << 16]
    cut = head.rfind(b"\n") + 1 if len(head) < len(text.data) else len(head)
    if format is None and not headerless and looks_like_lists(head[: cut or len(head)].decode(errors="ignore")):
        return open_lists(path, text, None)
    table = open_delimited(path, text, format=format or "csv", headerless=headerless)
    recbole = format == "recbole" or (table.named and any(_has_recbole_type(name) for name in table.header))
    return strip_recbole_types(table) if recbole else table


def _binary_format(path: Path, head: bytes) -> str | None:
    if head.startswith(PARQUET_MARK):
        return "parquet"
    if head.startswith(b"PK\x03\x04") and (_suffix(path) == ".npz" or b".npy" in head[:120]):
        return "npz"
    return None


def _has_recbole_type(name: str) -> bool:
    return name.endswith((":token", ":token_seq", ":float", ":float_seq"))


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for packing in (".gz", ".zst", ".zstd"):
        name = name.removesuffix(packing)
    return Path(name).suffix
