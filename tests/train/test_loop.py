"""The loop: steps by hand, the best kept, plateaus, and what it says when the loss is no number."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgewise.errors import CheckpointError, TrainingError
from edgewise.recommender import Keeping
from edgewise.train.checkpoints import read_checkpoint
from edgewise.train.config import TrainConfig
from edgewise.train.loop import train
from edgewise.train.plan import Plan, Watch


class _Net(torch.nn.Module):
    """A table, and a weight that is none."""

    def __init__(self, *rows: list[float], weight: float | None = None) -> None:
        super().__init__()
        self.table = torch.nn.Embedding.from_pretrained(torch.tensor(rows), freeze=False)  # type: ignore[no-untyped-call]
        if weight is not None:
            self.weight = torch.nn.Parameter(torch.tensor([weight]))

    @property
    def values(self) -> list[list[float]]:
        found: list[list[float]] = self.table.weight.detach().tolist()
        return found


def _square(net: _Net) -> Callable[[float], torch.Tensor]:
    return lambda factor: (net.table.weight**2).sum() * factor


def _run(
    net: _Net,
    *,
    watch: Watch | None = None,
    steps: tuple[float, ...] = (1.0,),
    keeping: Keeping | None = None,
    loss: Callable[[Any], torch.Tensor] | None = None,
    **settings: Any,
) -> list[dict[str, float]]:
    config = TrainConfig(**({"learning_rate": 0.1, "valid_share": 0.1 if watch else 0.0} | settings))
    plan = Plan(net, loss or _square(net), lambda _: steps, len(steps), watch=watch)
    curve: list[dict[str, float]] = []
    train(plan, config, curve=curve, keeping=keeping)
    return curve


def _adam(x: np.ndarray, rates: list[float], decay: float = 0.0) -> np.ndarray:
    """Steps on |x|^2 with the formulas of the paper."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for step, rate in enumerate(rates, start=1):
        gradient = 2 * x
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        x = x * (1 - rate * decay) - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return x


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_two_steps_equal_adam_written_out(decay: float) -> None:
    net = _Net([1.0, -3.0])
    _run(net, epochs=2, weight_decay=decay)
    # Half a cosine: 0.1, then 0.05.
    np.testing.assert_allclose(net.values, _adam(np.array([[1.0, -3.0]]), [0.1, 0.05], decay), rtol=1e-6)


def test_sgd_with_momentum_written_out() -> None:
    # x = 1, gradient 2x, momentum 1/2: v = 2, x = 0.8; v = 1 + 1.6 = 2.6, x = 0.54.
    net = _Net([1.0])
    _run(net, epochs=2, optimiser="sgd", momentum=0.5, schedule={"name": "constant"})
    np.testing.assert_allclose(net.values, [[0.54]], rtol=1e-6)


def test_a_gradient_is_no_longer_than_the_clip() -> None:
    net = _Net([3.0, -4.0])
    _run(net, epochs=1, clip_norm=0.5)
    assert net.table.weight.grad is not None
    np.testing.assert_allclose(net.table.weight.grad.numpy(), [[0.3, -0.4]], rtol=1e-5)  # [6, -8] has length 10


def test_penalties_on_weights_leave_tables_alone() -> None:
    # |w| and w^2 / 2 of w = 2 with 0.1 and 0.5: 0.2 + 1 = 1.2; the table's loss is 1.
    net = _Net([1.0], weight=2.0)
    [entry] = _run(net, epochs=1, weights_l1=0.1, weights_l2=0.5, loss=lambda _: net.table.weight.square().sum())
    assert entry["loss"] == pytest.approx(1 + 0.2 + 1.0)
    assert net.weight.grad is not None
    assert float(net.weight.grad) == pytest.approx(0.1 + 0.5 * 2)


def test_the_curve_tells_epoch_loss_rate_and_time() -> None:
    curve = _run(_Net([1.0, 1.0]), epochs=3)
    assert [entry["epoch"] for entry in curve] == [1, 2, 3]
    assert curve[0]["loss"] == 2.0
    assert curve[0]["loss"] > curve[1]["loss"] > curve[2]["loss"]
    assert [entry["learning_rate"] for entry in curve] == pytest.approx([0.1, 0.075, 0.025])
    assert all(entry["seconds"] >= 0 for entry in curve)


def _watching(net: _Net, values: list[float], seen: list[float]) -> Watch:
    told = iter(values)

    def measure() -> float:
        seen.append(net.values[0][0])
        return next(told)

    return Watch("ndcg@20", measure, every=1)


def test_the_best_is_put_back_when_patience_ends() -> None:
    net, seen = _Net([1.0]), list[float]()
    curve = _run(net, epochs=10, patience=2, watch=_watching(net, [0.1, 0.5, 0.4, 0.3, 0.9], seen))
    assert [entry["ndcg@20"] for entry in curve] == [0.1, 0.5, 0.4, 0.3]
    assert net.values[0][0] == seen[1]


def test_on_a_plateau_the_rate_drops_and_the_best_starts_the_count_anew() -> None:
    net = _Net([1.0])
    watch = _watching(net, [0.5, 0.4, 0.4, 0.6, 0.1, 0.1, 0.1, 0.1], [])
    curve = _run(net, epochs=8, patience=8, schedule={"name": "plateau", "wait": 2, "drop": 0.5}, watch=watch)
    # Looks 2 and 3 are no better: halved from epoch 4 on. Look 4 is the best; 5 and 6 are not: halved from epoch 7 on.
    assert [entry["learning_rate"] for entry in curve] == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025] * 2)


