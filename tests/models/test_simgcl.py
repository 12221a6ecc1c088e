"""SimGCL and XSimGCL: the loss of a batch and its gradient in dense double precision, and what they refuse."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, softplus

from edgewise.errors import ConfigError
from edgewise.graph.perturbation import perturb
from edgewise.models.simgcl import SimGCL, SimGCLConfig, SimGCLNet
from edgewise.models.xsimgcl import XSimGCL, XSimGCLConfig, XSimGCLNet
from edgewise.testing.planted import planted_tastes
from edgewise.train.contrast import draw_seed
from edgewise.train.objective import Drawn, RankingObjective
from tests.train.pieces import fit_in_pieces

N_USERS, N_ITEMS = 7, 5
SETTINGS: dict[str, Any] = {"embedding_dim": 3, "n_layers": 2, "loss": "sampled-softmax", "l2": 0.1, "n_negatives": 4}


def _interactions() -> csr_array:
    met = np.random.default_rng(3).random((N_USERS, N_ITEMS)) < 0.5
    met[np.arange(N_USERS), np.arange(N_USERS) % N_ITEMS] = True
    return csr_array(met.astype(np.float32))


def _operator(interactions: csr_array) -> Tensor:
    dense = interactions.toarray().astype(np.float64)
    adjacency = np.block([[np.zeros((N_USERS, N_USERS)), dense], [dense.T, np.zeros((N_ITEMS, N_ITEMS))]])
    root = np.diag(adjacency.sum(axis=1) ** -0.5)
    return torch.from_numpy(root @ adjacency @ root)


def _noisy_layers(a: Tensor, x: Tensor, noise: float, seed: int) -> list[Tensor]:
    """The layers with the noise that the kernel draws, a constant to the gradient."""
    layers = [x]
    for number in (1, 2):
        product = a @ layers[-1]
        moved = product.detach().float().numpy().copy()
        perturb(moved, np.arange(moved.shape[0]), noise, seed + number)
        layers.append(product + (torch.from_numpy(moved).double() - product.detach()))
    return layers


def _ranking(z: Tensor, x: Tensor, drawn: Drawn, objective: RankingObjective) -> Tensor:
    """The sampled softmax and the penalty, written out."""
    chosen = (z[drawn.users[drawn.owner]] * z[drawn.items]).sum(dim=1)
    others = z[drawn.users] @ z[drawn.negatives].T - torch.from_numpy(drawn.log_expected)
    loss = softplus(torch.logsumexp(others, dim=1)[drawn.owner] - chosen).mean()
    return loss + 0.1 / 2 * (objective._row_weights.double() @ x.square().sum(dim=1))


def _info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    cosines = normalize(first, dim=1) @ normalize(second, dim=1).T
    return cross_entropy(cosines / temperature, torch.arange(first.shape[0]))


def test_a_step_of_xsimgcl_is_the_formula() -> None:
    interactions = _interactions()
    config = XSimGCLConfig(**SETTINGS, noise=0.2, contrast_layer=1, contrast_weight=0.7, contrast_temperature=0.3)
    start = np.random.default_rng(1).standard_normal((N_USERS + N_ITEMS, 3)).astype(np.float32)
    net, objective = XSimGCLNet(interactions, start.copy(), config), RankingObjective(interactions, config, 0)
    drawn = next(iter(objective.batches(0)))
    torch.manual_seed(5)
    loss = net.loss(objective, drawn)
    loss.backward()  # type: ignore[no-untyped-call]

    torch.manual_seed(5)
    x = torch.from_numpy(start).double().requires_grad_()
    layers = _noisy_layers(_operator(interactions), x, 0.2, draw_seed())
    final = (layers[0] + layers[1] + layers[2]) / 3
    expected = _ranking(final, x, drawn, objective)
    for nodes in (drawn.users, np.unique(drawn.items)):
        expected = expected + 0.7 * _info_nce(layers[1][nodes], final[nodes], 0.3)
    expected.backward()  # type: ignore[no-untyped-call]
    assert net.table.weight.grad is not None
    assert x.grad is not None
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-5)
    np.testing.assert_allclose(net.table.weight.grad, x.grad, atol=1e-5)


def test_a_step_of_simgcl_is_the_formula() -> None:
    interactions = _interactions()
    config = SimGCLConfig(**SETTINGS, noise=0.2, contrast_weight=0.7, contrast_temperature=0.3, skip_table=True)
    start = np.random.default_rng(1).standard_normal((N_USERS + N_ITEMS, 3)).astype(np.float32)
    net, objective = SimGCLNet(interactions, start.copy(), config), RankingObjective(interactions, config, 0)
    drawn = next(iter(objective.batches(0)))
    torch.manual_seed(5)
    loss = net.loss(objective, drawn)
    loss.backward()  # type: ignore[no-untyped-call]

    torch.manual_seed(5)
    x, a = torch.from_numpy(start).double().requires_grad_(), _operator(interactions)
    views = []
    for seed in (draw_seed(), draw_seed()):
        layers = _noisy_layers(a, x, 0.2, seed)
        views.append((layers[1] + layers[2]) / 2)
    expected = _ranking((a @ x + a @ a @ x) / 2, x, drawn, objective)
    for nodes in (drawn.users, np.unique(drawn.items)):
        expected = expected + 0.7 * _info_nce(views[0][nodes], views[1][nodes], 0.3)
    expected.backward()  # type: ignore[no-untyped-call]
    assert net.table.weight.grad is not None
    assert x.grad is not None
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-5)
    np.testing.assert_allclose(net.table.weight.grad, x.grad, atol=1e-5)


def test_noise_ends_with_training() -> None:
    interactions, start = _interactions(), np.ones((N_USERS + N_ITEMS, 3), dtype=np.float32)
    a = _operator(interactions)
    x = torch.ones((N_USERS + N_ITEMS, 3), dtype=torch.float64)
    for net in (
        SimGCLNet(interactions, start, SimGCLConfig(n_layers=2, noise=0.5)),
        XSimGCLNet(interactions, start, XSimGCLConfig(n_layers=2, noise=0.5)),
    ):
        np.testing.assert_allclose(net().detach(), (x + a @ x + a @ a @ x) / 3, atol=1e-6)


@pytest.mark.parametrize("model", [SimGCL, XSimGCL])
def test_a_fit_that_is_cut_off_ends_with_the_same_bits(
    model: type[SimGCL] | type[XSimGCL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"epochs": 10, "embedding_dim": 8, "checkpoint_every_s": 0.0, "n_contrasted": 3}
    data = planted_tastes().train
    whole = model(**options).fit(data)
    again = fit_in_pieces(model(**options), data, tmp_path, monkeypatch)
    assert np.array_equal(again.users, whole.users)
    assert np.array_equal(again.items, whole.items)


@pytest.mark.parametrize("model", [SimGCL, XSimGCL])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimiser": "sparse-adam"}, "through the layers every row has a gradient; use 'adam'"),
        ({"weights_l2": 0.1}, "weights beside the embeddings, and there are none; use l1, l2"),
        ({"penalised": "final"}, "penalised = 'final': only the rows of a batch are propagated"),
        ({"start": "spectral", "warm_start": "there"}, "start = 'spectral' and warm_start = 'there': choose one"),
        ({"noise": -0.1}, "noise = -0.1: Input should be greater than or equal to 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    model: type[SimGCL] | type[XSimGCL], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        model(**settings)


def test_a_contrast_with_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="contrast_layer = 4: there are 3 layers; take one of these"):
        XSimGCL(contrast_layer=4)
