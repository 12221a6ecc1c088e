"""What stands between layers: nothing, or a scaling of their columns (batch) or rows (layer)."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Normalisation: TypeAlias = Literal["none", "batch", "layer"]


class BatchNorm(torch.nn.BatchNorm1d):
    """Ioffe and Szegedy, ICML 2015; of a single node, whose deviation would be 0, it takes the means of training so far.

    A graph may have one node, a type of nodes one node, a mini-batch one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Scale float32 [n, d]."""
        if not self.training or x.shape[0] > 1:
            return super().forward(x)
        return torch.nn.functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


NORMALISATIONS: Mapping[Normalisation, Callable[[int], torch.nn.Module]] = {
    "none": torch.nn.Identity,
    "batch": BatchNorm,
    "layer": torch.nn.LayerNorm,
}
"""How many columns there are to the module."""
