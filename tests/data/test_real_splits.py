"""Cleaning, splits, leakage and content on real logs, with figures that were looked at by a person."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.data.clean import CleanConfig, clean_events
from edgewise.data.leakage import check_leakage
from edgewise.data.split import SPLITS
from edgewise.errors import DataError
from edgewise.models.content import Content

SharedData = Callable[[str], Path]


@pytest.fixture(scope="module")
def films(shared_data: SharedData) -> Dataset:
    """100,004 ratings of 671 users, with titles and genres."""
    items = shared_data("ml-latest-small/movies.csv.gz")
    return Dataset.from_file(shared_data("ml-latest-small/ratings.csv.gz"), items=items)


@pytest.mark.parametrize("how", SPLITS)
def test_only_a_split_by_time_keeps_the_future_out_of_training(films: Dataset, how: str) -> None:
    split = films.split(how, valid=0.1)
    assert split.valid is not None
    kinds = [leak.kind for leak in check_leakage(split.train, split.test)]
    assert kinds == ([] if how == "time" else ["future-training"])
    n_events = split.train.n_events + split.valid.n_events + split.test.n_events
    assert n_events == films.n_events  # no pair is repeated, so nothing is left out


def test_a_global_time_split_of_movielens_leaves_few_users_who_are_known(films: Dataset) -> None:
    assert films.split("time").notes == (
        "80,003 events before 2012-06-09T07:32:05Z are for training, 20,001 from then to 2016-10-16T17:57:24Z for test (20.0 %).",
        ("In test, 124 of 147 users and 1,710 of 4,753 items have no training event; "
        "1,861 of 20,001 events (9.3 %) are of a user and an item that have."),
    )  # fmt: skip


def test_content_finds_films_that_nobody_met_far_more_often_than_chance(films: Dataset) -> None:
    split = films.split("cold-items")
    model = Content().fit(split.train)
    cold = split.test.items.index_of(split.train.items.ids)
    new = np.flatnonzero((split.train.item_counts == 0) & (cold >= 0))  # described, and met by nobody in training
    scores = model.score_block(np.arange(split.train.n_users))[:, new]
    first = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    asked = set(split.test.to_frame().select("user_id", "item_id").iter_rows())
    ids = split.train.items.ids_at(new)
    hits = [
        (user, ids[int(place)]) in asked
        for user, row in zip(split.train.users.ids, first, strict=True)
        for place in row
    ]
    by_chance = len(asked) / (split.train.n_users * new.size)
    assert np.mean(hits) > 3 * by_chance


def test_a_log_of_invoices_needs_a_word_on_returns_first(shared_data: SharedData) -> None:
    lines = pl.read_csv(shared_data("online-retail/online_retail.csv.gz"), schema_overrides={"InvoiceNo": pl.String})
    events = lines.select(user_id="CustomerID", item_id="StockCode", value="Quantity", session_id="InvoiceNo")
    with pytest.raises(
        DataError, match=r"row 142 \(user_id 14527, item_id D, value -1\.0\): 8,905 rows with a negative"
    ):
        clean_events(events)
    _, report = clean_events(events, CleanConfig(negative="drop"))
    assert [line.split(" (")[0] for line in report.lines()] == [
        "Cleaning kept 392,707 of 541,909 rows",
        "Dropped 135,080 of 541,909 rows",
        "Dropped 8,905 of 406,829 rows",
        "Merged 5,217 of 397,924 rows",
    ]
