"""The settings of node tasks, and what is best for each model."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from edgewise.config import make
from edgewise.errors import UnknownNameError
from edgewise.graph.neighbour_sampling import checked_fan_out
from edgewise.nn.encoder import EncoderConfig
from edgewise.train.loop_config import LoopConfig
from edgewise.train.schedules import ScheduleConfig

BATCH_SIZE = 512
"""Nodes a step, where neighbours are drawn and nothing else is said."""


class NodesConfig(LoopConfig, EncoderConfig):
    """Settings of `edgewise nodes`: the encoder's, the loop's, and those of the loss."""

    epochs: int = Field(default=300, ge=1)
    learning_rate: PositiveFloat | None = 0.01
    schedule: ScheduleConfig = ScheduleConfig(name="constant")
    weights_l2: float = Field(default=5e-4, ge=0)
    patience: int | None = Field(default=100, ge=1)  # stop after so many epochs without a better validation
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)  # of classes
    # Weight of what two draws of dropout should agree on, over all nodes; None: what is better of 1 and 0.
    consistency: float | None = Field(default=None, ge=0)
    sharpening: float = Field(default=0.5, gt=0, le=1)  # power of 1 / this makes what they should agree on surer
    # Neighbours drawn of each node, hop by hop, one number a layer, -1 for all; None: each step is over the whole graph.
    fan_out: list[int] | None = None
    batch_size: PositiveInt | None = None  # with fan_out: nodes a step; None: 512

    @field_validator("fan_out")
    @classmethod
    def _possible(cls, fan_out: list[int] | None) -> list[int] | None:
        return None if fan_out is None else checked_fan_out(fan_out)

    @model_validator(mode="after")
    def _fits_layers(self) -> Self:
        if self.fan_out is not None and len(self.fan_out) != self.n_layers:
            raise ValueError(
                f"fan_out = {self.fan_out} is for {len(self.fan_out)} layer(s), and n_layers = {self.n_layers}; give as many "
                f"numbers as layers, or set n_layers = {len(self.fan_out)}"
            )
        if self.batch_size is not None and self.fan_out is None:
            raise ValueError(
                f"batch_size = {self.batch_size}: without fan_out each step is over the whole graph; give both"
            )
        return self


DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "gcn": {"conv": "gcn", "hidden_dim": 64, "dropout": 0.6},
    "gat": {
        "conv": "gat",
        "hidden_dim": 64,
        "activation": "elu",
        "dropout": 0.6,
        "attention_dropout": 0.6,
    },
    "graphsage": {"conv": "sage", "hidden_dim": 64, "dropout": 0.6},
}
"""What each model starts from; chosen on the validation nodes of Cora and Citeseer."""


def config_of(model: str, settings: Mapping[str, Any]) -> NodesConfig:
    """Return the settings of a model with some of them changed.

    Raises:
        UnknownNameError: if there is no such model.
        ConfigError: if a setting is unknown or out of range.
    """
    if model not in DEFAULTS:
        raise UnknownNameError(f"there is no node model {model!r}; there are {', '.join(DEFAULTS)}.")
    return make(NodesConfig, {**DEFAULTS[model], **settings}, where=f"--set for {model}")
