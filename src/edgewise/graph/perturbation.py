"""Propagation with noise on every layer: two looks at the same graph that differ a little, for contrastive learning."""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from edgewise.graph.propagation import Propagation
from edgewise.graph.spmm import spmm, spmm_of_rows
from edgewise.types import Floats, Index


class NoisyPropagation:
    """The weighted sum of all layers, each with noise: x_l = A x_(l-1) + e_l, sum_l w_l x_l, with the gradient that it has.

    Yu et al., "Are Graph Augmentations Necessary? Simple Graph Contrastive Learning for Recommendation" (SimGCL), SIGIR 2022
    (arXiv:2112.08679), eq. 6 to 8: a node's e_l points into the same orthant as A x_(l-1). There its length is fixed; here it
    is a share of the length of A x_(l-1), since a loss that sees angles alone would otherwise decide by the scale of the table, which
    means nothing to it, how much noise there is. Noise is a constant to the gradient, so that is the same polynomial of A as
    without noise.

    Args:
        propagation: the sum without noise.
        noise: the length of e_l as a share of that of A x_(l-1), >= 0.
    """

    def __init__(self, propagation: Propagation, noise: float) -> None:
        self.propagation = propagation
        self.noise = noise
        self._one_layer = Propagation(propagation.adjacency, [0.0, 1.0])

    def at_rows(self, x: Tensor, rows: Index, seed: int, kept: int = 0) -> tuple[Tensor, Tensor]:
        """Return some rows of the sum, and the same rows of one of its layers.

        Args:
            x: float32 [n, d].
            rows: int64 [k], distinct.
            seed: of the noise, which on the CPU depends on seed, layer and row alone, whatever the other rows are.
            kept: the layer, 0 (x itself) to the number of layers.

        Returns:
            The sum and the layer, float32 [k, d] each.
        """
        if x.device.type != "cpu":
            return self._elsewhere(x, torch.from_numpy(rows).to(x.device), seed, kept)
        total, layer = _NoisySum.apply(x, self, rows, seed, kept)  # type: ignore[no-untyped-call]
        return total, layer

    def _elsewhere(self, x: Tensor, rows: Tensor, seed: int, kept: int) -> tuple[Tensor, Tensor]:
        """Do the same in the words of torch."""
        generator = torch.Generator(x.device).manual_seed(seed)
        layers = [x[rows]]
        for _ in self.propagation.layer_weights[1:]:
            x = self._one_layer(x)
            drawn = torch.rand(x.shape, generator=generator, device=x.device)
            length = torch.linalg.vector_norm(x.detach(), dim=1, keepdim=True)
            x = x + x.sign() * normalize(drawn) * length * self.noise
            layers.append(x[rows])
        weighted = [weight * layer for weight, layer in zip(self.propagation.layer_weights, layers, strict=True)]
        return torch.stack(weighted).sum(dim=0), layers[kept]


def perturb(x: Floats, rows: Index, noise: float, seed: int) -> None:
    """Add noise to vectors in place: a share of their length, in a random direction within the orthant of the vector.

    Args:
        x: float32 [k, d], C order.
        rows: int64 [k], the numbers of the rows; a row's noise depends on its number and the seed alone.
        noise: the share.
        seed: a number of 63 bits.
    """
    _perturb(x, rows, np.float32(noise), np.uint64(seed))


class _NoisySum(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: Tensor, noisy: NoisyPropagation, rows: Index, seed: int, kept: int
    ) -> tuple[Tensor, Tensor]:
        context.noisy, context.rows, context.kept = noisy, rows, kept
        adjacency, weights = noisy.propagation.adjacency, noisy.propagation.layer_weights
        below = x.detach().contiguous().numpy()
        everything, last = np.arange(below.shape[0]), len(weights) - 1
        layer = below[rows]
        total = weights[0] * layer
        kept_layer = layer
        for number in range(1, last + 1):
            wanted = rows if number == last else everything
            above = spmm(adjacency, below, rows=rows if number == last else None)
            perturb(above, wanted, noisy.noise, seed + number)
            layer = above if number == last else above[rows]
            total += np.float32(weights[number]) * layer
            if number == kept:
                kept_layer = layer
            below = above
        return torch.from_numpy(total), torch.from_numpy(kept_layer).clone()

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        rows, kept, propagation = context.rows, context.kept, context.noisy.propagation
        by_total, by_kept = (gradient.contiguous().numpy() for gradient in gradients)
        by_layer = [np.float32(weight) * by_total for weight in propagation.layer_weights]
        by_layer[kept] = by_layer[kept] + by_kept
        n = propagation.adjacency.shape[0]
        whole = np.zeros((n, by_total.shape[1]), dtype=np.float32)
        if len(by_layer) == 1:
            whole[rows] = by_layer[0]
            return torch.from_numpy(whole), None, None, None, None
        *others, last = by_layer
        spmm_of_rows(propagation.adjacency, last, rows, whole)
        for number, gradient in reversed(list(enumerate(others))):
            whole[rows] += gradient
            if number:
                whole = spmm(propagation.adjacency, whole)
        return torch.from_numpy(whole), None, None, None, None


@numba.njit(parallel=True, cache=True, nogil=True)
def _perturb(x, rows, noise, seed):  # type: ignore[no-untyped-def]
    """Draw by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), which can begin anywhere at once: here at every row."""
    width = x.shape[1]
    for place in numba.prange(x.shape[0]):
        state = _mixed(seed + np.uint64(0x9E3779B97F4A7C15) * np.uint64(rows[place] + 1))
        drawn = np.empty(width, dtype=np.float32)
        square, own = np.float32(0), np.float32(0)
        for column in range(width):
            state += np.uint64(0x9E3779B97F4A7C15)
            value = np.float32(_mixed(state) >> np.uint64(40)) + np.float32(0.5)  # 24 bits, never 0
            drawn[column] = value
            square += value * value
            own += x[place, column] * x[place, column]
        scale = noise * np.sqrt(own / square)
        for column in range(width):
            if x[place, column] > 0:
                x[place, column] += scale * drawn[column]
            elif x[place, column] < 0:
                x[place, column] -= scale * drawn[column]


@numba.njit(cache=True, nogil=True, inline="always")
def _mixed(state):  # type: ignore[no-untyped-def]
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
