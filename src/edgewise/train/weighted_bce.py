"""Binary cross-entropy with a weight for every pair: interactions as a sparse matrix, shared negatives as a dense one."""

from typing import Any

import numba
import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.special import expit
from torch import Tensor
from torch.nn.functional import softplus

from edgewise.graph.bipartite import transposed
from edgewise.graph.spmm import spmm
from edgewise.train.losses import Pairs, rows_of
from edgewise.types import Floats, Index

_NONE = np.empty(0, dtype=np.int64)

_USERS_AT_ONCE = 256
"""Scores and weights of so many users against thousands of negatives, both float32, stay near the processor."""


def weighted_bce_loss(
    table: Tensor,
    users: Index,
    wanted: csr_array,
    negatives: Index,
    by_user: Floats,
    by_negative: Floats,
    *,
    left_out: Pairs = (_NONE, _NONE),
) -> Tensor:
    """Tell what is wanted from negatives: sum_ui w_ui log(1 + e^-s_ui) + sum_uj v_uj log(1 + e^s_uj), scores being log-odds.

    The weights of negatives have a low rank, v_uj = a_u b_j, so they are made where they are needed. Loss and gradient are made in one
    pass, a block of users at a time, and no score is kept.

    Args:
        table: float32 [n, d].
        users: int64 [n_users], distinct rows.
        wanted: float32 [n_users, n], w: the weights of what is wanted; columns are rows of the table, ascending.
        negatives: int64 [n_negatives], distinct rows.
        by_user, by_negative: a, float32 [n_users, r], and b, float32 [n_negatives, r].
        left_out: pairs of a user's and a negative's place that do not count.
    """
    if table.device.type != "cpu":
        return _plain(table, users, wanted, negatives, by_user, by_negative, left_out=left_out)
    loss: Tensor = _WeightedBCE.apply(  # type: ignore[no-untyped-call]
        table, users, wanted, negatives, by_user, by_negative, left_out
    )
    return loss


def _plain(
    table: Tensor,
    users: Index,
    wanted: csr_array,
    negatives: Index,
    by_user: Floats,
    by_negative: Floats,
    *,
    left_out: Pairs,
) -> Tensor:
    """Do the same in the words of torch, with all scores in memory."""
    owner = np.repeat(np.arange(users.size), np.diff(wanted.indptr))
    mine = rows_of(table, users)
    scores = (rows_of(mine, owner) * rows_of(table, wanted.indices.astype(np.int64))).sum(dim=1)
    weights = torch.from_numpy(by_user @ by_negative.T)
    weights[torch.from_numpy(left_out[0]), torch.from_numpy(left_out[1])] = 0
    pushed = softplus(mine @ rows_of(table, negatives).T) * weights.to(table.device)
    return (softplus(-scores) * torch.from_numpy(wanted.data).to(table.device)).sum() + pushed.sum()


class _WeightedBCE(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        table: Tensor,
        users: Index,
        wanted: csr_array,
        negatives: Index,
        by_user: Floats,
        by_negative: Floats,
        left_out: Pairs,
    ) -> Tensor:
        vectors = table.detach().contiguous().numpy()
        mine = vectors[users]  # [n_users, d]
        owner = np.repeat(np.arange(users.size), np.diff(wanted.indptr))
        scores = _pair_scores(mine, vectors, owner, wanted.indices)
        loss = float(wanted.data @ np.logaddexp(0, -scores))
        pull = csr_array((-wanted.data * expit(-scores), wanted.indices, wanted.indptr), shape=wanted.shape)
        gradient = spmm(transposed(pull), mine)  # [n, d]
        of_users = spmm(pull, vectors)  # [n_users, d]

        shared = torch.from_numpy(vectors[negatives])
        of_shared = torch.zeros_like(shared)
        a, b = torch.from_numpy(by_user), torch.from_numpy(by_negative)
        for start in range(0, users.size, _USERS_AT_ONCE):
            some = torch.from_numpy(mine[start : start + _USERS_AT_ONCE])
            pushed = some @ shared.T  # [u, n_negatives]
            weights = a[start : start + _USERS_AT_ONCE] @ b.T
            first, last = np.searchsorted(left_out[0], [start, start + some.shape[0]])
            weights[left_out[0][first:last] - start, left_out[1][first:last]] = 0
            loss += float((weights * softplus(pushed)).sum())
            weights.mul_(pushed.sigmoid_())
            of_users[start : start + _USERS_AT_ONCE] += (weights @ shared).numpy()
            of_shared.addmm_(weights.T, some)
        gradient[users] += of_users
        gradient[negatives] += of_shared.numpy()
        context.save_for_backward(torch.from_numpy(gradient))
        return table.new_tensor(loss)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        [gradient] = context.saved_tensors
        return gradient * gradients[0], None, None, None, None, None, None


@numba.njit(parallel=True, cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _pair_scores(mine, vectors, owner, others):  # type: ignore[no-untyped-def]
    """Multiply pairs of vectors: float32 [n_pairs]; each is summed by one thread."""
    scores = np.empty(owner.size, dtype=np.float32)
    for pair in numba.prange(owner.size):
        left, right = mine[owner[pair]], vectors[others[pair]]
        score = np.float32(0)
        for column in range(left.size):
            score += left[column] * right[column]
        scores[pair] = score
    return scores
