"""Small random graphs, and the same as dense matrices in double precision."""

from collections.abc import Callable, Sequence

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


def softmax(receives: Tensor, scores: Tensor) -> Tensor:
    """Return the softmax over the edges of each receiver: [n_edges, h]."""
    powers = scores.exp()
    return powers / (receives.T @ (receives @ powers))


def check(ours: Callable[..., Tensor], dense: Callable[..., Tensor], inputs: Sequence[Tensor]) -> None:
    """Compare what two functions give for the same inputs, in single and double precision, and the gradients."""
    doubles = [x.detach().double().requires_grad_() for x in inputs]
    found, expected = ours(*inputs), dense(*doubles)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    weights = torch.from_numpy(np.random.default_rng(9).standard_normal(tuple(found.shape)))
    gradients = torch.autograd.grad((found * weights.float()).sum(), list(inputs))
    wanted = torch.autograd.grad((expected * weights).sum(), doubles)
    for gradient, want in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient.double(), want, rtol=1e-4, atol=1e-5)
