"""Neighbour sampling: what may be drawn, how often, and that threads and background workers change nothing."""

import tracemalloc
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph.neighbour_sampling import NeighbourSampler, SampledGraph, checked_fan_out
from edgewise.types import Index


def graph_of(edges: list[tuple[int, int]], n_nodes: int, weights: list[float] | None = None) -> csr_array:
    """Make a CSR of (sender, receiver) pairs, duplicates kept, the senders of a row in the order given."""
    sender = np.array([edge[0] for edge in edges], dtype=np.int32)
    receiver = np.array([edge[1] for edge in edges], dtype=np.int64)
    order = np.argsort(receiver, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(receiver, minlength=n_nodes))])
    data = np.ones(sender.size, dtype=np.float32) if weights is None else np.array(weights, dtype=np.float32)
    return csr_array((data[order], sender[order], indptr), shape=(n_nodes, n_nodes))


def star(n_leaves: int, weights: list[float] | None = None) -> csr_array:
    """Make a graph in which node 0 hears from 1 to n_leaves."""
    return graph_of([(leaf, 0) for leaf in range(1, n_leaves + 1)], n_leaves + 1, weights)


def random_graph(n_nodes: int, n_edges: int, seed: int = 0) -> csr_array:
    rng = np.random.default_rng(seed)
    sender = np.minimum(rng.zipf(1.5, n_edges) - 1, n_nodes - 1)
    receiver = rng.integers(n_nodes, size=n_edges)
    return graph_of(list(zip(sender.tolist(), receiver.tolist(), strict=True)), n_nodes, rng.random(n_edges).tolist())


def frequencies(sampler: NeighbourSampler, fan_out: int, n_leaves: int, n_batches: int, **how: Any) -> Index:
    counts = np.zeros(n_leaves + 1, dtype=np.int64)
    for batch in range(n_batches):
        hop = sampler.one_hop(np.zeros(20, dtype=np.int64), fan_out, seed=5, batch=batch, parallel=False, **how)
        counts += np.bincount(hop.senders, minlength=n_leaves + 1)
    return counts


def senders_and_receivers(batch: SampledGraph) -> list[tuple[int, int]]:
    """Return the edges of a batch in the numbers of the graph."""
    return [(int(batch.nodes[s]), int(batch.nodes[r])) for s, r in batch.edge_index.T]


def endpoints(graph: csr_array) -> tuple[Index, Index]:
    return graph.indices.astype(np.int64), np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))


