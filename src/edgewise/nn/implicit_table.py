"""Vectors that also say who was met, whatever the ratings: the sums of SVD++, on one side of the graph or on both."""

from typing import Literal, TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.graph.bipartite import bipartite
from edgewise.graph.propagation import Propagation
from edgewise.types import Floats

Sides: TypeAlias = Literal["none", "users", "both"]
"""Whose vectors also say who was met: nobody's (SVD), those of users (SVD++), or items' as well."""


class ImplicitTable(torch.nn.Module):
    """x_u = p_u + |N(u)|^-1/2 sum of y_i over the items that u met, and with both sides x_i = q_i + |N(i)|^-1/2 sum of z_u.

    Koren, "Factorization Meets the Neighborhood", KDD 2008; both sides as "SVD++ flipped" of Rendle, Zhang and Koren, "On the
    Difficulty of Evaluating Baselines", 2019 (arXiv:1905.01395).

    Args:
        ratings: [n_users, n_items], whose pairs are the graph.
        start: float32 [n_users + n_items, d], p and q.
        sides: which have the sum.
    """

    reach: Tensor

    def __init__(self, ratings: csr_array, start: Floats, sides: Sides) -> None:
        super().__init__()
        n, d = start.shape
        self.own = torch.nn.Embedding(n, d, _weight=torch.from_numpy(start))
        self.met = None
        if sides == "none":
            return
        ones = csr_array((np.ones(ratings.nnz, dtype=np.float32), ratings.indices, ratings.indptr), shape=ratings.shape)
        graph = bipartite(ones)
        degree = np.diff(graph.indptr)
        reach = np.where(degree > 0, np.maximum(degree, 1) ** -0.5, 0.0).astype(np.float32)[:, None]
        if sides == "users":
            reach[ratings.shape[0] :] = 0
        self.met = torch.nn.Embedding(n, d, _weight=torch.zeros(n, d))
        self.neighbours = Propagation(graph, [0.0, 1.0])
        self.register_buffer("reach", torch.from_numpy(reach))

    @property
    def tables(self) -> list[Tensor]:
        """What a penalty is on: p with q, and y with z where they are."""
        return [table.weight for table in (self.own, self.met) if table is not None]

    def forward(self) -> Tensor:
        """Return all vectors: float32 [n_users + n_items, d]."""
        if self.met is None:
            return self.own.weight
        return self.own.weight + self.reach * self.neighbours(self.met.weight)
