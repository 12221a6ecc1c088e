"""bpr."""

import numpy as np

from edgewise.models.bpr import BPR
from edgewise.testing.planted import planted_tastes
from tests.models.random_data import random_dataset


def test_what_was_met_ranks_above_what_was_not() -> None:
    data = planted_tastes().train
    met = data.interactions.toarray() > 0
    scores = BPR(embedding_dim=8).fit(data).score_block(np.arange(data.n_users))
    above = [(row[seen][:, None] > row[~seen]).mean() for row, seen in zip(scores, met, strict=True)]
    assert np.mean(above) > 0.95


def test_the_bias_is_the_last_number_and_takes_no_part_in_likeness() -> None:
    model = BPR(embedding_dim=8).fit(random_dataset())
    assert model.items.shape == (28, 9)
    np.testing.assert_array_equal(model.users[:, -1], 1)
    before = model.similarity_block(np.array([3]))
    model.items = model.items.copy()
    model.items[:, -1] += 100
    np.testing.assert_array_equal(model.similarity_block(np.array([3])), before)


def test_one_seed_one_result_and_another_seed_another() -> None:
    first, again, other = (BPR(embedding_dim=8, seed=seed).fit(random_dataset()) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.items, again.items)
    assert not np.array_equal(first.items, other.items)


def test_unordered_updates_are_a_choice() -> None:
    model = BPR(embedding_dim=8, deterministic=False).fit(random_dataset())
    assert np.isfinite(model.score_block(np.arange(35))).all()
