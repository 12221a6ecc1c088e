"""Neighbourhoods."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph.bipartite import bipartite
from edgewise.graph.subgraph import k_hop


def path_of_five() -> csr_array:
    """0 - 1 - 2 - 3 - 4, the edge from n to n + 1 weighing n + 1."""
    dense = np.diag(np.arange(1, 5, dtype=np.float32), 1)
    return csr_array(dense + dense.T)


def test_hops_are_counted_from_the_nearest_seed() -> None:
    cut = k_hop(path_of_five(), np.array([0, 4]), 1)
    assert cut.nodes.tolist() == [0, 4, 1, 3]
    assert cut.hop.tolist() == [0, 0, 1, 1]
    # Among 0, 4, 1, 3: the edges 0 - 1 (weight 1) and 3 - 4 (weight 4).
    np.testing.assert_array_equal(cut.graph.toarray(), [[0, 0, 1, 0], [0, 0, 0, 4], [1, 0, 0, 0], [0, 4, 0, 0]])
    assert cut.graph.has_sorted_indices


def test_no_hop_gives_the_seeds_and_the_edges_among_them() -> None:
    cut = k_hop(path_of_five(), np.array([3, 2, 3]), 0)
    assert cut.nodes.tolist() == [3, 2]
    np.testing.assert_array_equal(cut.graph.toarray(), [[0, 3], [3, 0]])


def test_more_hops_than_there_are_give_everything_that_can_be_reached() -> None:
    graph = csr_array(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=np.float32))
    cut = k_hop(graph, np.array([1]), 9)
    assert (cut.nodes.tolist(), cut.hop.tolist()) == ([1, 0], [0, 1])


def test_a_hub_brings_only_its_strongest_neighbours() -> None:
    # Node 0 is joined to all; ties of weight go to the lower index. Limit 3: the weights 9, 9 (nodes 4, 6) and 5 (node 2).
    dense = np.zeros((8, 8), dtype=np.float32)
    dense[0, 1:] = [1, 5, 5, 9, 1, 9, 1]
    cut = k_hop(csr_array(dense + dense.T), np.array([0]), 1, max_nodes_per_hop=3)
    assert cut.nodes.tolist() == [0, 2, 4, 6]


def test_strength_is_summed_over_the_hop_before() -> None:
    # Nodes 0 and 1 are seeds; node 2 gets 2 from one, node 3 gets 1.5 from each.
    dense = np.zeros((4, 4), dtype=np.float32)
    dense[0, 2], dense[0, 3], dense[1, 3] = 2, 1.5, 1.5
    assert k_hop(csr_array(dense), np.array([0, 1]), 1, max_nodes_per_hop=1).nodes.tolist() == [0, 1, 3]


def test_two_hops_on_a_two_sided_graph_reach_the_users_of_the_same_items() -> None:
    # Users 0 and 1 share item 0 (node 3); user 2 met item 1 (node 4) alone.
    graph = bipartite(csr_array(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)))
    assert k_hop(graph, np.array([0]), 2).nodes.tolist() == [0, 3, 1]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30),
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
    st.integers(0, 4),
)
def test_it_finds_what_breadth_first_search_finds(edges: list[tuple[int, int]], seeds: list[int], k: int) -> None:
    dense = np.zeros((10, 10), dtype=np.float32)
    for start, stop in edges:
        dense[start, stop] = 1
    distance = dict.fromkeys(seeds, 0)
    for step in range(k):
        for node in [node for node, hops in distance.items() if hops == step]:
            for other in np.flatnonzero(dense[node]).tolist():
                distance.setdefault(other, step + 1)
    cut = k_hop(csr_array(dense), np.array(seeds), k)
    assert dict(zip(cut.nodes.tolist(), cut.hop.tolist(), strict=True)) == distance
    np.testing.assert_array_equal(cut.graph.toarray(), dense[np.ix_(cut.nodes, cut.nodes)])


def test_bad_questions_are_refused() -> None:
    graph = path_of_five()
    with pytest.raises(DataError, match="node 5 is not in the graph, which has the nodes 0 to 4"):
        k_hop(graph, np.array([0, 5]), 1)
    with pytest.raises(DataError, match="node -1 is not in the graph"):
        k_hop(graph, np.array([-1]), 1)
    with pytest.raises(DataError, match=r"needs a square graph; got \[2, 5\]"):
        k_hop(graph[:2], np.array([0]), 1)
    with pytest.raises(ConfigError, match="k = -1: expected 0"):
        k_hop(graph, np.array([0]), -1)
    with pytest.raises(ConfigError, match="max_nodes_per_hop = 0: expected at least 1"):
        k_hop(graph, np.array([0]), 1, max_nodes_per_hop=0)
