"""The edge-or-not view."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.evaluate.edges import edge_or_not, sample_non_edges, scores_at
from edgewise.types import Floats


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 0.95, 1.0]))
@settings(deadline=None, max_examples=50)
def test_no_non_edge_is_taken(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    taken = rng.random((9, 13)) < share
    wanted = rng.integers(0, 20, size=9)
    drawn = sample_non_edges(csr_array(taken), wanted, rng)
    user = np.repeat(np.arange(9), np.diff(drawn.indptr))
    assert not taken[user, drawn.indices].any()
    np.testing.assert_array_equal(np.diff(drawn.indptr), np.where(taken.all(axis=1), 0, wanted))


def test_non_edges_are_drawn_evenly_among_all_that_are_free() -> None:
    taken = csr_array(np.array([[1, 0, 0, 1, 0, 1, 0]]))
    drawn = sample_non_edges(taken, np.array([40_000]), np.random.default_rng(0))
    shares = np.bincount(drawn.indices, minlength=7) / 40_000
    np.testing.assert_allclose(shares, [0, 0.25, 0.25, 0, 0.25, 0, 0.25], atol=0.01)


def test_reads_the_scores_of_pairs() -> None:
    scores = np.arange(12, dtype=np.float32).reshape(3, 4)
    taken = csr_array(np.array([[1, 1, 1, 0], [1, 0, 1, 1], [0, 1, 1, 1]]))
    drawn = sample_non_edges(taken, np.array([2, 1, 1]), np.random.default_rng(0))
    assert scores_at(scores, drawn).tolist() == [3, 3, 5, 8]
    assert scores_at(scores[1:], drawn.part(1, 3)).tolist() == [5, 8]


def test_what_can_be_told_apart_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    edge, non_edge = rng.uniform(2, 3, 50).astype(np.float32), rng.uniform(0, 1, 50).astype(np.float32)
    found = edge_or_not(edge, non_edge, rng)
    assert found["edge_precision"] == 1
    assert (
        found["edge_accuracy"] >= found["edge_recall"] > 0.9
    )  # the strictest threshold is the lowest edge of the first half


def test_golden_threshold() -> None:
    # All edges score 1, or 3 in a third of the cases; all non-edges 2 or less. Whatever the halves, calling from 3 on is the
    # best of the thresholds 3, 2, 1, 0 (gains per 12 edges: 4, 4 - 12, ...). So recall is about 1/3, precision 1.
    edge = np.tile(np.array([3, 1, 1], dtype=np.float32), 400)
    non_edge = np.full(1200, 2, dtype=np.float32)
    found = edge_or_not(edge, non_edge, np.random.default_rng(0))
    assert found["edge_precision"] == 1
    assert found["edge_recall"] == pytest.approx(1 / 3, abs=0.05)
    assert found["edge_accuracy"] == pytest.approx(2 / 3, abs=0.03)


def test_pairs_without_a_score_are_called_no_edge() -> None:
    nothing = np.full(10, np.nan, dtype=np.float32)
    found = edge_or_not(nothing, nothing, np.random.default_rng(0))
    assert (found["edge_accuracy"], found["edge_recall"]) == (0.5, 0.0)
    assert np.isnan(found["edge_precision"])


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=9), st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=9))
def test_figures_are_shares_or_not_defined(edge: list[float], non_edge: list[float]) -> None:
    def floats(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float32)

    found = edge_or_not(floats(edge), floats(non_edge), np.random.default_rng(0))
    assert all(np.isnan(value) or 0 <= value <= 1 for value in found.values())
