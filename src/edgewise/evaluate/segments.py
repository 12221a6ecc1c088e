"""Where a model is good and where it fails: users by how much is known of them, items by how popular they are."""

from collections.abc import Iterator, Sequence

import numpy as np

from edgewise.evaluate.metrics import ndcg_at_k, recall_at_k
from edgewise.evaluate.targets import Targets
from edgewise.types import Bools, Doubles, Index

Segment = dict[str, float]
"""How many users it averages over ("n"), then metric name to mean."""


def user_segments(targets: Targets, per_user: dict[str, Doubles]) -> dict[str, Segment]:
    """Average every metric over users with few, some and many training interactions.

    The bounds are the terciles of the evaluated users, and users with equally many interactions stay together, so that
    the parts may differ in size and an empty one is left out. Users that only the user table knows stand apart.
    """
    n_met = np.diff(targets.seen.indptr)
    return {
        name: {"n": float(users.sum())} | {metric: mean_of(values[users]) for metric, values in per_user.items()}
        for name, users in user_groups(n_met)
    }


def item_segments(targets: Targets, hits: Bools, lists: Index, cuts: Sequence[int]) -> dict[str, Segment]:
    """Measure recall and ndcg of head, tail and cold items apart, as if the other items were not relevant.

    Head: the fewest most popular items that make up half of all training interactions (equals: the lower position first).
    Tail: the others that somebody met. Cold: those that nobody met in training, among them all that training does not know.
    A segment averages over the users to whom one of its items is relevant ("n"); without training interactions there is none.

    Args:
        hits: bool [n_users, k]. lists: int64 [n_users, k]. cuts: the k's to measure at.
    """
    if not targets.item_counts.any():
        return {}
    head, met = head_items(targets.item_counts), targets.item_counts > 0
    owner = np.repeat(np.arange(targets.n_users), np.diff(targets.relevant.indptr))
    unknown = targets.n_relevant - np.diff(targets.relevant.indptr)
    segments = {}
    for name, items, extra in (
        (f"items: head (the {head.sum()} most popular)", head, 0),
        (f"items: tail (the {(met & ~head).sum()} others)", met & ~head, 0),
        ("items: cold (nobody met them in training)", ~met, unknown),
    ):
        n_relevant = np.bincount(owner, weights=items[targets.relevant.indices], minlength=targets.n_users) + extra
        n_relevant = n_relevant.astype(np.int64)
        users = np.flatnonzero(n_relevant)
        if not users.size:
            continue
        found = hits[users] & items[lists[users]]
        segments[name] = {"n": float(users.size)}
        for k in cuts:
            segments[name][f"recall@{k}"] = float(recall_at_k(found, n_relevant[users], k).mean())
            segments[name][f"ndcg@{k}"] = float(ndcg_at_k(found, n_relevant[users], k).mean())
    return segments


def head_items(item_counts: Index) -> Bools:
    """Mark the fewest most popular items that make up half of all interactions: bool [n_items].

    >>> head_items(np.array([1, 5, 2, 2]))
    array([False,  True, False, False])
    """
    order = np.argsort(-item_counts, kind="stable")
    reached = np.cumsum(item_counts[order])
    head = np.zeros(item_counts.size, dtype=np.bool_)
    head[order[: int(np.searchsorted(reached, reached[-1] / 2)) + 1]] = True
    return head


def mean_of(values: Doubles) -> float:
    """Average what is defined; NaN if nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def user_groups(n_met: Index) -> Iterator[tuple[str, Bools]]:
    """Yield the name of each group of users, and who is in it: bool [n_users]."""
    if not n_met.all():
        yield "users: none (no interactions in training)", n_met == 0
    if not n_met.any():
        return
    low, high = np.quantile(n_met[n_met > 0], [1 / 3, 2 / 3], method="inverted_cdf")
    for name, users in (
        ("few", (n_met > 0) & (n_met <= low)),
        ("some", (n_met > low) & (n_met <= high)),
        ("many", n_met > high),
    ):
        if users.any():
            first, last = n_met[users].min(), n_met[users].max()
            bounds = f"{first}–{last}" if first < last else f"{first}"
            yield f"users: {name} ({bounds} interaction{'s' if last > 1 else ''})", users
