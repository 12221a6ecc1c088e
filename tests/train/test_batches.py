"""Every interaction once an epoch, whatever the way and the size; and negatives as often as they should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.train.batches import batches_of_interactions, batches_of_users
from edgewise.train.negatives import ItemSampler


def _interactions(n_users: int, n_items: int, seed: int) -> csr_array:
    met = np.random.default_rng(seed).random((n_users, n_items)) < 0.3
    met[0, 0] = True
    return csr_array(met.astype(np.float32))


@pytest.mark.parametrize("make", [batches_of_interactions, batches_of_users])
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
def test_an_epoch_holds_every_interaction_once(make, n_users, n_items, batch_size, seed):  # type: ignore[no-untyped-def]
    interactions = _interactions(n_users, n_items, seed)
    batches = list(make(interactions, batch_size, np.random.default_rng(seed)))
    pairs = [(int(user), int(item)) for b in batches for user, item in zip(b.users[b.owner], b.items, strict=True)]
    assert sorted(pairs) == sorted(zip(*(side.tolist() for side in interactions.nonzero()), strict=True))
    assert sum(map(len, batches)) == interactions.nnz
    for batch in batches:
        assert np.array_equal(batch.users, np.unique(batch.users))
        assert np.array_equal(np.unique(batch.owner), np.arange(batch.users.size))
        assert (np.diff(batch.owner) >= 0).all()


def test_both_ways_take_as_many_steps_and_a_user_stays_whole() -> None:
    interactions = csr_array(np.ones((6, 4), dtype=np.float32))  # 24 interactions
    rng = np.random.default_rng(0)
    assert [len(batch) for batch in batches_of_interactions(interactions, 9, rng)] == [9, 9, 6]
    assert [len(batch) for batch in batches_of_users(interactions, 9, rng)] == [8, 8, 8]


def test_negatives_follow_popularity_to_the_power() -> None:
    counts = np.array([1, 4, 0, 16])
    # Roots 1, 2, 0, 4: probabilities 1/7, 2/7, 0, 4/7.
    sampler = ItemSampler(counts, 0.5)
    np.testing.assert_allclose(sampler.probability, [1 / 7, 2 / 7, 0, 4 / 7])
    drawn = np.bincount(sampler.draw(70_000, np.random.default_rng(0)), minlength=4)
    np.testing.assert_allclose(drawn, [10_000, 20_000, 0, 40_000], rtol=0.03)
    np.testing.assert_allclose(sampler.log_expected(np.array([0, 3])), np.log([2 / 7, 8 / 7]), rtol=1e-6)


def test_power_zero_is_uniform_over_what_was_met() -> None:
    assert ItemSampler(np.array([9, 0, 1]), 0.0).probability.tolist() == [0.5, 0.0, 0.5]


def test_a_negative_power_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"power of popularity is -1; expected a number >= 0"):
        ItemSampler(np.array([1]), -1)


def test_shared_negatives_are_all_items_once_where_there_are_no_more() -> None:
    sampler = ItemSampler(np.array([3, 0, 1, 2]), 0.5)
    items, log_expected = sampler.draw_shared(3, np.random.default_rng(0))
    assert items.tolist() == [0, 2, 3]  # nobody met item 1
    assert log_expected.tolist() == [0, 0, 0]
    drawn, expected = sampler.draw_shared(2, np.random.default_rng(0))
    np.testing.assert_allclose(expected, np.log(2 * sampler.probability[drawn]), rtol=1e-6)
