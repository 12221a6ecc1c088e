"""The training loop: steps, learning rate, curve, validation, and saying so when the loss is no longer a number."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from edgewise import telemetry
from edgewise.errors import TrainingError

B = TypeVar("B")


@dataclass(frozen=True)
class Watch:
    """A validation metric to look at while training, and when to stop.

    Attributes:
        name: of the metric, such as "ndcg@20".
        measure: returns its value now; the higher the better.
        every: look after so many epochs.
        patience: stop after so many looks without a new best.
    """

    name: str
    measure: Callable[[], float]
    every: int
    patience: int


def train(
    table: torch.nn.Parameter,
    loss: Callable[[B], Tensor],
    batches: Callable[[int], Iterable[B]],
    *,
    n_epochs: int,
    steps_per_epoch: int,
    learning_rate: float,
    schedule: Callable[[float], float],
    curve: list[dict[str, float]],
    clip_norm: float | None = None,
    watch: Watch | None = None,
) -> None:
    """Train a table with Adam; where a metric is watched, the table ends as it was at its best.

    Kingma and Ba, "Adam", ICLR 2015 (arXiv:1412.6980).

    Args:
        table: what is trained, in place.
        loss: returns the loss of a batch, with its gradient.
        batches: returns the batches of an epoch, counted from 0.
        n_epochs, steps_per_epoch: how long training is.
        learning_rate: at its highest.
        schedule: its factor, by the share of the steps that are done; see `make_schedule`.
        curve: gets an entry an epoch: epoch, loss, seconds since the start, and the watched metric.
        clip_norm: the longest a step's gradient may be; None: any.
        watch: what to look at, and when to stop.

    Raises:
        TrainingError: if the loss is no longer a number.
    """
    optimiser = torch.optim.Adam([table], lr=learning_rate, fused=True)
    n_steps = n_epochs * steps_per_epoch
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: schedule(step / n_steps))
    best = _Best(table)
    started = time.perf_counter()
    with telemetry.step("training", n_steps) as progress:
        for epoch in range(n_epochs):
            total, n_done = 0.0, 0
            for batch in batches(epoch):
                optimiser.zero_grad()
                value = loss(batch)
                value.backward()  # type: ignore[no-untyped-call]
                total, n_done = total + _finite(value, epoch, n_done, learning_rate), n_done + 1
                if clip_norm is not None:
                    torch.nn.utils.clip_grad_norm_([table], clip_norm)
                optimiser.step()
                scheduler.step()
                progress.advance(1, loss=total / n_done)
            curve.append({"epoch": epoch + 1, "loss": total / n_done, "seconds": time.perf_counter() - started})
            if watch is not None and ((epoch + 1) % watch.every == 0 or epoch + 1 == n_epochs):
                curve[-1][watch.name] = value_now = watch.measure()
                if best.looks_since(value_now) >= watch.patience:
                    break
    if watch is not None:
        best.restore()


class _Best:
    """Remembers the table at its best."""

    def __init__(self, table: torch.nn.Parameter) -> None:
        self._table = table
        self._copy = table.detach()
        self._value = -math.inf
        self._looks = 0

    def looks_since(self, value: float) -> int:
        """Take note of a value; return how many looks ago the best was."""
        self._looks += 1
        if value > self._value:
            self._value, self._looks = value, 0
            self._copy = self._table.detach().clone()
        return self._looks

    def restore(self) -> None:
        """Put the best back."""
        with torch.no_grad():
            self._table.copy_(self._copy)


def _finite(loss: Tensor, epoch: int, step: int, learning_rate: float) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"the loss is {value} at step {step + 1} of epoch {epoch + 1}. The usual cause is a learning rate that is too high: "
            f"lower learning_rate (now {learning_rate:g}) to a third, or start closer to zero (init_scale)."
        )
    return value
