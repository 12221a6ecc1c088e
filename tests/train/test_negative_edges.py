"""Negative edges: not in the graph, as likely as said, and near where they should be hard."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.train.negative_edges import NegativeEdgeSampler


def ring(n_nodes: int) -> csr_array:
    """Make each node hear from the one before and the one after it."""
    dense = np.roll(np.eye(n_nodes, dtype=np.float32), 1, axis=1)
    return csr_array(dense + dense.T)


@pytest.mark.parametrize("kind", ["uniform", "degree", "two-hop"])
def test_no_edge_of_the_graph_and_no_node_itself_is_drawn(kind: Any) -> None:
    graph = ring(9)
    receivers = np.repeat(np.arange(9), 50)
    senders = NegativeEdgeSampler(graph, kind).draw(receivers, 4, np.random.default_rng(0)).senders
    steps = np.abs(senders - receivers[:, None])
    assert senders.shape == (450, 4)
    assert np.minimum(steps, 9 - steps).min() == 2


def test_two_hop_negatives_are_neighbours_of_neighbours() -> None:
    receivers = np.arange(20)
    senders = NegativeEdgeSampler(ring(20), "two-hop").draw(receivers, 6, np.random.default_rng(0)).senders
    steps = np.abs(senders - receivers[:, None])
    assert (np.minimum(steps, 20 - steps) == 2).all()


def test_who_has_no_neighbour_of_a_neighbour_gets_a_uniform_one() -> None:
    graph = csr_array((np.ones(2, dtype=np.float32), np.array([1, 0]), np.array([0, 1, 2, 2, 2])), shape=(4, 4))
    senders = NegativeEdgeSampler(graph, "two-hop").draw(np.array([0, 3]), 40, np.random.default_rng(0)).senders
    assert set(senders[0].tolist()) == {2, 3}
    assert set(senders[1].tolist()) == {0, 1, 2}


def test_draws_by_degree_follow_the_power_and_tell_their_logarithm() -> None:
    # Node 0 sends to 4 others, node 1 to 1: with the power 0.5 as 2 to 1. Node 7 hears from neither.
    senders, indptr = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 2, 3, 4, 5, 5])
    graph = csr_array((np.ones(5, dtype=np.float32), senders, indptr), shape=(8, 8))
    drawn = NegativeEdgeSampler(graph, "degree", power=0.5).draw(np.full(3000, 7), 2, np.random.default_rng(1))
    counts = np.bincount(drawn.senders.reshape(-1), minlength=8)
    assert counts[2:].sum() == 0
    assert abs(counts[0] - 4000) < 5 * np.sqrt(6000 * 2 / 9)
    assert drawn.log_expected is not None
    np.testing.assert_allclose(np.exp(drawn.log_expected), np.where(drawn.senders == 0, 4 / 3, 2 / 3), rtol=1e-6)


def test_uniform_draws_are_uniform_over_who_is_unknown() -> None:
    senders = NegativeEdgeSampler(ring(8)).draw(np.zeros(1000, dtype=np.int64), 5, np.random.default_rng(2)).senders
    counts = np.bincount(senders.reshape(-1), minlength=8)[2:7]
    assert counts.sum() == 5000
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_a_node_that_knows_all_others_still_gets_an_answer() -> None:
    graph = csr_array(np.ones((3, 3), dtype=np.float32))
    for kind in ("uniform", "degree", "two-hop"):
        assert NegativeEdgeSampler(graph, kind).draw(np.array([1]), 2, np.random.default_rng(0)).senders.min() >= 0


def test_two_kinds_of_nodes_may_have_the_same_number() -> None:
    graph = csr_array((np.ones(1, dtype=np.float32), np.array([1]), np.array([0, 1, 1])), shape=(2, 3))
    senders = NegativeEdgeSampler(graph).draw(np.array([0]), 40, np.random.default_rng(0)).senders
    assert set(senders[0].tolist()) == {0, 2}


def test_bad_input_is_named() -> None:
    with pytest.raises(ConfigError, match="expected one of uniform, degree, two-hop"):
        NegativeEdgeSampler(ring(4), "far")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="square"):
        NegativeEdgeSampler(csr_array((2, 3), dtype=np.float32), "two-hop")
    with pytest.raises(DataError, match=r"the graph is \[3, 0\]: there is nobody to draw"):
        NegativeEdgeSampler(csr_array((3, 0), dtype=np.float32))
    with pytest.raises(DataError, match="no edges"):
        NegativeEdgeSampler(csr_array((3, 3), dtype=np.float32), "degree")
    with pytest.raises(DataError, match="receiver 4 is not in the graph"):
        NegativeEdgeSampler(ring(4)).draw(np.array([4]), 1, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="n_negatives = 0"):
        NegativeEdgeSampler(ring(4)).draw(np.array([0]), 0, np.random.default_rng(0))
