"""gc-mc: a training step written out, expectations over levels, what it refuses."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.errors import ConfigError, DataError
from edgewise.models.gc_mc import GCMC, GCMCNet
from edgewise.nn.sparse_linear import SparseLinear
from edgewise.rng import make_rng
from edgewise.types import Floats
from tests.models.rating_data import N_ITEMS, N_USERS, ONE_STEP, random_ratings, sloped_yes_no

N = N_USERS + N_ITEMS


def test_a_training_step_is_the_formula() -> None:
    data = random_ratings()
    settings: dict[str, Any] = ONE_STEP | {
        "embedding_dim": 4,
        "output_dim": 3,
        "node_dropout": 0.0,
        "init_scale": 0.8,
        "l2": 0.3,
    }
    model = GCMC(**settings, seed=5).fit(data)

    rated = data.ratings.toarray().astype(np.float64)
    users, items = rated.nonzero()
    level = (rated[users, items] - 1).astype(np.int64)
    places = data.ratings.copy()
    places.data = places.data - 1
    net = GCMCNet(places, 5, make_rng(5, "start"), model.config)
    start = {name: value.detach().double().requires_grad_() for name, value in net.named_parameters()}
    degree = np.concatenate([(rated > 0).sum(axis=1), (rated > 0).sum(axis=0)])
    graphs = []
    for number in range(5):
        one = rated == number + 1
        graph = np.zeros((N, N))
        graph[:N_USERS, N_USERS:], graph[N_USERS:, :N_USERS] = one, one.T
        graphs.append(torch.from_numpy(graph / np.sqrt(np.outer(degree, degree))))

    def logits(at: dict[str, torch.Tensor]) -> torch.Tensor:
        tables = at["table.weight"].view(5, N, 4)
        gathered = sum(graphs[r] @ tables[: r + 1].sum(dim=0) for r in range(5))
        h = torch.where(gathered > 0, gathered, 0.1 * gathered)  # type: ignore[arg-type]
        z_users, z_items = h[:N_USERS] @ at["of_users"], h[N_USERS:] @ at["of_items"]
        forms = torch.einsum("rs,sij->rij", at["mixture"], at["bases"])  # Q_r = sum_s a_rs P_s
        return torch.einsum("ui,rij,vj->uvr", z_users, forms, z_items) + at["offset"]

    chances = logits(start)[users, items].log_softmax(dim=1)
    loss = -chances[np.arange(users.size), level].mean()
    roots = torch.from_numpy(np.sqrt(degree))
    weights = torch.cat([roots[:N_USERS] / roots[:N_USERS].sum(), roots[N_USERS:] / roots[N_USERS:].sum()])
    loss = loss + 0.3 / 2 * (start["table.weight"].view(5, N, 4).square().sum(dim=(0, 2)) * weights).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        after = {name: value - 0.5 * value.grad for name, value in start.items() if value.grad is not None}
        expected = logits(after).softmax(dim=2) @ torch.arange(1.0, 6.0, dtype=torch.float64)
    assert set(after) == set(start)
    np.testing.assert_allclose(model.score_block(np.arange(N_USERS)), expected.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.predict(users, items), expected.numpy()[users, items], rtol=1e-4, atol=1e-5)


def test_an_unknown_side_gets_mean_and_biases() -> None:
    model = GCMC(embedding_dim=4, output_dim=3, epochs=2).fit(random_ratings())
    of_user, of_item, neither = model.predict([0, -1, -1], [99, 3, 99])
    assert of_user == pytest.approx(float(model.mean[0]) + model.user_bias[0], abs=1e-5)
    assert of_item == pytest.approx(float(model.mean[0]) + model.item_bias[3], abs=1e-5)
    assert neither == pytest.approx(float(model.mean[0]), abs=1e-5)


def test_of_yes_and_no_the_score_is_the_log_odds_between_the_two_levels() -> None:
    data = sloped_yes_no()
    model = GCMC(embedding_dim=8, output_dim=4, epochs=10, calibration_share=0.0).fit(data)
    test = data.to_frame()
    said = model.predict(test["user_id"], test["item_id"])
    yes = test["value"].to_numpy() == 1.0
    assert said[yes].mean() > said[~yes].mean() + 0.1
    users = data.users.index_of(test["user_id"][:5])
    scores = model.score_block(users)[np.arange(5), data.items.index_of(test["item_id"][:5])]
    np.testing.assert_allclose(said[:5], 1 / (1 + np.exp(-scores)), rtol=1e-4)


def test_amounts_are_no_levels() -> None:
    rows = {"user_id": np.arange(60) % 6, "item_id": np.arange(60) // 6, "value": np.arange(60) + 0.5}
    with pytest.raises(
        DataError, match=r"60 distinct values, and gc-mc has messages of their own for each; at most 50"
    ):
        GCMC().fit(Dataset.from_events(pl.DataFrame(rows)))


def test_sparse_optimisers_are_refused() -> None:
    with pytest.raises(ConfigError, match="every row has a gradient in every step"):
        GCMC(optimiser="sparse-adam")


def test_attributes_are_added_through_a_layer_of_their_own() -> None:
    places = random_ratings().ratings.copy()
    places.data = places.data - 1
    x = csr_array(np.random.default_rng(1).random((N_ITEMS, 3), dtype=np.float32))
    net = GCMCNet(places, 5, make_rng(5, "start"), GCMC(output_dim=3, side_dim=4).config, (None, x)).eval()
    first, _, second = net.sides[1].children()
    assert isinstance(first, SparseLinear)
    assert isinstance(second, torch.nn.Linear)
    assert first.bias is not None
    with torch.no_grad():
        first.bias.fill_(-0.3)  # so that some are below 0
        users, items = net()
        hidden = torch.from_numpy(x.toarray()) @ first.weight + first.bias
        side = torch.where(hidden > 0, hidden, 0.1 * hidden) @ second.weight.T
        second.weight.zero_()
        bare_users, bare_items = net()
    torch.testing.assert_close(users, bare_users)
    torch.testing.assert_close(items, bare_items + side)


def test_attributes_count_unless_they_are_turned_off_or_tell_nothing() -> None:
    data = random_ratings()
    told = pl.DataFrame({"item_id": range(N_ITEMS), "genre": ["a", "b"] * 3 + ["a"]})
    empty = pl.DataFrame({"item_id": range(N_ITEMS), "genre": ["same"] * N_ITEMS})
    small: dict[str, Any] = {"epochs": 2, "embedding_dim": 4, "output_dim": 3, "features": {"min_count": 1}}

    def scores(table: pl.DataFrame | None, **settings: Any) -> tuple[Floats, list[str]]:
        model = GCMC(**small, **settings).fit(Dataset.from_events(data.to_frame(), item_table=table))
        return model.score_block(np.arange(N_USERS)), model.record.notes

    plain = scores(None)[0]
    assert np.abs(scores(told)[0] - plain).max() > 1e-4
    np.testing.assert_array_equal(scores(told, side_dim=0)[0], plain)
    without, notes = scores(empty)
    np.testing.assert_array_equal(without, plain)
    assert any("attributes left out" in note for note in notes)


def test_attributes_of_those_who_said_no_alone_count_too() -> None:
    rows = [(user, item, float(user >= 6 and item != 3)) for user in range(12) for item in range(8)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "value"], orient="row")
    people = pl.DataFrame({"user_id": range(12), "side": ["never"] * 6 + ["often"] * 6})
    settings: dict[str, Any] = {"epochs": 1, "embedding_dim": 4, "output_dim": 3, "features": {"min_count": 1}}
    model = GCMC(**settings).fit(Dataset.from_events(log, user_table=people))
    assert any(note.startswith("side: categorical") and "2 features" in note for note in model.record.notes)
