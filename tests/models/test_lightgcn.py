"""LightGCN: two training steps written out in numpy, and what it does with users and items that met nothing."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.errors import ConfigError, TrainingError
from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.reorder import Order
from edgewise.models.lightgcn import LightGCN, LightGCNConfig, LightGCNNet
from edgewise.rng import make_rng
from edgewise.testing.planted import planted_tastes
from edgewise.train.batches import batches_of_users
from edgewise.train.config import LOSSES
from edgewise.train.negatives import ItemSampler
from edgewise.types import Doubles
from tests.train.pieces import fit_in_pieces


def _interactions() -> csr_array:
    met = np.random.default_rng(3).random((7, 5)) < 0.5
    met[np.arange(7), np.arange(7) % 5] = True
    return csr_array(met.astype(np.float32))


def _gradient(
    x: Doubles, operator: Doubles, batch: tuple[list[int], list[int]], negatives: list[int], q: Doubles
) -> Doubles:
    """Of the sampled softmax by the table, pair by pair: -log(e^s / (e^s + Z))."""
    z, by_z = operator @ x, np.zeros_like(x)
    for user, item in zip(*batch, strict=True):
        shares = np.array([np.exp(z[user] @ z[j]) / (len(negatives) * q[j - 7]) for j in negatives])
        chosen = np.exp(z[user] @ z[item])
        push = shares / (chosen + shares.sum())
        pull = 1 - chosen / (chosen + shares.sum())
        by_z[user] += push @ z[negatives] - pull * z[item]
        by_z[item] -= pull * z[user]
        for share, other in zip(push, negatives, strict=True):
            by_z[other] += share * z[user]
    return operator.T @ by_z / len(batch[0])


def test_two_steps_equal_the_same_steps_written_out() -> None:
    interactions = _interactions()
    config = LightGCNConfig(
        loss="sampled-softmax",
        embedding_dim=3,
        n_layers=2,
        l2=0.1,
        epochs=2,
        n_negatives=4,
        learning_rate=0.05,
        batch_size=1000,
    )
    model = LightGCN(config).fit(Dataset.from_csr(interactions))  # one step an epoch
    order = Order.by_neighbours(interactions)
    interactions = order.apply(interactions)

    dense = interactions.toarray().astype(np.float64)
    adjacency = np.block([[np.zeros((7, 7)), dense], [dense.T, np.zeros((5, 5))]])
    root = np.diag(adjacency.sum(axis=1) ** -0.5)
    a = root @ adjacency @ root
    operator = (np.eye(12) + a + a @ a) / 3
    counts = dense.sum(axis=0)
    q = counts**0.5 / (counts**0.5).sum()
    shares = [degrees**0.5 / (degrees**0.5).sum() for degrees in (dense.sum(axis=1), counts)]
    decay = 0.1 * np.concatenate(shares)[:, None]  # by the root of the degree; users and items each 0.1 in sum

    x = 0.1 * make_rng(0, "start").standard_normal((12, 3), dtype=np.float32).astype(np.float64)
    m, v = np.zeros_like(x), np.zeros_like(x)
    for step, rate in ((1, 0.05), (2, 0.025)):  # half a cosine over two steps: 1, 1/2
        rng = make_rng(0, "epoch", step - 1)
        [batch] = batches_of_users(interactions, interactions.nnz, rng)
        negatives = (7 + ItemSampler(counts.astype(np.int64), 0.5).draw(4, rng)).tolist()
        pairs = batch.users[batch.owner].tolist(), (7 + batch.items).tolist()
        gradient = _gradient(x, operator, pairs, negatives, q) + decay * x
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        x = x - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)

    users, items = order.undo(*np.split(operator @ x, [7]))
    np.testing.assert_allclose(np.vstack([model.users, model.items]), np.vstack([users, items]), atol=2e-5)


def test_who_met_nothing_gets_nothing() -> None:
    dataset = Dataset.from_csr(
        csr_array(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32)), user_ids=["a", "b", "c"]
    )
    model = LightGCN(epochs=2, embedding_dim=4).fit(dataset)
    assert list(model.recommend(["c"], 5)) == [[]]
    assert [item for item, _ in next(iter(model.recommend(["b"], 5)))] == [0]  # item 2 was met by nobody


def test_watching_keeps_the_best_epoch_and_tells_the_curve() -> None:
    model = LightGCN(epochs=40, embedding_dim=8, valid_share=0.2, patience=2).fit(planted_tastes().train)
    watched = [entry["ndcg@20"] for entry in model.record.curve if "ndcg@20" in entry]
    assert len(watched) >= 3
    assert len(watched) - 1 - int(np.argmax(watched)) <= 2


def test_holding_out_where_nobody_has_anything_to_spare_is_told() -> None:
    one_each = Dataset.from_csr(csr_array(np.eye(4, dtype=np.float32)))
    with pytest.raises(ConfigError, match=r"valid_share = 0.1 holds out nothing: none of the 4 users"):
        LightGCN(valid_share=0.1).fit(one_each)


def test_a_learning_rate_out_of_all_bounds_stops_in_words_and_leaves_the_model_unfitted() -> None:
    model = LightGCN(learning_rate=1e30, epochs=3, embedding_dim=4)
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step \d+ of epoch \d.*lower learning_rate"):
        model.fit(planted_tastes().train)
    assert not hasattr(model, "users")


def test_an_unknown_loss_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"loss = 'hinge': Input should be 'sampled-softmax', .* 'bpr', 'bce'"):
        LightGCN(loss="hinge")


@pytest.mark.parametrize(
    "settings",
    [
        {"feature_dropout": 0.1},
        {"message_dropout": 0.1},
        {"edge_dropout": 0.2},
        {"node_dropout": 0.1},
        {"normalisation": "batch", "learning_rate": 0.01},
        {"normalisation": "layer", "learning_rate": 0.01, "weights_l2": 1e-3},
        {"propagate_every": 3},
        {"precision": "bfloat16"},
        {"l1": 0.01},
        {"penalised": "final"},
        {"weight_decay": 0.01},
        {"averaging": {"name": "ema"}},
        {"averaging": {"name": "swa"}},
        {"n_layers": 0, "loss": "bpr", "optimiser": "sparse-adam", "learning_rate": 0.05, "clip_norm": 1.0},
        {"n_layers": 0, "loss": "bpr", "optimiser": "sparse-adagrad", "learning_rate": 0.5},
        {"n_layers": 0, "loss": "bpr", "optimiser": "sparse-sgd", "learning_rate": 30.0},
        *[{"loss": name} for name in LOSSES],
        *[{"loss": "bpr", "sampler": name} for name in ("popularity", "in-batch", "mixed", "hard")],
        {"loss": "sampled-softmax", "sampler": "mixed", "n_negatives": 8, "avoid_known": True},
        {"optimiser": "adagrad", "learning_rate": 0.1},
        {"optimiser": "sgd", "momentum": 0.9, "learning_rate": 1.0},
    ],
    ids=str,
)
def test_every_option_learns_planted_tastes_and_does_so_again_when_resumed(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = planted_tastes()
    options: dict[str, Any] = {"epochs": 30, "embedding_dim": 16, "checkpoint_every_s": 0.0} | settings
    model = LightGCN(**options).fit(planted.train)
    lists = model.recommend(list(planted.withheld), 6)
    hits = [
        item in [other for other, _ in ranked] for item, ranked in zip(planted.withheld.values(), lists, strict=True)
    ]
    assert np.mean(hits) > 0.5  # by chance: 6 of about 30, 0.2

    again = fit_in_pieces(LightGCN(**options), planted.train, tmp_path, monkeypatch)
    assert np.array_equal(again.users, model.users)
    assert np.array_equal(again.items, model.items)
    assert [entry | {"seconds": 0} for entry in again.record.curve] == [
        entry | {"seconds": 0} for entry in model.record.curve
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_layers": 0, "edge_dropout": 0.1}, "edge_dropout = 0.1: there is no layer, since n_layers = 0"),
        ({"propagate_every": 2, "node_dropout": 0.1}, "propagate_every = 2: a sum of layers can be reused only if"),
        ({"optimiser": "sparse-adam"}, "'sparse-adam' touches only the rows of a batch, and through 3 layers"),
        ({"device": "cuda:99"}, "device = 'cuda:99': torch sees no CUDA devices here. Use device = cpu"),
        ({"weights_l2": 0.1}, "without normalisation there are none; use l1, l2"),
        ({"n_layers": 0, "penalised": "final"}, "with n_layers = 0 the table is all there is"),
        ({"start": "spectral", "warm_start": "there"}, "start = 'spectral' and warm_start = 'there': choose one"),
        ({"device": "tpu"}, "device = 'tpu': String should match pattern"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match=re.escape(message)):
        LightGCN(**settings).fit(planted_tastes().train)


def test_a_graph_with_parts_left_out_is_used_in_training_alone() -> None:
    net = LightGCNNet(_graph(), np.ones((12, 3), dtype=np.float32), LightGCNConfig(edge_dropout=0.5, n_layers=2))
    exact = net.eval()()
    assert torch.equal(exact, net.propagate(net.table.weight))
    assert not torch.equal(net.train()(), exact)


def test_layers_with_dropout_of_nothing_are_the_plain_ones() -> None:
    x = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    layered = LightGCNNet(_graph(), x, LightGCNConfig(message_dropout=1e-9, n_layers=2)).train()
    assert not layered.is_plain
    np.testing.assert_allclose(layered().detach(), layered.propagate(layered.table.weight).detach(), atol=1e-6)


def _graph() -> csr_array:
    return symmetric_normalise(bipartite(_interactions()))
