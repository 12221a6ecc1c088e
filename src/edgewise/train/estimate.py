"""What training will cost, told before the first step: memory by counting, time by timing a step that changes nothing."""

import time
from dataclasses import dataclass
from typing import Any

import psutil

from edgewise import telemetry
from edgewise.errors import MemoryNeedError
from edgewise.train.loop_config import LoopConfig
from edgewise.train.optimisers import n_states
from edgewise.train.plan import Plan


@dataclass(frozen=True)
class Forecast:
    """What training is expected to need.

    Attributes:
        memory_bytes: resident at the most, all of the process.
        seconds: for all steps, validation not counted.
        n_steps: how many.
    """

    memory_bytes: int
    seconds: float
    n_steps: int

    def __str__(self) -> str:
        return f"{self.n_steps:,} steps in about {in_words(self.seconds)}, with about {self.memory_bytes / 1e9:.2g} GB of memory"


def forecast(plan: Plan[Any], config: LoopConfig, *, n_done: int = 0) -> Forecast:
    """Estimate memory, and the time of the steps that are left, and tell both.

    Raises:
        MemoryNeedError: if there is less memory than that.
    """
    needed = bytes_beside(plan, config)
    free = psutil.virtual_memory().available
    if needed > free:
        raise MemoryNeedError(
            f"training would need about {needed / 1e9:.2g} GB more memory, and {free / 1e9:.2g} GB are free. Use a smaller "
            "embedding_dim, fewer n_negatives, a smaller batch_size, or a larger machine."
        )
    memory = psutil.Process().memory_info().rss + needed
    batches, times = iter(plan.batches(0)), [0.0]
    plan.net.eval()  # so that a step leaves no trace in running statistics
    for _ in range(3):  # the first may compile, and finds the caches cold
        started = time.perf_counter()
        batch = next(batches, None)
        if batch is not None:
            plan.loss_of_step(config, batch, 0, 0).backward()  # type: ignore[no-untyped-call]
            times.append(time.perf_counter() - started)
        plan.net.zero_grad()
    n_steps = config.epochs * plan.steps_per_epoch - n_done
    found = Forecast(memory, min(times[2:], default=times[-1]) * n_steps, n_steps)
    telemetry.note(f"training: {found}")
    return found


def bytes_beside(plan: Plan[Any], config: LoopConfig) -> int:
    """Count the bytes that training adds: gradient, optimiser, the last good weights, best and average, and a step's work."""
    weights: int = sum(value.nbytes for value in plan.parameters)
    everything: int = sum(value.nbytes for value in plan.net.state_dict().values())  # with statistics and the like
    n_copies = 1 + (plan.watch is not None) + (config.averaging.name != "none")
    return (1 + n_states(config)) * weights + n_copies * everything + plan.working_bytes


def in_words(seconds: float) -> str:
    """Say how long that is.

    >>> in_words(4.2), in_words(250), in_words(9000)
    ('4 s', '4 min 10 s', '2 h 30 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
