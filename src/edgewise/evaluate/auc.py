"""AUC of a full ranking: the chance that a relevant item outranks another one that the user has not seen."""

import numba
import numpy as np

from edgewise.evaluate.metrics import ratio
from edgewise.ranking import Rows
from edgewise.types import Doubles, Floats, Index

_TILE = 2048
"""How many scores are compared with all relevant ones before the next: they stay in the nearest cache."""


def auc(n_above: Index, n_equal: Index, user: Index, n_relevant: Index, n_candidates: Index) -> Doubles:
    """Return for each user the probability that a relevant item outranks a random candidate, ties counting half.

    Per relevant item 1 - (above + equal / 2) / candidates, averaged over all relevant items of the user, where candidates
    are the items neither seen in training nor relevant. A relevant item that the model cannot score, or that training does
    not know, outranks nothing: it counts 0, as it does in recall. (Hanley and McNeil, Radiology 1982; per user as in
    Rendle et al., "BPR", UAI 2009, which leaves unknown items out instead.)

    Args:
        n_above, n_equal: int64 [n_found], from `count_above`, one for each relevant item that training knows.
        user: int64 [n_found], whose item it is.
        n_relevant: int64 [n_users], all relevant items, known or not. n_candidates: int64 [n_users].

    Returns:
        float64 [n_users]; NaN for a user without relevant items or without candidates.
    """
    behind = n_candidates[user] - n_above - n_equal / 2
    sums = np.bincount(user, weights=behind, minlength=n_relevant.size)
    pairs = n_relevant * n_candidates.astype(np.float64)
    return ratio(sums, pairs)


def count_above(scores: Floats, relevant: Rows, seen: Rows) -> tuple[Index, Index]:
    """Count for every relevant item the candidates that score higher, and those that score the same.

    Args:
        scores: float32 [n_rows, n_items], C order; not modified. NaN and minus infinity stand below everything.
        relevant, seen: columns of each row, no pair in both; neither are candidates.

    Returns:
        Two int64 [n_relevant], in the order of `relevant`. Above an item without a score are all candidates.
    """
    return _count_above(scores, *relevant, *seen)  # type: ignore[no-any-return]


@numba.njit(parallel=True, cache=True, nogil=True)
def _count_above(scores, relevant_indptr, relevant_items, seen_indptr, seen_items):  # type: ignore[no-untyped-def]
    """Compare each relevant item's score with the whole row: no sorting and no branches, so many comparisons at a time.

    With tens of relevant items a user this is several times faster than sorting the row, or than searching the sorted
    relevant scores for every item.
    """
    n_rows, n_items = scores.shape
    first = relevant_indptr[0]
    n_above = np.zeros(relevant_indptr[-1] - first, dtype=np.int64)
    n_equal = np.zeros(relevant_indptr[-1] - first, dtype=np.int64)
    for row in numba.prange(n_rows):
        line = scores[row]
        relevant = relevant_items[relevant_indptr[row] : relevant_indptr[row + 1]]
        seen = seen_items[seen_indptr[row] : seen_indptr[row + 1]]
        no_candidates = np.empty(relevant.size + seen.size, dtype=np.float32)
        for place in range(relevant.size):
            no_candidates[place] = line[relevant[place]]
        for place in range(seen.size):
            no_candidates[relevant.size + place] = line[seen[place]]
        above = n_above[relevant_indptr[row] - first : relevant_indptr[row + 1] - first]
        equal = n_equal[relevant_indptr[row] - first : relevant_indptr[row + 1] - first]
        for start in range(0, n_items, _TILE):
            tile = line[start : start + _TILE]
            for place in range(relevant.size):
                higher, level = _count(tile, no_candidates[place])
                above[place] += higher
                equal[place] += level - higher
        for place in range(relevant.size):
            score = no_candidates[place]
            if score > -np.inf:
                higher, level = _count(no_candidates, score)
                above[place] -= higher
                equal[place] -= level - higher
            else:
                above[place] = n_items - no_candidates.size
                equal[place] = 0
    return n_above, n_equal


@numba.njit(inline="always")
def _count(scores, score):  # type: ignore[no-untyped-def]
    """Count how many are higher, and how many are at least as high; in 32 bits, of which a vector holds twice as many."""
    higher = np.int32(0)
    level = np.int32(0)
    for place in range(scores.size):
        higher = np.int32(higher + np.int32(scores[place] > score))
        level = np.int32(level + np.int32(scores[place] >= score))
    return np.int64(higher), np.int64(level)
