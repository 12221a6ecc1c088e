"""Leakage: what a training set knows of the answers. A good figure that rests on it is not a good model."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from edgewise.data.clean import share, time_text
from edgewise.data.dataset import Dataset
from edgewise.data.features import FeatureEncoder
from edgewise.data.split import repeats_of

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
    found = [_same_pairs(train, test), _future_training(train, test), _foreign_features(train, features)]
    return [leak for leak in (*found, _twin_users(train, test)) if leak is not None]


def _same_pairs(train: Dataset, test: Dataset) -> Leak | None:
    repeated = test.to_frame().filter(pl.Series(repeats_of(train, test))).select("user_id", "item_id")
    pairs = repeated.unique(maintain_order=True)
    if pairs.is_empty():
        return None
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
    first_of_user = test.to_frame().group_by("user_id").agg(pl.col("timestamp").min().alias("first"))
    last_of_user = train.to_frame().group_by("user_id").agg(pl.col("timestamp").max().alias("last"))
    both = first_of_user.join(last_of_user, on="user_id")
    own = int((both["last"] > both["first"]).sum())
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
    pairs = pl.concat([part.to_frame().select("user_id", "item_id") for part in (train, test)]).unique()
    # Equal sets have equal sums of item hashes; that unequal ones of one size do is a chance of 2^-64 a pair.
    histories = pairs.group_by("user_id").agg(pl.len().alias("n"), pl.col("item_id").hash().sum().alias("items"))
    tested = histories["user_id"].is_in(test.to_frame()["user_id"].unique().implode())
    histories = histories.with_columns(tested=tested).filter(pl.col("n") >= _TWIN_ITEMS)
    twins = histories.group_by("n", "items").agg(pl.col("user_id").sort(), pl.col("tested").any())
    twins = twins.filter((pl.col("user_id").list.len() > 1) & pl.col("tested")).sort(pl.col("user_id").list.first())
    if twins.is_empty():
        return None
    count = int(twins["user_id"].list.len().sum())
    first = twins["user_id"][0]
    return Leak(
        "twin-users",
        count,
        f"Hint: {count:,} users share their whole history with another, {twins['n'][0]} items in the case of {first[0]} and {first[1]}. "
        "If they are one person under two ids, training may hold what test asks; merge them before the split.",
    )
