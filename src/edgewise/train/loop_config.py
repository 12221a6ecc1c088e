"""The settings that the training loop itself reads, whatever is trained."""

from typing import Literal, Self, TypeAlias

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from edgewise.config import Settings
from edgewise.train.schedules import ScheduleConfig

OptimiserName: TypeAlias = Literal["adam", "adagrad", "sgd", "sparse-adam", "sparse-adagrad", "sparse-sgd"]


class AveragingConfig(Settings):
    """Which average of the weights over time is kept in the end.

    `ema`: of every step, each counting `decay` of the one after it (Polyak and Juditsky, 1992); `swa`: of the epochs after
    `start`, each counting the same (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
    UAI 2018, arXiv:1803.05407).
    """

    name: Literal["none", "ema", "swa"] = "none"
    decay: float | None = Field(default=None, gt=0, lt=1)  # ema; None: 0.99
    start: float | None = Field(default=None, ge=0, lt=1)  # swa: the share of training before the first; None: 0.75

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        for key, value, owner in (("decay", self.decay, "ema"), ("start", self.start, "swa")):
            if value is not None and self.name != owner:
                raise ValueError(f"{key} = {value:g} belongs to averaging by {owner!r}, not {self.name!r}")
        return self


class LoopConfig(Settings):
    """How any net is trained."""

    epochs: PositiveInt = 80
    optimiser: OptimiserName = "adam"  # the sparse ones touch only the rows of the batch
    momentum: float | None = Field(default=None, gt=0, lt=1)  # sgd alone
    learning_rate: PositiveFloat | None = None  # at its highest
    schedule: ScheduleConfig = ScheduleConfig()  # how it moves: by default along half a cosine to zero
    clip_norm: PositiveFloat | None = None  # the longest a step's gradient may be
    averaging: AveragingConfig = AveragingConfig()

    weights_l1: NonNegativeFloat = 0.0  # on all that is no embedding
    weights_l2: NonNegativeFloat = 0.0
    weight_decay: NonNegativeFloat = 0.0  # on everything, decoupled from the gradient

    patience: PositiveInt | None = (
        None  # stop after so many looks without a new best; None: 3, three waits of a plateau
    )

    device: str = Field(default="cpu", pattern=r"^(cpu|cuda(:\d+)?)$")  # or cuda, cuda:1, …
    precision: Literal["float32", "bfloat16"] = "float32"  # of the products of dense matrices
    warm_start: str | None = None  # a folder of checkpoints whose weights to start from
    checkpoint_every_s: NonNegativeFloat = (
        30.0  # where checkpoints are kept: seconds between two; never changes a result
    )

    @model_validator(mode="after")
    def _optimiser_fits(self) -> Self:
        if self.momentum is not None and self.optimiser != "sgd":
            raise ValueError(f"momentum = {self.momentum:g} belongs to the optimiser 'sgd', not {self.optimiser!r}")
        if self.is_sparse and self.weight_decay:
            raise ValueError(
                f"weight_decay = {self.weight_decay:g} touches every row, {self.optimiser!r} only those of the batch; use l2"
            )
        return self

    @property
    def is_sparse(self) -> bool:
        """Whether the optimiser touches only the rows of the batch."""
        return self.optimiser.startswith("sparse-")

    @property
    def highest_rate(self) -> float:
        """The learning rate at its highest."""
        return 0.01 if self.learning_rate is None else self.learning_rate
