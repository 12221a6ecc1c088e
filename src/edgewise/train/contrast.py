"""The contrast of two views: a node is to know itself among others, whatever the noise."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from edgewise.train.objective import Drawn
from edgewise.train.sampled_softmax import sampled_softmax_loss
from edgewise.types import Index


def contrastive_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Tell each node's second view from the others' by its first: the mean over nodes of -log(e^s_ii / sum_j e^s_ij).

    s_ij is the cosine of i's first and j's second view over the temperature. InfoNCE (van den Oord et al.,
    arXiv:1807.03748) as in Yu et al., "SimGCL", SIGIR 2022 (arXiv:2112.08679), eq. 2; made in blocks, with its gradient.

    Args:
        first, second: float32 [n, d], the two views of n nodes.
        temperature: what cosines are divided by, > 0.
    """
    n = first.shape[0]
    table = torch.cat([normalize(first), normalize(second)]) * temperature**-0.5
    own = np.arange(n)
    nothing = np.zeros(n, dtype=np.float32)
    return sampled_softmax_loss(table, own, own, n + own, n + own, nothing, left_out=(own, own))


def nodes_to_contrast(drawn: Drawn, n: int) -> tuple[Index, Index]:
    """Choose which users and which items of a batch to contrast: distinct rows, `n` of each at the most, by torch's generator.

    The papers take all of a batch of 2,048 interactions; of a batch of tens of thousands, that would take longer than all else.
    """
    users, items = (_some(rows, n) for rows in (drawn.users, np.unique(drawn.items)))
    return users, items


def _some(rows: Index, n: int) -> Index:
    if rows.size <= n:
        return rows
    chosen: Index = np.sort(rows[torch.randperm(rows.size)[:n].numpy()])
    return chosen


def draw_seed() -> int:
    """Draw a seed of noise by torch's generator, which the loop seeds by epoch and step."""
    return int(torch.randint(2**62, ()))
