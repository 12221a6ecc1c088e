"""What is held out, and the metric on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.train.validation import hold_out, validation_ndcg


@given(st.floats(0, 0.9), st.integers(0, 99))
def test_parts_add_up_and_nobody_loses_everything(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    interactions = csr_array((rng.random((20, 15)) < 0.4).astype(np.float32))
    kept, held = hold_out(interactions, share, rng)
    assert (kept + held != interactions).nnz == 0
    assert kept.nnz + held.nnz == interactions.nnz
    assert (np.diff(kept.indptr) > 0).tolist() == (np.diff(interactions.indptr) > 0).tolist()
    assert kept.has_sorted_indices
    assert held.has_sorted_indices


def test_the_share_holds_on_average() -> None:
    interactions = csr_array(np.ones((2000, 7), dtype=np.float32))
    _, held = hold_out(interactions, 0.1, np.random.default_rng(0))
    assert held.nnz == pytest.approx(1400, rel=0.05)


def test_the_metric_by_hand() -> None:
    # Seen items stay out, so the lists are: user 0: items 1, 2; user 1: items 2, 1. Held out: item 1 for both,
    # at places 1 and 2: NDCG 1 and 1 / log2(3) = 0.6309.
    users, items = np.eye(2, dtype=np.float32), np.array([[9, 9], [2, 1], [1, 2]], dtype=np.float32)
    seen = csr_array(np.array([[1, 0, 0], [1, 0, 0]], dtype=np.float32))
    held_out = csr_array(np.array([[0, 1, 0], [0, 1, 0]], dtype=np.float32))
    measure = validation_ndcg(lambda: (users, items), seen, held_out, 2, 100, np.random.default_rng(0))
    assert measure() == pytest.approx((1 + 1 / np.log2(3)) / 2)
