"""Leakage: what a training set knows of the answers. A good figure that rests on it is not a good model."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from edgewise.data.dataset import Dataset
from edgewise.data.features import FeatureEncoder
from edgewise.data.split import repeats_of
from edgewise.data.wording import share, time_text

_TWIN_ITEMS = 10
"""Two histories of this many items or more that are the same to the last are hardly two people."""

_EXAMPLES = 3


@dataclass(frozen=True)
class Leak:
    """One way in which training knows of test.

    Attributes:
        kind: "same-pair", "future-training", "features" or, a hint rather than a proof, "twin-users".
        count: how many pairs, training events, feature transforms or users.
        text: what leaks, how much of it, and what to do, for people.
    """

    kind: str
    count: int
    text: str


def check_leakage(train: Dataset, test: Dataset, *, features: Iterable[FeatureEncoder] = ()) -> list[Leak]:
    """Name what leaks from test into training; an empty list where nothing does.

    Args:
        train, test: as split, or as read from two files.
        features: the transforms in use; each has to be fitted on this very training set.

    Raises:
        IdTypeError: if ids are text in one and integers in the other.
    """
    repeats = pl.Series(repeats_of(train, test))
    found = [
        _same_pairs(test, repeats) if repeats.any() else None,
        _future_training(train, test),
        _foreign_features(train, features),
        None if repeats.all() else _twin_users(train, test.subset(~repeats) if repeats.any() else test),
    ]
    return [leak for leak in found if leak is not None]


def _same_pairs(test: Dataset, repeats: pl.Series) -> Leak:
    pairs = test.subset(repeats).to_frame().select("user_id", "item_id").unique(maintain_order=True)
    n_test = test.interactions.nnz
    examples = ", ".join(f"user {user} with item {item}" for user, item in pairs.head(_EXAMPLES).iter_rows())
    return Leak(
        "same-pair",
        pairs.height,
        f"{pairs.height:,} of {n_test:,} test pairs ({share(pairs.height, n_test)}) are in the training data too, such as {examples}. "
        "Leave them out of one side: what a model has seen, it need not find.",
    )


def _future_training(train: Dataset, test: Dataset) -> Leak | None:
    """Training events later than the first test event: the model learns from what follows the question."""
    if not (train.has_times and test.has_times):
        return None
    first = test.events["timestamp"].min()
    late = int((train.events["timestamp"] > first).sum())
    if not late or not isinstance(first, int):
        return None
    # Events are in time order, so of several assignments to one user the last one written is the one wanted.
    last_of_user = np.full(train.n_users + 1, np.iinfo(np.int64).min)  # the last place stays for those unknown, -1
    last_of_user[train.events["user_index"].to_numpy()] = train.events["timestamp"].to_numpy()
    first_of_user = np.full(test.n_users, np.iinfo(np.int64).max)
    first_of_user[test.events["user_index"].to_numpy()[::-1]] = test.events["timestamp"].to_numpy()[::-1]
    own = int((last_of_user[train.users.index_of(test.users.ids)] > first_of_user).sum())
    return Leak(
        "future-training",
        late,
        f"{late:,} of {train.n_events:,} training events ({share(late, train.n_events)}) are later than the first test event "
        f"({time_text(first)}); {own:,} of {test.events['user_index'].n_unique():,} test users have such events of their own after "
        "their first test event. In use nobody knows the future: a split by time shows what to expect there.",
    )


def _foreign_features(train: Dataset, features: Iterable[FeatureEncoder]) -> Leak | None:
    foreign = [encoder for encoder in features if encoder.fitted_on != train.fingerprint]
    if not foreign:
        return None
    keys = ", ".join(sorted({encoder.key for encoder in foreign}))
    return Leak(
        "features",
        len(foreign),
        f"the features by {keys} were fitted on other data (fingerprint {foreign[0].fitted_on[:8] or 'unknown'}…) than this training "
        f"set ({train.fingerprint[:8]}…), perhaps on all of it. Fit them on the training part alone.",
    )


def _twin_users(train: Dataset, test: Dataset) -> Leak | None:
    """Users with the same items to the last, training and test taken together: one may give the other's answers away."""
    parts = pl.concat([_histories(train, tested=False), _histories(test, tested=True)])
    histories = parts.group_by("user_id").agg(pl.col("n", "items").sum(), pl.col("tested").any())
    groups = histories.filter(pl.col("n") >= _TWIN_ITEMS).group_by("n", "items")
    twins = groups.agg(pl.col("user_id").sort(), pl.col("tested").any())
    twins = twins.filter((pl.col("user_id").list.len() > 1) & pl.col("tested")).sort(pl.col("user_id").list.first())
    if twins.is_empty():
        return None
    count = int(twins["user_id"].list.len().sum())
    one, other = twins["user_id"][0][:2]
    return Leak(
        "twin-users",
        count,
        f"Hint: {count:,} users have a twin with the same whole history, {twins['n'][0]} items in the case of {one} and {other}. "
        "If they are one person under two ids, training may hold what test asks; merge them before the split.",
    )


def _histories(dataset: Dataset, *, tested: bool) -> pl.DataFrame:
    """Sum up each user's items: user_id, n of them, the sum of their 64-bit hashes, and `tested` as given.

    Equal sets have equal sums, also when both are in parts; that two others of one size do is a chance of 2^-64.
    """
    seen = dataset.interactions
    hashes = dataset.items.ids.hash().to_numpy()
    running = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(hashes[seen.indices])])
    sums = running[seen.indptr[1:]] - running[seen.indptr[:-1]]  # modulo 2^64, as all sums here
    counts = np.diff(seen.indptr).astype(np.int64)
    frame = pl.DataFrame({"user_id": dataset.users.ids, "n": counts, "items": sums, "tested": tested})
    return frame.filter(pl.col("n") > 0)
