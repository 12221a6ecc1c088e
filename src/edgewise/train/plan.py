"""What is trained, on what: the net, its loss and its batches."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import torch
from torch import Tensor

from edgewise.rng import make_rng
from edgewise.train.loop_config import LoopConfig
from edgewise.train.optimisers import embeddings_and_weights
from edgewise.types import Index

B = TypeVar("B")


@dataclass(frozen=True)
class Watch:
    """A validation metric to look at while training.

    Attributes:
        name: of the metric, such as "ndcg@20".
        measure: returns its value now; which way is better, `direction` in evaluate/metrics.py knows by the name.
        every: look after so many epochs.
    """

    name: str
    measure: Callable[[], float]
    every: int


@dataclass(frozen=True)
class Plan(Generic[B]):
    """What is trained, on what.

    Attributes:
        net: changed in place.
        loss: returns the loss of a batch, with its gradient.
        batches: returns the batches of an epoch, counted from 0; the same ones whenever it is asked.
        steps_per_epoch: how many these are.
        seed: what is random inside `loss` (dropout) follows from it and from the number of the step.
        watch: what to look at, and when.
        rows: which node (users first, then items) each row of a parameter stands for, int64 [n_rows] by the parameter's name; a
            parameter that is not among them is the same for all nodes. None: parameters cannot be taken over by a later fit.
        working_bytes: memory that a step needs beside weights and optimiser, for the estimate.
    """

    net: torch.nn.Module
    loss: Callable[[B], Tensor]
    batches: Callable[[int], Iterable[B]]
    steps_per_epoch: int
    seed: int = 0
    watch: Watch | None = None
    rows: Mapping[str, Index] | None = None
    working_bytes: int = 0

    @cached_property
    def parameters(self) -> list[torch.nn.Parameter]:
        """All that is trained."""
        return list(self.net.parameters())

    def loss_of_step(self, config: LoopConfig, batch: B, epoch: int, step: int) -> Tensor:
        """Return the loss of a batch with the penalties on weights that are no embeddings.

        What is random in it follows from seed, epoch and step, so that a step can be done again with the same result.
        """
        device = self.parameters[0].device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            number = int(make_rng(self.seed, "step", epoch, step).integers(2**62))
            if device.type == "cuda":
                torch.manual_seed(number)
            else:  # the other notes a stack trace for every call, in case that a GPU turns up later: 1 ms, never freed
                torch.default_generator.manual_seed(number)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                value = self.loss(batch)
        if config.weights_l1 or config.weights_l2:
            for weight in embeddings_and_weights(self.net)[1]:
                value = value + config.weights_l1 * weight.abs().sum() + config.weights_l2 * weight.square().sum() / 2
        return value
