"""The data set: one event table; matrices and fingerprints follow from it."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.errors import DataError


@pytest.fixture
def events() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": ["b", "a", "b", "b"],
            "item_id": [9, 9, 2, 9],
            "type": ["view", "view", "cart", "view"],
            "value": [1.0, 2.0, 3.0, 0.5],
            "timestamp": [40, 10, 20, 30],
        }
    )


def test_events_are_coded_and_in_time_order(events: pl.DataFrame) -> None:
    dataset = Dataset.from_events(events)
    assert dataset.users.ids.to_list() == ["a", "b"]
    assert dataset.items.ids.to_list() == [2, 9]
    assert dataset.events["timestamp"].to_list() == [10, 20, 30, 40]
    assert dataset.to_frame().select("user_id", "item_id").rows() == [("a", 9), ("b", 2), ("b", 9), ("b", 9)]
    assert dataset.type_names == ("cart", "view")


def test_matrices_sum_repeated_pairs_and_count_them_once(events: pl.DataFrame) -> None:
    dataset = Dataset.from_events(events)
    # rows a, b; columns 2, 9; b met 9 twice with 1.0 and 0.5
    np.testing.assert_array_equal(dataset.strengths.toarray(), [[0, 2], [3, 1.5]])
    np.testing.assert_array_equal(dataset.interactions.toarray(), [[0, 1], [1, 1]])
    assert dataset.interactions.indices.dtype == np.int32
    assert dataset.item_counts.tolist() == [1, 2]


def test_equal_data_have_equal_fingerprints_and_other_data_another(events: pl.DataFrame) -> None:
    same = Dataset.from_events(events.sort("item_id", "timestamp"))
    assert same.fingerprint == Dataset.from_events(events).fingerprint
    assert Dataset.from_events(events.with_columns(value=pl.lit(2.0))).fingerprint != same.fingerprint
    assert Dataset.from_events(events.drop("type")).fingerprint != same.fingerprint


def test_a_table_of_items_adds_items_that_nobody_met_in_index_order(events: pl.DataFrame) -> None:
    table = pl.DataFrame({"item_id": [9, 5], "title": ["nine", "five"]})
    dataset = Dataset.from_events(events, item_table=table)
    assert dataset.item_table is not None
    assert dataset.item_table.rows() == [(2, None), (5, "five"), (9, "nine")]
    assert dataset.item_counts.tolist() == [1, 0, 2]


def test_two_rows_for_one_id_are_refused(events: pl.DataFrame) -> None:
    with pytest.raises(DataError, match=r"the table of items has several rows for item_id 9"):
        Dataset.from_events(events, item_table=pl.DataFrame({"item_id": [9, 9], "title": ["a", "b"]}))


def test_friends_are_coded_as_users(events: pl.DataFrame) -> None:
    dataset = Dataset.from_events(events, social=pl.DataFrame({"user_id": ["a"], "friend_id": ["z"]}))
    assert dataset.users.ids.to_list() == ["a", "b", "z"]
    assert dataset.social is not None
    assert dataset.social.rows() == [(0, 2, 1.0)]
    assert dataset.subset(dataset.events["value"] > 1).social is not None


def test_a_subset_knows_only_its_own_ids(events: pl.DataFrame) -> None:
    dataset = Dataset.from_events(events)
    part = dataset.subset(dataset.events["timestamp"] >= 30, note="the last two")
    assert part.users.ids.to_list() == ["b"]
    assert part.items.ids.to_list() == [9]
    assert part.history == ("the last two",)


def test_no_rows_are_no_data_set() -> None:
    with pytest.raises(DataError, match="no interactions are left"):
        Dataset.from_events(pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String}))


def test_a_matrix_keeps_its_shape_and_ids() -> None:
    matrix = csr_array(np.array([[0, 2, 0], [0, 0, 0]], dtype=np.float32))
    dataset = Dataset.from_csr(matrix, item_ids=["x", "y", "z"])
    assert (dataset.n_users, dataset.n_items) == (2, 3)
    np.testing.assert_array_equal(dataset.strengths.toarray(), matrix.toarray())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_matrix_with_values_that_are_no_strengths_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="1 of 1 stored values are not positive numbers"):
        Dataset.from_csr(csr_array(np.array([[0, bad]])))


def test_ids_that_do_not_fit_a_matrix_are_counted() -> None:
    with pytest.raises(DataError, match=r"item_ids: the matrix has 2 items, and 3 ids \(2 distinct\) were given"):
        Dataset.from_csr(csr_array(np.ones((1, 2))), item_ids=["a", "b", "a"])
