"""The objective: penalties in expectation, and rows alone against the whole table."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.train.config import TrainConfig
from edgewise.train.objective import RankingObjective


def _met() -> csr_array:
    return csr_array((np.random.default_rng(0).random((40, 25)) < 0.3).astype(np.float32))


def _table() -> torch.Tensor:
    return torch.tensor(np.random.default_rng(1).standard_normal((65, 4)).astype(np.float32), requires_grad=True)


def test_an_exponent_of_one_is_the_papers_penalty() -> None:
    # The paper: half the squared lengths of the rows of all interactions, over their number.
    met, table = _met(), _table().detach()
    objective = RankingObjective(met, TrainConfig(l2=0.1, l2_exponent=1.0), seed=0)
    drawn = next(objective.batches(0))
    penalty = float(objective.loss(table, table, drawn) - objective.ranking_loss(table, drawn))
    users, items = met.nonzero()
    squares = table.square().sum(dim=1).numpy()
    assert penalty == pytest.approx(0.1 / 2 * (squares[users].sum() + squares[40 + items].sum()) / met.nnz, rel=1e-5)


def test_penalties_can_be_on_what_comes_out_instead() -> None:
    below, final = _table().detach(), 2 * _table().detach()
    objective = RankingObjective(_met(), TrainConfig(l1=0.2, l2=0.0, penalised="final"), seed=0)
    drawn = next(objective.batches(0))
    once = float(objective.loss(final, below, drawn) - objective.ranking_loss(below, drawn))
    twice = float(objective.loss(below, final, drawn) - objective.ranking_loss(final, drawn))
    assert twice == pytest.approx(2 * once, rel=1e-4)


@pytest.mark.parametrize(
    "settings", [{"loss": "bpr"}, {"loss": "sampled-softmax", "n_negatives": 9}, {"loss": "infonce"}]
)
def test_rows_alone_have_the_ranking_loss_and_gradient_of_the_whole_table(settings: dict[str, Any]) -> None:
    objective = RankingObjective(_met(), TrainConfig(l2=0.0, batch_size=30, **settings), seed=0)
    drawn = next(objective.batches(0))
    whole, rows = _table(), _table()
    one, other = objective.loss(whole, whole, drawn), objective.loss_of_rows(rows, drawn)
    one.backward()  # type: ignore[no-untyped-call]
    other.backward()  # type: ignore[no-untyped-call]
    assert float(one.detach()) == pytest.approx(float(other.detach()), rel=1e-6)
    assert whole.grad is not None
    assert rows.grad is not None
    np.testing.assert_allclose(rows.grad, whole.grad, atol=1e-7)


def test_a_bias_is_added_to_the_scores_of_items_and_long_vectors_are_shortened_most() -> None:
    # Dense and in float64: -log of e^s / (e^s + the sum over items that the user does not know), s = u i / T + bias with
    # u and i over sqrt(1 + squared length).
    met, table = _met(), _table().detach()
    objective = RankingObjective(met, TrainConfig(loss="infonce", temperature=0.5, l2=0.0), seed=0)
    bias = torch.cat([torch.ones(40), torch.linspace(-2, 2, 25)])
    [*_, drawn] = objective.batches(0)
    long = table.double().numpy()
    short = long / np.sqrt(1 + np.square(long).sum(axis=1, keepdims=True))
    scores = short[:40] @ short[40:].T / 0.5 + np.linspace(-2, 2, 25)
    known = met.toarray() > 0
    unknown = np.where(known | (met.sum(axis=0) == 0), 0, np.exp(scores)).sum(axis=1)
    losses = -np.log(np.exp(scores) / (np.exp(scores) + unknown[:, None]))
    expected = losses[drawn.users[drawn.owner], drawn.items - 40].mean()
    assert float(objective.loss(table, table, drawn, bias)) == pytest.approx(expected, rel=1e-5)


def test_penalties_on_rows_alone_are_those_of_the_table_in_expectation() -> None:
    settings: dict[str, Any] = {"loss": "sampled-softmax", "n_negatives": 9, "l1": 0.05, "l2": 0.3, "batch_size": 30}
    objective = RankingObjective(_met(), TrainConfig(**settings), seed=0)
    table = _table().detach()
    of_rows, of_table, sizes = [], [], []
    for epoch in range(30):
        for drawn in objective.batches(epoch):
            ranking = objective.ranking_loss(table, drawn)
            of_rows.append(float(objective.loss_of_rows(table, drawn) - ranking))
            of_table.append(float(objective.loss(table, table, drawn) - ranking))
            sizes.append(drawn.items.size)
    assert np.ptp(of_table) < 1e-5
    assert np.average(of_rows, weights=sizes) == pytest.approx(of_table[0], rel=0.02)


def test_a_sparse_gradient_holds_the_rows_of_the_batch_and_no_others() -> None:
    objective = RankingObjective(_met(), TrainConfig(loss="bpr", optimiser="sparse-adam", batch_size=5), seed=0)
    drawn = next(objective.batches(0))
    table = _table()
    objective.loss_of_rows(table, drawn).backward()  # type: ignore[no-untyped-call]
    assert table.grad is not None
    assert table.grad.is_sparse
    assert table.grad.coalesce().indices()[0].tolist() == drawn.rows().tolist()
    assert drawn.rows().size < 20
