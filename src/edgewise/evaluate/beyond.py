"""Beyond accuracy: how much of the catalogue the lists show, how popular they are, how alike the items of one list.

Lists are int64 [n_users, k], best first, -1 behind the end of a short one. Popularity is the number of users who met an
item in training. A user's value is NaN where it is not defined, as for an empty list.
"""

from collections.abc import Sequence

import numba
import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.stats import rankdata

from edgewise import telemetry
from edgewise.evaluate.metrics import ratio
from edgewise.types import Doubles, Index

_MOST_ADDITIONS = 1 << 30
"""How much work diversity may be: about a second. Beyond it stands on a sample of users."""

_CHUNKS = 64
"""Into how many parts of the users the threads divide the work, each with memory of its own; the result is the same."""


def coverage(lists: Index, n_items: int) -> float:
    """Return the share of the catalogue that at least one list shows.

    >>> coverage(np.array([[0, 1], [1, -1]]), n_items=4)
    0.5
    """
    return int(np.count_nonzero(np.bincount(lists[lists >= 0], minlength=n_items))) / n_items


def gini(lists: Index, n_items: int) -> float:
    """Return how unequally the lists expose the items: 0 if all equally often, near 1 if a few have all places.

    G = sum_i (2 i - n - 1) c_i / (n sum_i c_i) over the exposures c_1 <= ... <= c_n of all n items of the catalogue.
    Fleder and Hosanagar, "Blockbuster Culture's Next Rise or Fall", Management Science 2009. NaN if all lists are empty.

    >>> gini(np.array([[0], [0]]), n_items=4)
    0.75
    """
    exposure = np.sort(np.bincount(lists[lists >= 0], minlength=n_items))
    places = int(exposure.sum())
    if not places:
        return float("nan")
    return float((2 * np.arange(1, n_items + 1) - n_items - 1) @ exposure / (n_items * places))


def novelty(lists: Index, item_counts: Index, n_users: int) -> Doubles:
    """Return the mean self-information of each list's items, in bits: -log2(share of training users who met the item).

    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010. An item that nobody
    met counts as met by one user, since the logarithm of nothing is no number.

    Args:
        item_counts: int64 [n_items]. n_users: how many users met anything; with none, nothing is defined.

    >>> novelty(np.array([[0, 1]]), np.array([4, 1]), n_users=4)
    array([1.])
    """
    if n_users == 0:
        return np.full(len(lists), np.nan)
    return _mean_of_lists(-np.log2(np.maximum(item_counts, 1) / n_users), lists)


def popularity_bias(lists: Index, item_counts: Index, seen: csr_array) -> Doubles:
    """Return by how much each list is more popular than what its user met in training, in percentiles from -1 to 1.

    Mean percentile of the list's items less that of the user's training items; 0 means true to the user's taste. The
    percentile of an item is the share of the catalogue with fewer interactions, equals counting half. After Abdollahpouri
    et al., "The Unfairness of Popularity Bias in Recommendation", RMSE at RecSys 2019, who use counts.

    Args:
        item_counts: int64 [n_items]. seen: [n_users, n_items], what each user met. NaN for one who met nothing.

    >>> popularity_bias(np.array([[0]]), np.array([3, 1]), csr_array(np.array([[0.0, 1.0]])))
    array([0.5])
    """
    percentile = (rankdata(item_counts) - 0.5) / item_counts.size
    n_seen = np.diff(seen.indptr)
    sums = np.bincount(
        np.repeat(np.arange(n_seen.size), n_seen), weights=percentile[seen.indices], minlength=n_seen.size
    )
    own = ratio(sums, n_seen)
    return _mean_of_lists(percentile, lists) - own


def diversity(lists: Index, item_vectors: csr_array, cuts: Sequence[int]) -> Doubles:
    """Return how different the items of each list are: 1 - the mean cosine over all pairs of its first k items.

    Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005. The pairs need not be formed:
    an item's cosines with all before it add up to the product of its vector with the sum of theirs, so that a list costs
    as much as the vectors have entries.

    Args:
        item_vectors: [n_items, n_features]; `co_interaction_vectors`, or attributes. A zero vector is like no other.
        cuts: the k's.

    Returns:
        float64 [n_users, n_cuts]; NaN where a list has fewer than two items and, if the vectors are so long that all lists
        would take more than a second or two, for all but every n-th user, which a note tells.
    """
    lists = np.ascontiguousarray(lists[:, : max(cuts)])
    vectors = csr_array(item_vectors, dtype=np.float64)
    norms = np.sqrt(np.bincount(_row_of_entry(vectors), weights=vectors.data**2, minlength=vectors.shape[0]))
    unit = csr_array(diags_array(1 / np.where(norms > 0, norms, 1)) @ vectors)
    stride = _stride(lists, unit)
    similarity = np.full(lists.shape, np.nan)  # [n_users, k]: the sum over the pairs of the list up to each place
    similarity[::stride] = _pair_similarity(
        lists[::stride], unit.indptr.astype(np.int64), unit.indices.astype(np.int32), unit.data, unit.shape[1]
    )
    length = (lists >= 0).sum(axis=1)
    answer = np.full((len(lists), len(cuts)), np.nan)
    for column, k in enumerate(cuts):
        size = np.minimum(length, k)
        users = np.flatnonzero(size >= 2)
        pairs = size[users] * (size[users] - 1) / 2
        answer[users, column] = 1 - similarity[users, size[users] - 1] / pairs
    return answer


def co_interaction_vectors(seen: csr_array) -> csr_array:
    """Describe each item by who met it in training: [n_items, n_users], so that the cosine is that of item-kNN."""
    return csr_array(seen.T)


def _mean_of_lists(values: Doubles, lists: Index) -> Doubles:
    there = lists >= 0
    length = there.sum(axis=1)
    sums = np.where(there, values[lists], 0.0).sum(axis=1)
    return ratio(sums, length)


def _row_of_entry(matrix: csr_array) -> Index:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _stride(lists: Index, vectors: csr_array) -> int:
    length = np.diff(vectors.indptr).astype(np.int64)
    additions = int(length @ np.bincount(lists[lists >= 0], minlength=length.size))
    stride = max(1, -(-additions // _MOST_ADDITIONS))
    if stride > 1:
        telemetry.note(f"Diversity is measured on one user in {stride}: all would take {additions:.1e} additions.")
    return stride


@numba.njit(parallel=True, cache=True, nogil=True)
def _pair_similarity(lists, indptr, indices, weights, n_features):  # type: ignore[no-untyped-def]
    n_users, k = lists.shape
    similarity = np.full((n_users, k), np.nan)
    for chunk in numba.prange(_CHUNKS):
        total = np.zeros(n_features)  # the sum of the vectors so far in the list
        for user in range(chunk * n_users // _CHUNKS, (chunk + 1) * n_users // _CHUNKS):
            pairs = 0.0
            for place in range(k):
                item = lists[user, place]
                if item < 0:
                    break
                for entry in range(indptr[item], indptr[item + 1]):
                    pairs += weights[entry] * total[indices[entry]]
                    total[indices[entry]] += weights[entry]
                similarity[user, place] = pairs
            for item in lists[user]:
                if item < 0:
                    break
                for entry in range(indptr[item], indptr[item + 1]):
                    total[indices[entry]] = 0.0
    return similarity
