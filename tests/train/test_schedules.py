"""Schedules: their values at marked places, and what is refused."""

import math

import pytest
import torch

from edgewise.config import make
from edgewise.errors import ConfigError
from edgewise.models.lightgcn import LightGCN
from edgewise.train.schedules import SCHEDULES, ScheduleConfig, make_schedule


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({"name": "constant"}, {0.0: 1, 0.5: 1, 1.0: 1}),
        (
            {"name": "step", "n_drops": 2, "final_share": 0.01},
            {0.0: 1, 0.33: 1, 0.34: 0.1, 0.66: 0.1, 0.67: 0.01, 1.0: 0.01},
        ),
        ({"name": "exponential", "final_share": 0.01}, {0.0: 1, 0.5: 0.1, 1.0: 0.01}),
        ({"name": "cosine"}, {0.0: 1, 0.5: 0.5, 1.0: 0}),
        ({"name": "cosine", "restarts": 1}, {0.0: 1, 0.25: 0.5, 0.5: 1, 0.75: 0.5, 1.0: 0}),
        ({"name": "cosine", "warmup": 0.2}, {0.0: 0.001, 0.1: 0.5, 0.2: 1, 0.6: 0.5, 1.0: 0}),
        ({"name": "one-cycle"}, {0.0: 0.04, 0.15: 0.52, 0.3: 1, 1.0: 4e-6}),
    ],
)
def test_the_factor_at_marked_places(settings: dict[str, object], values: dict[float, float]) -> None:
    factor = make_schedule(make(ScheduleConfig, settings, where="schedule"))
    for share, expected in values.items():
        assert factor(share) == pytest.approx(expected, abs=1e-9), share


def test_one_cycle_is_torchs() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1.0, total_steps=101, cycle_momentum=False)
    ours = make_schedule(ScheduleConfig(name="one-cycle"))
    for step in range(101):
        # torch ends its rise at step 0.3 * 101 - 1 of 100, less than one step before ours: a step is worth 0.05 at most.
        off = 1e-6 if step in (0, 100) else 0.04
        assert ours(step / 100) == pytest.approx(theirs.get_last_lr()[0], abs=off), step
        if step < 100:
            optimiser.step()
            theirs.step()


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_trains(name: str) -> None:
    from edgewise.testing.planted import planted_tastes

    model = LightGCN(epochs=5, embedding_dim=8, valid_share=0.1, schedule={"name": name}).fit(planted_tastes().train)
    losses = [entry["loss"] for entry in model.record.curve]
    assert math.isfinite(losses[-1])
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "linear"}, "schedule.*'constant', 'step', 'exponential', 'cosine', 'one-cycle' or 'plateau'"),
        ({"name": "step", "restarts": 2}, "restarts = 2: only the schedule 'cosine' restarts, not 'step'"),
        ({"name": "one-cycle", "warmup": 0.1}, "warmup = 0.1: the schedule 'one-cycle' warms up by itself"),
        ({"warmup": 1.0}, "warmup"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(ScheduleConfig, settings, where="schedule")
