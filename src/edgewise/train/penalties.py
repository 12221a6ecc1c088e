"""Penalties on the size of weights, each row with a weight of its own."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgewise.types import Doubles


def l2_penalty(x: Tensor, row_weights: Tensor) -> Tensor:
    """Return half the weighted sum of squares: 1/2 sum_i w_i |x_i|^2.

    Args:
        x: float32 [n, d].
        row_weights: float32 [n].
    """
    penalty: Tensor = _L2Penalty.apply(x, row_weights)  # type: ignore[no-untyped-call]
    return penalty


def l1_penalty(x: Tensor, row_weights: Tensor) -> Tensor:
    """Return the weighted sum of absolute values: sum_i w_i |x_i|_1, x float32 [n, d], row_weights float32 [n]."""
    return x.abs().sum(dim=1) @ row_weights


def flattened(counts: Doubles, exponent: float) -> Doubles:
    """Raise counts to a power, scaled so that their sum stays; zeros stay zero."""
    raised: Doubles = np.power(counts, exponent, out=np.zeros_like(counts), where=counts > 0)
    raised *= counts.sum() / raised.sum()
    return raised


class _L2Penalty(torch.autograd.Function):
    """Written out, since autograd would keep and pass through three more arrays of the size of the table."""

    @staticmethod
    def forward(context: Any, x: Tensor, row_weights: Tensor) -> Tensor:
        context.save_for_backward(x, row_weights)
        squares: Tensor = torch.linalg.vector_norm(x, dim=1).square()
        return squares @ row_weights / 2

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        x, row_weights = context.saved_tensors
        return x * (gradients[0] * row_weights)[:, None], None
