"""The accuracy of ranked lists: one definition of each metric, on arrays.

Every function takes the same three things and returns one number a user, NaN for a user without relevant items:

- `hits`: bool [n_users, length], whether the item at each place (best first) is relevant; False behind the end of a list.
- `n_relevant`: int64 [n_users], how many relevant items there are, found or not.
- `k`: the cut-off, > 0; places that the lists do not have hold no hits.

`hits_of` makes the first two from lists and sets of ids, `find_hits` from dense positions, so that a single list is
`recall_at_k(*hits_of([ranked], [relevant]), k)[0]`. AUC needs more than the top of the list and lives in `auc.py`.
"""

from collections.abc import Callable, Collection, Hashable, Sequence

import numba
import numpy as np

from edgewise.ranking import Rows
from edgewise.types import Bools, Doubles, Index

LOWER_IS_BETTER = frozenset({"rmse", "mae", "log_loss", "brier", "ece"})
"""The metrics that measure errors; of all others more is better. Tables, tests, training and the report ask `direction`."""

ROOT_OF_MEAN = frozenset({"rmse"})
"""The metrics that are the root of the mean of their per-user values."""


def direction(metric: str) -> int:
    """Return 1 where more of a metric is better, and -1 where less is.

    >>> direction("ndcg@20"), direction("rmse")
    (1, -1)
    """
    return -1 if metric.partition("@")[0] in LOWER_IS_BETTER else 1


def recall_at_k(hits: Bools, n_relevant: Index, k: int) -> Doubles:
    """Return the share of a user's relevant items that the first k places hold: hits / n_relevant.

    The divisor is always the number of relevant items. Some tools divide by min(k, n_relevant), which flatters users
    with many relevant items; published tables for Gowalla and its like do as we do.

    >>> recall_at_k(*hits_of([["a", "x", "b"]], [{"a", "b", "c", "d"}]), 3)
    array([0.5])
    """
    return ratio(hits[:, :k].sum(axis=1), n_relevant)


def precision_at_k(hits: Bools, n_relevant: Index, k: int) -> Doubles:
    """Return the share of the first k places that hold a relevant item: hits / k, also where the list is shorter than k.

    >>> precision_at_k(*hits_of([["a", "x"]], [{"a", "b"}]), 4)
    array([0.25])
    """
    share: Doubles = hits[:, :k].sum(axis=1) / k
    return _where_defined(share, n_relevant)


def ndcg_at_k(hits: Bools, n_relevant: Index, k: int) -> Doubles:
    """Return the discounted cumulative gain as a share of the best that any list of k could have.

    DCG = sum over places p = 1..k of hit_p / log2(p + 1); the ideal has hits in its first min(n_relevant, k) places.
    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002, with binary gain.

    >>> ndcg_at_k(*hits_of([["x", "a"]], [{"a"}]), 2).round(4)
    array([0.6309])
    """
    discount = 1 / np.log2(np.arange(2, k + 2))  # [k]
    ideal = np.concatenate([[np.nan], np.cumsum(discount)])  # by the number of relevant items; none: not defined
    gain = (hits[:, :k] * discount[: hits.shape[1]]).sum(axis=1)  # not @, which rounds by the place of the row
    share: Doubles = gain / ideal[np.minimum(n_relevant, k)]
    return np.minimum(share, 1.0)  # rounding may exceed 1 by a unit in the last place


def map_at_k(hits: Bools, n_relevant: Index, k: int) -> Doubles:
    """Return the average precision, whose mean over users is MAP: sum of precision@p at the hits p <= k, / min(n_relevant, k).

    With this divisor a perfect list of k scores 1 whatever the number of relevant items, as in Kaggle's and Spotify's
    challenges. trec_eval, and ranx after it, divide by n_relevant: equal when n_relevant <= k, else smaller.

    >>> map_at_k(*hits_of([["a", "x", "b"]], [{"a", "b"}]), 3).round(4)
    array([0.8333])
    """
    found = hits[:, :k]
    precision = found.cumsum(axis=1) / np.arange(1, found.shape[1] + 1)
    return ratio((precision * found).sum(axis=1), np.minimum(n_relevant, k))


def mrr_at_k(hits: Bools, n_relevant: Index, k: int) -> Doubles:
    """Return 1 / the place of the first relevant item, 0 where the first k places hold none; the mean over users is MRR.

    >>> mrr_at_k(*hits_of([["x", "a", "b"], ["x"]], [{"a", "b"}, {"a"}]), 3)
    array([0.5, 0. ])
    """
    found = hits[:, :k]
    first = found.argmax(axis=1) if found.shape[1] else np.zeros(len(found), dtype=np.int64)
    reciprocal: Doubles = found.any(axis=1).astype(np.float64) / (first + 1)
    return _where_defined(reciprocal, n_relevant)


def hit_rate_at_k(hits: Bools, n_relevant: Index, k: int) -> Doubles:
    """Return 1 where the first k places hold a relevant item, else 0.

    >>> hit_rate_at_k(*hits_of([["x", "a"], ["x"]], [{"a"}, {"b"}]), 2)
    array([1., 0.])
    """
    found: Doubles = np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)
    return _where_defined(found, n_relevant)


METRICS: dict[str, Callable[[Bools, Index, int], Doubles]] = {
    "recall": recall_at_k,
    "precision": precision_at_k,
    "ndcg": ndcg_at_k,
    "map": map_at_k,
    "mrr": mrr_at_k,
    "hit_rate": hit_rate_at_k,
}
"""What tables call each metric: "recall@20" is `recall_at_k` at k = 20."""


def hits_of(lists: Sequence[Sequence[Hashable]], relevant: Sequence[Collection[Hashable]]) -> tuple[Bools, Index]:
    """Judge lists of ids, best first, by the sets of relevant ids.

    Returns:
        hits: bool [n_users, longest list]; n_relevant: int64 [n_users].
    """
    hits = np.zeros((len(lists), max(map(len, lists), default=0)), dtype=np.bool_)
    for row, (ranked, wanted) in enumerate(zip(lists, map(set, relevant), strict=True)):
        hits[row, : len(ranked)] = [item in wanted for item in ranked]
    return hits, np.array([len(set(wanted)) for wanted in relevant], dtype=np.int64)


def find_hits(lists: Index, relevant: Rows) -> Bools:
    """Judge lists of positions by the relevant ones.

    Args:
        lists: int64 [n_users, k], -1 behind the end.
        relevant: of each user.

    Returns:
        bool [n_users, k].
    """
    return _find_hits(lists, *relevant)  # type: ignore[no-any-return]


@numba.njit(cache=True, nogil=True)
def _find_hits(lists, indptr, indices):  # type: ignore[no-untyped-def]
    n_users, k = lists.shape
    hits = np.zeros((n_users, k), dtype=np.bool_)
    for user in range(n_users):
        wanted = indices[indptr[user] : indptr[user + 1]]
        for place in range(k):
            found = np.searchsorted(wanted, lists[user, place])
            hits[user, place] = found < wanted.size and wanted[found] == lists[user, place]
    return hits


def ratio(amount: Doubles | Index, whole: Doubles | Index) -> Doubles:
    """Divide, NaN where there is nothing to divide by."""
    share: Doubles = np.divide(amount, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return share


def _where_defined(value: Doubles, n_relevant: Index) -> Doubles:
    return np.where(n_relevant > 0, value, np.nan)