def assert_same(one: SampledGraph, other: SampledGraph) -> None:
    for name in ("nodes", "indptr", "senders", "edge_ids", "n_nodes_per_hop", "n_edges_per_hop", "seed_places"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


# What a batch looks like.


def test_a_chain_is_followed_hop_by_hop() -> None:
    chain = graph_of([(1, 0), (2, 1), (3, 2)], 4)
    batch = NeighbourSampler(chain).sample(np.array([0]), (-1, -1), seed=0)
    assert batch.nodes.tolist() == [0, 1, 2]
    assert batch.edge_index.tolist() == [[1, 2], [0, 1]]
    assert batch.n_nodes_per_hop.tolist() == [1, 1, 1]
    assert batch.n_edges_per_hop.tolist() == [1, 1]
    assert batch.edge_ids.tolist() == [0, 1]


def test_seeds_given_twice_are_one_node_and_keep_their_places() -> None:
    batch = NeighbourSampler(star(3)).sample(np.array([2, 0, 2]), (None,), seed=0)
    assert batch.nodes[:2].tolist() == [2, 0]
    assert batch.seed_places.tolist() == [0, 1, 0]
    assert batch.n_edges_per_hop.tolist() == [3]


def test_layers_are_the_beginnings_of_the_batch() -> None:
    chain = graph_of([(1, 0), (2, 1), (3, 2)], 4)
    first, last = NeighbourSampler(chain).sample(np.array([0]), (1, 1), seed=0).layers()
    assert first.shape == (2, 3)
    assert last.shape == (1, 2)
    assert first.toarray().tolist() == [[0, 1, 0], [0, 0, 1]]
    assert last.toarray().tolist() == [[0, 1]]


def test_all_neighbours_in_two_layers_give_the_product_of_the_whole_graph() -> None:
    graph = random_graph(60, 400)
    x = np.random.default_rng(1).random((60, 3))
    seeds = np.array([7, 3, 59])
    batch = NeighbourSampler(graph).sample(seeds, (-1, -1), seed=0)
    first, last = batch.layers(graph.data[batch.edge_ids])
    np.testing.assert_allclose(last @ (first @ x[batch.nodes]), (graph @ (graph @ x))[seeds], rtol=1e-5)


def test_edge_ids_name_the_edges_of_the_graph() -> None:
    graph = random_graph(50, 300)
    sender, receiver = endpoints(graph)
    ways: list[dict[str, Any]] = [{}, {"draw": "weighted"}, {"edge_times": np.random.default_rng(0).random(300)}]
    for how in ways:
        sampler = NeighbourSampler(graph, **how)
        times = np.full(50, 0.7) if sampler.is_temporal else None
        batch = sampler.sample(np.arange(50), (4, 3), seed=1, seed_times=times)
        drawn = list(zip(sender[batch.edge_ids].tolist(), receiver[batch.edge_ids].tolist(), strict=True))
        assert drawn == senders_and_receivers(batch)


# How often edges are drawn.


@pytest.mark.parametrize(("n_leaves", "fan_out"), [(7, 5), (200, 5)])
def test_uniform_draws_without_replacement_are_uniform_and_repeat_nothing(n_leaves: int, fan_out: int) -> None:
    sampler = NeighbourSampler(star(n_leaves))
    counts = frequencies(sampler, fan_out, n_leaves, 400)[1:]
    expected = 400 * 20 * fan_out / n_leaves
    assert counts.sum() == 400 * 20 * fan_out
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    hop = sampler.one_hop(np.zeros(50, dtype=np.int64), fan_out, seed=0)
    assert all(len(set(row)) == fan_out for row in hop.senders.reshape(50, fan_out).tolist())


def test_all_pairs_are_drawn_as_often_without_replacement() -> None:
    hop = NeighbourSampler(star(6)).one_hop(np.zeros(15_000, dtype=np.int64), 2, seed=3)
    pairs = np.sort(hop.senders.reshape(-1, 2), axis=1)
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    assert counts.size == 15
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_uniform_draws_with_replacement_are_uniform() -> None:
    counts = frequencies(NeighbourSampler(star(4), replace=True), 9, 4, 300)[1:]
    assert counts.sum() == 300 * 20 * 9
    assert np.abs(counts - 13_500).max() < 5 * np.sqrt(13_500)


def test_weighted_draws_with_replacement_follow_the_weights() -> None:
    weights = [1.0, 2.0, 0.0, 5.0]
    counts = frequencies(NeighbourSampler(star(4, weights), draw="weighted", replace=True), 3, 4, 500)[1:]
    expected = 30_000 * np.array(weights) / 8
    assert counts[2] == 0
    assert np.abs(counts - expected).max() < 5 * np.sqrt(30_000 / 4)


@pytest.mark.parametrize("heavy", [3.0, 1e7])
def test_weighted_draws_without_replacement_are_draws_in_succession(heavy: float) -> None:
    # Two of three: P(1 is among them) = p1 + p2 p1 / (1 - p2) + p3 p1 / (1 - p3). With weight 1e7 repeats are
    # nearly all that is drawn, and the rest comes from the keys.
    weights = [1.0, 2.0, heavy]
    n = 30_000
    counts = frequencies(NeighbourSampler(star(3, weights), draw="weighted"), 2, 3, n // 20)[1:]
    p = np.array(weights) / sum(weights)
    expected = [n * (p[i] + sum(p[j] * p[i] / (1 - p[j]) for j in range(3) if j != i)) for i in range(3)]
    assert np.abs(counts - expected).max() < 5 * np.sqrt(n / 4)
    hop = NeighbourSampler(star(3, weights), draw="weighted").one_hop(np.zeros(50, dtype=np.int64), 2, seed=0)
    assert all(len(set(row)) == 2 for row in hop.senders.reshape(50, 2).tolist())


def test_the_keys_draw_as_the_weights_say_where_many_are_left() -> None:
    weights = [1e12, *range(1, 11)]
    n = 20_000
    hop = NeighbourSampler(star(11, weights), draw="weighted").one_hop(np.zeros(n, dtype=np.int64), 2, seed=2)
    counts = np.bincount(hop.senders, minlength=12)[1:]
    assert counts[0] == n
    assert np.abs(counts[1:] - n * np.arange(1, 11) / 55).max() < 5 * np.sqrt(n / 4)


def test_edges_without_weight_do_not_count_as_neighbours() -> None:
    sampler = NeighbourSampler(star(4, [0.0, 1.0, 0.0, 1.0]), draw="weighted")
    hop = sampler.one_hop(np.array([0, 1]), 3, seed=0)
    assert sorted(hop.senders.tolist()) == [2, 4]
    assert sorted(hop.edge_ids.tolist()) == [1, 3]


# Time.


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["uniform", "weighted"]), st.booleans())
def test_no_edge_is_as_late_as_the_seed_whose_neighbourhood_it_is_in(seed: int, draw: Any, replace: bool) -> None:
    graph = random_graph(30, 200, seed)
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 20, size=200)
    seeds, seed_times = rng.integers(30, size=8), rng.integers(0, 20, size=8)
    sampler = NeighbourSampler(graph, draw=draw, replace=replace, edge_times=times)
    batch = sampler.sample(seeds, (3, 2, -1), seed=seed, seed_times=seed_times, parallel=False)
    assert batch.group is not None
    sender, receiver = batch.edge_index
    moment = np.unique(seed_times)[batch.group]
    assert (times[batch.edge_ids] < moment[receiver]).all()
    np.testing.assert_array_equal(moment[sender], moment[receiver])
    np.testing.assert_array_equal(batch.nodes[batch.seed_places], seeds)
    np.testing.assert_array_equal(moment[batch.seed_places], seed_times)
    keys = list(zip(batch.nodes.tolist(), batch.group.tolist(), strict=True))
    assert len(set(keys)) == len(keys)


