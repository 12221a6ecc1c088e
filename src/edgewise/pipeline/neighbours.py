"""Users who met what a user met."""

import numpy as np

from edgewise.pipeline.live import Known, LiveUsers
from edgewise.ranking import NOTHING, top_k
from edgewise.types import Floats, Index


def similar_users(users: LiveUsers, known: Known, k: int) -> tuple[Index, Floats]:
    """Rank the users whom training met by the cosine of what they met and what this one has.

    Args:
        users: of the model. known: what is known of the user who asks. k: the longest list, > 0.

    Returns:
        Users int64 by dense index, never the one who asks, and cosines float32; nobody with nothing in common.
    """
    matrix = users.catalogue.seen
    history = known.now.history
    shared = np.asarray((matrix @ history.T.tocsc()).todense(), dtype=np.float32).ravel()  # [n_users]
    norms = np.sqrt(np.diff(matrix.indptr) * max(1, history.nnz)).astype(np.float32)
    cosine = np.divide(shared, norms, out=np.zeros_like(shared), where=norms > 0)
    cosine[cosine <= 0] = np.nan
    if known.is_known:
        cosine[known.index] = np.nan
    best, scores = top_k(cosine[None, :].astype(np.float32), min(k, cosine.size), None)
    there = best[0] != NOTHING
    return best[0][there], scores[0][there]
