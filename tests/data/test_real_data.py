"""The real data sets, read without being told anything, against the counts in their README."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from edgewise.data.read import read_dataset, read_events, read_social, read_table
from edgewise.errors import DataError

Find = Callable[[str], Path]

LOGS = [
    # file, format to name, rows, users, items, columns that are known beside user and item
    ("ml-100k/u.data.gz", None, 100_000, 943, 1_682, "value timestamp"),
    ("ml-1m/ratings_users_1-2999.dat.gz", None, 487_650, 2_999, 3_615, "value timestamp"),
    ("ml-latest-small/ratings.csv.gz", None, 100_004, 671, 9_066, "value timestamp"),
    ("lastfm-2k/user_artists.dat.gz", None, 92_834, 1_892, 17_632, "value"),
    ("citeulike-a/users.dat.gz", "counted", 204_986, 5_551, 16_980, ""),
    ("deskdrop-interactions/users_interactions.csv.gz", None, 72_312, 1_895, 2_987, "type timestamp session_id"),
    ("retailrocket-mb/train.csv.gz", None, 97_381, 2_174, 29_905, "type timestamp"),
    ("filmtrust/ratings.txt.gz", None, 35_497, 1_508, 2_071, "value"),
    ("gowalla/test.txt.gz", None, 217_242, 29_858, 38_546, ""),
    ("yoochoose-clicks-100k/yoochoose-clicks-100k_train_full.txt.gz", None, 70_278, 17_794, 2_933, "timestamp session_id"),
    ("yoochoose-clicks-100k/yoochoose-clicks-100k_test.txt.gz", None, 13_568, 3_416, 1_771, "timestamp session_id"),
    ("s3rec-beauty/Beauty.txt.gz", None, 198_502, 22_363, 12_101, ""),
    ("s3rec-toys/Toys_and_Games.txt.gz", "sequences", 167_597, 19_412, 11_924, "timestamp"),
    ("sasrec-video/Video.txt.gz", None, 287_107, 31_013, 23_715, ""),
]  # fmt: skip
LARGE_LOGS = [
    ("ml-1m/ratings_no_timestamp.dat.gz", None, 1_000_209, 6_040, 3_706, "value"),
    ("goodbooks-10k/ratings.csv.gz", None, 981_756, 53_424, 10_000, "value"),
    ("gowalla/train.txt.gz", None, 810_128, 29_858, 40_981, ""),
    ("online-retail/online_retail.csv.gz", None, 541_909, 4_372, 4_070, "timestamp session_id"),
    ("diginetica-sessions/train_sessions.txt.gz", "sessions", 906_140, 186_670, 43_097, "timestamp session_id"),
    ("yoochoose1_64-sessions/train_sessions.txt.gz", "sessions", 486_026, 116_167, 17_376, "timestamp session_id"),
]


@pytest.mark.parametrize(
    ("name", "format", "rows", "users", "items", "known"),
    [*LOGS, *(pytest.param(*log, marks=pytest.mark.slow) for log in LARGE_LOGS)],
)
def test_logs_are_read_as_their_readme_counts_them(
    shared_data: Find, name: str, format: str | None, rows: int, users: int, items: int, known: str
) -> None:
    events, report = read_events(shared_data(name), format=format)
    assert events.height == report.rows == rows
    assert events["user_id"].drop_nulls().n_unique() == users
    assert events["item_id"].drop_nulls().n_unique() == items
    assert events.columns == ["user_id", "item_id", *known.split()]


def test_spans_of_time_are_those_of_the_readme(shared_data: Find) -> None:
    for name, first, last in (
        ("ml-100k/u.data.gz", "1997-09-20", "1998-04-22"),
        ("ml-latest-small/ratings.csv.gz", "1995-01-09", "2016-10-16"),
        ("retailrocket-mb/train.csv.gz", "2015-05-03", "2015-09-18"),
        ("deskdrop-interactions/users_interactions.csv.gz", "2016-03-14", "2017-02-28"),
    ):
        times = read_events(shared_data(name))[0]["timestamp"].cast(pl.Datetime("ms"))
        assert (str(times.min())[:10], str(times.max())[:10]) == (first, last), name


def test_kinds_of_events_are_those_of_the_readme(shared_data: Find) -> None:
    events, _ = read_events(shared_data("deskdrop-interactions/users_interactions.csv.gz"))
    counts = dict(events["type"].value_counts().rows())
    assert counts == {"view": 61_086, "like": 5_745, "favourite": 2_463, "comment": 1_611, "follow": 1_407}


def test_ratings_are_those_of_the_readme(shared_data: Find) -> None:
    events, _ = read_events(shared_data("filmtrust/ratings.txt.gz"))
    assert sorted(events["value"].unique()) == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("citeulike-a/users.dat.gz", "begins with the number of entries that follow, .* --format counted"),
        ("diginetica-sessions/train_sessions.txt.gz", "lines 1 and 426 both begin with '1', .* --format sessions"),
        ("planetoid/ind.cora.x", "is a Python pickle, which could run code when it is opened"),
        ("ego-facebook/ego-networks.tar.gz", "is a tar archive"),
        ("deezer-hu/HU_edges.csv.gz", "no column of users was found. The header has 'node_1', 'node_2'"),
    ],
)
def test_what_is_no_plain_log_is_not_guessed(shared_data: Find, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_events(shared_data(name))


def test_films_and_people_beside_the_ratings(shared_data: Find) -> None:
    dataset = read_dataset(
        shared_data("ml-100k/u.data.gz"), items=shared_data("ml-100k/u.item.gz"), users=shared_data("ml-100k/u.user.gz")
    )
    assert dataset.item_table is not None
    assert dataset.user_table is not None
    assert (dataset.n_users, dataset.n_items, dataset.n_events) == (943, 1_682, 100_000)
    assert dataset.item_table.row(0)[:2] == (1, "Toy Story (1995)")
    assert dataset.item_table["genres"][0] == "Animation|Children's|Comedy"
    assert dataset.user_table.row(0) == (1, 24, "M", "technician", "85711")


@pytest.mark.parametrize(
    ("name", "kind", "rows", "columns"),
    [
        ("ml-1m/movies.dat.gz", "item", 3_883, "item_id title genres"),
        ("ml-1m/users.dat.gz", "user", 6_040, "user_id gender age occupation zip_code"),
        ("ml-latest-small/movies.csv.gz", "item", 9_125, "item_id title genres"),
        ("lastfm-2k/artists.dat.gz", "item", 17_632, "item_id title url pictureURL"),
        ("s3rec-beauty/Beauty_item2attributes.json.gz", "item", 12_101, "item_id tags"),
    ],
)
def test_tables(shared_data: Find, name: str, kind: str, rows: int, columns: str) -> None:
    table = read_table(shared_data(name), kind)
    assert table.height == rows
    assert table.columns == columns.split()


def test_books_are_joined_by_the_id_that_the_ratings_use(shared_data: Find) -> None:
    ratings, _ = read_events(shared_data("goodbooks-10k/ratings.csv.gz"))
    known = ratings["item_id"].unique()
    table = read_table(shared_data("goodbooks-10k/books.csv.gz"), "item", known_ids=known)
    assert sorted(table["item_id"]) == sorted(known)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("lastfm-2k/user_friends.dat.gz", 25_434),
        ("filmtrust/trust.txt.gz", 1_853),
        ("ego-facebook/facebook_combined.txt.gz", 88_234),
        ("deezer-hu/HU_edges.csv.gz", 222_887),
    ],
)
def test_friendships(shared_data: Find, name: str, rows: int) -> None:
    assert read_social(shared_data(name)).height == rows
