"""AUC of a full ranking: the chance that a relevant item outranks another one that the user has not seen."""

import numpy as np

from edgewise.evaluate.metrics import ratio
from edgewise.types import Doubles, Index


def auc(n_above: Index, n_equal: Index, user: Index, n_relevant: Index, n_candidates: Index) -> Doubles:
    """Return for each user the probability that a relevant item outranks a random candidate, ties counting half.

    Per relevant item 1 - (above + equal / 2) / candidates, averaged over all relevant items of the user, where candidates
    are the items neither seen in training nor relevant. A relevant item that the model cannot score, or that training does
    not know, outranks nothing: it counts 0, as it does in recall. (Hanley and McNeil, Radiology 1982; per user as in
    Rendle et al., "BPR", UAI 2009, which leaves unknown items out instead.)

    Args:
        n_above, n_equal: int64 [n_found], from `top_k_and_ranks`, one for each relevant item that training knows.
        user: int64 [n_found], whose item it is.
        n_relevant: int64 [n_users], all relevant items, known or not. n_candidates: int64 [n_users].

    Returns:
        float64 [n_users]; NaN for a user without relevant items or without candidates.
    """
    behind = n_candidates[user] - n_above - n_equal / 2
    sums = np.bincount(user, weights=behind, minlength=n_relevant.size)
    pairs = n_relevant * n_candidates.astype(np.float64)
    return ratio(sums, pairs)
