"""Small random graphs, and the same as dense matrices in double precision."""

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.nn.edges import Edges


def random_edges(
    n_receivers: int = 9, n_senders: int = 12, n_edges: int = 40, seed: int = 0, edge_dim: int = 0
) -> Edges:
    """Draw edges with weights; some nodes have none, some pairs have several, and some nodes send to themselves."""
    rng = np.random.default_rng(seed)
    sender, receiver = rng.integers(n_senders, size=n_edges), rng.integers(max(1, n_receivers - 1), size=n_edges)
    weight = rng.uniform(0.5, 2, n_edges).astype(np.float32)
    features = torch.from_numpy(rng.standard_normal((n_edges, edge_dim), dtype=np.float32)) if edge_dim else None
    index = torch.from_numpy(np.stack([sender, receiver]))
    return Edges.from_edge_index(index, (n_senders, n_receivers), torch.from_numpy(weight), features)


def random_matrix(n: int, density: float, seed: int = 0) -> csr_array:
    rng = np.random.default_rng(seed)
    return csr_array(np.where(rng.random((n, n)) < density, rng.uniform(0.5, 2, (n, n)), 0).astype(np.float32))


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Draw float32 numbers that need a gradient."""
    numbers = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(numbers).requires_grad_()


def ends(edges: Edges) -> tuple[Tensor, Tensor]:
    """Return senders and receivers: int64 [n_edges] each."""
    return edges.edge_index[0], edges.edge_index[1]


def incidence(edges: Edges) -> tuple[Tensor, Tensor]:
    """Return who receives and who sends each edge: float64 [n_receivers, n_edges] and [n_senders, n_edges], ones and zeros."""
    sender, receiver = ends(edges)
    at = torch.arange(edges.n_edges)
    receives = torch.zeros(edges.n_receivers, edges.n_edges, dtype=torch.float64)
    sends = torch.zeros(edges.n_senders, edges.n_edges, dtype=torch.float64)
    receives[receiver, at] = 1
    sends[sender, at] = 1
    return receives, sends
