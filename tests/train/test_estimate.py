"""The estimate: counted by hand, told before the first step, and refused where it cannot be met."""

from types import SimpleNamespace

import psutil
import pytest
import torch

from edgewise.errors import MemoryNeedError
from edgewise.models.lightgcn import LightGCN
from edgewise.telemetry import listening
from edgewise.testing.planted import planted_tastes
from edgewise.train.config import TrainConfig
from edgewise.train.estimate import bytes_beside
from edgewise.train.loop_config import AveragingConfig
from edgewise.train.plan import Plan, Watch
from tests.train.test_checkpoints import _Notes


def _plan(*, watched: bool) -> Plan[int]:
    net = torch.nn.Linear(10, 10, bias=False)
    return Plan(
        net,
        lambda _: net.weight.sum(),
        lambda _: [0],
        1,
        watch=Watch("m", lambda: 0.0, 1) if watched else None,
        working_bytes=7,
    )


def test_bytes_by_hand() -> None:
    # 400 bytes of weights: gradient, two of Adam, the last good ones; then none of SGD, but the best and the average.
    assert bytes_beside(_plan(watched=False), TrainConfig()) == 4 * 400 + 7
    config = TrainConfig(optimiser="sgd", averaging=AveragingConfig(name="ema"))
    assert bytes_beside(_plan(watched=True), config) == 4 * 400 + 7


def test_it_is_told_before_training_and_changes_nothing() -> None:
    told = _Notes()
    with listening(told):
        LightGCN(epochs=2, embedding_dim=8, normalisation="batch").fit(planted_tastes().train)
    assert any(
        line.startswith("training: ") and " steps in about " in line and "GB of memory" in line for line in told.lines
    )


def test_what_does_not_fit_is_refused_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(MemoryNeedError, match=r"training would need about .* GB more memory, and 1e-06 GB are free"):
        LightGCN(epochs=2, embedding_dim=8).fit(planted_tastes().train)
