"""Leakage: each way in which training can know of test is found, counted and told; honest splits are left alone."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.data.features import FeatureEncoder
from edgewise.data.leakage import check_leakage
from edgewise.errors import IdTypeError

DAY = 86_400_000


def dataset_of(rows: list[tuple[Any, ...]], *columns: str, **tables: Any) -> Dataset:
    return Dataset.from_events(pl.DataFrame(rows, schema=["user_id", "item_id", *columns], orient="row"), **tables)


def test_an_honest_time_split_leaks_nothing() -> None:
    rng = np.random.default_rng(3)
    rows = [(f"u{rng.integers(30)}", int(rng.integers(50)), int(day) * DAY) for day in range(400)]
    split = dataset_of(rows, "timestamp").split("time")
    assert check_leakage(split.train, split.test) == []


def test_pairs_on_both_sides_are_counted_once_and_shown() -> None:
    train = dataset_of([("a", 1), ("a", 2), ("b", 1)])
    test = dataset_of([("a", 2), ("a", 2), ("b", 1), ("b", 3), ("c", 1)])
    [leak] = check_leakage(train, test)
    assert (leak.kind, leak.count) == ("same-pair", 2)
    assert leak.text == (
        "2 of 4 test pairs (50.0 %) are in the training data too, such as user a with item 2, user b with item 1. "
        "Leave them out of one side: what a model has seen, it need not find."
    )


def test_training_events_after_the_first_test_event_are_counted() -> None:
    train = dataset_of([("a", 1, 0), ("a", 2, 5 * DAY), ("b", 1, 9 * DAY), ("c", 1, DAY)], "timestamp")
    test = dataset_of([("a", 3, 3 * DAY), ("b", 3, 10 * DAY)], "timestamp")
    [leak] = check_leakage(train, test)
    assert (leak.kind, leak.count) == ("future-training", 2)
    assert leak.text == (
        "2 of 4 training events (50.0 %) are later than the first test event (1970-01-04T00:00:00Z); 1 of 2 test users have "
        "such events of their own after their first test event. In use nobody knows the future: a split by time shows what to "
        "expect there."
    )


def test_features_fitted_on_other_data_are_named() -> None:
    items = pl.DataFrame({"item_id": [1, 2, 3], "genre": ["x", "y", "x"]})
    whole = dataset_of([("a", 1), ("a", 2), ("b", 1), ("b", 3)], item_table=items)
    split = whole.split("leave-last-out")
    honest, leaky = (FeatureEncoder.fit(items, "item_id", fitted_on=data.fingerprint) for data in (split.train, whole))
    assert check_leakage(split.train, split.test, features=[honest]) == []
    [leak] = check_leakage(split.train, split.test, features=[honest, leaky])
    assert (leak.kind, leak.count) == ("features", 1)
    assert leak.text == (
        f"the features by item_id were fitted on other data (fingerprint {whole.fingerprint[:8]}…) than this training set "
        f"({split.train.fingerprint[:8]}…), perhaps on all of it. Fit them on the training part alone."
    )


def test_users_with_one_long_history_under_two_ids_are_a_hint() -> None:
    same = [("p", item) for item in range(10)] + [("q", item) for item in range(9, -1, -1)]
    others = (
        [("r", item) for item in range(9)] + [("s", item) for item in range(2)] + [("t", item) for item in range(2)]
    )
    split = dataset_of(same + others).split("leave-last-out")
    [leak] = check_leakage(split.train, split.test)
    assert (leak.kind, leak.count) == ("twin-users", 2)
    assert leak.text.startswith(
        "Hint: 2 users have a twin with the same whole history, 10 items in the case of p and q."
    )


def test_ids_of_another_kind_are_refused() -> None:
    with pytest.raises(IdTypeError, match="training and test data do not fit"):
        check_leakage(dataset_of([("a", 1)]), dataset_of([(1, 1)]))
