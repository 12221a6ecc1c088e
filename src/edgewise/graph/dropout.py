"""Dropout of edges and nodes of an undirected graph: the same for both directions, so that the matrix stays symmetric."""

import numpy as np
import torch
from scipy.sparse import csr_array

from edgewise.types import Bools


class GraphDropout:
    """Leaves out edges and nodes at random, and scales what is left so that a product with it stays the same in expectation.

    Edge dropout: Rong et al., "DropEdge: Towards Deep Graph Convolutional Networks on Node Classification", ICLR 2020
    (arXiv:1907.10903). Node dropout: Berg et al., "Graph Convolutional Matrix Completion", 2017 (arXiv:1706.02263), silence
    all messages that a node sends; here a node that is left out also receives none, which keeps the matrix symmetric.

    Args:
        adjacency: float32 [n, n], symmetric. Not modified.
        edge_rate, node_rate: shares that are left out, in [0, 1).
    """

    def __init__(self, adjacency: csr_array, edge_rate: float, node_rate: float) -> None:
        self._adjacency = adjacency
        self._edge_rate, self._node_rate = edge_rate, node_rate
        n = adjacency.shape[0]
        self._rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(adjacency.indptr))
        lower, upper = np.minimum(self._rows, adjacency.indices), np.maximum(self._rows, adjacency.indices)
        _, self._pair = np.unique(lower.astype(np.int64) * n + upper, return_inverse=True)
        self._n_pairs = int(self._pair.max(initial=-1)) + 1

    def draw(self) -> csr_array:
        """Return the graph with a part left out, drawn by torch's generator: the same structure, with zeros for what is gone."""
        kept = np.ones(self._adjacency.nnz, dtype=np.bool_)
        scale = 1.0
        if self._edge_rate:
            kept &= _kept(self._n_pairs, self._edge_rate)[self._pair]
            scale /= 1 - self._edge_rate
        if self._node_rate:
            node = _kept(self._adjacency.shape[0], self._node_rate)
            kept &= node[self._rows] & node[self._adjacency.indices]
            scale /= (1 - self._node_rate) ** 2
        data = self._adjacency.data * kept * np.float32(scale)
        return csr_array((data, self._adjacency.indices, self._adjacency.indptr), shape=self._adjacency.shape)


def _kept(n: int, rate: float) -> Bools:
    kept: Bools = (torch.rand(n) >= rate).numpy()
    return kept
