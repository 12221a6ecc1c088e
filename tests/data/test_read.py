"""From files and frames to a data set: what each column became, and what the history says about it."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from edgewise.data import Dataset
from edgewise.data.clean import CleanConfig
from edgewise.data.columns import Columns
from edgewise.data.inspect import inspect_file
from edgewise.data.read import check_usable, read_dataset, read_events, read_social, read_table
from edgewise.errors import DataError


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def to_file(text: str, name: str = "log.csv") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return to_file


CHINESE = """用户ID,内容ID,行为类型,时间戳
u1,c1,浏览,2024-01-01 10:00:00
u2,c2,购买,2024-01-02 10:00:00
u1,c2,加购,2024-01-03 10:00:00
"""


def test_a_chinese_log_gives_standard_columns_and_labels_in_both_languages(write: Any) -> None:
    dataset = read_dataset(write(CHINESE))
    assert dataset.to_frame().rows() == [
        ("u1", "c1", "view", 1_704_103_200_000, 1.0),
        ("u2", "c2", "purchase", 1_704_189_600_000, 1.0),
        ("u1", "c2", "cart", 1_704_276_000_000, 1.0),
    ]
    assert dataset.type_names == ("cart", "purchase", "view")
    assert ("column.item_id", "Item", "内容ID") in dataset.labels.rows()
    assert ("type.cart", "Add to cart", "加购") in dataset.labels.rows()


def test_the_history_tells_how_the_file_was_read_and_cleaned(write: Any) -> None:
    dataset = read_dataset(write("userId,movieId,rating,tag\n1,10,5,a\n2,10,4,b\n1,10,5,c\n,11,4,d\n"))
    assert dataset.history[0] == (
        "Read log.csv (csv): 4 rows with user_id from 'userId', item_id from 'movieId', value from 'rating'. Not used: 'tag'."
    )
    cleaning = "\n".join(dataset.history[1:])
    assert "Dropped 1 of 4 rows (25.0 %) without a user id or an item id" in cleaning
    assert "Merged 1 of 3 rows" in cleaning


@pytest.mark.parametrize(
    ("header", "row", "value", "kind"),
    [
        ("阅读时间,点赞", "30分钟,是", 1800.0, "like"),
        ("阅读时间,点赞", "30分钟,否", 1800.0, "read"),
        ("阅读时长(分钟),x", "1.5,", 90.0, None),
        ("dwell_time_ms,x", "2500,", 2.5, None),
        ("点赞,x", "是,", 1.0, "like"),
        ("点赞,x", "否,", 0.0, "view"),
        ("likes_count,like", "7,12", 12.0, None),
        ("阅读时间,rating", "30分钟,4", 4.0, None),
        ("quantity,x", "6,", None, None),
    ],
)
def test_what_stands_for_the_strength(write: Any, header: str, row: str, value: float | None, kind: str | None) -> None:
    events, _ = read_events(write(f"用户ID,内容ID,{header}\nu1,c1,{row}\n"))
    assert events.get_column("value", default=pl.Series([None]))[0] == value
    assert events.get_column("type", default=pl.Series([None]))[0] == kind


def test_a_reading_time_that_is_a_moment_is_the_time(write: Any) -> None:
    events, report = read_events(write("用户ID,内容ID,阅读时间\nu1,c1,2024-01-01 10:00\nu2,c1,2024-01-02 10:00\n"))
    assert events.columns == ["user_id", "item_id", "timestamp"]
    assert "'阅读时间' holds moments, so it was read as time." in report.lines()
    events, _ = read_events(write("用户ID,内容ID,阅读时间,时间戳\nu1,c1,2024-01-01 10:00,1600000000\n"))
    assert events["timestamp"].to_list() == [1_600_000_000_000]


def test_day_and_time_of_day_in_two_columns_are_one_time(write: Any) -> None:
    events, report = read_events(write("user,item,date,time\n1,2,2024-01-01,10:00\n2,3,2024-01-02,10:00:00\n"))
    assert events["timestamp"].to_list() == [1_704_103_200_000, 1_704_189_600_000]
    assert "The day was read from 'date' and the time of day from 'time'." in report.lines()
    with pytest.raises(DataError, match=r"log.csv.* time '10:00' is not a time"):
        read_events(write("user,item,time\n1,2,10:00\n"))


def test_an_object_is_no_id(write: Any) -> None:
    with pytest.raises(DataError, match=r"log.csv row 1: user '\{\"id\": 1\}' is not a plain id"):
        read_events(write('{"user": {"id": 1}, "item": 2}\n'))


def test_likes_do_not_overrule_the_kinds_that_the_log_names(write: Any) -> None:
    events, _ = read_events(write("user,item,event,like\n1,2,view,yes\n"))
    assert events.rows() == [(1, 2, "view", 1.0)]


def test_kinds_that_take_back_others_are_read_as_such(write: Any) -> None:
    events, _ = read_events(write("user,item,event\n1,2,Like\n1,2,取消点赞\n"))
    assert events["type"].to_list() == ["like", "unlike"]


def test_an_empty_column_is_left_out_and_told(write: Any) -> None:
    events, report = read_events(write("user,item,rating,timestamp\n1,2,,\n2,3,,\n"))
    assert events.columns == ["user_id", "item_id"]
    assert report.lines()[1:] == (
        "The column of value ('rating') is empty, so it was left out.",
        "The column of timestamp ('timestamp') is empty, so it was left out.",
    )


def test_kinds_that_cleaning_takes_away_are_forgotten(write: Any) -> None:
    path = write("user,item,event\n1,2,view\n2,3,buy\n2,2,buy\n")
    assert read_dataset(path, clean=CleanConfig(types=("purchase",))).type_names == ("purchase",)


def test_leading_zeros_and_64_bits_survive(write: Any) -> None:
    dataset = read_dataset(write("user,item\n007,9223372036854775807\n7,-9223372036854775808\n"))
    assert dataset.users.ids.to_list() == ["007", "7"]
    assert dataset.items.ids.to_list() == [-(2**63), 2**63 - 1]


@pytest.mark.parametrize(
    "columns",
    [
        {"user_id": "column_1", "item_id": "column_3", "value": "column_4"},
        Columns(user_id="column_1", item_id="column_3"),
    ],
)
def test_columns_may_be_named_by_place(write: Any, columns: Any) -> None:
    dataset = read_dataset(write("ann,x,tea,5\nbob,y,milk,4\nann,z,milk,4\n"), columns=columns)
    assert dataset.users.ids.to_list() == ["ann", "bob"]
    assert dataset.items.ids.to_list() == ["milk", "tea"]


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("1,2\n3,4\n", "user_id item_id"),
        ("1,2,5\n3,4,3\n", "user_id item_id value"),
        ("1,2,1600000000\n", "user_id item_id timestamp"),
        ("1,2,5,1600000000\n", "user_id item_id value timestamp"),
        ("1,2,1600000000,5\n", "user_id item_id timestamp value"),
        ("u1,i1,2024-01-01 10:00:00\nu2,i2,2024-01-01 11:00:00\n", "user_id item_id timestamp"),
    ],
)
def test_a_log_without_a_header_is_understood_by_its_numbers(write: Any, text: str, roles: str) -> None:
    _, report = read_events(write(text))
    assert " ".join(report.columns) == " ".join(
        name for name in ("user_id", "item_id", "value", "timestamp") if name in roles.split()
    )
    assert f"the columns were taken as {', '.join(roles.split())}" in report.lines()[1]


FRAME = {
    "user": ["u1", "u2", "u1"],
    "item": [10, 20, 20],
    "rating": [5.0, 3.0, 4.0],
    "time": np.array(["2024-01-01T10:00", "2024-01-02T10:00", "2024-01-03T10:00"], dtype="datetime64[ns]"),
}
EXPECTED = [
    ("u1", 10, 1_704_103_200_000, 5.0),
    ("u2", 20, 1_704_189_600_000, 3.0),
    ("u1", 20, 1_704_276_000_000, 4.0),
]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(pl.DataFrame(FRAME), id="polars"),
        pytest.param(pl.DataFrame(FRAME).lazy(), id="lazy"),
        pytest.param(pd.DataFrame(FRAME), id="pandas"),
        pytest.param(pd.DataFrame(FRAME).astype({"user": "category", "item": "Int64"}), id="categories"),
        pytest.param(pd.DataFrame(FRAME).astype({"item": "float64", "user": "object"}), id="floats"),
        pytest.param(pd.DataFrame(FRAME).assign(time=lambda frame: frame["time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")), id="zone"),
        pytest.param(pd.DataFrame(FRAME).set_index(pd.Index([5, 5, 7])), id="index"),
        pytest.param(pd.DataFrame(FRAME).assign(time=[1704103200, 1704189600, 1704276000]), id="seconds"),
        pytest.param(pa.table(FRAME), id="arrow"),
        pytest.param(pa.table(FRAME).to_batches()[0], id="batch"),
    ],
)  # fmt: skip
def test_frames_of_every_library(frame: Any) -> None:
    assert Dataset.from_frame(frame).to_frame().rows() == EXPECTED


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"user": [1, "a"], "item": [1, 2]}, dtype=object), r"the frame: the column 'user' \(object\) mixes types .* frame\['user'\].astype\(str\)"),
        (pd.DataFrame({"user": [1.5, 2], "item": [1, 2]}), "the frame row 1: user '1.5' cannot be an id"),
        (pd.DataFrame({"usr": [1, 2], "item": [1, 2]}), "the frame: no column of users was found"),
        (pl.DataFrame({"user": [], "item": []}), r"the frame has a header \(user, item\) and no rows"),
        ([(1, 2)], "the frame is a builtins.list; expected a Polars or pandas DataFrame or an Arrow Table"),
    ],
)  # fmt: skip
def test_frames_that_cannot_be_used(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.from_frame(frame)


def test_tables_beside_the_log(write: Any) -> None:
    log = write("user,item\n1,10\n2,20\n")
    items = write("商品ID,标题,类别,价格\n10,苹果,水果|红,3.5\n30,梨,水果,4\n", "items.csv")
    users = write("id\tage\tzip\n1\t30\t07030\n2\t40\t90210\n", "users.tsv")
    friends = write("user_id,friend_id,weight\n1,2,0.5\n2,2,1\n1,9,1\n", "friends.csv")
    dataset = read_dataset(log, items=items, users=users, social=friends)
    assert dataset.item_table is not None
    assert dataset.user_table is not None
    assert dataset.social is not None
    assert dataset.item_table.rows() == [(10, "苹果", "水果|红", 3.5), (20, None, None, None), (30, "梨", "水果", 4.0)]
    assert dataset.user_table.rows() == [(1, 30, "07030"), (2, 40, "90210"), (9, None, None)]
    assert dataset.social.rows() == [(0, 1, 0.5), (0, 2, 1.0)]
    assert ("column.title", "Title", "标题") in dataset.labels.rows()
    assert "friends.csv: 1 friendship without one of the two, or with oneself, left out." in dataset.history


def test_text_ids_in_one_table_make_all_of_them_text(write: Any) -> None:
    dataset = read_dataset(
        write("user,item\n1,10\n2,20\n"),
        items=pl.DataFrame({"item_id": ["10", "x"], "title": ["a", "b"]}),
        social=pd.DataFrame({"user": ["1"], "friend": ["bob"]}),
    )
    assert dataset.items.ids.to_list() == ["10", "20", "x"]
    assert dataset.users.ids.to_list() == ["1", "2", "bob"]
    assert dataset.n_events == 2


def test_the_id_column_of_a_table_is_the_one_that_the_log_knows(write: Any) -> None:
    log = write("book_id,user_id\n1,7\n2,7\n2,8\n")
    books = write("id,book_id,title\n1,901,A\n2,902,B\n", "books.csv")
    dataset = read_dataset(log, items=books)
    assert dataset.item_table is not None
    assert dataset.item_table["title"].to_list() == ["A", "B"]
    assert "books.csv: items are joined by 'id', which has 2 of the log's 2 ids; 'book_id' has 0." in dataset.history


def test_a_table_of_the_other_side_is_refused(write: Any) -> None:
    log = write("userId,movieId,rating\n1,1,5\n1,2,4\n2,2,3\n")
    films = write("movieId,title,genres\n1,Alien,horror\n2,Brazil,satire\n3,Cabaret,music\n", "films.csv")
    with pytest.raises(
        DataError, match=r"films\.csv was given as the table of users, and its id column 'movieId' is named"
    ):
        read_dataset(log, users=films)
    people = write("userId,age\n1,31\n2,45\n", "people.csv")
    with pytest.raises(DataError, match=r"--users on the command line.*rename the column to item_id"):
        read_dataset(log, items=people)
    with pytest.raises(DataError, match="named as an item's"):
        inspect_file(log, users=films)
    assert read_dataset(log, items=films, users=people).n_users == 2


def test_a_name_that_the_log_has_for_it_is_no_sign_of_the_other_side(write: Any) -> None:
    log = write("follower,account_id\n1,7\n2,8\n")
    mapping = {"user_id": "follower", "item_id": "account_id"}
    accounts = write("account_id,title\n7,A\n8,B\n", "accounts.csv")
    dataset = read_dataset(log, columns=mapping, items=accounts)
    assert dataset.item_table is not None
    with pytest.raises(DataError, match="named as an item's"):
        read_dataset(log, columns=mapping, users=accounts)


def test_a_table_of_which_the_log_knows_little_is_told(write: Any) -> None:
    log = write("user,item\n" + "".join(f"{n % 5},{n}\n" for n in range(100)))
    other = write("item_id,title\n" + "".join(f"{n},T{n}\n" for n in range(98, 300)), "items.csv")
    told = "items.csv: 2 of its 202 ids ('item_id') are in the log, which has 100 items; the other 200 items have no event. Is it"
    assert any(line.startswith(told) for line in read_dataset(log, items=other).history)
    assert any(line.startswith(told) for line in inspect_file(log, items=other).odd)
    whole = write("item_id,title\n" + "".join(f"{n},T{n}\n" for n in range(300)), "items.csv")
    found = inspect_file(log, items=whole)
    assert not any("items.csv" in line for line in found.odd)
    assert "items.csv: 100 of its 300 ids ('item_id') are in the log; the other 200 items have no event." in found.notes


def test_a_table_that_knows_none_of_the_ids_is_told(write: Any) -> None:
    dataset = read_dataset(write("user,item\n1,10\n2,20\n"), items=write("item_id,title\n7,A\n", "items.csv"))
    assert (
        "items.csv: none of its ids ('item_id') is in the log. Is it the right table, and the right column?"
        in dataset.history
    )


def test_tables_of_movielens_have_no_header_and_are_known_by_name(write: Any) -> None:
    items = write("1|Toy Story (1995)|01-Jan-1995||http://x|" + "|".join("0001110000000000000") + "\n", "u.item")
    assert read_table(items, "item").to_dicts() == [
        {
            "item_id": 1,
            "title": "Toy Story (1995)",
            "release_date": "01-Jan-1995",
            "video_release_date": None,
            "url": "http://x",
            "genres": "Animation|Children's|Comedy",
        }
    ]
    users = write("1|24|M|technician|85711\n", "u.user")
    assert read_table(users, "user").rows() == [(1, 24, "M", "technician", "85711")]
    movies = write("1::Toy Story (1995)::Animation|Comedy\n", "movies.dat")
    assert read_table(movies, "item").rows() == [(1, "Toy Story (1995)", "Animation|Comedy")]


def test_a_table_without_a_header_has_its_id_first(write: Any) -> None:
    table = read_table(write("7,red\n8,blue\n", "colours.csv"), "item")
    assert table.columns == ["item_id", "column_2"]
    assert table.rows() == [(7, "red"), (8, "blue")]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("userID\tfriendID\n2\t275\n", [(2, 275)]),
        ("2 966 1\n2 104 0.5\n", [(2, 966, 1.0), (2, 104, 0.5)]),
        ("0 1\n0 2\n1 1\n", [(0, 1), (0, 2)]),
        ("0 1 2 3\n1 2\n", [(0, 1), (0, 2), (0, 3), (1, 2)]),
        ("source_id:token\ttarget_id:token\n1\t2\n", [(1, 2)]),
        ("node_1,node_2\n0,a\n", [("0", "a")]),
        ("user,friend,date\n1,2,2024-01-01\n", [(1, 2, 1_704_067_200_000)]),
    ],
)
def test_friendships_in_many_forms(write: Any, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert read_social(write(text, "friends.txt")).rows() == rows


def test_from_file_is_the_same_door(write: Any) -> None:
    path = write(CHINESE)
    assert Dataset.from_file(str(path)).fingerprint == read_dataset(path).fingerprint
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert Dataset.from_file(packed).fingerprint == read_dataset(path).fingerprint


@pytest.mark.parametrize(
    ("rows", "only"), [("1,2\n1,3\n", "1 user"), ("1,2\n2,2\n", "1 item"), ("1,2\n", "1 user and 1 item")]
)
def test_one_user_or_one_item_can_be_read_but_not_learned_from(write: Any, rows: str, only: str) -> None:
    dataset = read_dataset(write("user,item\n" + rows))
    with pytest.raises(DataError, match=f"the data have only {only} in . events?; a recommender needs at least 2 users and 2 items. "
                       ".* Read log.csv .*user_id from 'user'"):  # fmt: skip
        check_usable(dataset)


def test_ids_that_only_a_table_has_do_not_make_a_choice(write: Any) -> None:
    dataset = read_dataset(write("user,item\n1,2\n2,2\n"), items=pl.DataFrame({"item_id": [2, 3], "title": ["a", "b"]}))
    with pytest.raises(DataError, match="only 1 item"):
        check_usable(dataset)
    check_usable(read_dataset(write("user,item\n1,2\n2,3\n")))


def test_numbers_of_rows_are_not_taken_for_the_id(write: Any) -> None:
    """A table of a few items, with pandas' index in front: both columns share as many ids with the log."""
    log = write("user,item\n" + "".join(f"{item % 3},{item}\n" for item in range(40)))
    items = write(",item_id,title\n" + "".join(f"{row},{row + 30},T{row}\n" for row in range(10)), "items.csv")
    dataset = read_dataset(log, items=items)
    assert dataset.item_table is not None
    assert dataset.item_table["title"].to_list() == [None] * 30 + [f"T{row}" for row in range(10)]
