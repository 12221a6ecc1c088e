"""The edge-or-not view: is this pair of a user and an item an edge? A threshold on the score answers yes or no.

Ranking metrics ask whether the right items come first; classification asks for a decision on every pair, as papers on link
prediction often report. Mind that its figures depend on the share of non-edges, here one for each edge.
"""

import numba
import numpy as np
from scipy.sparse import csr_array

from edgewise.ranking import Rows
from edgewise.types import Bools, Doubles, Floats, Index


def sample_non_edges(taken: csr_array, n_draws: Index, rng: np.random.Generator) -> Rows:
    """Draw for each user items that are not taken, uniformly and with replacement.

    A rank among the free items is drawn, then turned into an item by counting the taken ones before it, so that there is
    nothing to reject and a user who has met nearly everything costs no more than another.

    Args:
        taken: [n_users, n_items], columns ascending: what the user met, in training or in the test.
        n_draws: int64 [n_users]; a user without free items gets none.

    Returns:
        The items of each user, in the order drawn.
    """
    n_users, n_items = taken.shape
    n_taken = np.diff(taken.indptr).astype(np.int64)
    n_free = n_items - n_taken
    n_drawn = np.where(n_free > 0, n_draws, 0)
    user = np.repeat(np.arange(n_users), n_drawn)
    rank = rng.integers(0, n_free[user])
    # The j-th taken item (from 0) lies before the free item of rank r if its own position, less j, is at most r.
    owner = np.repeat(np.arange(n_users), n_taken)
    place = np.arange(taken.nnz) - taken.indptr[:-1].astype(np.int64)[owner]
    before = np.searchsorted(owner * n_items + taken.indices - place, user * n_items + rank, side="right")
    item = rank + before - taken.indptr[user]
    return Rows(np.concatenate([[0], np.cumsum(n_drawn)]), item.astype(np.int32))


def scores_at(scores: Floats, pairs: Rows) -> Floats:
    """Read the scores of some pairs out of a block: float32 [n_pairs] of float32 [n_rows, n_items]."""
    return _scores_at(scores, *pairs)  # type: ignore[no-any-return]


@numba.njit(cache=True, nogil=True)
def _scores_at(scores, indptr, indices):  # type: ignore[no-untyped-def]
    first = indptr[0]
    found = np.empty(indptr[-1] - first, dtype=np.float32)
    for row in range(len(scores)):
        for entry in range(indptr[row], indptr[row + 1]):
            found[entry - first] = scores[row, indices[entry]]
    return found


def edge_or_not(edge_scores: Floats, non_edge_scores: Floats, rng: np.random.Generator) -> dict[str, float]:
    """Choose a threshold on one half of the pairs and judge it on the other.

    The halves are drawn at random, edges and non-edges apart. The threshold is the score at which the first half has the
    highest accuracy, the strictest of equals; a pair is called an edge if its score is at least that. A pair without a
    score (NaN, minus infinity) is called none.

    Args:
        edge_scores, non_edge_scores: float32 [n].

    Returns:
        edge_accuracy: share of pairs judged right. edge_recall: share of the edges called so. edge_precision: share of
        pairs called edges that are. NaN where there is nothing to divide by.
    """
    scores = np.concatenate([edge_scores, non_edge_scores])
    is_edge = np.arange(scores.size) < edge_scores.size
    chosen_on = _half(edge_scores.size, rng), _half(non_edge_scores.size, rng)
    first = np.concatenate(chosen_on)
    called = scores[~first] >= _best_threshold(scores[first], is_edge[first])
    truth = is_edge[~first]
    right = int((called & truth).sum())
    return {
        "edge_accuracy": _share(int((called == truth).sum()), truth.size),
        "edge_recall": _share(right, int(truth.sum())),
        "edge_precision": _share(right, int(called.sum())),
    }


def _half(size: int, rng: np.random.Generator) -> Bools:
    chosen: Bools = rng.permutation(size) < (size + 1) // 2
    return chosen


def _best_threshold(scores: Floats, is_edge: Bools) -> float:
    """Return the score from which on "edge" is right most often; infinity where it never is."""
    scored = scores > -np.inf
    order = np.argsort(-scores[scored])
    falling, edge = scores[scored][order], is_edge[scored][order]
    # Edges won less non-edges lost, when all up to here are called edges.
    gain: Doubles = np.cumsum(np.where(edge, 1.0, -1.0))
    gain[:-1][falling[:-1] == falling[1:]] = -np.inf  # a threshold cannot part equal scores
    if not gain.size or gain.max() <= 0:
        return np.inf
    return float(falling[np.argmax(gain)])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
