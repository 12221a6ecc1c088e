"""Losses against the formulas written out in float64, and gradients against torch's own for the same formula."""

import numpy as np
import pytest
import torch

from edgewise.train.losses import bpr_loss, l2_penalty, sampled_softmax_loss
from edgewise.types import Doubles, Floats, Index


def _table(n_rows: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).standard_normal((n_rows, width)), dtype=dtype, requires_grad=True)


def _gradient(loss: torch.Tensor, table: torch.Tensor) -> Doubles:
    loss.backward()  # type: ignore[no-untyped-call]
    assert table.grad is not None
    return table.grad.numpy().astype(np.float64)


def test_bpr_by_hand() -> None:
    # One user [1], an item [2], a negative [0.5]: the margin is 1.5, the loss log(1 + e^-1.5) = 0.2014.
    table = torch.tensor([[1.0], [2.0], [0.5]])
    [zero], [one], [two] = np.array([[0], [1], [2]], dtype=np.int64)[:, None]
    assert float(bpr_loss(table, zero, one, two)) == pytest.approx(0.20141, abs=1e-5)


def test_the_penalty_is_half_the_weighted_squares_and_so_is_its_gradient() -> None:
    # 1/2 (2 * (1 + 4) + 0.5 * 9) = 7.25; the gradient is w_i x_i.
    x = torch.tensor([[1.0, 2.0], [3.0, 0.0]], requires_grad=True)
    penalty = l2_penalty(x, torch.tensor([2.0, 0.5]))
    assert float(penalty.detach()) == pytest.approx(7.25)
    assert _gradient(penalty, x).tolist() == [[2.0, 4.0], [1.5, 0.0]]


def _plain_softmax(
    table: torch.Tensor, users: Index, owner: Index, items: Index, negatives: Index, log_expected: Floats
) -> torch.Tensor:
    shared = table[torch.from_numpy(users)] @ table[torch.from_numpy(negatives)].T - torch.from_numpy(log_expected)
    log_total = shared.logsumexp(dim=1)[torch.from_numpy(owner)]
    mine = (table[torch.from_numpy(users[owner])] * table[torch.from_numpy(items)]).sum(dim=1)
    return torch.nn.functional.softplus(log_total - mine).mean()


@pytest.mark.parametrize("n_users", [3, 600])  # 600: more than are scored at once
def test_sampled_softmax_equals_the_formula_and_its_gradient(n_users: int) -> None:
    rng = np.random.default_rng(1)
    n_items, width = 40, 8
    users = np.sort(rng.permutation(n_users + 5)[:n_users]).astype(np.int64)
    owner = np.sort(rng.integers(0, n_users, 4 * n_users)).astype(np.int64)
    items = n_users + 5 + rng.integers(0, n_items, owner.size)
    negatives = n_users + 5 + rng.integers(0, n_items, 25)  # with repetitions, and known items among them
    log_expected = rng.normal(size=25).astype(np.float32)
    arguments = (users, owner, items, negatives, log_expected)

    table = _table(n_users + 5 + n_items, width)
    exact = _table(n_users + 5 + n_items, width, torch.float64)
    found, expected = sampled_softmax_loss(table, *arguments), _plain_softmax(exact, *arguments)

    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    np.testing.assert_allclose(_gradient(2 * found, table), _gradient(2 * expected, exact), atol=2e-6)


def test_negatives_that_are_all_items_make_a_plain_softmax_but_for_the_item_itself() -> None:
    # Scores of user [1] for items [0, log 2]: Z = 1 + 2 = 3. For the second, -log(2 / (2 + 3)) = log 2.5.
    table = torch.tensor([[1.0], [0.0], [np.log(2)]], dtype=torch.float32)
    one = np.array([0], dtype=np.int64)
    loss = sampled_softmax_loss(table, one, one, np.array([2]), np.array([1, 2]), np.zeros(2, dtype=np.float32))
    assert float(loss) == pytest.approx(np.log(2.5), rel=1e-5)


def test_the_number_of_threads_changes_no_bit_of_a_gradient() -> None:
    rng = np.random.default_rng(2)
    owner = np.repeat(np.arange(700), 5)
    items, negatives = 700 + rng.integers(0, 50, owner.size), 700 + rng.integers(0, 50, 300)
    log_expected = np.zeros(300, dtype=np.float32)

    def gradients() -> list[Doubles]:
        first, second = _table(750, 16), _table(750, 16)
        shared = sampled_softmax_loss(first, np.arange(700), owner, items, negatives, log_expected)
        return [_gradient(shared, first), _gradient(bpr_loss(second, owner, items, items[::-1].copy()), second)]

    usual, before = gradients(), torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        for one, other in zip(gradients(), usual, strict=True):
            assert np.array_equal(one, other)
    finally:
        torch.set_num_threads(before)
