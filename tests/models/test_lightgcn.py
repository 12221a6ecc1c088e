"""LightGCN: two training steps written out in numpy, and what it does with users and items that met nothing."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.errors import ConfigError, TrainingError
from edgewise.models.lightgcn import LightGCN, LightGCNConfig, _l2_weights
from edgewise.rng import make_rng
from edgewise.testing.planted import planted_tastes
from edgewise.train.batches import batches_of_users
from edgewise.train.negatives import ItemSampler
from edgewise.types import Doubles


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
        embedding_dim=3, n_layers=2, l2=0.1, epochs=2, n_negatives=4, learning_rate=0.05, batch_size=1000
    )
    model = LightGCN(config).fit(Dataset.from_csr(interactions))  # one step an epoch

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
        [batch] = batches_of_users(interactions, 1000, rng)
        negatives = (7 + ItemSampler(counts.astype(np.int64), 0.5).draw(4, rng)).tolist()
        pairs = batch.users[batch.owner].tolist(), (7 + batch.items).tolist()
        gradient = _gradient(x, operator, pairs, negatives, q) + decay * x
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        x = x - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)

    np.testing.assert_allclose(np.vstack([model.users, model.items]), operator @ x, atol=2e-5)


def test_an_exponent_of_one_is_the_papers_penalty() -> None:
    interactions = _interactions()
    sampler = ItemSampler(np.bincount(interactions.indices), 0.0)
    weights = _l2_weights(interactions, LightGCNConfig(l2=0.1, l2_exponent=1.0), sampler)
    degrees = np.concatenate([np.diff(interactions.indptr), np.bincount(interactions.indices)])
    np.testing.assert_allclose(weights, 0.1 * degrees / interactions.nnz, rtol=1e-6)


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


def test_a_learning_rate_out_of_all_bounds_stops_in_words_and_leaves_the_model_unfitted() -> None:
    model = LightGCN(learning_rate=1e30, epochs=3, embedding_dim=4)
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step \d+ of epoch \d.*lower learning_rate"):
        model.fit(planted_tastes().train)
    assert not hasattr(model, "users")


def test_an_unknown_loss_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"loss = 'hinge': Input should be 'sampled-softmax' or 'bpr'"):
        LightGCN(loss="hinge")
