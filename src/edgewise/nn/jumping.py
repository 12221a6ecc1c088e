"""Jumping knowledge: vectors made of the outputs of all layers, so that each node can choose how far it looks."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor


class Jumping(torch.nn.Module):
    """Combine the outputs of layers: side by side, the largest of each column, or a mean whose weights the node chooses.

    Xu et al., "Representation Learning on Graphs with Jumping Knowledge Networks", ICML 2018 (arXiv:1806.03536), section 4.
    For "lstm" a bidirectional LSTM reads the layers of a node from first to last; a linear map of its states scores them, and
    a softmax over the layers gives the weights.

    Args:
        how: cat, max or lstm.
        width: columns of each layer.
        n_layers: how many.
    """

    def __init__(self, how: Literal["cat", "max", "lstm"], width: int, n_layers: int) -> None:
        super().__init__()
        self.how = how
        self.out_dim = width * n_layers if how == "cat" else width
        self.read = torch.nn.LSTM(width, width, bidirectional=True) if how == "lstm" else None
        self.score = torch.nn.Linear(2 * width, 1) if how == "lstm" else None

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """Return float32 [n, out_dim] of float32 [n, width] each."""
        if self.how == "cat":
            return torch.cat(list(layers), 1)
        stacked = torch.stack(list(layers))  # [n_layers, n, width]
        if self.read is None or self.score is None:
            return stacked.amax(0)
        states, _ = self.read(stacked)
        shares: Tensor = self.score(states).softmax(0)  # [n_layers, n, 1]
        return (shares * stacked).sum(0)
