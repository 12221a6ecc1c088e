"""Losses against the formulas written out in float64, and gradients against torch's own for the same formula."""

from typing import Any

import numpy as np
import pytest
import torch

from edgewise.train.losses import (
    Pairs,
    alignment_uniformity_loss,
    bce_loss,
    bpr_loss,
    cosine_contrastive_loss,
    hardest,
)
from edgewise.train.penalties import l1_penalty, l2_penalty
from edgewise.train.sampled_softmax import plain_sampled_softmax_loss, sampled_softmax_loss
from edgewise.types import Doubles, Floats, Index


def _table(n_rows: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).standard_normal((n_rows, width)), dtype=dtype, requires_grad=True)


def _gradient(loss: torch.Tensor, table: torch.Tensor) -> Doubles:
    loss.backward()  # type: ignore[no-untyped-call]
    assert table.grad is not None
    return table.grad.numpy().astype(np.float64)


def _rows(*rows: int) -> Index:
    return np.array(rows, dtype=np.int64)


def test_bpr_by_hand() -> None:
    # One user [1], an item [2], negatives [0.5] and [3]: margins 1.5 and -1, losses log(1 + e^-1.5), log(1 + e).
    table = torch.tensor([[1.0], [2.0], [0.5], [3.0]])
    one = bpr_loss(table, _rows(0), _rows(1), _rows(2)[:, None])
    assert float(one) == pytest.approx(0.20141, abs=1e-5)
    both = bpr_loss(table, _rows(0), _rows(1), _rows(2, 3)[None])
    assert float(both) == pytest.approx((0.20141 + 1.31326) / 2, abs=1e-5)


def test_bce_by_hand() -> None:
    # Scores 2 for the item, 0.5 and 3 for negatives: log(1 + e^-2), log(1 + e^0.5), log(1 + e^3), over 3.
    table = torch.tensor([[1.0], [2.0], [0.5], [3.0]])
    loss = bce_loss(table, _rows(0), _rows(1), _rows(2, 3)[None])
    assert float(loss) == pytest.approx((0.126928 + 0.974077 + 3.048587) / 3, abs=1e-5)


def test_the_hardest_are_those_that_score_highest() -> None:
    table = torch.tensor([[1.0], [-1.0], [2.0], [0.5], [3.0]])
    candidates = np.array([[2, 3, 4], [2, 3, 4]])
    assert hardest(table, _rows(0, 1), candidates, 1).tolist() == [[4], [3]]
    assert hardest(table, _rows(0, 1), candidates, 2).tolist() == [[4, 2], [3, 2]]


def test_cosine_contrastive_by_hand() -> None:
    # User [2, 0] with items [3, 3] (cosine 0.7071) and [1, 0] (1); negatives [0, 5] (0) and [1, 0] (1), beyond 0.4 by 0 and 0.6.
    # Mean of 1 - cosine: 0.14645; of the negatives 0.3, with weight 10: 3.
    table = torch.tensor([[2.0, 0.0], [3.0, 3.0], [0.0, 5.0], [1.0, 0.0]])
    arguments = (table, _rows(0), _rows(0, 0), _rows(1, 3), _rows(2, 3), np.ones(2, dtype=np.float32))
    loss = cosine_contrastive_loss(*arguments, margin=0.4, negative_weight=10.0)
    assert float(loss) == pytest.approx(0.14645 + 3.0, abs=1e-4)
    known = (_rows(0), _rows(0))  # the user knows the first negative, and the mean is over the other
    without = cosine_contrastive_loss(*arguments, margin=0.4, negative_weight=10.0, left_out=known)
    assert float(without) == pytest.approx(0.14645 + 6.0, abs=1e-4)
    thrice = (*arguments[:-1], np.array([1, 3], dtype=np.float32))  # the second was drawn three times
    assert float(cosine_contrastive_loss(*thrice, margin=0.4, negative_weight=10.0)) == pytest.approx(
        0.14645 + 4.5, abs=1e-4
    )


def test_alignment_and_uniformity_by_hand() -> None:
    # Users [1, 0] and [0, 1] with items [1, 0] and [1, 1]: squared distances 0 and 2 - sqrt 2 = 0.58579, mean 0.29289.
    # Uniformity of users: -2 * 2 = -4; of items: -2 * 0.58579 = -1.17157; half the sum -2.58579, with weight 0.5 -1.29289.
    table = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0], [1.0, 1.0]])
    loss = alignment_uniformity_loss(table, _rows(0, 1), _rows(2, 3), _rows(0, 1), 0.5)
    assert float(loss) == pytest.approx(0.29289 - 1.29289, abs=1e-4)


def test_the_penalty_is_half_the_weighted_squares_and_so_is_its_gradient() -> None:
    # 1/2 (2 * (1 + 4) + 0.5 * 9) = 7.25; the gradient is w_i x_i.
    x = torch.tensor([[1.0, 2.0], [3.0, 0.0]], requires_grad=True)
    penalty = l2_penalty(x, torch.tensor([2.0, 0.5]))
    assert float(penalty.detach()) == pytest.approx(7.25)
    assert _gradient(penalty, x).tolist() == [[2.0, 4.0], [1.5, 0.0]]


