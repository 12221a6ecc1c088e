"""Edges and nodes that are left out: both directions alike, and the same product in expectation."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.graph.bipartite import bipartite
from edgewise.graph.dropout import GraphDropout
from edgewise.graph.normalise import symmetric_normalise


def _graph() -> csr_array:
    return symmetric_normalise(
        bipartite(csr_array((np.random.default_rng(0).random((30, 20)) < 0.3).astype(np.float32)))
    )


@pytest.mark.parametrize(("edges", "nodes"), [(0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_what_is_left_is_symmetric_and_the_product_is_kept_in_expectation(edges: float, nodes: float) -> None:
    graph, dropout = _graph(), GraphDropout(_graph(), edges, nodes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [dropout.draw().toarray() for _ in range(600)]
    for one in drawn[:20]:
        assert np.array_equal(one, one.T)
    kept = np.mean([(one != 0).sum() for one in drawn]) / graph.nnz
    assert kept == pytest.approx((1 - edges) * (1 - nodes) ** 2, rel=0.02)
    x = np.random.default_rng(1).random(50)
    np.testing.assert_allclose(np.mean(drawn, axis=0) @ x, graph @ x, rtol=0.15)


def test_a_node_that_is_left_out_loses_all_its_edges() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = GraphDropout(_graph(), 0.0, 0.5).draw().toarray()
        torch.manual_seed(0)
        gone = (torch.rand(50) < 0.5).numpy()
    assert not found[gone].any()
    assert not found[:, gone].any()
    assert found[~gone][:, ~gone].any()


def test_one_seed_one_graph_and_the_original_is_left_alone() -> None:
    graph = _graph()
    before = graph.data.copy()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first = GraphDropout(graph, 0.5, 0.0).draw().data
        torch.manual_seed(5)
        second = GraphDropout(graph, 0.5, 0.0).draw().data
    assert np.array_equal(first, second)
    assert np.array_equal(graph.data, before)
