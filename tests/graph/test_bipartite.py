"""The two-sided graph."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.errors import DataError
from edgewise.graph.bipartite import ascending, bipartite, halves, transposed, weighted_interactions

DAY = 86_400_000


def small() -> csr_array:
    """Two users, three items: user 0 met items 0 and 2, user 1 met item 2 twice as strongly."""
    return csr_array(np.array([[1, 0, 1], [0, 0, 2]], dtype=np.float32))


def events(**columns: list[float]) -> Dataset:
    return Dataset.from_events(pl.DataFrame({"user_id": ["a", "a", "b", "a"], "item_id": [1, 2, 2, 1]} | columns))


def test_users_come_first_and_edges_go_both_ways() -> None:
    graph = bipartite(small())
    # nodes: user 0, user 1, item 0, item 1, item 2
    np.testing.assert_array_equal(
        graph.toarray(),
        [[0, 0, 1, 0, 1], [0, 0, 0, 0, 2], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 2, 0, 0, 0]],
    )
    assert graph.dtype == np.float32
    assert graph.indices.dtype == np.int32
    assert graph.indptr.dtype == np.int32
    assert graph.has_sorted_indices


def test_the_halves_are_what_was_joined() -> None:
    user_items, item_users = halves(bipartite(small()), n_users=2)
    np.testing.assert_array_equal(user_items.toarray(), small().toarray())
    np.testing.assert_array_equal(item_users.toarray(), small().toarray().T)


def test_columns_out_of_order_are_put_in_order_and_the_input_is_left_alone() -> None:
    shuffled = csr_array((np.array([1.0, 2.0]), np.array([2, 0]), np.array([0, 2, 2])), shape=(2, 3))
    np.testing.assert_array_equal(bipartite(shuffled).toarray()[0], [0, 0, 2, 0, 1])
    assert shuffled.indices.tolist() == [2, 0]
    assert ascending(shuffled).indices.tolist() == [0, 2]
    assert transposed(shuffled).shape == (3, 2)


def test_a_graph_that_is_not_two_sided_cannot_be_taken_apart() -> None:
    with pytest.raises(DataError, match="joins two users or two items; only user-item edges can be taken apart"):
        halves(csr_array(np.ones((3, 3))), n_users=2)
    with pytest.raises(DataError, match=r"has the shape \[n, n\] with n >= 4; got \[3, 3\]"):
        halves(csr_array(np.ones((3, 3))), n_users=4)


def test_edges_weigh_one_or_the_sum_of_values_or_its_logarithm() -> None:
    data = events(value=[1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(weighted_interactions(data).toarray(), [[1, 1], [0, 1]])
    np.testing.assert_array_equal(weighted_interactions(data, "value").toarray(), [[5, 2], [0, 3]])
    np.testing.assert_allclose(
        weighted_interactions(data, "log").toarray(), np.log([[6, 3], [1, 4]]).astype(np.float32)
    )
    assert data.strengths.data.tolist() == [5, 2, 3]


def test_an_edge_loses_half_its_weight_every_half_life_since_its_latest_event() -> None:
    # User a met item 1 on day 0 and again on day 6, item 2 on day 2; user b met item 2 on day 4. Ages 0, 4 and 2 days.
    data = events(timestamp=[0, 2 * DAY, 4 * DAY, 6 * DAY])
    np.testing.assert_allclose(weighted_interactions(data, half_life_days=2).toarray(), [[1, 0.25], [0, 0.5]])


def test_what_has_no_times_cannot_age_and_what_is_negative_has_no_logarithm() -> None:
    with pytest.raises(DataError, match="the events have no timestamp column"):
        weighted_interactions(events(), half_life_days=2)
    with pytest.raises(DataError, match=r"1 pairs have a negative sum of values \(lowest: -3\)"):
        weighted_interactions(events(value=[1.0, 2.0, -3.0, 4.0]), "log")
