"""The contrast of two views against its formula in double precision, and which nodes are contrasted."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from edgewise.train.contrast import contrastive_loss, nodes_to_contrast
from edgewise.train.objective import Drawn


def test_loss_and_gradient_equal_the_formula() -> None:
    views = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 9, 4)).astype(np.float32)).requires_grad_()
    loss = contrastive_loss(views[0], views[1], 0.3)
    loss.backward()  # type: ignore[no-untyped-call]

    exact = views.detach().double().requires_grad_()
    cosines = normalize(exact[0], dim=1) @ normalize(exact[1], dim=1).T
    expected = cross_entropy(cosines / 0.3, torch.arange(9))
    expected.backward()  # type: ignore[no-untyped-call]
    assert views.grad is not None
    assert exact.grad is not None
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-5)
    np.testing.assert_allclose(views.grad, exact.grad, atol=1e-6)


def test_by_hand_two_nodes_that_point_apart() -> None:
    # Cosines 1 on the diagonal, 0 beside it, over 0.5: -log(e^2 / (e^2 + 1)).
    axes = torch.eye(2) * torch.tensor([[3.0], [0.5]])
    np.testing.assert_allclose(contrastive_loss(axes, torch.eye(2), 0.5).item(), np.log(1 + np.exp(-2)), rtol=1e-6)


def test_a_node_alone_costs_nothing() -> None:
    one = torch.ones(1, 3, requires_grad=True)
    loss = contrastive_loss(one, 2 * one, 0.2)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert one.grad is not None
    assert not one.grad.any()


def test_nodes_are_distinct_and_no_more_than_asked_for() -> None:
    items = np.array([9, 9, 8, 7, 9])
    drawn = Drawn(np.array([1, 4]), np.array([0, 0, 0, 1, 1]), items, np.array([6]), np.zeros(1, dtype=np.float32))
    torch.manual_seed(0)
    users, some = nodes_to_contrast(drawn, 2)
    assert users.tolist() == [1, 4]
    assert np.unique(some).size == 2
    assert set(some) < {7, 8, 9}
    assert nodes_to_contrast(drawn, 3)[1].tolist() == [7, 8, 9]
