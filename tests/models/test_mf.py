"""mf: a training step written out, what is unknown, yes and no, settings that do not fit."""

from typing import Any

import numpy as np
import pytest
import torch

from edgewise.errors import ConfigError
from edgewise.evaluate.calibration import calibration_error
from edgewise.models.mf import MF
from edgewise.rng import make_rng
from tests.models.rating_data import N_ITEMS, N_USERS, ONE_STEP, random_ratings, sloped_yes_no


@pytest.mark.parametrize("implicit", ["none", "users", "both"])
def test_a_training_step_is_the_formula(implicit: str) -> None:
    data = random_ratings()
    settings: dict[str, Any] = ONE_STEP | {
        "embedding_dim": 4,
        "implicit": implicit,
        "l2": 0.3,
        "l2_bias": 0.2,
        "init_scale": 0.7,
    }
    model = MF(**settings, seed=3).fit(data)

    # mean + b_u + b_i + (p_u + |N(u)|^-1/2 sum y)·(q_i + |N(i)|^-1/2 sum z), squared error, half the weighted squares.
    rated, met = (
        data.ratings.toarray().astype(np.float64),
        torch.from_numpy(data.interactions.toarray().astype(np.float64)),
    )
    users, items = data.ratings.nonzero()
    start = 0.7 * make_rng(3, "start").standard_normal((N_USERS + N_ITEMS, 4), dtype=np.float32)
    p, q = (torch.tensor(part.astype(np.float64), requires_grad=True) for part in (start[:N_USERS], start[N_USERS:]))
    y, z = (torch.zeros((n, 4), dtype=torch.float64, requires_grad=True) for n in (N_ITEMS, N_USERS))
    b_u, b_i = (torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in (N_USERS, N_ITEMS))

    def vectors() -> tuple[torch.Tensor, torch.Tensor]:
        of_user = p + (met @ y) / met.sum(dim=1, keepdim=True).sqrt() * (implicit != "none")
        of_item = q + (met.T @ z) / met.sum(dim=0)[:, None].sqrt() * (implicit == "both")
        return of_user, of_item

    of_user, of_item = vectors()
    mean = rated[users, items].mean()
    predicted = mean + b_u[users] + b_i[items] + (of_user[users] * of_item[items]).sum(dim=1)
    loss = (predicted - torch.from_numpy(rated[users, items])).square().mean()
    roots = [met.sum(dim=1).sqrt(), met.sum(dim=0).sqrt()]  # weights: the root of the number of ratings, summing to 1
    weights = [root / root.sum() for root in roots]
    for table, weight in ((p, weights[0]), (q, weights[1]), (y, weights[1]), (z, weights[0])):
        loss = loss + 0.3 / 2 * (table.square().sum(dim=1) * weight).sum()
    loss.backward()
    with torch.no_grad():
        for parameter in (p, q, y, z, b_u, b_i):
            parameter -= 0.5 * (parameter.grad if parameter.grad is not None else 0)
        of_user, of_item = vectors()
        expected = mean + b_u[:, None] + b_i[None, :] + of_user @ of_item.T
    every = np.arange(N_USERS)
    np.testing.assert_allclose(model.score_block(every), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_an_unknown_side_leaves_mean_and_the_other_sides_bias() -> None:
    model = MF(embedding_dim=4, epochs=5).fit(random_ratings())
    of_user, of_item, neither = model.predict([0, -1, -1], [99, 3, 99])
    assert of_user == pytest.approx(float(model.mean[0]) + model.user_bias[0], abs=1e-5)
    assert of_item == pytest.approx(float(model.mean[0]) + model.item_bias[3], abs=1e-5)
    assert neither == pytest.approx(random_ratings().ratings.data.mean(), abs=1e-5)


def test_yes_and_no_get_probabilities_that_come_true() -> None:
    parts = sloped_yes_no(200, 60).split("random", test=0.3)
    model = MF(embedding_dim=4, epochs=10).fit(parts.train)
    test = parts.test.to_frame()
    said = model.predict(test["user_id"], test["item_id"]).astype(np.float64)
    yes = test["value"].to_numpy() == 1.0
    assert said[yes].mean() > said[~yes].mean() + 0.15
    assert calibration_error(said, yes, n_bins=10) < 0.06


def test_the_best_epoch_is_that_of_the_smallest_error() -> None:
    model = MF(embedding_dim=8, epochs=20, valid_share=0.2, l2=0.0, learning_rate=0.1).fit(sloped_yes_no())
    errors = [entry["log_loss"] for entry in model.record.curve if "log_loss" in entry]
    assert min(errors) < errors[-1], "the data are meant to be overfitted"
    assert len(errors) <= errors.index(min(errors)) + 1 + 3, "three looks without a new best end the training"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"loss": "bpr"}, "loss = 'bpr' belongs to ranking"),
        ({"n_negatives": 4}, "n_negatives = 4 belongs to ranking"),
        ({"optimiser": "sparse-adam"}, "every row has a gradient"),
        ({"weights_l2": 0.1}, "there are none; use l1, l2"),
        ({"penalised": "final"}, "penalised = 'final' belongs to ranking"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        MF(**settings)
