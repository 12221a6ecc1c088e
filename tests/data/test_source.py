"""Files before their first row: missing, packed, damaged, changing, and in any encoding."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import zstandard

from edgewise.data.source import checked_path, read_text, unchanged
from edgewise.errors import DataError

LOG = "user_id,item_id\nu1,i1\nu2,i2\n"
CHINESE = "用户ID,商品ID\n张三,手机\n李四,电脑\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (CHINESE.encode(), None),
        (CHINESE.encode("utf-8-sig"), None),
        (CHINESE.encode("utf-16"), "encoding UTF-16"),
        (b"\xfe\xff" + CHINESE.encode("utf-16-be"), "encoding UTF-16"),
        (CHINESE.encode("utf-32"), "encoding UTF-32"),
        (CHINESE.encode("gbk"), "encoding GB18030 (GBK)"),
        (CHINESE.encode("gb18030"), "encoding GB18030 (GBK)"),
        (gzip.compress(CHINESE.encode("gbk")), "encoding GB18030 (GBK)"),
    ],
)
def test_any_encoding_of_chinese_gives_the_same_text(path: Path, data: bytes, detail: str | None) -> None:
    path.write_bytes(data)
    text = read_text(path)
    assert text.data.decode() == CHINESE
    assert text.details[-1:] == ((detail,) if detail else ())


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_western_text_is_not_taken_for_chinese(path: Path, encoding: str) -> None:
    western = "user_id,title\n1,Les Misérables\n2,Amélie\n3,La vita è bella\n4,Señor\n"
    path.write_bytes(western.encode(encoding))
    text = read_text(path)
    assert text.data.decode() == western
    assert text.details == ("not UTF-8 (line 2), so read as Windows-1252 (Latin-1); look whether accents are right",)


def test_one_damaged_letter_does_not_turn_utf_8_into_something_else(path: Path) -> None:
    path.write_bytes(("用户ID,商品ID\n" + "张三,手机\n" * 50).encode() + b"\xe6\xff,x\n")
    text = read_text(path)
    assert "张三" in text.data.decode()
    assert "damaged letters, the first in line 52" in text.details[0]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_files_are_told_by_content_and_may_have_several_parts(path: Path, pack: object) -> None:
    assert callable(pack)
    path.write_bytes(pack(LOG.encode()) + pack(b"u3,i3\n"))
    assert read_text(path).data.decode() == LOG + "u3,i3\n"


def test_old_line_ends_become_new_ones(path: Path) -> None:
    path.write_bytes(b"user_id,item_id\r1,2\r")
    assert read_text(path).data == b"user_id,item_id\n1,2\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty: it has 0 bytes. Check that the export has finished"),
        (b" \n\n \n", "is empty: it has no text in it"),
        (gzip.compress(b""), "is empty: it has no text in it"),
        (
            gzip.compress(LOG.encode() * 99)[:-9],
            "is cut short: its gzip data stop in the middle, .* Nothing of it was used",
        ),
        (gzip.compress(LOG.encode() * 99)[:30] + b"x" * 60, "is damaged: its gzip data cannot be unpacked"),
        (zstandard.compress(os.urandom(10**5))[:-9], "is cut short: its zstd data stop in the middle"),
        (zstandard.compress(LOG.encode())[:6] + b"x" * 60, "is damaged: its zstd data cannot be unpacked"),
        (LOG.encode("utf-16")[:-1], "begins as UTF-16 and is damaged at byte .* It may be cut short"),
        (LOG.encode("utf-16-le"), "looks like UTF-16 without a byte-order mark; save it as UTF-8"),
        (bytes(range(256)) * 9, r"is not a text file \(byte 0x00 at position 0\), nor Parquet or .npz. Expected CSV"),
        (b"PK\x03\x04" + b"x" * 99, "is a ZIP archive .* save the sheet as CSV"),
        (b"\x80\x04\x95", "is a Python pickle, which could run code when it is opened; export the table"),
        (b"<!DOCTYPE html>", "is a web page, perhaps of a download that went wrong"),
        (b"SQLite format 3\x00", "is an SQLite data base; export the table as CSV"),
        (b"a" * 257 + b"ustar" + b"\0" * 99, "is a tar archive; unpack it"),
    ],
)
def test_what_cannot_be_read_says_why(path: Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"log.csv {message}"):
        read_text(path)


def test_a_folder_says_what_is_in_it(path: Path) -> None:
    path.write_text(LOG)
    with pytest.raises(DataError, match=r"is a folder; name one file, such as one of those in it: log.csv\."):
        checked_path(path.parent)


def test_a_missing_file_says_what_is_near(path: Path) -> None:
    path.write_text(LOG)
    with pytest.raises(DataError, match=r"lgo.csv does not exist. There is log.csv beside it"):
        checked_path(path.with_name("lgo.csv"))
    with pytest.raises(DataError, match=r"does not exist. Look at the name, and at the folder"):
        checked_path(path.parent / "nowhere" / "x.csv")


def test_the_folder_that_one_is_in_is_not_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^nope.csv does not exist. Look at the name, and at the folder you are in\.$"):
        checked_path("nope.csv")


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is neither a file nor a folder"):
        checked_path(tmp_path / "pipe")


def test_permission_denied_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(LOG)

    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)  # the superuser, whom containers run as, may read everything
    with pytest.raises(DataError, match=r"log.csv may not be read: permission denied. Give yourself the right"):
        read_text(path)


def test_a_file_that_changes_while_it_is_read_is_refused(path: Path) -> None:
    path.write_text(LOG)
    with (
        pytest.raises(DataError, match=r"log.csv changed while it was read \(28 bytes before, 34 after\)"),
        unchanged(path),
    ):
        path.write_text(LOG + "u3,i3\n")
    with pytest.raises(DataError, match="changed while it was read"), unchanged(path):
        os.utime(path, ns=(1, 1))
    with unchanged(path):
        path.read_bytes()


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_small_file_that_unpacks_to_a_huge_one_is_refused_before_memory_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(pack(b"0" * (600 << 20)))
    assert path.stat().st_size < 1 << 20
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100e6))
    with pytest.raises(
        DataError, match=r"does not fit into memory: its (gzip|zstd) data unpack to more than 0\.\d GB, and 0\.1 GB"
    ):
        read_text(path)
