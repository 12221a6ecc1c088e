"""From a path to text in UTF-8: what can be wrong with a file before its first row is looked at."""

import contextlib
import difflib
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE, getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import zstandard

from edgewise.errors import DataError

_CHUNK = 1 << 24
_PACKED_CHUNK = 1 << 14
"""Packed bytes unpacked at once where the result cannot be bounded: it may be ten thousand times as long."""

_LOOK_EVERY = 1 << 28
"""Look at the free memory after so many unpacked bytes."""
_HEAD = 1 << 16

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

_NOT_TABLES = (
    (b"PK\x03\x04", "a ZIP archive (an Excel workbook is one too); unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the sheet as CSV"),
    (b"BZh", "packed with bzip2; unpack it, or pack it with gzip or zstd"),
    (b"\xfd7zXZ\x00", "packed with xz; unpack it, or pack it with gzip or zstd"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (b"SQLite format 3", "an SQLite data base; export the table as CSV or Parquet"),
    (b"%PDF", "a PDF document"),
    (b"\x80\x02", "a Python pickle, which could run code when it is opened; export the table as Parquet or CSV"),
    (b"\x80\x03", "a Python pickle, which could run code when it is opened; export the table as Parquet or CSV"),
    (b"\x80\x04", "a Python pickle, which could run code when it is opened; export the table as Parquet or CSV"),
    (b"\x80\x05", "a Python pickle, which could run code when it is opened; export the table as Parquet or CSV"),
    (b"\x89HDF", "an HDF5 file; export the table as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array; save the matrix with scipy.sparse.save_npz, or the rows as Parquet"),
    (b"ARROW1", "an Arrow file; save it as Parquet, or pass the frame to Dataset.from_frame"),
    (b"<!DOCTYPE", "a web page, perhaps of a download that went wrong"),
    (b"<!doctype", "a web page, perhaps of a download that went wrong"),
    (b"<html", "a web page, perhaps of a download that went wrong"),
)


@dataclass(frozen=True)
class Text:
    """The content of a text file.

    Attributes:
        data: UTF-8 without byte-order mark, line ends as in the file (but a lone CR has become LF).
        details: what was found out on the way (packing, encoding), a few words each.
    """

    data: bytes
    details: tuple[str, ...]


def checked_path(path: Path | str) -> Path:
    """Return the path of a regular file that is there.

    Raises:
        DataError: if there is none (naming files with a similar name), or it is a folder (naming what is in it).
    """
    path = Path(path)
    try:
        if path.is_file():
            return path
        if path.is_dir():
            files = sorted(file.name for file in path.iterdir() if file.is_file())
            shown = ", ".join(files[:8]) + (", …" if len(files) > 8 else "")
            raise DataError(
                f"{path} is a folder; name one file"
                + (f", such as one of those in it: {shown}." if files else "; it has none.")
            )
        if path.exists():
            raise DataError(f"{path} is neither a file nor a folder; save the data to a file first.")
        near = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError as error:
        raise _cannot_read(path, error) from error
    similar = difflib.get_close_matches(path.name, near, n=3)
    raise DataError(
        f"{path} does not exist. "
        + (
            f"There is {' and '.join(similar)} beside it."
            if similar
            else f"Look at the name, and at {'the folder you are in' if path.parent == Path() else f'the folder {path.parent}'}."
        )
    )


@contextlib.contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Refuse a file that is written to while the block reads it: half of the old and half of the new is neither.

    Raises:
        DataError: if size or time of change differ afterwards, or the file cannot be read.
    """
    try:
        before = path.stat()
        try:
            yield
        finally:
            after = path.stat()
            changed = (before.st_size, before.st_mtime_ns, before.st_ino) != (
                after.st_size,
                after.st_mtime_ns,
                after.st_ino,
            )
            if changed:
                raise DataError(
                    f"{path} changed while it was read ({before.st_size:,} bytes before, {after.st_size:,} after); what was read "
                    "is not used. Wait until it is written, or read a copy."
                )
    except OSError as error:
        raise _cannot_read(path, error) from error


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked where it is packed; for finding out what it is."""
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD)
    except OSError as error:
        raise _cannot_read(path, error) from error
    if data.startswith(_GZIP):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(wbits=31).decompress(data)
    if data.startswith(_ZSTD):
        with contextlib.suppress(zstandard.ZstdError):
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def read_text(path: Path) -> Text:
    """Read a whole text file: unpack gzip and zstd (told by content, not by name), and turn any encoding into UTF-8.

    Raises:
        DataError: if the file is empty, cut short, damaged, or not text.
    """
    data, packing = unpacked(path)
    refuse_binary(path, data[:_HEAD])
    data, encoding = to_utf8(path, data)
    if not data or data.isspace():
        raise DataError(f"{path} is empty: it has no text in it. Check that the export has finished.")
    if b"\r" in data[:_HEAD] and b"\n" not in data[:_HEAD]:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return Text(data, (*packing, *encoding))


