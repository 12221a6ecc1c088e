"""The loop: two steps by hand, the best kept, and what it says when the loss is no number."""

import math

import numpy as np
import pytest
import torch

from edgewise.errors import TrainingError
from edgewise.train.loop import Watch, train
from edgewise.train.schedules import ScheduleConfig, make_schedule


def _square(table: torch.nn.Parameter) -> torch.Tensor:
    return (table**2).sum()


def _run(
    table: torch.nn.Parameter,
    curve: list[dict[str, float]],
    n_epochs: int,
    watch: Watch | None = None,
    clip_norm: float | None = None,
) -> None:
    train(
        table,
        lambda _: _square(table),
        lambda _: [0],
        n_epochs=n_epochs,
        steps_per_epoch=1,
        learning_rate=0.1,
        schedule=make_schedule(ScheduleConfig()),
        curve=curve,
        clip_norm=clip_norm,
        watch=watch,
    )


def test_two_steps_equal_adam_written_out() -> None:
    table = torch.nn.Parameter(torch.tensor([[1.0, -3.0]]))
    _run(table, [], n_epochs=2)
    x = np.array([[1.0, -3.0]])
    m, v = np.zeros_like(x), np.zeros_like(x)
    for step in (1, 2):
        rate = 0.1 * (1 + math.cos(math.pi * (step - 1) / 2)) / 2  # 0.1, then 0.05
        gradient = 2 * x
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        x = x - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(table.detach().numpy(), x, rtol=1e-6)


def test_a_gradient_is_no_longer_than_the_clip() -> None:
    table = torch.nn.Parameter(torch.tensor([[3.0, -4.0]]))
    _run(table, [], n_epochs=1, clip_norm=0.5)
    assert table.grad is not None
    np.testing.assert_allclose(table.grad.numpy(), [[0.3, -0.4]], rtol=1e-5)  # [6, -8] has length 10


def test_the_curve_tells_epoch_loss_and_time() -> None:
    curve: list[dict[str, float]] = []
    _run(torch.nn.Parameter(torch.ones(1, 2)), curve, n_epochs=3)
    assert [entry["epoch"] for entry in curve] == [1, 2, 3]
    assert curve[0]["loss"] == 2.0
    assert curve[0]["loss"] > curve[1]["loss"] > curve[2]["loss"]
    assert all(entry["seconds"] >= 0 for entry in curve)


def test_the_best_is_put_back_when_patience_ends() -> None:
    table = torch.nn.Parameter(torch.ones(1, 1))
    seen: list[float] = []
    values = iter([0.1, 0.5, 0.4, 0.3, 0.9])

    def measure() -> float:
        seen.append(float(table.detach()))
        return next(values)

    curve: list[dict[str, float]] = []
    _run(table, curve, n_epochs=10, watch=Watch("ndcg@20", measure, every=1, patience=2))
    assert [entry["ndcg@20"] for entry in curve] == [0.1, 0.5, 0.4, 0.3]
    assert float(table.detach()) == seen[1]


def test_a_loss_that_is_no_number_stops_with_the_step_and_advice() -> None:
    table = torch.nn.Parameter(torch.ones(1, 1))
    with pytest.raises(
        TrainingError, match=r"the loss is nan at step 2 of epoch 1\..*lower learning_rate \(now 0\.1\)"
    ):
        train(
            table,
            lambda factor: _square(table) * factor,
            lambda _: [1.0, math.nan],
            n_epochs=1,
            steps_per_epoch=2,
            learning_rate=0.1,
            schedule=make_schedule(ScheduleConfig()),
            curve=[],
        )
    assert torch.isfinite(table).all()  # the step with NaN was not taken