def test_the_absolute_penalty_and_its_gradient() -> None:
    # 2 * (1 + 2) + 0.5 * 3 = 7.5; the gradient is w_i times the sign.
    x = torch.tensor([[1.0, -2.0], [3.0, 0.0]], requires_grad=True)
    penalty = l1_penalty(x, torch.tensor([2.0, 0.5]))
    assert float(penalty.detach()) == pytest.approx(7.5)
    assert _gradient(penalty, x).tolist() == [[2.0, -2.0], [0.5, 0.0]]


def _plain_softmax(
    table: torch.Tensor,
    users: Index,
    owner: Index,
    items: Index,
    negatives: Index,
    log_expected: Floats,
    *,
    left_out: Pairs,
) -> torch.Tensor:
    shared = table[torch.from_numpy(users)] @ table[torch.from_numpy(negatives)].T - torch.from_numpy(log_expected)
    shared = shared.index_put(
        [torch.from_numpy(part) for part in left_out], torch.tensor(-torch.inf, dtype=shared.dtype)
    )
    log_total = shared.logsumexp(dim=1)[torch.from_numpy(owner)]
    mine = (table[torch.from_numpy(users[owner])] * table[torch.from_numpy(items)]).sum(dim=1)
    return torch.nn.functional.softplus(log_total - mine).mean()


def _question(n_users: int, n_left_out: int) -> tuple[int, Index, Index, Index, Index, Floats, Pairs]:
    """A batch with random pairs that do not count; the first is the number of rows."""
    rng = np.random.default_rng(1)
    n_items = 40
    users = np.sort(rng.permutation(n_users + 5)[:n_users]).astype(np.int64)
    owner = np.sort(rng.integers(0, n_users, 4 * n_users)).astype(np.int64)
    items = n_users + 5 + rng.integers(0, n_items, owner.size)
    negatives = n_users + 5 + np.sort(rng.permutation(n_items)[:25])  # with known items among them
    log_expected = rng.normal(size=25).astype(np.float32)
    left_out = np.sort(rng.integers(0, n_users, n_left_out)), rng.integers(0, 25, n_left_out)
    return n_users + 5 + n_items, users, owner, items, negatives, log_expected, left_out


@pytest.mark.parametrize("form", [sampled_softmax_loss, plain_sampled_softmax_loss])
@pytest.mark.parametrize(("n_users", "n_left_out"), [(3, 0), (600, 0), (600, 4000)])  # 600: more than at once
def test_sampled_softmax_equals_the_formula_and_its_gradient(form: Any, n_users: int, n_left_out: int) -> None:
    arguments: Any
    n_rows, *arguments, left_out = _question(n_users, n_left_out)
    table, exact = _table(n_rows, 8), _table(n_rows, 8, torch.float64)
    found, expected = form(table, *arguments, left_out=left_out), _plain_softmax(exact, *arguments, left_out=left_out)

    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    np.testing.assert_allclose(_gradient(2 * found, table), _gradient(2 * expected, exact), atol=2e-6)


def test_a_user_who_knows_all_negatives_costs_nothing() -> None:
    table = _table(4, 2)
    everything = _rows(0, 0), _rows(0, 1)
    zeros = np.zeros(2, dtype=np.float32)
    loss = sampled_softmax_loss(table, _rows(0), _rows(0), _rows(1), _rows(2, 3), zeros, left_out=everything)
    assert float(loss.detach()) == 0
    assert (_gradient(loss, table) == 0).all()


def test_bfloat16_is_near_and_sums_stay_exact() -> None:
    arguments: Any
    n_rows, *arguments, left_out = _question(600, 100)
    exact, rounded = _table(n_rows, 8), _table(n_rows, 8)
    expected = sampled_softmax_loss(exact, *arguments, left_out=left_out)
    found = sampled_softmax_loss(rounded, *arguments, left_out=left_out, precision=torch.bfloat16)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-2)
    one, other = _gradient(expected, exact), _gradient(found, rounded)
    assert np.linalg.norm(one - other) < 0.02 * np.linalg.norm(one)
    assert not np.array_equal(one, other)


def test_negatives_that_are_all_items_make_a_plain_softmax_but_for_the_item_itself() -> None:
    # Scores of user [1] for items [0, log 2]: Z = 1 + 2 = 3. For the second, -log(2 / (2 + 3)) = log 2.5.
    table = torch.tensor([[1.0], [0.0], [np.log(2)]], dtype=torch.float32)
    one = np.array([0], dtype=np.int64)
    loss = sampled_softmax_loss(table, one, one, np.array([2]), np.array([1, 2]), np.zeros(2, dtype=np.float32))
    assert float(loss) == pytest.approx(np.log(2.5), rel=1e-5)


def test_the_number_of_threads_changes_no_bit_of_a_gradient() -> None:
    rng = np.random.default_rng(2)
    owner = np.repeat(np.arange(700), 5)
    items, negatives = 700 + rng.integers(0, 50, owner.size), np.arange(700, 750)
    log_expected = np.zeros(50, dtype=np.float32)

    def gradients() -> list[Doubles]:
        first, second = _table(750, 16), _table(750, 16)
        shared = sampled_softmax_loss(first, np.arange(700), owner, items, negatives, log_expected)
        return [_gradient(shared, first), _gradient(bpr_loss(second, owner, items, items[::-1, None].copy()), second)]

    usual, before = gradients(), torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        for one, other in zip(gradients(), usual, strict=True):
            assert np.array_equal(one, other)
    finally:
        torch.set_num_threads(before)
