"""A new order changes places and nothing else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.graph.reorder import Order


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 99))
def test_there_and_back(n_users: int, n_items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    met = (rng.random((n_users, n_items)) < 0.4).astype(np.float32)  # rows and columns of zeros too
    order = Order.by_neighbours(csr_array(met))
    found = order.apply(csr_array(met))
    assert found.has_sorted_indices
    assert np.array_equal(found.toarray(), met[order.users][:, order.items])
    users, items = (rng.random((n, 2), dtype=np.float32) for n in (n_users, n_items))
    back = order.undo(users[order.users], items[order.items])
    assert np.array_equal(back[0], users)
    assert np.array_equal(back[1], items)


def test_neighbours_come_together() -> None:
    # Two groups that share nothing, interleaved: in the new order each group stands in one piece.
    met = np.zeros((20, 20), dtype=np.float32)
    for group in (0, 1):
        met[group::2, group::2] = 1
    found = Order.by_neighbours(csr_array(met))
    for side in (found.users, found.items):
        assert np.count_nonzero(np.diff(side % 2)) == 1
