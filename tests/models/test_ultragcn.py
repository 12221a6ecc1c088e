"""UltraGCN: its weights by hand, the loss of a batch in dense double precision, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch.nn.functional import softplus

from edgewise.errors import ConfigError
from edgewise.models.ultragcn import UltraGCN, UltraGCNConfig, UltraGCNNet, beta, constraint, item_neighbours
from edgewise.train.objective import RankingObjective

MET = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=np.float32)


def test_beta_by_hand() -> None:
    # Users have 2, 3, 1, 1 and 0 items, items 2, 2, 2 and 1 users: sqrt(d_u + 1) / d_u / sqrt(d_i + 1).
    weights = beta(csr_array(MET), *constraint(csr_array(MET))).toarray()
    np.testing.assert_allclose(weights[0], [np.sqrt(3) / 2 / np.sqrt(3)] * 2 + [0, 0])
    np.testing.assert_allclose(weights[1], [2 / 3 / np.sqrt(3)] * 3 + [0], rtol=1e-6)
    np.testing.assert_allclose(weights[3, 3], 1, rtol=1e-6)
    assert constraint(csr_array(MET))[0][4] == 0


def test_neighbours_of_items_by_hand() -> None:
    # G = [2 2 1 0; 2 2 1 0; 1 1 2 0; 0 0 0 1], g = 5, 5, 4, 1; omega_01 = 2 / (5 - 2) sqrt(5 / 5), omega_02 = 1 / 3 sqrt(5 / 4),
    # omega_20 = omega_21 = 1 / (4 - 2) sqrt(4 / 5); nobody met item 3 together with another.
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 2 / 3
    expected[0, 2] = expected[1, 2] = np.sqrt(5 / 4) / 3
    expected[2, 0] = expected[2, 1] = np.sqrt(4 / 5) / 2
    np.testing.assert_allclose(item_neighbours(csr_array(MET), 3).toarray(), expected, rtol=1e-6)
    nearest = item_neighbours(csr_array(MET), 1)
    assert nearest.indices.tolist() == [1, 0, 0]


def test_a_step_is_the_formula() -> None:
    interactions = csr_array(MET)
    config = UltraGCNConfig(
        embedding_dim=3, n_neighbours=2, neighbour_weight=0.6, constraint_weight=0.8, base_weight=0.1, negative_weight=7.0,
        l2=0.1, n_negatives=3, batch_size=100,
    )  # fmt: skip
    start = np.random.default_rng(1).standard_normal((9, 3)).astype(np.float32)
    objective, net = RankingObjective(interactions, config, 0), UltraGCNNet(interactions, start.copy(), config)
    drawn = next(iter(objective.batches(0)))
    loss = net.loss(objective, drawn)
    loss.backward()  # type: ignore[no-untyped-call]

    x = torch.from_numpy(start).double().requires_grad_()
    near = item_neighbours(interactions, 2).toarray()
    of_users, of_items = MET.sum(axis=1), MET.sum(axis=0)
    expected = 0.1 / 2 * (objective._row_weights.double() @ x.square().sum(dim=1))
    n = MET[drawn.users].sum()
    for user in drawn.users:

        def weight(item: np.integer[Any], user: np.integer[Any] = user) -> float:
            return float(0.1 + 0.8 * np.sqrt(of_users[user] + 1) / of_users[user] / np.sqrt(of_items[item] + 1))

        for item in np.flatnonzero(MET[user]):
            expected = expected + weight(item) * softplus(-x[user] @ x[5 + item]) / n
            for other in range(4):
                expected = expected + 0.6 * near[item, other] * softplus(-x[user] @ x[5 + other]) / n
            for row, log_expected in zip(drawn.negatives, drawn.log_expected, strict=True):
                share = 7.0 / 4 * np.exp(-log_expected) / n  # the mean over all four items, in expectation
                expected = expected + share * weight(row - 5) * softplus(x[user] @ x[row])
    expected.backward()  # type: ignore[no-untyped-call]
    assert net.table.weight.grad is not None
    assert x.grad is not None
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-5)
    np.testing.assert_allclose(net.table.weight.grad, x.grad, atol=1e-6)


def test_other_losses_are_refused() -> None:
    with pytest.raises(ConfigError, match="loss = 'bpr': UltraGCN is a way to weigh 'shared-bce'; leave it out"):
        UltraGCN(loss="bpr")


def test_weights_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="constraint_weight = 0 and base_weight = 0: then no pair counts"):
        UltraGCN(constraint_weight=0, base_weight=0)