def test_an_edge_at_the_seed_time_is_too_late_however_large_the_numbers() -> None:
    # Nanoseconds since 1970 lie beyond what float64 tells apart.
    now = 1_700_000_000_000_000_001
    sampler = NeighbourSampler(star(3), edge_times=np.array([now - 1, now, now + 1]))
    batch = sampler.sample(np.array([0]), (-1,), seed=0, seed_times=np.array([now]))
    assert batch.edge_ids.tolist() == [0]


# Edges left out.


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3, -1]), st.sampled_from(["uniform", "weighted"]), st.booleans())
def test_excluded_pairs_are_never_drawn_in_either_direction(seed: int, fan_out: int, draw: Any, replace: bool) -> None:
    graph = random_graph(12, 90, seed)
    sender, receiver = endpoints(graph)
    chosen = np.random.default_rng(seed).choice(90, size=15)
    pairs = np.stack([sender[chosen], receiver[chosen]])
    sampler = NeighbourSampler(graph, draw=draw, replace=replace)
    batch = sampler.sample(pairs.reshape(-1), (fan_out, fan_out), seed=seed, exclude=pairs, parallel=False)
    targets = {frozenset(pair) for pair in pairs.T.tolist()}
    assert not [edge for edge in senders_and_receivers(batch) if frozenset(edge) in targets]
    left = np.array([frozenset(pair) not in targets for pair in zip(sender.tolist(), receiver.tolist(), strict=True)])
    degree = np.bincount(receiver[left], minlength=12)[batch.nodes[: batch.indptr.size - 1]]
    expected = degree if fan_out < 0 else np.where(degree > 0, fan_out, 0) if replace else np.minimum(degree, fan_out)
    np.testing.assert_array_equal(np.diff(batch.indptr), expected)


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("draw", ["uniform", "weighted"])
def test_what_is_not_excluded_is_drawn_as_often_as_before(draw: Any, replace: bool) -> None:
    # The excluded edge has nearly all weight, so that drawing again is not enough.
    weights = [1.0, 1e9, 1.0, 1.0, 1.0]
    sampler = NeighbourSampler(star(5, weights), draw=draw, replace=replace)
    counts = frequencies(sampler, 2, 5, 500, exclude=np.array([[0], [2]]))[1:]
    assert counts[1] == 0
    assert np.abs(counts[[0, 2, 3, 4]] - 5000).max() < 5 * np.sqrt(5000)


