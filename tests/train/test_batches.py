"""Every interaction once an epoch, whatever the way and the size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.train.batches import batches_of_interactions, batches_of_users, n_batches_of_users


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
    assert n_batches_of_users(interactions, 9) == 3
    assert n_batches_of_users(interactions, 1) == 6  # no more than users
