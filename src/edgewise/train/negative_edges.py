"""Edges that are not there, to set beside those that are: negatives for link prediction on any graph."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph.bipartite import ascending
from edgewise.train.negatives import ItemSampler, are_known
from edgewise.types import Floats, Index

Kind: TypeAlias = Literal["uniform", "degree", "two-hop"]

_ROUNDS = 30
"""How often an end that is a neighbour is drawn again; after that it stays, for a node that knows nearly all others."""


@dataclass(frozen=True)
class NegativeEdges:
    """Senders that stand for all those which a node does not hear from.

    Attributes:
        senders: int64 [n, n_negatives].
        log_expected: float32 [n, n_negatives], the logarithm of how often each is expected among one receiver's draws: what
            to subtract from its score in a sampled softmax (log-Q; Yi et al., RecSys 2019). Drawing again what is known is
            left out of account. None for `two-hop`, whose probabilities differ from node to node.
    """

    senders: Index
    log_expected: Floats | None


class NegativeEdgeSampler:
    """Draws senders for receivers such that the edge is not in the graph; nobody is drawn for itself in a square graph.

    - `uniform`: every node as likely.
    - `degree`: by how many hear from a node, to a power (Mikolov et al., NIPS 2013: 0.75); who sends to nobody is never drawn.
    - `two-hop`: a neighbour of a neighbour that is no neighbour, by a random walk of two steps: near, and so hard to tell
      from a true edge (as in Ying et al., "Graph Convolutional Neural Networks for Web-Scale Recommender Systems", KDD 2018, who
      take them by PageRank). A node without such gets a uniform one.

    Args:
        graph: [n_receivers, n_senders], rows list whom each node hears from; square for `two-hop`. Not modified.
        kind: how to draw.
        power: of degree, >= 0.

    Raises:
        ConfigError: if `kind` is unknown or the power is negative.
        DataError: if the graph has no senders, is not square where it has to be, or has no edge to draw by degree from.
    """

    def __init__(self, graph: csr_array, kind: Kind = "uniform", *, power: float = 0.75) -> None:
        if kind not in get_args(Kind):
            raise ConfigError(f"kind = {kind!r}: expected one of {', '.join(get_args(Kind))}.")
        if kind == "two-hop" and graph.shape[0] != graph.shape[1]:
            raise DataError(f"two-hop negatives need a square graph; got {list(graph.shape)}: see bipartite().")
        if not graph.shape[1]:
            raise DataError(f"the graph is {list(graph.shape)}: there is nobody to draw.")
        if kind == "degree" and not graph.nnz:
            raise DataError("the graph has no edges: nothing can be drawn by degree. Take kind = 'uniform'.")
        self._graph = ascending(graph)
        self.kind = kind
        n = graph.shape[1]
        counts = np.bincount(graph.indices, minlength=n) if kind == "degree" else np.ones(n, dtype=np.int64)
        self._sampler = ItemSampler(counts, power if kind == "degree" else 0.0)

    def draw(self, receivers: Index, n_negatives: int, rng: np.random.Generator) -> NegativeEdges:
        """Draw some senders for each of some receivers.

        Args:
            receivers: int64 [n].
            n_negatives: for each, >= 1.
            rng: draws.

        Raises:
            DataError: if a receiver is not in the graph.
            ConfigError: if `n_negatives` is below 1.
        """
        if n_negatives < 1:
            raise ConfigError(f"n_negatives = {n_negatives}: expected at least 1.")
        given = np.asarray(receivers, dtype=np.int64)
        n_rows = self._graph.shape[0]
        if given.size and not (given.min() >= 0 and given.max() < n_rows):
            wrong = given[(given < 0) | (given >= n_rows)][0]
            raise DataError(f"receiver {wrong} is not in the graph, which has the nodes 0 to {n_rows - 1}.")
        of = np.repeat(given, n_negatives)
        walks = self.kind == "two-hop"
        drawn = np.full(of.size, -1, dtype=np.int64)
        wrong_ones: Index = np.arange(of.size)
        for turn in range(2 * _ROUNDS if walks else _ROUNDS):
            # The second half of the turns is for nodes from which no walk leads to somebody new.
            walking = walks and turn < _ROUNDS
            drawn[wrong_ones] = self._walk(of[wrong_ones], rng) if walking else self._sampler.draw(wrong_ones.size, rng)
            wrong_ones = wrong_ones[self._is_wrong(of[wrong_ones], drawn[wrong_ones])]
            if not wrong_ones.size:
                break
        senders = drawn.reshape(given.size, n_negatives)
        if walks:
            return NegativeEdges(senders, None)
        expected = n_negatives * self._sampler.probability[senders]
        return NegativeEdges(senders, np.log(expected).astype(np.float32))

    def _walk(self, start: Index, rng: np.random.Generator) -> Index:
        """Go two steps from each node; -1 where that leads nowhere."""
        return self._step(self._step(start, rng), rng)

    def _step(self, nodes: Index, rng: np.random.Generator) -> Index:
        indptr, indices = self._graph.indptr, self._graph.indices
        first = indptr[nodes]
        degree = np.where(nodes >= 0, indptr[nodes + 1] - first, 0)
        at = first + (rng.random(nodes.size) * degree).astype(np.int64)
        reached: Index = np.full(nodes.size, -1, dtype=np.int64)
        there = degree > 0
        reached[there] = indices[at[there]]
        return reached

    def _is_wrong(self, of: Index, drawn: Index) -> Any:
        known = are_known(self._graph.indptr, self._graph.indices, of, drawn)
        itself = drawn == of if self._graph.shape[0] == self._graph.shape[1] else False
        return known | itself | (drawn < 0)
