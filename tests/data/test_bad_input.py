"""Bad input: the text that a person reads says what is wrong, what was seen, what was expected and what to do."""

import os
import traceback
from pathlib import Path

import pytest

from edgewise.data import Dataset
from edgewise.data.read import read_dataset
from edgewise.errors import DataError

LOG = "user_id,item_id,rating,timestamp\nu1,i1,5,1600000000\nu2,i2,3,1600000100\nu1,i2,4,1600000200\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOG.replace("user_id", "kunde"), r"log.csv: no column of users was found. The header has 'kunde', 'item_id', 'rating', 'timestamp'; usual names are user_id, .* Say which it is: --set data.user_id="),
        (LOG.replace("item_id", "thing"), r"log.csv: no column of items was found. .* usual names are item_id, item, .*物品ID"),
        ("", "log.csv is empty: it has 0 bytes"),
        ("\n\n", "log.csv is empty: it has no text in it"),
        ("user_id,item_id\n", r"log.csv has a header \(user_id, item_id\) and no rows. Check that the export has finished"),
        ("user_id,item_id\n\n\n", r"log.csv has a header \(user_id, item_id\) and no rows"),
        (LOG.replace(",3,", ",good,"), r"log.csv row 2: rating 'good' is not a number \(1 such row of 3\). Expected a number such as 4"),
        (LOG.replace(",3,", ",-1,"), r"log.csv row 2 \(user_id u2, item_id i2, value -1.0, .*\): 1 row with a negative value. Set \[clean\] negative = 'drop'"),
        (LOG.replace("1600000100", "1600000100000"), r"log.csv: timestamp mixes units: row 1 has '1600000000', the size of seconds, and row 2 has '1600000100000'"),
        (LOG.replace("16000", "96000"), r"log.csv: cleaning left nothing: \[clean\] impossible_times = 'drop' took away all 3 rows .* set time_unit in \[data\]"),
        (LOG.replace("1600000100", "soon"), "log.csv: timestamp mixes numbers and text: row 1 has '1600000000', row 2 has 'soon'"),
        (LOG.replace("u2,i2", "u2,i2,x"), r"log.csv line 3: 5 fields, where the first row has 4 \(user_id, .*\); the line begins 'u2,i2,x,3"),
        (LOG.replace("u1,i1", 'u1,"i1'), r'log.csv line 2: a quote \("\) opens a field and nothing closes it'),
        (LOG.replace(",", "~"), r"log.csv: the whole line was taken for one column, 'user_id~item_id.* Is the separator another one\?"),
        (",,,\n,,,\n", "log.csv has only empty cells. Check that the export has finished"),
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        read_dataset(path)
    told = str(raised.value)
    assert "{" not in told.replace("columns={", "")  # an f-string without its f
    assert "Polars" not in told
    assert "polars" not in told


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "Infinity"])
def test_values_that_are_no_numbers_are_dropped_counted_and_shown(tmp_path: Path, value: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace(",3,", f",{value},"))
    dataset = read_dataset(path)
    assert dataset.n_events == 2
    assert "Dropped 1 of 3 rows (33.3 %) with a value that is not a finite number" in dataset.history[-1]
    assert "First: row 2 (user_id u2, item_id i2, value " in dataset.history[-1]


def test_a_time_in_the_future_is_dropped_counted_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace("1600000100", "9600000100"))
    history = read_dataset(path).history
    assert "Dropped 1 of 3 rows (33.3 %) from before 1970 or from the future" in history[-1]
    assert "row 2 (user_id u2, item_id i2, value 3.0, timestamp 2274-" in history[-1]


def test_a_missing_rating_counts_as_one_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace(",3,", ",,"))
    assert "Filled in 1 of 3 rows (33.3 %) without a value" in read_dataset(path).history[-1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (os.urandom(1 << 12), "is not a text file|is damaged"),
        (b"\x1f\x8b" + os.urandom(1 << 12), "is damaged: its gzip data cannot be unpacked"),
        (b"PAR1" + os.urandom(1 << 12), "cannot be read as Parquet"),
        (b"PK\x03\x04" + b"x" * 30 + b".npy" + os.urandom(1 << 10), "is not a sparse matrix that can be read"),
    ],
)
def test_garbage_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "log.dat"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_dataset(path)


def test_a_table_beside_the_log_is_named_in_its_own_errors(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "items.csv").write_text("item_id,title\n")
    with pytest.raises(DataError, match=r"items.csv has a header \(item_id, title\) and no rows"):
        read_dataset(tmp_path / "log.csv", items=tmp_path / "items.csv")
    (tmp_path / "items.csv").write_text("item_id,title\ni1,A\ni1,B\n")
    with pytest.raises(DataError, match=r"the table of items has several rows for item_id 'i1'; keep one row an id"):
        read_dataset(tmp_path / "log.csv", items=tmp_path / "items.csv")
    with pytest.raises(DataError, match=r"items.csv does not exist|nothing.csv does not exist"):
        read_dataset(tmp_path / "log.csv", items=tmp_path / "nothing.csv")


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    read_bytes = Path.read_bytes

    def read_and_append(self: Path) -> bytes:
        data = read_bytes(self)
        with path.open("a") as file:
            file.write("u3,i3,5,1600000300\n")
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_append)
    with pytest.raises(DataError, match=r"log.csv changed while it was read \(\d+ bytes before, \d+ after\)"):
        Dataset.from_file(path)


def test_errors_tell_no_inner_chain_of_other_libraries(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(b"PAR1 nothing of it")
    with pytest.raises(DataError) as raised:
        read_dataset(path)
    assert "polars" not in "".join(traceback.format_exception_only(raised.value)).lower()
