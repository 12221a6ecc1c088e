"""Small ratings without a plan, to hold models against formulas written out densely."""

from typing import Any

import numpy as np
import polars as pl

from edgewise.data import Dataset

N_USERS, N_ITEMS = 9, 7


def random_ratings(seed: int = 0, *, levels: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)) -> Dataset:
    """9 users, 7 items, about 40 ratings; user 8 and item 6 have one each, so that every id is there."""
    rng = np.random.default_rng(seed)
    rated = rng.random((N_USERS, N_ITEMS)) < 0.6
    rated[8], rated[:, 6] = False, False
    rated[8, 6] = True
    users, items = rated.nonzero()
    values = rng.choice(levels, users.size)
    return Dataset.from_events(pl.DataFrame({"user_id": users, "item_id": items, "value": values}))


def sloped_yes_no(n_users: int = 60, n_items: int = 30, seed: int = 0) -> Dataset:
    """Yes and no, whose chance follows from a user and an item: ids "u0"…, values 0 and 1."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 1.5, (n_users, 1)) + rng.normal(0, 1.5, (1, n_items))
    users, items = (rng.random((n_users, n_items)) < 0.7).nonzero()
    yes = rng.random(users.size) < 1 / (1 + np.exp(-log_odds[users, items]))
    rows = {"user_id": [f"u{user}" for user in users], "item_id": items, "value": yes.astype(np.float64)}
    return Dataset.from_events(pl.DataFrame(rows))


ONE_STEP: dict[str, Any] = {
    "epochs": 1, "batch_size": 10_000, "optimiser": "sgd", "schedule": {"name": "constant"}, "learning_rate": 0.5,
}  # fmt: skip
"""One plain gradient step on everything: what is left is start - 0.5 gradient."""
