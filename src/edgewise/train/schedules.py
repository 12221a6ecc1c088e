"""How the learning rate moves while training: a factor of the rate at its highest, by the share of training that is done."""

import math
from collections.abc import Callable
from typing import Literal, Self, TypeAlias, get_args

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from edgewise.config import Settings

ScheduleName: TypeAlias = Literal["constant", "step", "exponential", "cosine", "one-cycle", "plateau"]

_RISE = 0.3
"""One-cycle rises for this share, from 1/25 of the highest rate, and falls to 1/250,000 of it: the proportions of torch."""


class ScheduleConfig(Settings):
    """Settings of the learning rate's way."""

    name: ScheduleName = "cosine"
    warmup: float = Field(
        default=0.0, ge=0, lt=1
    )  # share of training in which the rate rises from nearly 0; not one-cycle
    restarts: NonNegativeInt = 0  # cosine: how many times the rate jumps back to its highest
    n_drops: PositiveInt | None = None  # step: how many times the rate falls, at even distances; None: 3
    final_share: float | None = Field(default=None, gt=0, le=1)  # step, exponential: left at the end; None: 0.01
    drop: float | None = Field(default=None, gt=0, lt=1)  # plateau: what the rate is multiplied by; None: 0.5
    wait: PositiveInt | None = None  # plateau: looks at the metric without a new best before a drop; None: 2

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.restarts and self.name != "cosine":
            raise ValueError(f"restarts = {self.restarts}: only the schedule 'cosine' restarts, not {self.name!r}")
        owners = {
            "n_drops": ("step",),
            "final_share": ("step", "exponential"),
            "drop": ("plateau",),
            "wait": ("plateau",),
        }
        for key, names in owners.items():
            if (value := getattr(self, key)) is not None and self.name not in names:
                raise ValueError(
                    f"{key} = {value:g} belongs to the schedule {' or '.join(map(repr, names))}, not {self.name!r}"
                )
        if self.warmup and self.name == "one-cycle":
            raise ValueError(
                f"warmup = {self.warmup:g}: the schedule 'one-cycle' warms up by itself; leave warmup at 0"
            )
        return self


def make_schedule(config: ScheduleConfig) -> Callable[[float], float]:
    """Return the factor of the learning rate as a function of the share of training that is done, in [0, 1].

    Cosine with restarts: Loshchilov and Hutter, "SGDR", ICLR 2017 (arXiv:1608.03983), eq. 5, with cycles of one length;
    one-cycle: Smith and Topin, "Super-Convergence", 2018 (arXiv:1708.07120). `plateau` is constant here; see `Plateau`.
    """

    n_drops, final_share = config.n_drops or 3, config.final_share or 0.01

    def after_warmup(share: float) -> float:
        match config.name:
            case "constant" | "plateau":
                return 1.0
            case "step":
                return float(final_share ** (min(math.floor(share * (n_drops + 1)), n_drops) / n_drops))
            case "exponential":
                return float(final_share**share)
            case "cosine":
                return _cosine(share) if share >= 1 else _cosine(share * (config.restarts + 1) % 1)
            case "one-cycle":
                if share < _RISE:
                    return 1 / 25 + (1 - 1 / 25) * (1 - _cosine(share / _RISE))
                return 4e-6 + (1 - 4e-6) * _cosine((share - _RISE) / (1 - _RISE))

    def factor(share: float) -> float:
        share = min(max(share, 0.0), 1.0)
        if share < config.warmup:
            return max(share / config.warmup, 1e-3)
        return after_warmup((share - config.warmup) / (1 - config.warmup))

    return factor


def _cosine(share: float) -> float:
    """Fall from 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * share)) / 2


class Plateau:
    """The further factor of the schedule `plateau`: it drops whenever the validation metric has not risen for a while.

    Attributes:
        factor: now; 1 for every other schedule.
        looks: how many since the best, or since the last drop.
        wait: how many are waited for.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        self._is_in_use = config.name == "plateau"
        self._drop, self.wait = config.drop or 0.5, config.wait or 2
        self.factor = 1.0
        self.looks = 0

    def look(self, *, is_best: bool) -> None:
        """Take note of a look at the metric."""
        self.looks = 0 if is_best else self.looks + 1
        if self._is_in_use and self.looks >= self.wait:
            self.factor, self.looks = self.factor * self._drop, 0


SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)
"""The names there are."""
