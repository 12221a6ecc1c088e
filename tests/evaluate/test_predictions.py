"""Metrics of predictions: worked by hand, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from edgewise.evaluate.predictions import accuracy, auc_of_scores, average_precision, macro_f1, mae, rmse


def test_errors_by_hand() -> None:
    found, actual = np.array([1.0, 2.0, 7.0]), np.array([1.0, 4.0, 3.0])
    assert rmse(found, actual) == pytest.approx(math.sqrt(20 / 3))  # (0 + 4 + 16) / 3
    assert mae(found, actual) == pytest.approx(2)
    assert accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])) == 0.75


def test_macro_f1_by_hand() -> None:
    # class 0: 1 hit of 1 and 1: 1; class 1: 1 of 2 and 1: 2/3; class 2: 1 of 1 and 2: 2/3
    assert macro_f1(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])) == pytest.approx((1 + 4 / 3) / 3)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    found, actual = np.array(pairs).T
    assert macro_f1(found, actual) == pytest.approx(f1_score(actual, found, average="macro", zero_division=0))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_and_average_precision_are_those_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in pairs]), np.array([p for _, p in pairs])
    if positive.all() or not positive.any():
        assert math.isnan(auc_of_scores(scores, positive))
        return
    assert auc_of_scores(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    assert average_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))


def test_of_nothing_there_is_no_number() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert all(math.isnan(metric(nothing, nothing)) for metric in (accuracy, macro_f1, rmse, mae))
    assert math.isnan(average_precision(np.ones(2), np.zeros(2, dtype=np.bool_)))
