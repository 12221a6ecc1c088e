"""Losses of implicit feedback. They read rows of a table of final embeddings, users and items in one.

`users`, `items` and `negatives` are row numbers of the table. Those that compare a user with many items at once share these
items among the users of a batch, and are given `users` distinct and for each interaction its `owner` among them.
"""

from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import embedding, normalize, softplus

from edgewise.types import Floats, Index

Pairs: TypeAlias = tuple[Index, Index]
"""A user's place and a negative's place, for each pair that does not count; users ascending."""

_UNIFORMITY_SHARPNESS = 2.0
"""The t of the uniformity loss, as in its paper."""


def bpr_loss(table: Tensor, users: Index, items: Index, negatives: Index) -> Tensor:
    """Make each interaction outrank its negatives: the mean of -log sigmoid(score of the item - score of the negative).

    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009 (arXiv:1205.2618).

    Args:
        table: float32 [n, d].
        users, items: int64 [n_interactions] each.
        negatives: int64 [n_interactions, n_negatives].
    """
    return bpr_of_scores(*pair_scores(table, users, items, negatives))


def bpr_of_scores(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Return the BPR loss of scores: float32 [n_interactions, 1] of items, [n_interactions, n_negatives] of negatives."""
    return softplus(rejected - chosen).mean()


def bce_loss(table: Tensor, users: Index, items: Index, negatives: Index) -> Tensor:
    """Tell interactions from negatives: the mean binary cross-entropy over both, scores being log-odds.

    He et al., "Neural Collaborative Filtering", WWW 2017 (arXiv:1708.05031), eq. 7. Arguments as in `bpr_loss`.
    """
    return bce_of_scores(*pair_scores(table, users, items, negatives))


def bce_of_scores(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Return the binary cross-entropy of scores; arguments as in `bpr_of_scores`."""
    return (softplus(-chosen).sum() + softplus(rejected).sum()) / (chosen.numel() + rejected.numel())


def cosine_contrastive_loss(
    table: Tensor,
    users: Index,
    owner: Index,
    items: Index,
    negatives: Index,
    counts: Floats,
    *,
    margin: float,
    negative_weight: float,
    left_out: Pairs | None = None,
) -> Tensor:
    """Pull interactions together in angle, and push negatives beyond a margin: mean of 1 - cos + w mean_j max(0, cos_j - margin).

    Mao et al., "SimpleX: A Simple and Strong Baseline for Collaborative Filtering", CIKM 2021 (arXiv:2109.12613), eq. 1.
    There each interaction draws its own negatives; here the users of a batch share them.

    Args:
        table: float32 [n, d].
        users: int64 [n_users], distinct.
        owner: int64 [n_interactions], which of `users` each interaction belongs to.
        items: int64 [n_interactions].
        negatives: int64 [n_negatives].
        counts: float32 [n_negatives], how often each was drawn.
        margin: in [-1, 1].
        negative_weight: w.
        left_out: pairs of a user's and a negative's place that do not count.
    """
    mine, others = normalize(rows_of(table, users)), normalize(rows_of(table, negatives))
    n_of_user = torch.bincount(_index(owner, table), minlength=users.size).to(table.dtype)
    beyond = ((mine @ others.T).float() - margin).relu()  # [n_users, n_negatives]
    weights = torch.from_numpy(counts).to(table.device).expand_as(beyond)
    if left_out is not None and left_out[0].size:
        weights = weights.clone()
        weights[_index(left_out[0], table), _index(left_out[1], table)] = 0
    means = (beyond * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    pushed = means @ n_of_user  # each interaction has its user's negatives
    cosine = (rows_of(mine, owner) * normalize(rows_of(table, items))).sum(dim=1)
    return (1 - cosine).mean() + negative_weight * pushed / owner.size


def alignment_uniformity_loss(table: Tensor, users: Index, items: Index, spread: Index, uniformity: float) -> Tensor:
    """Bring both ends of an interaction together on the sphere, and spread all ends over it.

    Wang et al., "Towards Representation Alignment and Uniformity in Collaborative Filtering", KDD 2022 (arXiv:2206.12811):
    mean |u - i|^2 + w / 2 (l(users) + l(items)), l the logarithm of the mean over pairs of e^(-2 |a - b|^2).

    Args:
        table: float32 [n, d].
        users, items: int64 [n_interactions] each.
        spread: int64 [m], the interactions whose ends are held apart; the paper takes all of a small batch.
        uniformity: w.
    """
    mine, theirs = normalize(rows_of(table, users)), normalize(rows_of(table, items))
    alignment = (mine - theirs).square().sum(dim=1).mean()
    apart = _uniformity(rows_of(mine, spread)) + _uniformity(rows_of(theirs, spread))
    return alignment + uniformity * apart / 2


def pair_scores(table: Tensor, users: Index, items: Index, negatives: Index) -> tuple[Tensor, Tensor]:
    """Score interactions and their negatives: float32 [n_interactions, 1] and [n_interactions, n_negatives]."""
    mine = rows_of(table, users)
    chosen = (mine * rows_of(table, items)).sum(dim=1, keepdim=True)
    if negatives.shape[1] == 1:
        return chosen, (mine * rows_of(table, negatives[:, 0])).sum(dim=1, keepdim=True)
    others = rows_of(table, negatives.ravel()).view(*negatives.shape, table.shape[1])  # [n, n_negatives, d]
    return chosen, (others @ mine[:, :, None]).squeeze(2)


def hardest(table: Tensor, users: Index, candidates: Index, n_negatives: int) -> Index:
    """Of each interaction's candidates take those that score highest: int64 [n, n_candidates] to [n, n_negatives]."""
    with torch.no_grad():
        _, scores = pair_scores(table.detach(), users, candidates[:, 0], candidates)
        best = scores.topk(n_negatives, dim=1).indices
        return torch.from_numpy(candidates).to(best.device).gather(1, best).cpu().numpy()


def shortened(vectors: Tensor) -> Tensor:
    """Shorten the rows of float32 [n, d] to less than 1, the long ones most: x / sqrt(1 + |x|^2).

    Long vectors come out as if cut to length 1, and their products as cosines; a short one stays short, and says little.
    """
    short: Tensor = vectors * (1 + vectors.square().sum(dim=1, keepdim=True)).rsqrt()
    return short


def rows_of(table: Tensor, rows: Index) -> Tensor:
    """Return rows of a table, differentiable: its gradient is summed in a fixed order whatever the number of threads."""
    return embedding(_index(rows, table), table)


def _uniformity(points: Tensor) -> Tensor:
    """Return the logarithm of the mean over pairs of e^(-2 |a - b|^2), for points on the sphere [m, d]."""
    m = points.shape[0]
    kernel = ((points @ points.T - 1) * (2 * _UNIFORMITY_SHARPNESS)).exp()  # [m, m]; |a - b|^2 = 2 - 2 ab
    # A point with itself gives 1 and no gradient; every pair is there twice.
    return ((kernel.sum() - kernel.diagonal().sum()) / max(1, m * (m - 1))).clamp(min=1e-12).log()


def _index(rows: Index, table: Tensor) -> Tensor:
    return torch.from_numpy(rows).to(table.device)
