"""Averages of the weights over the course of training."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from edgewise.train.loop_config import AveragingConfig

Weights = dict[str, Tensor]
"""Parameters and buffers of a net by name."""


def copy_of(net: torch.nn.Module) -> Weights:
    """Copy all parameters and buffers."""
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def put_into(net: torch.nn.Module, weights: Weights) -> None:
    """Write weights over those of a net, in place."""
    with torch.no_grad():
        for name, value in net.state_dict().items():
            value.copy_(weights[name])


class WeightAverage:
    """The average that the settings ask for, with `none` the weights as they are.

    Attributes:
        weights: the average; empty before anything went in, and for `none`.
        n: how many weights went in.
    """

    def __init__(self, net: torch.nn.Module, config: AveragingConfig) -> None:
        self._net = net
        self._config = config
        self.weights: Weights = {}
        self.n = 0

    def after_step(self) -> None:
        """Let a step's weights in, where each step counts. A young average forgets faster, or its start would stay in it."""
        if self._config.name == "ema":
            decay = self._config.decay or 0.99
            self._take(1 - min(decay, (1 + self.n) / (10 + self.n)))

    def after_epoch(self, share_done: float) -> None:
        """Let an epoch's weights in, where each late epoch counts."""
        start = 0.75 if self._config.start is None else self._config.start
        if self._config.name == "swa" and share_done > start:
            self._take(1 / (self.n + 1))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the net have the average inside the block."""
        if not self.weights:
            yield
            return
        own = copy_of(self._net)
        put_into(self._net, self.weights)
        try:
            yield
        finally:
            put_into(self._net, own)

    def _take(self, share: float) -> None:
        now = self._net.state_dict()
        self.n += 1
        if not self.weights:
            self.weights = {name: value.detach().clone() for name, value in now.items()}
            return
        for name, value in now.items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, share)
            else:
                self.weights[name].copy_(value)