# Threads.


@pytest.mark.parametrize("how", [{}, {"replace": True}, {"draw": "weighted"}, {"draw": "weighted", "replace": True}])
def test_one_thread_two_threads_and_the_serial_kernel_draw_the_same(how: dict[str, Any]) -> None:
    graph = random_graph(3000, 40_000)
    seeds = np.arange(0, 3000, 3)
    sampler = NeighbourSampler(graph, **how)
    batches = []
    before = numba.get_num_threads()
    try:
        for n_threads in (1, before):
            numba.set_num_threads(n_threads)
            batches.append(sampler.sample(seeds, (6, 4), seed=9, batch=4))
    finally:
        numba.set_num_threads(before)
    batches.append(sampler.sample(seeds, (6, 4), seed=9, batch=4, parallel=False))
    assert_same(batches[0], batches[1])
    assert_same(batches[0], batches[2])


def test_another_batch_and_another_seed_draw_other_neighbours() -> None:
    sampler = NeighbourSampler(star(1000))
    draws = {
        tuple(sampler.one_hop(np.array([0]), 5, seed=seed, batch=batch).senders.tolist())
        for seed in range(3)
        for batch in range(3)
    }
    assert len(draws) == 9


# Properties of any batch.


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40),
            st.lists(st.integers(0, n - 1), max_size=5),
        )
    ),
    st.lists(st.sampled_from([1, 2, 5, -1]), min_size=1, max_size=3),
    st.booleans(),
)
def test_any_batch_is_a_part_of_its_graph(
    case: tuple[int, list[tuple[int, int]], list[int]], fan_out: list[int], replace: bool
) -> None:
    n_nodes, edges, seeds = case
    graph = graph_of(edges, n_nodes)
    batch = NeighbourSampler(graph, replace=replace).sample(np.array(seeds, dtype=np.int64), fan_out, seed=1)
    assert set(senders_and_receivers(batch)) <= set(edges)
    assert batch.nodes[: batch.n_nodes_per_hop[0]].tolist() == list(dict.fromkeys(seeds))
    assert batch.nodes[batch.seed_places].tolist() == seeds
    assert np.unique(batch.nodes).size == batch.nodes.size == batch.n_nodes_per_hop.sum()
    assert batch.n_edges_per_hop.sum() == batch.edge_ids.size == batch.senders.size
    assert batch.indptr.size == batch.n_nodes_per_hop[:-1].sum() + 1
    starts = np.concatenate([[0], np.cumsum(batch.n_nodes_per_hop)])
    for hop, limit in enumerate(fan_out):
        drawn = np.diff(batch.indptr[starts[hop] : starts[hop + 1] + 1])
        assert drawn.sum() == batch.n_edges_per_hop[hop]
        if limit > 0:
            assert (drawn <= limit).all()
    if not replace:
        assert np.unique(batch.edge_ids).size == batch.edge_ids.size


# Bad input.


@pytest.mark.parametrize("fan_out", [(0,), (5, 0), (-2,)])
def test_a_fan_out_below_one_is_refused(fan_out: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"hop {len(fan_out)} is {fan_out[-1]}; expected 1 or more"):
        NeighbourSampler(star(3)).sample(np.array([0]), fan_out, seed=0)


