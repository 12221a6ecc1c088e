"""One seed, one result: models whose batches are large enough for torch to share among threads give the same bits on one and two."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from edgewise.data import Dataset
from edgewise.models import build


@pytest.fixture(scope="module")
def ratings() -> Dataset:
    """Twenty thousand ratings of few items by few people, so that many of a batch are of the same row."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation(300 * 100)[:20_000]
    rows = {"user_id": pairs // 100, "item_id": pairs % 100, "value": rng.integers(1, 6, pairs.size).astype(float)}
    return Dataset.from_events(pl.DataFrame(rows))


@pytest.mark.parametrize(
    ("name", "settings"), [("mf", {"embedding_dim": 32}), ("gc-mc", {"output_dim": 32}), ("neumf", {"mlp_dim": 32})]
)
def test_ratings_are_learnt_to_the_same_bits(ratings: Dataset, name: str, settings: dict[str, Any]) -> None:
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            model = build(name, {"epochs": 1, "batch_size": 10_000, **settings}, seed=0).fit(ratings)
            found.append([np.asarray(getattr(model, part)) for part in model.STATE])
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
