"""The neighbourhood of some nodes: all within k steps, or the closest of these where hubs would drag everything in."""

from dataclasses import dataclass

import numba
import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.types import Bools, Doubles, Index


@dataclass(frozen=True)
class SubGraph:
    """Some nodes of a graph and every edge between them.

    Attributes:
        nodes: int64 [n], which node of the whole graph each one is: the seeds as given, then hop by hop, ascending in each.
        graph: [n, n], the edges among them, of the whole graph's type; columns ascending.
        hop: int64 [n], steps from the nearest seed, 0 for the seeds.
    """

    nodes: Index
    graph: csr_array
    hop: Index


def k_hop(graph: csr_array, nodes: Index, k: int, *, max_nodes_per_hop: int | None = None) -> SubGraph:
    """Cut out what lies within `k` steps of the given nodes, along edges from row to column.

    Args:
        graph: [n, n]; not modified. Memory beyond the result is a few numbers a node, however large a hub is.
        nodes: the seeds, int64 [n_seeds]; repeats count once.
        k: how many steps, >= 0.
        max_nodes_per_hop: the most nodes a step may add: those with the largest sum of edge weights from the nodes of the
            step before, equal sums to the lower index; None: all.

    Raises:
        DataError: if the graph is not square or a seed is not one of its nodes.
        ConfigError: if `k` is negative or `max_nodes_per_hop` is below 1.
    """
    n_nodes = graph.shape[0]
    seeds = _checked_seeds(graph, nodes)
    if k < 0:
        raise ConfigError(f"k = {k}: expected 0 (the nodes alone) or more steps.")
    if max_nodes_per_hop is not None and max_nodes_per_hop < 1:
        raise ConfigError(f"max_nodes_per_hop = {max_nodes_per_hop}: expected at least 1, or None for no limit.")
    inside = np.zeros(n_nodes, dtype=np.bool_)
    inside[seeds] = True
    hops = [seeds]
    while len(hops) <= k and hops[-1].size:
        reached, strength = np.zeros(n_nodes, dtype=np.bool_), np.zeros(n_nodes)
        _reach(graph.indptr, graph.indices, graph.data, hops[-1], inside, reached, strength)
        hops.append(_strongest(reached, strength, max_nodes_per_hop))
        inside[hops[-1]] = True
    found = np.concatenate(hops)
    return SubGraph(found, _induced(graph, found), np.repeat(np.arange(len(hops)), [step.size for step in hops]))


def _checked_seeds(graph: csr_array, nodes: Index) -> Index:
    n_nodes = graph.shape[0]
    if graph.shape[1] != n_nodes:
        raise DataError(
            f"a neighbourhood needs a square graph; got {list(graph.shape)}. Join the two sides by bipartite()."
        )
    seeds = np.asarray(nodes, dtype=np.int64).reshape(-1)
    if ((seeds < 0) | (seeds >= n_nodes)).any():
        wrong = seeds[(seeds < 0) | (seeds >= n_nodes)]
        raise DataError(f"node {wrong[0]} is not in the graph, which has the nodes 0 to {n_nodes - 1}.")
    return seeds[np.sort(np.unique(seeds, return_index=True)[1])]


def _strongest(reached: Bools, strength: Doubles, limit: int | None) -> Index:
    """Return the nodes reached, ascending; where there are too many, only the strongest."""
    nodes = np.flatnonzero(reached)
    if limit is None or nodes.size <= limit:
        return nodes
    return np.sort(nodes[np.argsort(-strength[nodes], kind="stable")[:limit]])


def _induced(graph: csr_array, nodes: Index) -> csr_array:
    """Return the edges among `nodes`, renumbered to their places."""
    place = np.full(graph.shape[0], -1, dtype=graph.indices.dtype)
    place[nodes] = np.arange(nodes.size)
    counts = np.zeros(nodes.size, dtype=np.int64)
    _count_inside(graph.indptr, graph.indices, nodes, place, counts)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.empty(indptr[-1], dtype=graph.indices.dtype)
    data = np.empty(indptr[-1], dtype=graph.dtype)
    _copy_inside(graph.indptr, graph.indices, graph.data, nodes, place, indptr, indices, data)
    cut = csr_array((data, indices, indptr), shape=(nodes.size, nodes.size))
    cut.sort_indices()
    return cut


@numba.njit(cache=True, nogil=True)
def _reach(indptr, indices, data, frontier, inside, reached, strength):  # type: ignore[no-untyped-def]
    for node in frontier:
        for entry in range(indptr[node], indptr[node + 1]):
            other = indices[entry]
            if not inside[other]:
                reached[other] = True
                strength[other] += data[entry]


@numba.njit(cache=True, nogil=True)
def _count_inside(indptr, indices, nodes, place, counts):  # type: ignore[no-untyped-def]
    for row in range(nodes.size):
        for entry in range(indptr[nodes[row]], indptr[nodes[row] + 1]):
            counts[row] += place[indices[entry]] >= 0


@numba.njit(cache=True, nogil=True)
def _copy_inside(indptr, indices, data, nodes, place, indptr_inside, indices_inside, data_inside):  # type: ignore[no-untyped-def]
    for row in range(nodes.size):
        free = indptr_inside[row]
        for entry in range(indptr[nodes[row]], indptr[nodes[row] + 1]):
            column = place[indices[entry]]
            if column >= 0:
                indices_inside[free], data_inside[free] = column, data[entry]
                free += 1
