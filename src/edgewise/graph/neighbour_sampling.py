"""A few neighbours of a few nodes, hop by hop: mini-batches for graphs that do not fit into one step of training."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph import sampling_kernels as kernels
from edgewise.types import Doubles, Floats, Index

Draw: TypeAlias = Literal["uniform", "weighted"]

_ALL = -1
_NO_INDEX: Index = np.empty(0, dtype=np.int64)
_NO_NUMBERS: Doubles = np.empty(0, dtype=np.float64)


@dataclass(frozen=True)
class SampledNeighbours:
    """One hop: what was drawn of each node's neighbours.

    Attributes:
        indptr: int64 [n_nodes + 1], where each node's neighbours begin.
        senders: int32 or int64 [n_edges], the neighbours, columns of the graph.
        edge_ids: int64 [n_edges], the place of each edge among the entries of the graph.
    """

    indptr: Index
    senders: NDArray[Any]
    edge_ids: Index


@dataclass(frozen=True)
class SampledGraph:
    """A mini-batch: nodes within some hops of the seeds, and the edges drawn between them, renumbered.

    The edges stand in the order of their receivers, and the receivers in the order in which they were found; so the edges
    of the first hop come first, and what a layer of a network needs is a beginning of what the layer before needs.
    A node is expanded once, in the hop after the one that found it.

    Attributes:
        nodes: int64 [n_nodes], which node of the graph each is: the seeds, each once, then hop by hop as they were found.
        indptr: int64 [n_receivers + 1], where the edges of each receiver begin; the receivers are the first nodes.
        senders: int32 [n_edges], places in `nodes`.
        edge_ids: int64 [n_edges], the place of each edge among the entries of the graph (`graph.data[edge_ids]` weighs them).
        n_nodes_per_hop: int64 [n_hops + 1], how many nodes are new in each hop, the seeds first.
        n_edges_per_hop: int64 [n_hops].
        seed_places: int64 [n_seeds], where each seed as given is in `nodes`: seeds given twice are there once.
        group: int64 [n_nodes], with seed times: the place of the node's seed time among the distinct ones, ascending. The
            same node may be there once for each. None without times.
    """

    nodes: Index
    indptr: Index
    senders: NDArray[np.int32]
    edge_ids: Index
    n_nodes_per_hop: Index
    n_edges_per_hop: Index
    seed_places: Index
    group: Index | None = None

    @cached_property
    def edge_index(self) -> Index:
        """Return the edges as PyTorch Geometric has them: int64 [2, n_edges], row 0 sends, row 1 receives."""
        receivers = np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))
        return np.stack([self.senders.astype(np.int64), receivers])

    @property
    def n_hops(self) -> int:
        """Return the number of hops."""
        return self.n_edges_per_hop.size

    def layers(self, weight: Floats | None = None) -> list[csr_array]:
        """Cut the batch into one matrix for each layer of a network, the first layer's first: views, not copies.

        Args:
            weight: float32 [n_edges], what the matrices hold; None: ones.

        Returns:
            As many as hops: [n_receivers, n_senders], float32. The receivers are the first senders, and the next layer's
            senders; the last layer's receivers are the seeds.
        """
        ends = np.cumsum(self.n_nodes_per_hop)
        data = np.ones(self.senders.size, dtype=np.float32) if weight is None else weight
        layers = []
        for hop in range(self.n_hops, 0, -1):
            n_receivers, n_senders = int(ends[hop - 1]), int(ends[hop])
            n_edges = int(self.indptr[n_receivers])
            parts = (data[:n_edges], self.senders[:n_edges], self.indptr[: n_receivers + 1])
            layers.append(csr_array(parts, shape=(n_receivers, n_senders)))
        return layers


class NeighbourSampler:
    """Draws neighbours over a graph in CSR, whose row r lists who sends to node r.

    Hamilton et al., "Inductive Representation Learning on Large Graphs", NIPS 2017 (arXiv:1706.02216): a few neighbours of
    each node, hop by hop. Random numbers are a hash of the seed, the batch and the place of the node in the batch
    (SplitMix64; Steele et al., OOPSLA 2014), not a stream: the result does not depend on the number of threads.

    - Uniform without replacement: Floyd's algorithm (Bentley, CACM 1987), or one pass over a short row: min(k², degree) steps.
    - Weighted: cumulative weights, a search in logarithmic time. Without replacement repeats are drawn again, which is
      drawing in succession; where a few edges have most of the weight, the rest is drawn by the keys of Efraimidis and
      Spirakis (Information Processing Letters 2006), which has the same distribution.
    - With edge times the edges of each row are kept sorted by time, so that what is earlier than t is the beginning of the row.

    A hub costs no more memory than its fan-out. One object serves several threads at once; each holds 4 bytes a node.

    Args:
        graph: [n_receivers, n_senders], square for more than one hop; not modified. Duplicate edges are edges of their own.
        draw: `uniform`, or `weighted` by the values of `graph`; edges with weight 0 are then never drawn.
        replace: whether an edge may be drawn more than once. Where all neighbours are wanted each comes once.
        edge_times: float64 or int64 [nnz], when each entry of `graph` came to be.

    Raises:
        DataError: if weights are negative or not finite, or times do not fit the edges or are not numbers.
        ConfigError: if `draw` is unknown.
    """

    def __init__(
        self,
        graph: csr_array,
        *,
        draw: Draw = "uniform",
        replace: bool = False,
        edge_times: NDArray[Any] | None = None,
    ) -> None:
        if draw not in get_args(Draw):
            raise ConfigError(f"draw = {draw!r}: expected one of {', '.join(get_args(Draw))}.")
        self.shape: tuple[int, int] = graph.shape
        self._indptr: Index = graph.indptr.astype(np.int64, copy=False)
        self._senders: NDArray[Any] = graph.indices
        self._edge_ids, self._times, self._cumulative = _NO_INDEX, np.empty(0, dtype=np.int64), _NO_NUMBERS
        self._weights: NDArray[Any] = np.empty(0, dtype=np.float32)
        self._replace = replace
        if edge_times is not None:
            self._sort_by_time(_checked_times(edge_times, graph.nnz, "edge"))
        self.is_temporal = edge_times is not None
        if draw == "weighted":
            self._prepare_weights(graph.data)
        self._free: list[NDArray[np.int32]] = []
        self._lock = threading.Lock()

    def sample(
        self,
        seeds: Index,
        fan_out: Sequence[int | None],
        *,
        seed: int,
        batch: int = 0,
        seed_times: NDArray[Any] | None = None,
        exclude: Index | None = None,
        parallel: bool = True,
    ) -> SampledGraph:
        """Draw a mini-batch around some nodes.

        Args:
            seeds: int64 [n_seeds]; repeats are kept in `seed_places` and expanded once.
            fan_out: neighbours drawn of each node, hop by hop, such as (15, 10, 5); -1 or None: all.
            seed: of the run, >= 0.
            batch: which batch this is; another number, other neighbours.
            seed_times: [n_seeds], for a graph with edge times: all edges that a seed's neighbourhood is made of, in every
                hop, are earlier than the seed's time. Seeds of one time share nodes, others do not.
            exclude: int64 [2, n], pairs of nodes between which no edge is drawn in either direction, anywhere in the batch:
                the edges whose existence is to be predicted.
            parallel: use numba's threads; False from a thread of one's own, for numba's kernels may not overlap.

        Raises:
            ConfigError: if the fan-out is empty, 0, or below -1, or the seed is negative.
            DataError: if a seed is not a node, the graph is not square, or times are missing or superfluous.
        """
        limits = checked_fan_out(fan_out)
        n_nodes = self.shape[0]
        if len(limits) > 1 and self.shape[0] != self.shape[1]:
            raise DataError(
                f"more than one hop needs a square graph; got {list(self.shape)}. Join the two sides by bipartite(), "
                "or draw hop by hop with one_hop()."
            )
        given = _checked_nodes(seeds, n_nodes, "seed")
        stream = _stream(seed, batch)
        banned = _banned(exclude, *self.shape)
        if self.is_temporal:
            if seed_times is None:
                raise DataError("this graph has edge times: give seed_times, one for each seed.")
            times = _checked_times(seed_times, given.size, "seed").astype(self._times.dtype)
            moments, group_of_seed = np.unique(times, return_inverse=True)
            table = kernels.new_table(max(1024, 4 * given.size))
            nodes, groups, seed_places = kernels.merge_seeds_in_groups(given, group_of_seed.reshape(-1), n_nodes, table)
        else:
            if seed_times is not None:
                raise DataError("seed_times are given, but the sampler has no edge_times to compare them with.")
            moments, groups = self._times, _NO_INDEX
        with self._place() as place:
            if not self.is_temporal:
                nodes, seed_places = kernels.merge_seeds(given, place)
            found, groups_found = [nodes], [groups]
            indptrs, senders, edge_ids = [np.zeros(1, dtype=np.int64)], [], []
            n_found, n_edges = nodes.size, 0
            for limit in limits:
                frontier, its_groups = found[-1], groups_found[-1]
                first = n_found - frontier.size
                until = moments[its_groups] if self.is_temporal else moments
                hop = self._hop(frontier, first, until, limit, stream, banned, parallel=parallel)
                if self.is_temporal:
                    table, local, new, new_groups = kernels.merge_in_groups(
                        hop.senders, np.repeat(its_groups, np.diff(hop.indptr)), n_nodes, table, n_found
                    )
                    groups_found.append(new_groups)
                else:
                    local, new = kernels.merge(hop.senders, place, n_found)
                    groups_found.append(groups)
                indptrs.append(hop.indptr[1:] + n_edges)
                senders.append(local)
                edge_ids.append(hop.edge_ids)
                found.append(new)
                n_found, n_edges = n_found + new.size, n_edges + local.size
            every = np.concatenate(found)
            if not self.is_temporal:
                place[every] = -1
        return SampledGraph(
            nodes=every,
            indptr=np.concatenate(indptrs),
            senders=np.concatenate(senders),
            edge_ids=np.concatenate(edge_ids),
            n_nodes_per_hop=np.array([hop.size for hop in found], dtype=np.int64),
            n_edges_per_hop=np.array([hop.size for hop in senders], dtype=np.int64),
            seed_places=seed_places,
            group=np.concatenate(groups_found) if self.is_temporal else None,
        )

    def one_hop(
        self,
        nodes: Index,
        fan_out: int | None,
        *,
        seed: int,
        batch: int = 0,
        times: NDArray[Any] | None = None,
        exclude: Index | None = None,
        parallel: bool = True,
    ) -> SampledNeighbours:
        """Draw neighbours of some nodes, once for each time that a node is given; the graph need not be square.

        For graphs of several edge types: the caller goes over the types and keeps the lists of nodes. Arguments and errors
        are those of `sample`; `times` are the latest moments, one a node.
        """
        limit = checked_fan_out([fan_out])[0]
        given = _checked_nodes(nodes, self.shape[0], "node")
        if self.is_temporal != (times is not None):
            raise DataError("times of the nodes are needed where the edges have times, and only there.")
        until = self._times if times is None else _checked_times(times, given.size, "node").astype(self._times.dtype)
        banned = _banned(exclude, *self.shape)
        return self._hop(given, 0, until, limit, _stream(seed, batch), banned, parallel=parallel)

    def _hop(
        self,
        frontier: Index,
        first: int,
        until: NDArray[Any],
        limit: int,
        stream: np.uint64,
        banned: tuple[Index, Index],
        *,
        parallel: bool,
    ) -> SampledNeighbours:
        firsts, lasts, counts = (np.empty(frontier.size, dtype=np.int64) for _ in range(3))
        rows = kernels.Rows(self._indptr, self._senders, self._times, self._cumulative, self._weights)
        pairs = kernels.Banned(*banned)
        count, draw = (kernels.count_parallel, kernels.draw_parallel) if parallel else (kernels.count, kernels.draw)
        count(rows, pairs, frontier, until, limit, self._replace, firsts, lasts, counts)
        indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        entries = np.empty(indptr[-1], dtype=np.int64)
        senders = np.empty(indptr[-1], dtype=self._senders.dtype)
        draw(rows, pairs, frontier, limit, self._replace, stream, first, firsts, lasts, indptr, entries, senders)
        return SampledNeighbours(indptr, senders, self._edge_ids[entries] if self._edge_ids.size else entries)

    def _sort_by_time(self, times: NDArray[Any]) -> None:
        row = np.repeat(np.arange(self.shape[0]), np.diff(self._indptr))
        self._edge_ids = np.lexsort((times, row))
        self._senders, self._times = self._senders[self._edge_ids], times[self._edge_ids]

    def _prepare_weights(self, weights: NDArray[Any]) -> None:
        """Leave out edges without weight, so that counting edges is counting what can be drawn; sum up the others by row."""
        if weights.size and not (np.isfinite(weights).all() and weights.min() >= 0):
            wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))[0]
            raise DataError(f"edge {wrong} has the weight {weights[wrong]}; expected a finite number >= 0.")
        if self._edge_ids.size:
            weights = weights[self._edge_ids]
        if (weights == 0).any():
            kept = np.flatnonzero(weights)
            self._indptr = np.searchsorted(kept, self._indptr).astype(np.int64)
            self._senders, weights = self._senders[kept], weights[kept]
            self._times = self._times[kept] if self._times.size else self._times
            self._edge_ids = self._edge_ids[kept] if self._edge_ids.size else kept
        self._weights = weights
        self._cumulative = np.empty(weights.size, dtype=np.float64)
        kernels.accumulate(self._indptr, weights, self._cumulative)

    @contextmanager
    def _place(self) -> Iterator[NDArray[np.int32]]:
        """Lend an array of -1 for every node, to be given back like that."""
        with self._lock:
            place = self._free.pop() if self._free else None
        if place is None:
            size = 0 if self.is_temporal else max(self.shape)
            place = np.full(size, -1, dtype=np.int32)
        yield place
        # Not in a `finally`: after an error the array may not be clean, and is dropped.
        with self._lock:
            self._free.append(place)


def checked_fan_out(fan_out: Sequence[int | None]) -> list[int]:
    """Return the fan-out with -1 for all neighbours.

    Raises:
        ConfigError: if there is no hop, or one is neither >= 1 nor -1 (or None).

    >>> checked_fan_out([15, None])
    [15, -1]
    """
    if not len(fan_out):
        raise ConfigError("fan_out is empty; expected the neighbours to draw in each hop, such as 15, 10, 5.")
    limits = [_ALL if limit is None else int(limit) for limit in fan_out]
    for hop, limit in enumerate(limits, 1):
        if limit != _ALL and limit < 1:
            raise ConfigError(
                f"fan_out of hop {hop} is {limit}; expected 1 or more neighbours, or -1 for all. For fewer hops give a shorter list."
            )
    return limits


def _checked_nodes(nodes: Any, n_nodes: int, what: str) -> Index:
    given = np.asarray(nodes)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise DataError(f"{what}s are {given.dtype} {list(given.shape)}; expected a list of integers.")
    given = given.astype(np.int64, copy=False)
    if given.size and not (given.min() >= 0 and given.max() < n_nodes):
        wrong = given[(given < 0) | (given >= n_nodes)][0]
        raise DataError(f"{what} {wrong} is not in the graph, which has the nodes 0 to {n_nodes - 1}.")
    return given


def _checked_times(times: Any, n: int, what: str) -> NDArray[Any]:
    """Return times as int64 where they are integers, so that nothing is rounded, and as float64 otherwise."""
    given = np.asarray(times)
    if given.shape != (n,) or given.dtype.kind not in "iuf":
        raise DataError(
            f"{what} times are {given.dtype} {list(given.shape)}; expected {n} numbers, one for each {what}."
        )
    if given.dtype.kind == "f":
        if np.isnan(given).any():
            raise DataError(f"the time of {what} {np.flatnonzero(np.isnan(given))[0]} is not a number; leave it out.")
        return given.astype(np.float64)
    return given.astype(np.int64)


def _banned(exclude: Any, n_receivers: int, n_senders: int) -> tuple[Index, Index]:
    """Return the pairs in both directions, receivers ascending."""
    if exclude is None:
        return _NO_INDEX, _NO_INDEX
    pairs = np.asarray(exclude)
    if pairs.ndim != 2 or pairs.shape[0] != 2:
        raise DataError(f"exclude is {list(pairs.shape)}; expected [2, n], a pair of nodes in each column.")
    _checked_nodes(pairs.reshape(-1), max(n_receivers, n_senders), "excluded node")
    both = np.concatenate([pairs, pairs[::-1]], axis=1).astype(np.int64)
    if n_receivers != n_senders:
        # Two kinds of nodes: the pair says (sender, receiver), and the other direction is another matrix.
        both = pairs.astype(np.int64)
    sender, receiver = both
    order = np.lexsort((sender, receiver))
    return receiver[order], sender[order]


def _stream(seed: int, batch: int) -> np.uint64:
    if seed < 0 or batch < 0:
        raise ConfigError(f"seed = {seed}, batch = {batch}: expected numbers >= 0.")
    return np.uint64(kernels.mix(np.uint64(seed % 2**64), np.uint64(batch % 2**64)))
