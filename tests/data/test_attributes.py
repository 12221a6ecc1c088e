"""Attributes that stand in the log itself."""

from pathlib import Path

import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.data.inspect import inspect_file

LOG = """user_id,item_id,rating,movie_title,category,age,mood,country
007,a,5,Alien,horror,31,good,NL
007,b,3,Brazil,satire,31,bad,NL
008,a,4,Alien (1979),horror,,bad,NL
008,b,2,,satire,45,bad,NL
008,c,1,Cabaret,music,45,good,NL
009,c,2,Cabaret,music,19,good,NL
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


def test_what_is_the_same_for_an_id_in_all_rows_describes_the_id(log: Path) -> None:
    dataset = Dataset.from_file(log)
    assert dataset.item_table is not None
    assert dataset.item_table.rows(named=True) == [
        {"item_id": "a", "title": "Alien", "category": "horror"},  # of several titles the first
        {"item_id": "b", "title": "Brazil", "category": "satire"},
        {"item_id": "c", "title": "Cabaret", "category": "music"},
    ]
    assert dataset.user_table is not None
    assert dataset.user_table.rows(named=True) == [
        {"user_id": "007", "age": 31},
        {"user_id": "008", "age": 45},
        {"user_id": "009", "age": 19},
    ]
    told = " ".join(dataset.history)
    assert "Attributes of items were taken from the log itself: 'movie_title', 'category'." in told
    assert "Not used: 'mood', 'country'." in told  # one changes with the event, the other never


def test_a_table_given_takes_the_place_of_what_the_log_says(log: Path) -> None:
    items = pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["A", "B", "C"]})
    dataset = Dataset.from_frame(pl.read_csv(log, schema_overrides={"user_id": pl.String}), items=items)
    assert dataset.item_table is not None
    assert dataset.item_table.columns == ["item_id", "title"]
    assert dataset.item_table["title"].to_list() == ["A", "B", "C"]


def test_with_a_row_an_item_only_titles_are_told_from_the_rest() -> None:
    frame = pl.DataFrame(
        {
            "user_id": [1, 2, 1],
            "item_id": [1, 2, 3],
            "标题": ["一", "二", "三"],
            "name": ["x", "y", "z"],
            "note": ["p", "q", "r"],
        }
    )
    dataset = Dataset.from_frame(frame)
    assert dataset.item_table is not None
    assert dataset.item_table.columns == ["item_id", "title"]
    assert dataset.user_table is None


def test_inspect_says_so_too(log: Path) -> None:
    inspection = inspect_file(log)
    assert inspection.unused == ("mood", "country")
    assert any("Attributes of users were taken from the log itself: 'age'." in line for line in inspection.notes)


def test_for_want_of_a_title_a_description_is_taken() -> None:
    frame = pl.DataFrame(
        {
            "user_id": [1, 2, 1, 2],
            "item_id": [1, 1, 2, 2],
            "Description": ["WHITE LANTERN", "white lantern?", None, "CLOCK"],
        }
    )
    dataset = Dataset.from_frame(frame)
    assert dataset.item_table is not None
    assert dataset.item_table["title"].to_list() == ["WHITE LANTERN", "CLOCK"]
    titled = Dataset.from_frame(frame.with_columns(title=pl.lit("x") + pl.col("item_id").cast(pl.String)))
    assert titled.item_table is not None
    assert titled.item_table["title"].to_list() == ["x1", "x2"]