def unpacked(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a file, unpacked where it is packed, and a note that says so."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _cannot_read(path, error) from error
    if not data:
        raise DataError(f"{path} is empty: it has 0 bytes. Check that the export has finished.")
    if data.startswith(_GZIP):
        return _gunzip(path, data), ("packed with gzip",)
    if data.startswith(_ZSTD):
        return _unzstd(path, data), ("packed with zstd",)
    return data, ()


def refuse_binary(path: Path, head: bytes) -> None:
    """Refuse what is not text, saying what it is where that can be told.

    Raises:
        DataError: naming the kind of file, or the first byte that no text has.
    """
    for mark, what in _NOT_TABLES:
        if head.startswith(mark):
            raise DataError(f"{path} is {what}.")
    if head[257:262] == b"ustar":
        raise DataError(f"{path} is a tar archive; unpack it and name one of its files.")
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE, BOM_UTF32_LE, BOM_UTF32_BE)):
        return
    even, odd = head[0:200:2].count(0), head[1:200:2].count(0)
    if max(even, odd) > 20 and min(even, odd) == 0:
        raise DataError(
            f"{path} looks like UTF-16 without a byte-order mark; save it as UTF-8 (or as UTF-16 with the mark)."
        )
    strange = [place for place, byte in enumerate(head) if byte < 32 and byte not in b"\t\n\r\f\x1a\x1f"]
    if b"\0" in head or len(strange) * 50 > len(head):
        place = strange[0]
        raise DataError(
            f"{path} is not a text file (byte 0x{head[place]:02x} at position {place:,}), nor Parquet or .npz. "
            "Expected CSV, TSV, JSON lines and their like; an unknown --format lists them all."
        )


