"""Propagation over the layers of a graph, differentiable, with the layers combined into one table."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.errors import ConfigError, DataError
from edgewise.graph.spmm import spmm, spmm_of_rows
from edgewise.types import Index


class Propagation:
    """The weighted sum of all layers: w_0 x + w_1 A x + w_2 A^2 x + …, with the gradient that it has.

    He et al., "LightGCN", SIGIR 2020 (arXiv:2002.02126), eq. 3, 4 and 8. A layer is one sparse product and nothing else,
    so the sum is taken from the inside out, w_0 x + A (w_1 x + A (w_2 x)), and needs no memory for the layers. The sum
    is a polynomial of A, hence symmetric where A is, and the gradient is the same sum of the gradient that comes in.

    On the CPU the products are ours (2 to 4 times as fast as torch's sparse ones, and the same bits whatever the number
    of threads); elsewhere they are torch's.

    Args:
        adjacency: A, float32 [n, n], symmetric; usually D^-1/2 A D^-1/2. Not modified.
        layer_weights: w_0, w_1, …, one more than there are layers.

    Raises:
        DataError: if A is not square or not symmetric.
        ConfigError: without any weight.
    """

    def __init__(self, adjacency: csr_array, layer_weights: Sequence[float]) -> None:
        if adjacency.shape[0] != adjacency.shape[1] or abs(adjacency - adjacency.T).max() > 1e-6:
            raise DataError(
                f"propagation needs a symmetric matrix, since its gradient is taken for the same; got {list(adjacency.shape)}"
                f"{'' if adjacency.shape[0] != adjacency.shape[1] else ' with unequal halves'}. "
                "Use bipartite_adjacency(...) and symmetric_normalise(...)."
            )
        if not layer_weights:
            raise ConfigError(
                "layer_weights is empty: expected one weight a layer, and one for the layer below the first."
            )
        self.adjacency = adjacency
        self.layer_weights = tuple(layer_weights)
        self._on_device: dict[torch.device, Tensor] = {}

    @classmethod
    def mean(cls, adjacency: csr_array, n_layers: int) -> "Propagation":
        """Combine the layers as LightGCN does: every layer, with the one below the first, counts the same."""
        return cls(adjacency, [1 / (n_layers + 1)] * (n_layers + 1))

    def over(self, adjacency: csr_array) -> "Propagation":
        """Return the same sum over another matrix that is known to be symmetric, such as this one with edges left out."""
        other = copy(self)
        other.adjacency, other._on_device = adjacency, {}
        return other

    def __call__(self, x: Tensor) -> Tensor:
        """Return the sum of the layers over `x`, float32 [n, d] to the same; differentiable, to any order."""
        combined: Tensor = _Sum.apply(x, self)  # type: ignore[no-untyped-call]
        return combined

    def at_rows(self, x: Tensor, rows: Index) -> Tensor:
        """Return some rows of the sum, float32 [k, d], and have its gradient: less work where a loss reads few rows.

        The last layer is computed for these rows alone, and so is the first on the way back; what lies between is whole.

        Args:
            x: float32 [n, d].
            rows: int64 [k], distinct.
        """
        if x.device.type != "cpu":
            return self(x)[torch.from_numpy(rows).to(x.device)]
        some: Tensor = _SumAtRows.apply(x, self, rows)  # type: ignore[no-untyped-call]
        return some

    def sum_of_layers(self, x: Tensor) -> Tensor:
        """Do the same without a gradient: from the inside out, all but the last product of w_0 x + A (w_1 x + A (w_2 x))."""
        if len(self.layer_weights) == 1:
            return x * self.layer_weights[0]
        return self._product(*self._below_last(x), x, self.layer_weights[0])

    def below_last(self, x: Tensor) -> Tensor:
        """Return what the last product is taken of, its factor included: the sum is w_0 x + A (this). No gradient."""
        if len(self.layer_weights) == 1:
            return torch.zeros_like(x)
        below, scale = self._below_last(x.detach().contiguous())
        return below * scale

    def _below_last(self, x: Tensor) -> tuple[Tensor, float]:
        """Return what the last product is taken of, and its factor."""
        below, scale = x, self.layer_weights[-1]
        for weight in reversed(self.layer_weights[1:-1]):
            below, scale = self._product(below, scale, x, weight), 1.0
        return below, scale

    def _product(self, x: Tensor, scale: float, plus: Tensor, plus_scale: float) -> Tensor:
        """Return scale · A x + plus_scale · plus."""
        if x.device.type == "cpu":
            out = torch.empty_like(x)
            spmm(self.adjacency, x.numpy(), out.numpy(), scale=scale, plus=plus.numpy(), plus_scale=plus_scale)
            return out
        if x.device not in self._on_device:
            a = self.adjacency
            indptr, indices, data = (torch.from_numpy(part) for part in (a.indptr, a.indices, a.data))
            moved = torch.sparse_csr_tensor(indptr, indices, data, size=a.shape, device=x.device)
            self._on_device[x.device] = moved
        return torch.add(plus * plus_scale, self._on_device[x.device] @ x, alpha=scale)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, propagation: Propagation) -> Tensor:
        context.propagation = propagation
        return propagation.sum_of_layers(x.detach().contiguous())

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        return context.propagation(gradients[0].contiguous()), None


class _SumAtRows(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, propagation: Propagation, rows: Index) -> Tensor:
        context.propagation, context.rows = propagation, rows
        x = x.detach().contiguous()
        weights = propagation.layer_weights
        if len(weights) == 1:
            return x[torch.from_numpy(rows)] * weights[0]
        below, scale = propagation._below_last(x)
        found = spmm(
            propagation.adjacency, below.numpy(), scale=scale, plus=x.numpy(), plus_scale=weights[0], rows=rows
        )
        return torch.from_numpy(found)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        propagation, rows = context.propagation, context.rows
        values = gradients[0].contiguous().numpy()
        n, weights = propagation.adjacency.shape[0], propagation.layer_weights
        whole = np.empty((n, values.shape[1]), dtype=np.float32)
        if len(weights) == 1:
            whole[:] = 0
            whole[rows] = weights[0] * values
            return torch.from_numpy(whole), None, None
        *others, second, last = weights
        spmm_of_rows(propagation.adjacency, values, rows, whole, scale=last, plus_scale=second)
        for weight in reversed(others):
            product = spmm(propagation.adjacency, whole)
            product[rows] += weight * values
            whole = product
        return torch.from_numpy(whole), None, None


class StalePropagation(torch.nn.Module):
    """An approximation for training: what comes from the neighbours is computed every few steps, and reused in between.

    Between two refreshes a row's own part w_0 x is fresh, its neighbours' part as it was; the gradient flows through the
    former at once, and is kept for the latter until the next refresh, which passes on the sum. With `every` of 1 it is
    `Propagation` itself. Buffers, so that checkpoints carry them.

    Args:
        propagation: the exact sum of layers.
        every: steps from one refresh to the next, counted by forward passes with gradient.
        shape: of the table.
    """

    from_neighbours: Tensor
    pending: Tensor
    age: Tensor

    def __init__(self, propagation: Propagation, every: int, shape: tuple[int, int]) -> None:
        super().__init__()
        self.propagation = propagation
        self.every = every
        self.register_buffer("from_neighbours", torch.zeros(shape))
        self.register_buffer("pending", torch.zeros(shape))
        self.register_buffer("age", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the layers over `x`, float32 [n, d] to the same; exact outside training."""
        if not self.training:
            return self.propagation(x)
        combined: Tensor = _StaleSum.apply(x, self)  # type: ignore[no-untyped-call]
        return combined


class _StaleSum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, stale: StalePropagation) -> Tensor:
        own = stale.propagation.layer_weights[0]
        context.stale, context.is_fresh = stale, int(stale.age) == 0
        stale.age.add_(1).remainder_(stale.every)
        x = x.detach()
        if not context.is_fresh:
            return stale.from_neighbours.add(x, alpha=own)
        total = stale.propagation.sum_of_layers(x.contiguous())
        torch.sub(total, x, alpha=own, out=stale.from_neighbours)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        stale, gradient = context.stale, gradients[0]
        own = stale.propagation.layer_weights[0]
        if not context.is_fresh:
            stale.pending.add_(gradient)
            return gradient * own, None
        whole = stale.propagation.sum_of_layers(gradient.add(stale.pending).contiguous()).sub_(stale.pending, alpha=own)
        stale.pending.zero_()
        return whole, None
