"""The sampled softmax, with its gradient in one pass over the users: the loss that the graph models are trained with by default."""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from edgewise.train.losses import Pairs, rows_of
from edgewise.types import Floats, Index

USERS_AT_ONCE = 512
"""Scores of so many users against 2,000 negatives fit into the cache (4 MB)."""

_NONE = np.empty(0, dtype=np.int64)


def sampled_softmax_loss(
    table: Tensor,
    users: Index,
    owner: Index,
    items: Index,
    negatives: Index,
    log_expected: Floats,
    *,
    left_out: Pairs = (_NONE, _NONE),
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Make each interaction stand out among many items that all users of the batch share.

    The mean over interactions of -log(e^s / (e^s + Z_u)), where s is the interaction's score and Z_u the sum over the
    negatives j of e^(s_uj) / (how often j is expected among the draws). That division makes Z_u an unbiased estimate of the
    sum over all items: Bengio and Senécal, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic
    Language Model", IEEE TNN 2008. Wu et al., "On the Effectiveness of Sampled Softmax Loss for Item Recommendation"
    (arXiv:2201.02327), compare it with BPR; they take the cosine, we the dot product, in whose length popularity lives.

    With the items of the batch as negatives this is the in-batch softmax of Yi et al., "Sampling-Bias-Corrected Neural
    Modeling for Large Corpus Item Recommendations", RecSys 2019; with cosines over a temperature and no correction
    InfoNCE (van den Oord et al., arXiv:1807.03748).

    Args:
        table: float32 [n, d].
        users: int64 [n_users], distinct.
        owner: int64 [n_interactions], ascending: which of `users` each interaction belongs to.
        items: int64 [n_interactions].
        negatives: int64 [n_negatives].
        log_expected: float32 [n_negatives], subtracted from the scores; zeros where the negatives are all items there are.
        left_out: pairs of a user and a negative that do not count.
        precision: of the products of users with negatives and back; sums stay float32.
    """
    if table.device.type != "cpu":
        return plain_sampled_softmax_loss(table, users, owner, items, negatives, log_expected, left_out=left_out)
    with torch.autocast("cpu", enabled=False):  # what is rounded is written out below
        loss: Tensor = _SampledSoftmax.apply(  # type: ignore[no-untyped-call]
            table, users, owner, items, negatives, log_expected, left_out, precision
        )
    return loss


def plain_sampled_softmax_loss(
    table: Tensor,
    users: Index,
    owner: Index,
    items: Index,
    negatives: Index,
    log_expected: Floats,
    *,
    left_out: Pairs = (_NONE, _NONE),
) -> Tensor:
    """The same in the words of torch, for other devices than the CPU, where it is slower; needs memory for all scores at once."""
    mine = rows_of(table, users)
    shared = mine @ rows_of(table, negatives).T - torch.from_numpy(log_expected).to(
        table.device
    )  # [n_users, n_negatives]
    scores = (rows_of(mine, owner) * rows_of(table, items)).sum(dim=1)
    return softmax_of_scores(shared, scores, owner, left_out)


def softmax_of_scores(shared: Tensor, scores: Tensor, owner: Index, left_out: Pairs = (_NONE, _NONE)) -> Tensor:
    """Return the loss of scores, for models whose scores are no dot products.

    Args:
        shared: float32 [n_users, n_negatives], corrected. scores: float32 [n_interactions].
        owner, left_out: as in `sampled_softmax_loss`.
    """
    if left_out[0].size:
        outside = torch.zeros(shared.shape, dtype=torch.bool, device=shared.device)
        outside[torch.from_numpy(left_out[0]), torch.from_numpy(left_out[1])] = True
        shared = shared.masked_fill(outside, -torch.inf)
    log_total = torch.logsumexp(shared, dim=1)
    return softplus(log_total.index_select(0, torch.from_numpy(owner).to(shared.device)) - scores).mean()


class _SampledSoftmax(torch.autograd.Function):
    """Loss and gradient in one pass over the users, so that no score lives longer than in the cache."""

    @staticmethod
    def forward(
        context: Any,
        table: Tensor,
        users: Index,
        owner: Index,
        items: Index,
        negatives: Index,
        log_expected: Floats,
        left_out: Pairs,
        precision: torch.dtype,
    ) -> Tensor:
        table = table.detach().float()
        gradient = torch.zeros_like(table)
        loss = 0.0
        shared_rows = torch.from_numpy(negatives)
        shared = table[shared_rows].to(precision)  # [n_negatives, d]
        shared_gradient = torch.zeros((negatives.size, table.shape[1]))
        correction = torch.from_numpy(log_expected)
        for start in range(0, users.size, USERS_AT_ONCE):
            rows = torch.from_numpy(users[start : start + USERS_AT_ONCE])
            mine = table[rows].to(precision)  # [u, d]
            weights = (mine @ shared.T).float().sub_(correction)  # [u, n_negatives]
            first, last = np.searchsorted(left_out[0], [start, start + rows.numel()])
            weights[left_out[0][first:last] - start, left_out[1][first:last]] = -torch.inf
            highest = weights.amax(dim=1, keepdim=True).clamp_(min=-1e30)  # finite where everything is left out
            total = weights.sub_(highest).exp_().sum(dim=1, keepdim=True)
            log_total = (total.log() + highest).squeeze(1)  # [u], log Z_u
            first, last = np.searchsorted(owner, [start, start + rows.numel()])
            pull, part = _pull_pairs(
                table.numpy(), users, owner[first:last], items[first:last], log_total.numpy(), start, gradient.numpy()
            )
            loss += part
            weights.mul_(torch.from_numpy(pull)[:, None] / total.clamp_(min=1e-30))
            weights = weights.to(precision)
            gradient.index_add_(0, rows, (weights @ shared).float())
            if precision == torch.float32:
                shared_gradient.addmm_(weights.T, mine)
            else:
                shared_gradient += (weights.T @ mine).float()
        gradient.index_add_(0, shared_rows, shared_gradient)
        context.save_for_backward(gradient)
        context.n_interactions = items.size
        return table.new_tensor(loss / items.size)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        [gradient] = context.saved_tensors
        return gradient * (gradients[0] / context.n_interactions), None, None, None, None, None, None, None


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
