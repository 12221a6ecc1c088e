"""Ratings: the last value of a pair, the scale, biases as the normal equations give them."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.data.ratings import fit_biases, pairs_of, rating_scale
from edgewise.errors import DataError

ROWS = [("a", "x", 2.0, 30), ("a", "y", 3.0, 10), ("a", "x", 5.0, 20), ("b", "y", 1.0, 40)]


def test_the_last_rating_of_a_pair_counts_and_strengths_still_add_up() -> None:
    frame = pl.DataFrame(ROWS, schema=["user_id", "item_id", "value", "timestamp"], orient="row")
    timed = Dataset.from_events(frame)
    assert timed.ratings.toarray().tolist() == [[2.0, 3.0], [0.0, 1.0]]  # at 20 it was 5, at 30 it became 2
    assert timed.strengths.toarray().tolist() == [[7.0, 3.0], [0.0, 1.0]]
    untimed = Dataset.from_events(frame.drop("timestamp"))
    assert untimed.ratings.toarray().tolist() == [[5.0, 3.0], [0.0, 1.0]]  # without times the later row


def test_the_scale_knows_levels_and_yes_and_no() -> None:
    scale = rating_scale(csr_array(np.array([[1.0, 5.0], [3.0, 3.0]])))
    assert (scale.low, scale.high, scale.is_yes_no) == (1.0, 5.0, False)
    assert scale.level_of(np.array([1.0, 3.0, 4.9, 5.0], dtype=np.float32)).tolist() == [0, 1, 1, 2]
    yes_no = rating_scale(csr_array(np.array([[-1.0, 1.0]])))
    assert yes_no.is_yes_no
    assert yes_no.targets(np.array([1.0, -1.0], dtype=np.float32)).tolist() == [1.0, 0.0]


def test_ratings_that_are_all_alike_are_refused_with_the_reason() -> None:
    with pytest.raises(
        DataError, match=r"all 2 ratings are 1, so there is nothing to predict: mf needs values that differ"
    ):
        rating_scale(csr_array(np.array([[1.0, 1.0]])), who="mf")


def test_ratings_that_are_no_numbers_are_counted() -> None:
    with pytest.raises(DataError, match=r"1 of 3 ratings are not finite numbers; mf cannot learn from them"):
        rating_scale(csr_array(np.array([[1.0, 2.0, np.nan]])), who="mf")


def test_biases_solve_the_normal_equations() -> None:
    rng = np.random.default_rng(0)
    ratings = csr_array(np.where(rng.random((7, 5)) < 0.6, rng.integers(1, 6, (7, 5)), 0).astype(np.float64))
    user, item = pairs_of(ratings)
    design = np.zeros((user.size, 12))  # a column for each user, then for each item
    design[np.arange(user.size), user] = 1
    design[np.arange(user.size), 7 + item] = 1
    mean = ratings.data.mean()
    damping = np.diag([2.0] * 7 + [3.0] * 5)
    solved = np.linalg.solve(design.T @ design + damping, design.T @ (ratings.data - mean))
    found = fit_biases(
        user, item, ratings.data.astype(np.float32), (7, 5), user_damping=2.0, item_damping=3.0, rounds=200
    )
    np.testing.assert_allclose(np.concatenate([found.users[:-1], found.items[:-1]]), solved, atol=1e-5)
    assert found.at(np.array([-1]), np.array([-1]))[0] == pytest.approx(mean)  # nothing known: the mean
    assert found.at(np.array([-1]), np.array([2]))[0] == pytest.approx(mean + solved[9], abs=1e-5)
