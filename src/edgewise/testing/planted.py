"""A small data set whose answer is known: groups of users with groups of items, one item of each user held back."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from edgewise.data import Dataset

N_GROUPS = 4
USERS_PER_GROUP = 15
ITEMS_PER_GROUP = 11  # 60 users, 44 items: neither square nor symmetric, so swapped sides cannot pass


@dataclass(frozen=True)
class Planted:
    """The data set and what it hides.

    Attributes:
        train: every user has met all items of the own group but two, and one item of another group.
        withheld: user id to the item of the own group that was held back for this user.
        groups: item id to its group.
    """

    train: Dataset
    withheld: dict[str, int]
    groups: dict[int, int]


def planted_ratings(seed: int = 0) -> Planted:
    """Make a data set of ratings: 4 or 5 for the nine own items that a user met, 1 or 2 for eight items of other groups.

    What a user thinks does not follow from who met what: likes and dislikes are met alike.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, float]] = []
    withheld: dict[str, int] = {}
    for user in range(N_GROUPS * USERS_PER_GROUP):
        group = user % N_GROUPS
        own = group * ITEMS_PER_GROUP + rng.permutation(ITEMS_PER_GROUP)
        others = rng.permutation(np.setdiff1d(np.arange(N_GROUPS * ITEMS_PER_GROUP), own))[:8]
        name = f"u{user:03d}"
        withheld[name] = 1000 + int(own[0])
        rows += [(name, 1000 + int(item), float(rng.integers(4, 6))) for item in own[2:]]
        rows += [(name, 1000 + int(item), float(rng.integers(1, 3))) for item in others]
    return _planted(rows, withheld, rng)


def planted_tastes(seed: int = 0) -> Planted:
    """Make the data set; users have text ids ("u007"), items integers (1000 and up), so that the two cannot be mixed up."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, float]] = []
    withheld: dict[str, int] = {}
    for user in range(N_GROUPS * USERS_PER_GROUP):
        group = user % N_GROUPS
        own = 1000 + group * ITEMS_PER_GROUP + rng.permutation(ITEMS_PER_GROUP)
        other = 1000 + ((group + 1) % N_GROUPS) * ITEMS_PER_GROUP + int(rng.integers(ITEMS_PER_GROUP))
        name = f"u{user:03d}"
        withheld[name] = int(own[0])
        rows += [(name, int(item), 1.0) for item in own[2:]] + [(name, other, 1.0)]
    return _planted(rows, withheld, rng)


def _planted(rows: list[tuple[str, int, float]], withheld: dict[str, int], rng: np.random.Generator) -> Planted:
    order = rng.permutation(len(rows))
    events = pl.DataFrame([rows[place] for place in order], schema=["user_id", "item_id", "value"], orient="row")
    groups = {1000 + item: item // ITEMS_PER_GROUP for item in range(N_GROUPS * ITEMS_PER_GROUP)}
    table = pl.DataFrame(
        {
            "item_id": list(groups),
            "title": [f"Title {item}" for item in groups],
            "genre": [f"genre {group}" for group in groups.values()],
        }
    )
    return Planted(Dataset.from_events(events, item_table=table), withheld, groups)