def test_no_hop_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="fan_out is empty"):
        checked_fan_out([])


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_seed_outside_the_graph_is_named(wrong: int) -> None:
    with pytest.raises(DataError, match=f"seed {wrong} is not in the graph, which has the nodes 0 to 3"):
        NeighbourSampler(star(3)).sample(np.array([0, wrong]), (2,), seed=0)


def test_seeds_that_are_no_integers_are_refused() -> None:
    with pytest.raises(DataError, match="seeds are float64"):
        NeighbourSampler(star(3)).sample(np.array([0.5]), (2,), seed=0)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_weight_that_cannot_be_drawn_by_is_named(wrong: float) -> None:
    with pytest.raises(DataError, match="edge 1 has the weight"):
        NeighbourSampler(star(3, [1.0, wrong, 1.0]), draw="weighted")


def test_times_are_needed_where_edges_have_times_and_only_there() -> None:
    with pytest.raises(DataError, match="give seed_times"):
        NeighbourSampler(star(2), edge_times=np.arange(2)).sample(np.array([0]), (1,), seed=0)
    with pytest.raises(DataError, match="has no edge_times"):
        NeighbourSampler(star(2)).sample(np.array([0]), (1,), seed=0, seed_times=np.array([1]))
    with pytest.raises(DataError, match="the time of edge 1 is not a number"):
        NeighbourSampler(star(2), edge_times=np.array([1.0, np.nan]))
    with pytest.raises(DataError, match="expected 2 numbers, one for each edge"):
        NeighbourSampler(star(2), edge_times=np.arange(3))


def test_an_unknown_way_to_draw_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected one of uniform, weighted"):
        NeighbourSampler(star(2), draw="best")  # type: ignore[arg-type]


def test_two_hops_over_a_rectangle_are_refused_and_one_is_drawn() -> None:
    graph = csr_array(
        (np.ones(2, dtype=np.float32), np.array([3, 1], dtype=np.int32), np.array([0, 1, 2])), shape=(2, 4)
    )
    with pytest.raises(DataError, match="square"):
        NeighbourSampler(graph).sample(np.array([0]), (1, 1), seed=0)
    assert NeighbourSampler(graph).one_hop(np.array([1, 0]), 1, seed=0).senders.tolist() == [1, 3]
    without = NeighbourSampler(graph).one_hop(np.array([1, 0]), 1, seed=0, exclude=np.array([[1], [1]]))
    assert without.senders.tolist() == [3]


def test_one_node_isolated_nodes_self_loops_and_duplicates_are_graphs_too() -> None:
    alone = NeighbourSampler(graph_of([], 1)).sample(np.array([0]), (2, 2), seed=0)
    assert alone.nodes.tolist() == [0]
    assert alone.edge_index.shape == (2, 0)
    looped = NeighbourSampler(graph_of([(0, 0), (0, 0)], 1)).sample(np.array([0]), (-1, -1), seed=0)
    assert looped.nodes.tolist() == [0]
    assert looped.edge_ids.tolist() == [0, 1]
    empty = NeighbourSampler(star(3)).sample(np.empty(0, dtype=np.int64), (2,), seed=0)
    assert empty.nodes.size == 0


def test_a_hub_of_a_million_neighbours_costs_its_fan_out() -> None:
    n = 1_000_000
    indptr = np.zeros(n + 2, dtype=np.int64)
    indptr[1:] = n
    graph = csr_array((np.ones(n, dtype=np.float32), np.arange(1, n + 1, dtype=np.int32), indptr), shape=(n + 1, n + 1))
    for how in ({}, {"draw": "weighted"}):
        sampler = NeighbourSampler(graph, **how)  # type: ignore[arg-type]
        sampler.sample(np.array([0]), (15, 10), seed=0, exclude=np.array([[5], [0]]))  # makes the array of places
        tracemalloc.start()
        batch = sampler.sample(np.array([0]), (15, 10), seed=1, exclude=np.array([[5], [0]]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert batch.n_edges_per_hop.tolist() == [15, 0]
        assert peak < 1_000_000