def to_utf8(path: Path, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the text as UTF-8 without byte-order mark, and a note where it was something else.

    UTF-16 and UTF-32 are told by their mark. What is not UTF-8 is GB18030 (which GBK and GB2312 are parts of) where it
    decodes as ordinary Chinese, else Windows-1252 / Latin-1: every byte means something there, so the note says it.
    """
    for mark, name in (
        (BOM_UTF32_LE, "utf-32"),
        (BOM_UTF32_BE, "utf-32"),
        (BOM_UTF16_LE, "utf-16"),
        (BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            try:
                return data.decode(name).encode(), (f"encoding {name.upper()}",)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path} begins as {name.upper()} and is damaged at byte {error.start:,} ({error.reason}). "
                    "It may be cut short: export it again, best as UTF-8."
                ) from None
    if data.startswith(BOM_UTF8):
        data = data[len(BOM_UTF8) :]
    where = _first_not_utf8(data)
    if where is None:
        return data, ()
    if _is_chinese(data):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("gb18030").encode(), ("encoding GB18030 (GBK)",)
    line = data.count(b"\n", 0, where) + 1
    replaced = data.decode("utf-8", errors="replace")
    bad = replaced.count("\ufffd")
    if bad * 20 < sum(letter > "\x7f" for letter in replaced):
        return replaced.encode(), (
            f"encoding UTF-8 with {bad} damaged letters, the first in line {line}; they show as \ufffd",
        )
    name = "latin-1" if any(byte in data for byte in b"\x81\x8d\x8f\x90\x9d") else "cp1252"
    shown = "Latin-1" if name == "latin-1" else "Windows-1252 (Latin-1)"
    return data.decode(name).encode(), (f"not UTF-8 (line {line}), so read as {shown}; look whether accents are right",)


def _first_not_utf8(data: bytes) -> int | None:
    """Return the position of the first byte that is not UTF-8, looking at a piece at a time to save memory."""
    decoder = getincrementaldecoder("utf-8")()
    view = memoryview(data)
    for start in range(0, len(data), _CHUNK):
        try:
            decoder.decode(view[start : start + _CHUNK], final=start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            return start + error.start
    return None


def _is_chinese(data: bytes) -> bool:
    """Say whether bytes above 127 come in pairs as Chinese does in GBK: both high, in the rows that hold common letters.

    An accented letter in Latin-1 is mostly followed by a plain one, which common GBK letters never are.
    """
    high = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) >= 0x80)[:20_000].tolist()
    pairs = common = place = 0
    for position in high:
        if position < place:
            continue
        pairs += 1
        following = data[position + 1] if position + 1 < len(data) else 0
        common += 0xA1 <= data[position] <= 0xF7 and 0xA1 <= following <= 0xFE
        place = position + 2
    return common >= 0.9 * pairs


def _gunzip(path: Path, data: bytes) -> bytes:
    """Unpack all members of a gzip file."""
    unpacked = _Unpacked(path, "gzip")
    while data:
        unpacker = zlib.decompressobj(wbits=31)
        is_padding = unpacked.size > 0 and not data.startswith(_GZIP)  # after the last member, as `gzip` itself allows
        try:
            while data and not unpacker.eof:
                unpacked.add(unpacker.decompress(data, _CHUNK))
                data = unpacker.unconsumed_tail
            unpacked.add(unpacker.flush())
        except zlib.error as error:
            if is_padding:
                break
            raise _damaged(path, "gzip", str(error)) from None
        if not unpacker.eof:
            raise _cut_short(path, "gzip", unpacked.size)
        data = unpacker.unused_data.lstrip(b"\0")
    return unpacked.joined()


def _unzstd(path: Path, data: bytes) -> bytes:
    """Unpack all frames of a zstd file."""
    unpacked = _Unpacked(path, "zstd")
    while data:
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        done = 0
        try:
            while done < len(data) and not unpacker.eof:
                unpacked.add(unpacker.decompress(data[done : done + _PACKED_CHUNK]))
                done += _PACKED_CHUNK
        except zstandard.ZstdError as error:
            raise _damaged(path, "zstd", str(error)) from None
        if not unpacker.eof:
            raise _cut_short(path, "zstd", unpacked.size)
        data = unpacker.unused_data + data[done:]
    return unpacked.joined()


class _Unpacked:
    """Unpacked pieces; stops before a small file that unpacks to a huge one takes all memory."""

    def __init__(self, path: Path, packing: str) -> None:
        self.size = 0
        self._path = path
        self._packing = packing
        self._parts: list[bytes] = []
        self._looked_at = 0

    def add(self, part: bytes) -> None:
        self._parts.append(part)
        self.size += len(part)
        if self.size - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at, free = self.size, psutil.virtual_memory().available
        if self.size > free:  # joining the pieces takes as much again
            raise DataError(
                f"{self._path} does not fit into memory: its {self._packing} data unpack to more than {self.size / 1e9:.1f} GB, "
                f"and {free / 1e9:.1f} GB are free. Read a part of it, or Parquet, of which only the columns needed are loaded."
            )

    def joined(self) -> bytes:
        return b"".join(self._parts)


def _cut_short(path: Path, packing: str, n_bytes: int) -> DataError:
    return DataError(
        f"{path} is cut short: its {packing} data stop in the middle"
        + (f", after {n_bytes:,} bytes of text. " if n_bytes else ". ")
        + "Nothing of it was used; copy or download it again."
    )


def _damaged(path: Path, packing: str, reason: str) -> DataError:
    return DataError(f"{path} is damaged: its {packing} data cannot be unpacked ({reason}). Copy or download it again.")


def _cannot_read(path: Path, error: OSError) -> DataError:
    if isinstance(error, PermissionError):
        return DataError(
            f"{path} may not be read: permission denied. Give yourself the right (chmod u+r), or read a copy."
        )
    return DataError(f"{path} cannot be read: {error.strerror or error}.")
