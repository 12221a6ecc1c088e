"""Losses of implicit feedback. They read rows of a table of final embeddings, users and items in one.

`users`, `items` and `negatives` are row numbers of the table.
"""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding, softplus

from edgewise.types import Floats, Index

_USERS_AT_ONCE = 512
"""Scores of so many users against 2,000 negatives fit into the cache (4 MB)."""


def bpr_loss(table: Tensor, users: Index, items: Index, negatives: Index) -> Tensor:
    """Make each interaction outrank a random item: the mean of -log sigmoid(score of the item - score of the negative).

    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009 (arXiv:1205.2618).

    Args:
        table: float32 [n, d].
        users, items, negatives: int64 [n_interactions] each.
    """
    # embedding, not indexing: its gradient is summed in a fixed order whatever the number of threads.
    chosen, rejected = _rows(table, items), _rows(table, negatives)
    margin = (_rows(table, users) * (chosen - rejected)).sum(dim=1)
    return softplus(-margin).mean()


def l2_penalty(x: Tensor, row_weights: Tensor) -> Tensor:
    """Return half the weighted sum of squares: 1/2 sum_i w_i |x_i|^2.

    Args:
        x: float32 [n, d].
        row_weights: float32 [n].
    """
    penalty: Tensor = _L2Penalty.apply(x, row_weights)  # type: ignore[no-untyped-call]
    return penalty


def sampled_softmax_loss(
    table: Tensor, users: Index, owner: Index, items: Index, negatives: Index, log_expected: Floats
) -> Tensor:
    """Make each interaction stand out among many items that all users of the batch share.

    The mean over interactions of -log(e^s / (e^s + Z_u)), where s is the interaction's score and Z_u the sum over the
    negatives j of e^(s_uj) / (how often j is expected among the draws). That division makes Z_u an unbiased estimate of the
    sum over all items: Bengio and Senécal, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic
    Language Model", IEEE TNN 2008. Wu et al., "On the Effectiveness of Sampled Softmax Loss for Item Recommendation"
    (arXiv:2201.02327), compare it with BPR; they take the cosine, we the dot product, in whose length popularity lives.

    Args:
        table: float32 [n, d].
        users: int64 [n_users], distinct.
        owner: int64 [n_interactions], ascending: which of `users` each interaction belongs to.
        items: int64 [n_interactions].
        negatives: int64 [n_negatives], may repeat.
        log_expected: float32 [n_negatives]; zeros where the negatives are all items there are.
    """
    loss: Tensor = _SampledSoftmax.apply(table, users, owner, items, negatives, log_expected)  # type: ignore[no-untyped-call]
    return loss


def _rows(table: Tensor, rows: Index) -> Tensor:
    return embedding(torch.from_numpy(rows).to(table.device), table)


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


class _SampledSoftmax(torch.autograd.Function):
    """Loss and gradient in one pass over the users, so that no score lives longer than in the cache."""

    @staticmethod
    def forward(
        context: Any, table: Tensor, users: Index, owner: Index, items: Index, negatives: Index, log_expected: Floats
    ) -> Tensor:
        table = table.detach()
        gradient = torch.zeros_like(table)
        loss = 0.0
        shared_rows = torch.from_numpy(negatives)
        shared = table[shared_rows]  # [n_negatives, d]
        shared_gradient = torch.zeros_like(shared)
        for start in range(0, users.size, _USERS_AT_ONCE):
            rows = torch.from_numpy(users[start : start + _USERS_AT_ONCE])
            mine = table[rows]  # [u, d]
            weights = mine @ shared.T - torch.from_numpy(log_expected)  # [u, n_negatives]
            highest = weights.amax(dim=1, keepdim=True)
            total = weights.sub_(highest).exp_().sum(dim=1, keepdim=True)
            log_total = (total.log() + highest).squeeze(1)  # [u], log Z_u
            first, last = np.searchsorted(owner, [start, start + rows.numel()])
            pull, part = _pull_pairs(
                table.numpy(), users, owner[first:last], items[first:last], log_total.numpy(), start, gradient.numpy()
            )
            loss += part
            weights.mul_(torch.from_numpy(pull)[:, None] / total)
            gradient.index_add_(0, rows, weights @ shared)
            shared_gradient.addmm_(weights.T, mine)
        gradient.index_add_(0, shared_rows, shared_gradient)
        context.save_for_backward(gradient)
        context.n_interactions = items.size
        return table.new_tensor(loss / items.size)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        [gradient] = context.saved_tensors
        return gradient * (gradients[0] / context.n_interactions), None, None, None, None, None


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"}, error_model="numpy")
def _pull_pairs(table, users, owner, items, log_total, start, gradient):  # type: ignore[no-untyped-def]
    """Add the loss of each interaction, and its gradient by the score, where user and item meet.

    Compiled with only those liberties of fast mathematics that keep NaN what it is, since the loop has to see it.

    Returns:
        How strongly each user's negatives are pushed away, float32 [u]: the sum over the user's interactions of
        1 - e^s / (e^s + Z_u); and the summed loss.
    """
    pull = np.zeros(log_total.size, dtype=np.float32)
    loss = 0.0
    for pair in range(items.size):
        place = owner[pair] - start
        user, item = users[owner[pair]], items[pair]
        score = np.float32(0)
        for column in range(table.shape[1]):
            score += table[user, column] * table[item, column]
        margin = np.float64(log_total[place] - score)
        missing = np.float32(1 / (1 + np.exp(-margin)))
        loss += max(margin, 0.0) + np.log1p(np.exp(-abs(margin)))
        pull[place] += missing
        for column in range(table.shape[1]):
            gradient[user, column] -= missing * table[item, column]
            gradient[item, column] -= missing * table[user, column]
    return pull, loss
