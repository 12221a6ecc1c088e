"""neumf: the taken-apart first layer, both tasks, sparse gradients, chances."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from edgewise.data import Dataset
from edgewise.errors import CannotPredictError, ConfigError
from edgewise.evaluate.calibration import calibration_error
from edgewise.evaluate.protocol import evaluate
from edgewise.models.neumf import NeuMF, NeuMFConfig, NeuMFNet
from edgewise.models.popularity import Popularity
from edgewise.testing.planted import planted_ratings, planted_tastes
from tests.models.rating_data import N_USERS, ONE_STEP, random_ratings, sloped_yes_no

SMALL: dict[str, Any] = {"embedding_dim": 4, "mlp_dim": 3, "hidden": (8, 5), "dropout": 0.0}


@pytest.mark.parametrize("implicit", ["none", "both"])
def test_the_net_is_the_papers_formula(implicit: str) -> None:
    config = NeuMFConfig(**SMALL | {"implicit": implicit})
    net = NeuMFNet(random_ratings().ratings, 0.3, np.random.default_rng(0), config, biases=False)
    table = net.table()
    if implicit == "none":
        torch.testing.assert_close(table, net.table.own.weight)
    users, items = torch.tensor([0, 5, 2]), torch.tensor([3, 0, 1])
    p, q = table[users, :4], table[N_USERS + items, :4]
    joined = torch.cat([table[users, 4:], table[N_USERS + items, 4:]], dim=1)  # [x_u, y_i], as in eq. 10
    h = torch.relu(joined @ net.weights[0] + net.shifts[0])
    h = torch.relu(h @ net.weights[1] + net.shifts[1])
    expected = (p * q) @ net.of_product + h @ net.of_hidden + 0.3
    torch.testing.assert_close(net.score(net.rows(users, items)), expected)
    crossed = net.cross(users, items)
    torch.testing.assert_close(crossed.diagonal(), expected)
    assert crossed.shape == (3, 3)


@pytest.mark.parametrize("hidden", [(6,), (8, 5), (8, 6, 4)])
def test_a_fitted_model_scores_blocks_and_pairs_alike(hidden: tuple[int, ...]) -> None:
    data = random_ratings()
    model = NeuMF(**SMALL | {"hidden": hidden}, epochs=3).fit(data)
    users, items = data.ratings.nonzero()
    block = model.score_block(np.arange(data.n_users))
    predicted = model.predict_pairs(users.astype(np.int64), items.astype(np.int64))
    np.testing.assert_allclose(predicted, np.clip(block[users, items], 1, 5), rtol=1e-5)


def test_a_sparse_step_is_the_dense_one() -> None:
    step = {"target": "ranking", "epochs": 1, "batch_size": 10_000, "learning_rate": 0.1}
    dense, sparse = (
        NeuMF(**SMALL | step | {"optimiser": name}).fit(random_ratings()) for name in ("sgd", "sparse-sgd")
    )
    np.testing.assert_allclose(sparse.score_block(np.arange(9)), dense.score_block(np.arange(9)), rtol=1e-4, atol=1e-5)


def test_weights_of_the_perceptron_are_penalised_and_embeddings_are_not() -> None:
    free, held = (
        NeuMF(**SMALL | ONE_STEP | {"l2": 0.0, "l2_bias": 0.0, "learning_rate": 0.1, "weights_l2": penalty}).fit(
            random_ratings()
        )
        for penalty in (0.0, 1.0)
    )
    np.testing.assert_array_equal(free.gmf_items, held.gmf_items)
    # One step from v shortens it by rate times penalty times v, whatever the loss: the start is that of both.
    assert np.abs(held.of_hidden[:-1]).sum() < np.abs(free.of_hidden[:-1]).sum()


@pytest.mark.parametrize("loss", ["bce", "bpr", "sampled-softmax"])
def test_it_ranks_where_all_values_are_alike(loss: str) -> None:
    planted = planted_tastes()
    model = NeuMF(**SMALL | {"embedding_dim": 8}, loss=loss, epochs=40).fit(planted.train)
    lists = model.recommend(list(planted.withheld), 3)
    hits = [
        wanted in [item for item, _ in ranked] for wanted, ranked in zip(planted.withheld.values(), lists, strict=True)
    ]
    assert np.mean(hits) > 0.8
    with pytest.raises(CannotPredictError, match="nothing was held out to turn its scores into chances"):
        model.predict(["u000"], [1000])


def test_a_ranking_model_gives_chances_where_some_interactions_were_held_out() -> None:
    planted = planted_tastes()
    model = NeuMF(**SMALL | {"embedding_dim": 8}, epochs=40, calibration_share=0.2).fit(planted.train)
    users, items = list(planted.withheld), list(planted.withheld.values())
    others = items[1:] + items[:1]
    said = np.concatenate([model.predict(users, items), model.predict(users, others)]).astype(np.float64)
    met = np.arange(said.size) < len(users)
    assert said[met].mean() > 0.6 > 0.4 > said[~met].mean()
    assert model.predict(["nobody"], [1000])[0] == 0.5


def test_yes_and_no_get_probabilities_that_come_true() -> None:
    parts = sloped_yes_no(200, 60).split("random", test=0.3)
    model = NeuMF(epochs=15).fit(parts.train)
    test = parts.test.to_frame()
    said = model.predict(test["user_id"], test["item_id"]).astype(np.float64)
    assert calibration_error(said, test["value"].to_numpy() == 1.0, n_bins=10) < 0.06


def test_validation_works_for_both_tasks() -> None:
    for data, metric in ((planted_tastes().train, "ndcg@20"), (planted_ratings().train, "rmse")):
        model = NeuMF(**SMALL, epochs=4, valid_share=0.2).fit(data)
        assert all(metric in entry for entry in model.record.curve)


def test_who_met_nothing_gets_no_ranking_and_biases_as_rating() -> None:
    users = pl.DataFrame({"user_id": [*range(9), 77], "age": [30] * 10})
    data = random_ratings()
    known = Dataset.from_events(data.to_frame(), user_table=users)
    ranking = NeuMF(**SMALL, target="ranking", epochs=1).fit(known)
    assert np.isnan(ranking.score([77], [0])).all()
    rating = NeuMF(**SMALL, epochs=1).fit(known)
    assert rating.predict([77], [3])[0] == pytest.approx(float(rating.mean[0]) + rating.item_fallback[3], abs=1e-5)


def test_ratings_can_be_ranked_by() -> None:
    planted = planted_ratings()
    model = NeuMF(**SMALL, target="ranking", epochs=2).fit(planted.train)
    assert not model.levels.size


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"loss": "infonce"}, "loss = 'infonce' compares vectors, and neumf has scores"),
        ({"sampler": "hard", "loss": "bpr"}, "sampler = 'hard' looks for negatives by products"),
        ({"target": "ratings", "loss": "bpr"}, "loss = 'bpr' belongs to ranking"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        NeuMF(**settings)


def test_a_ranking_loss_is_refused_where_the_values_differ() -> None:
    with pytest.raises(ConfigError, match="loss = 'bpr' belongs to ranking"):
        NeuMF(loss="bpr").fit(random_ratings())


def test_settings_of_the_other_task_are_refused_once_the_task_is_known() -> None:
    with pytest.raises(ConfigError, match="of ratings every row has a gradient"):
        NeuMF(optimiser="sparse-adam").fit(random_ratings())
    with pytest.raises(ConfigError, match="implicit = 'both' belongs to ratings"):
        NeuMF(implicit="both").fit(planted_tastes().train)


@pytest.mark.slow
def test_on_planted_tastes_it_is_far_ahead_of_popularity() -> None:
    parts = planted_tastes().train.split("random", test=0.2)
    ours, popular = (
        evaluate(model.fit(parts.train), parts.test, k=5, auc=False).overall["ndcg@5"]
        for model in (NeuMF(**SMALL | {"embedding_dim": 8}, epochs=60), Popularity())
    )
    assert ours > 2 * popular
