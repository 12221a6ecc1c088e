"""Formats: one small log, written in every one of them, is the same log."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse
import zstandard
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from edgewise.data.delimited import open_delimited
from edgewise.data.formats import FORMATS, open_table
from edgewise.data.layout import sniff_separator
from edgewise.data.lists import looks_like_lists
from edgewise.data.read import read_events
from edgewise.data.source import Text
from edgewise.errors import DataError, UnknownNameError

ROWS = [(1, 20, 5.0, 1_600_000_000), (2, 20, 3.5, 1_600_000_100), (1, 30, 4.0, 1_600_000_200)]
EVENTS = [(user, item, value, seconds * 1000) for user, item, value, seconds in ROWS]

HEADER = ("user_id", "item_id", "rating", "timestamp")


def lines(separator: str, *, header: bool = True) -> str:
    rows = [tuple(map(str, row)) for row in ROWS]
    return "\n".join(separator.join(row) for row in ([HEADER, *rows] if header else rows)) + "\n"


def frame() -> pl.DataFrame:
    return pl.DataFrame(ROWS, schema=list(HEADER), orient="row")


def parquet(path: Path) -> bytes:
    frame().write_parquet(path)
    return path.read_bytes()


TEXTS: dict[str, tuple[str, str]] = {
    "commas": (lines(","), "csv"),
    "semicolons": (lines(";"), "csv"),
    "bars": (lines("|"), "csv"),
    "tabs": (lines("\t"), "tsv"),
    "spaces": (lines(" "), "csv"),
    "movielens": (lines("::", header=False), "movielens"),
    "commas-headerless": (lines(",", header=False), "csv"),
    "tabs-headerless": (lines("\t", header=False), "tsv"),
    "spaces-headerless": (lines("  ", header=False), "csv"),
    "windows": (lines(",").replace("\n", "\r\n"), "csv"),
    "blank-lines": (lines(",").replace("\n", "\n\n"), "csv"),
    "quotes": ("\n".join(",".join(f'"{cell}"' for cell in row.split(",")) for row in lines(",").split()), "csv"),
    "recbole": (lines("\t").replace("user_id\titem_id\trating\ttimestamp", "user_id:token\titem_id:token\trating:float\ttimestamp:float"), "recbole"),
    "json-lines": ("\n".join(json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS), "jsonl"),
    "json-array": (json.dumps([dict(zip(HEADER, row, strict=True)) for row in ROWS], indent=1), "json"),
}  # fmt: skip


@pytest.mark.parametrize("pack", [None, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
@pytest.mark.parametrize("name", TEXTS)
def test_the_same_log_in_every_text_format(tmp_path: Path, name: str, pack: Callable[[bytes], bytes] | None) -> None:
    written, kind = TEXTS[name]
    path = tmp_path / "log.data"
    path.write_bytes(written.encode() if pack is None else pack(written.encode()))
    events, report = read_events(path)
    assert events.rows() == EVENTS
    assert report.format == kind
    assert read_events(path, format=kind)[0].rows() == EVENTS


@pytest.mark.parametrize("pack", [None, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
def test_the_same_log_in_parquet(tmp_path: Path, pack: Callable[[bytes], bytes] | None) -> None:
    data = parquet(tmp_path / "log.parquet")
    (tmp_path / "log").write_bytes(data if pack is None else pack(data))
    events, report = read_events(tmp_path / "log")
    assert events.rows() == EVENTS
    assert report.format == "parquet"


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_a_sparse_matrix(tmp_path: Path, kind: str) -> None:
    matrix = scipy.sparse.coo_array(([5.0, 3.5, 4.0], ([1, 2, 1], [20, 20, 30])), shape=(3, 31)).asformat(kind)
    scipy.sparse.save_npz(tmp_path / "log.npz", matrix)
    events, _ = read_events(tmp_path / "log.npz")
    assert sorted(events.rows()) == [(1, 20, 5.0), (1, 30, 4.0), (2, 20, 3.5)]


LISTS = "1 20 30\n2 20\n3 20 30 40\n4\n"


@pytest.mark.parametrize(
    ("written", "format", "expected"),
    [
        (LISTS, None, [(1, 20), (1, 30), (2, 20), (3, 20), (3, 30), (3, 40)]),
        (LISTS.replace("\n", " \r\n"), None, [(1, 20), (1, 30), (2, 20), (3, 20), (3, 30), (3, 40)]),
        ("u1 a b\nu2 a\n", "lightgcn", [("u1", "a"), ("u1", "b"), ("u2", "a")]),
        ("1 20 30\n1 40\n", "lightgcn", [(1, 20), (1, 30), (1, 40)]),
        ("2 20 30\n1 20\n\n0\n1 50\n", "counted", [(0, 20), (0, 30), (1, 20), (4, 50)]),
        ("7 20 30\n8 20\n", "sequences", [(7, 20, 0), (7, 30, 1000), (8, 20, 0)]),
        ("20 30\n20\n", "sessions", [(0, 20, 0, 0), (0, 30, 1000, 0), (1, 20, 0, 1)]),
    ],
)
def test_lists_of_items(
    tmp_path: Path, written: str, format: str | None, expected: list[tuple[int | str, ...]]
) -> None:
    (tmp_path / "train.txt").write_text(written)
    assert read_events(tmp_path / "train.txt", format=format)[0].rows() == expected


@pytest.mark.parametrize(
    ("written", "are_lists"),
    [
        ("1 2 3\n2 5\n", True),
        ("1 1 5\n1 2 4\n2 2 4\n", False),  # user item rating
        ("1 10\n2 20\n", False),  # user item: the same pairs either way
        ("196 242 3 881250949\n", False),
        ("1 1 3.5\n1 2\n", False),
        ("".join(f"{user} {user + 5} {user + 9}\n" for user in range(30)), True),  # each user once, two items each
        ("".join(f"{user} 7 {user % 5}\n" for user in range(30)), False),
        ("user item\n1 2 3\n", False),
    ],
)
def test_lists_are_told_from_rows(written: str, are_lists: bool) -> None:
    assert looks_like_lists(written) is are_lists


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("1 4\n2 5 6\n1 7\n3 8 9 9\n", "each line begins with the number of entries that follow, .* say --format counted; .* --format lightgcn"),
        ("5 6 7\n8 9\n5 6\n", r"lines 1 and 3 both begin with '5', so the first entry is hardly the user. Say what the lines are: --format sessions"),
        (LISTS + "5 20 x30\n" + "".join(f"{user} 1\n" for user in range(6, 20)), r"train.txt line 5: 'x30' stands among integers \(1 of 41 entries\)"),
    ],
)  # fmt: skip
def test_uncertain_lists_are_not_guessed(tmp_path: Path, written: str, message: str) -> None:
    (tmp_path / "train.txt").write_text(written)
    with pytest.raises(DataError, match=message):
        read_events(tmp_path / "train.txt")


def test_recbole_lists_inside_a_cell_become_bars(tmp_path: Path) -> None:
    path = tmp_path / "ml.item"
    path.write_text("item_id:token\tgenre:token_seq\tyear:float\n1\tComedy Drama\t1995\n")
    table = open_table(path)
    assert table.header == ("item_id", "genre", "year")
    assert table.load(table.header).rows() == [("1", "Comedy|Drama", "1995")]


def test_a_json_key_that_only_late_rows_have_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    rows = [{"user": user, "item": user % 7} for user in range(20_000)] + [{"user": 1, "item": 2, "rating": 4}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    events, _ = read_events(path)
    assert events["value"].drop_nulls().to_list() == [4.0]
    assert events.height == 20_001


def test_json_numbers_are_not_rounded(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('[{"user": 9007199254740993, "item": "007"}, {"user": -3499919498720038879, "item": "1"}]')
    assert read_events(path)[0].rows() == [(9007199254740993, "007"), (-3499919498720038879, "1")]


def test_ids_to_lists_in_one_json_object_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "attributes.json"
    path.write_text('{"7": [83, 84], "8": [], "9": ["Rap/Hip Hop"]}')
    table = open_table(path)
    assert table.load(table.header).rows() == [("7", "83|84"), ("8", None), ("9", "Rap/Hip Hop")]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\x1f"), max_size=6)


@examples(deadline=None)
@given(st.lists(st.tuples(cells, cells, cells).filter(any), min_size=1, max_size=6), st.sampled_from([",", ";"]))
def test_cells_come_back_as_a_csv_writer_wrote_them(rows: list[tuple[str, str, str]], separator: str) -> None:
    written = "user_id,item_id,title\n".replace(",", separator)
    written += "".join(separator.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    table = open_delimited(Path("x.csv"), Text(written.encode(), ()))
    assert table.header == ("user_id", "item_id", "title")
    assert table.load(table.header).rows() == rows


def test_a_stray_quote_inside_a_field_is_text(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('user_id,item_id,title\n1,2,6" pipe\n2,3,"a ""b"", c"\n3,,x\n')
    table = open_table(path)
    assert table.load(table.header).rows() == [("1", "2", '6" pipe'), ("2", "3", 'a "b", c'), ("3", None, "x")]


def test_quotes_in_a_tab_file_are_text_unless_they_come_in_pairs(tmp_path: Path) -> None:
    path = tmp_path / "artists.tsv"
    path.write_text('id\tname\n1\t"Weird Al" Yankovic\n2\tAC/DC\n')
    assert open_table(path).load(["name"])["name"].to_list() == ['"Weird Al" Yankovic', "AC/DC"]
    path.write_text('id\tname\n1\t"Tab\there"\n2\t"AC/DC"\n')
    assert open_table(path).load(["name"])["name"].to_list() == ["Tab\there", "AC/DC"]


def test_line_breaks_in_quotes_do_not_end_a_row(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('"user\nid",item_id\n"a\nb",1\nc,2\n')
    table = open_table(path)
    assert table.header == ("user\nid", "item_id")
    assert table.load(table.header).rows() == [("a\nb", "1"), ("c", "2")]


@pytest.mark.parametrize(
    "text",
    [
        "# Directed graph\n# of purchases\nuser_id,item_id\n1,2\n",
        "# Directed graph\n# user_id\titem_id\n1\t2\n",
        "sep=;\nuser_id;item_id\n1;2\n",
        "# exported today\n1 2\n",
    ],
)
def test_comments_and_hints_above_the_header_are_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    assert read_events(tmp_path / "log.csv")[0].rows() == [(1, 2)]


@pytest.mark.parametrize(
    ("head", "separator"),
    [
        ("a,b,c\n1,2,3\n", ","),
        ("user;price\n1;3,5\n2;4,5\n", ";"),
        ("1|Toy Story (1995)|01-Jan-1995\n2|A, B|02-Jan-1995\n", "|"),
        ("1::Toy: Story, The::Comedy|Drama\n2::B::Drama\n", "::"),
        ("time,user,item\n2010-12-01 08:26:00,1,2\n2010-12-01 08:27:00,1,2\n", ","),
        ("user\titem\ttitle\n1\t2\ta, b\n", "\t"),
    ],
)
def test_separators_are_told(head: str, separator: str) -> None:
    assert sniff_separator(head) == separator


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        ("log.csv", "user_id,item_id,rating\n1,2,3\n1,a,b,3\n", r"log.csv line 3: 4 fields, where the first row has 3 \(user_id, item_id, rating\); the line begins '1,a,b,3'. Fields that hold commas"),
        ("log.csv", 'user_id,item_id,rating\n1,"2,3\n2,3,4\n3,4,5\n', r'log.csv line 2: a quote \("\) opens a field and nothing closes it'),
        ("log.csv", "Export of May\nuser,item\n1,2\n", r"log.csv: row 2 looks like the header \(user, item\), and something stands above it: 'Export of May'"),
        ("log.txt", "user item\n1 2\n1 2 3\n", "log.txt line 3: 3 fields, .* say --format lightgcn"),
        ("log.jsonl", '{"user": 1, "item": 2}\n{"user": 1,\n', r"log.jsonl line 2: not valid JSON \(.*\): '{\"user\": 1,'. Expected one object a line"),
        ("log.jsonl", '{"user": 1, "item": 2}\n[3]\n', r"log.jsonl line 2: an array: '\[3\]'. Expected one object a line"),
        ("log.json", '[{"user": 1, "item": 2}', "log.json line 1: not valid JSON .* Expected an array of objects"),
        ("log.json", '[{"user": 1, "item": 2}, 7]', "log.json holds a number; expected an array of objects"),
        ("log.parquet", "user,item\n1,2\n", r"log.parquet does not begin as parquet does \(its first bytes are b'user,ite'\)"),
    ],
)  # fmt: skip
def test_malformed_text_names_the_line(tmp_path: Path, name: str, written: str, message: str) -> None:
    (tmp_path / name).write_text(written)
    with pytest.raises(DataError, match=message):
        (table := open_table(tmp_path / name)).load(table.header)


def test_a_format_that_does_not_fit_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(lines(","))
    with pytest.raises(
        DataError, match=r"the format 'tsv' has tabs between columns, and the first line has none: 'user_id,item_id"
    ):
        open_table(path, "tsv")
    with pytest.raises(DataError, match="does not begin as parquet does"):
        open_table(path, "parquet")
    with pytest.raises(UnknownNameError, match=r"there is no format 'xml'; there are csv \(text with a header"):
        open_table(path, "xml")
    assert all(description for description in FORMATS.values())


def test_a_cut_parquet_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(parquet(path)[:-20])
    with pytest.raises(DataError, match=r"log.parquet cannot be read as Parquet \(.*\). It may be cut short"):
        open_table(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"data": np.array([{}], dtype=object)}, "holds pickled objects, which could run code when opened, so it was not"),
        ({"x": np.ones(2)}, "it has format '' and the arrays x"),
        ({"format": b"csr", "shape": (2, 2), "indptr": [0, 1, 5], "indices": [0], "data": [1.0]}, "its indptr does not fit its shape"),
        ({"format": b"csr", "shape": (1, 2), "indptr": [0, 1], "indices": [7], "data": [1.0]}, "an index lies outside its shape 1 x 2"),
        ({"format": b"coo", "shape": (1, 2), "row": [0], "col": [0, 1], "data": [1.0]}, "it has 2 indices and 1 values"),
        ({"format": b"coo", "shape": (1, 2), "row": [0.0], "col": [0], "data": [1.0]}, "its shape or indices are not integers"),
        ({"format": b"coo", "shape": (1, 2), "row": [0], "col": [0], "data": ["a"]}, "its values are <U1, not numbers"),
    ],
)  # fmt: skip
def test_a_hostile_or_broken_matrix_is_refused(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    path = tmp_path / "log.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=f"log.npz .*{message}"):
        read_events(path)


def test_a_cut_matrix_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.npz"
    scipy.sparse.save_npz(path, scipy.sparse.eye_array(50, format="csr"))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"log.npz is not a sparse matrix that can be read: .* scipy.sparse.save_npz"):
        read_events(path)
