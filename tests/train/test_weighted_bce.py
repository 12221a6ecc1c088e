"""The weighted cross-entropy against its formula in double precision."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import softplus

from edgewise.train import weighted_bce
from edgewise.train.losses import Pairs
from edgewise.train.weighted_bce import _plain, weighted_bce_loss
from edgewise.types import Floats, Index


def _case() -> tuple[Index, csr_array, Index, Floats, Floats, Pairs]:
    rng = np.random.default_rng(1)
    weights = rng.random((4, 15)).astype(np.float32) * (rng.random((4, 15)) < 0.5)
    a, b = rng.random((4, 2)).astype(np.float32), rng.random((6, 2)).astype(np.float32)
    left_out = np.array([0, 2, 2]), np.array([5, 0, 3])
    return np.array([1, 3, 4, 6]), csr_array(weights), np.array([7, 8, 10, 11, 12, 14]), a, b, left_out


@pytest.mark.parametrize("users_at_once", [256, 3])
@pytest.mark.parametrize("loss_of", [weighted_bce_loss, _plain])
def test_loss_and_gradient_equal_the_formula(
    loss_of: Callable[..., Tensor], users_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weighted_bce, "_USERS_AT_ONCE", users_at_once)
    users, wanted, negatives, a, b, left_out = _case()
    table = torch.from_numpy(np.random.default_rng(2).standard_normal((15, 3)).astype(np.float32)).requires_grad_()
    loss = loss_of(table, users, wanted, negatives, a, b, left_out=left_out)
    (3 * loss).backward()  # type: ignore[no-untyped-call]

    exact = table.detach().double().requires_grad_()
    counted = torch.from_numpy(a @ b.T).double()
    counted[left_out] = 0
    scores = exact[users] @ exact.T
    pulled = (torch.from_numpy(wanted.toarray()) * softplus(-scores)).sum()
    expected = pulled + (counted * softplus(scores[:, negatives])).sum()
    (3 * expected).backward()  # type: ignore[no-untyped-call]
    assert table.grad is not None
    assert exact.grad is not None
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-5)
    np.testing.assert_allclose(table.grad, exact.grad, atol=1e-5)


def test_scores_beyond_the_range_of_the_exponential_are_numbers_still() -> None:
    users, wanted, negatives, a, b, left_out = _case()
    table = torch.full((15, 3), 8.0, requires_grad=True)  # scores of 192; e^192 is no float32
    loss = weighted_bce_loss(table, users, wanted, negatives, a, b, left_out=left_out)
    loss.backward()  # type: ignore[no-untyped-call]
    assert table.grad is not None
    assert torch.isfinite(table.grad).all()