def test_what_is_watched_and_kept_is_the_average() -> None:
    net, seen = _Net([1.0]), list[float]()
    _run(net, epochs=4, averaging={"name": "swa", "start": 0.4}, watch=_watching(net, [0.1, 0.2, 0.3, 0.4], seen))
    plain = _Net([1.0])
    steps = list[float]()
    _run(plain, epochs=4, watch=_watching(plain, [0.1, 0.2, 0.3, 0.4], steps))
    # Epochs 2, 3 and 4 end after more than 0.4 of the training.
    expected = [steps[0], steps[1], (steps[1] + steps[2]) / 2, (steps[1] + steps[2] + steps[3]) / 3]
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    assert net.values[0][0] == pytest.approx(expected[-1], rel=1e-6)


def test_a_moving_average_by_hand() -> None:
    net = _Net([1.0])
    _run(net, epochs=2, optimiser="sgd", schedule={"name": "constant"}, averaging={"name": "ema", "decay": 0.9})
    # x: 1, 0.8, 0.64. The first goes in whole; the second with 1 - min(0.9, 2 / 11) = 9 / 11.
    np.testing.assert_allclose(net.values, [[0.8 + (0.64 - 0.8) * 9 / 11]], rtol=1e-6)


def test_a_loss_that_is_no_number_stops_with_the_step_the_last_good_weights_and_advice() -> None:
    net = _Net([1.0])
    with pytest.raises(
        TrainingError,
        match=r"the loss is nan at step 2 of epoch 1\..*lower learning_rate \(now 0\.1\).*last good weights, of the start",
    ):
        _run(net, epochs=1, steps=(1.0, math.nan))
    assert net.values == [[1.0]]


def test_last_good_weights_are_kept_as_a_place_to_start_from(tmp_path: Path) -> None:
    net = _Net([1.0])
    keeping = Keeping(tmp_path, identity={"model": "a"})

    def batches(epoch: int) -> list[float]:
        return [1.0 if epoch < 2 else math.inf]

    def plan(trained: _Net) -> Plan[float]:
        return Plan(trained, _square(trained), batches, 1)

    config = TrainConfig(epochs=3, learning_rate=0.1)
    with pytest.raises(
        TrainingError, match=r"the loss is inf at step 1 of epoch 3.*of epoch 2, .*name it as warm_start"
    ):
        train(plan(net), config, curve=[], keeping=keeping)
    good = _adam(np.array([[1.0]]), [0.1, 0.075])
    np.testing.assert_allclose(net.values, good, rtol=1e-6)

    with pytest.raises(CheckpointError, match=r"would do so again.*warm_start"):
        train(plan(_Net([1.0])), config, curve=[], keeping=keeping)
    warm = _Net([9.0])
    _run(warm, epochs=1, learning_rate=1e-12, warm_start=str(tmp_path))
    np.testing.assert_allclose(warm.values, good, rtol=1e-6)
    with pytest.raises(CheckpointError, match=r"holds weights \{'table.weight': \[1, 1\]\}, and this model has"):
        _run(_Net([1.0, 2.0]), epochs=1, warm_start=str(tmp_path))
    with pytest.raises(CheckpointError, match=r"is of other data.*its rows belong to other users and items"):
        _run(_Net([1.0]), epochs=1, warm_start=str(tmp_path), keeping=Keeping(identity={"data": {"fingerprint": "x"}}))


def test_a_start_from_a_run_takes_its_best_weights(tmp_path: Path) -> None:
    net, seen = _Net([1.0]), list[float]()
    _run(net, epochs=3, watch=_watching(net, [0.1, 0.5, 0.4], seen), keeping=Keeping(tmp_path))
    warm = _Net([9.0])
    _run(warm, epochs=1, learning_rate=1e-12, warm_start=str(tmp_path))
    assert warm.values[0][0] == pytest.approx(seen[1])


def test_weights_that_are_no_numbers_are_never_a_checkpoint(tmp_path: Path) -> None:
    net = _Net([1.0])
    with pytest.raises(TrainingError):
        # The second step has a finite loss and leaves a weight that is no number; every step would write.
        steps = (1.0, math.inf, 1.0)
        _run(
            net,
            epochs=1,
            steps=steps,
            checkpoint_every_s=0.0,
            keeping=Keeping(tmp_path),
            loss=lambda step: net.table.weight.sum() if math.isfinite(step) else _nan_gradient(net),
        )
    tensors, about = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert about["state"] == {"diverged": True}
    assert torch.isfinite(tensors["net.table.weight"]).all()


def test_a_weight_that_is_no_number_is_found_at_the_end_of_the_epoch() -> None:
    net = _Net([1.0])
    with pytest.raises(TrainingError, match="a weight is no longer a number after epoch 1"):
        _run(net, epochs=1, loss=lambda _: (net.table.weight * 1e-30).sqrt().sum() * 0 + _nan_gradient(net))
    assert net.values == [[1.0]]


def _nan_gradient(net: _Net) -> torch.Tensor:
    """Zero, with a gradient that is no number: the slope of a root at zero, times zero."""
    zero: torch.Tensor = ((net.table.weight * 0).sqrt() * 0).sum()
    return zero


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path, identity={"model": "a"})
    net, again = _Net([1.0]), _Net([5.0])
    curve = _run(net, epochs=2, keeping=keeping)
    assert _run(again, epochs=2, keeping=keeping) == curve
    assert again.values == net.values
    _, about = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert about["state"]["epoch"] == 2
