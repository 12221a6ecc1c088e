"""The objective of models of ratings: batches of pairs, squared error or cross-entropy, penalties by row, what to watch."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from edgewise.data.ratings import Biases, RatingScale, fit_biases, pairs_of
from edgewise.evaluate.calibration import NOT_CALIBRATED, answers, fit_calibration
from edgewise.evaluate.ratings import log_losses, squared_errors
from edgewise.rng import make_rng
from edgewise.train.config import TrainConfig
from edgewise.train.penalties import flattened, l1_penalty, l2_penalty
from edgewise.train.plan import Watch
from edgewise.train.validation import hold_out
from edgewise.types import Doubles, Floats, Index

_STEPS_PER_EPOCH = 16
"""At least, where the data are few."""

_USUAL_BATCH = 2048
"""Unless a batch size is given."""

_LOOKS = 20
"""How often the error is looked at in a whole training."""

Predict = Callable[[Index, Index], Floats]
"""Scores pairs of users and items now: ratings, or log odds of a yes."""

_OF_RANKING = (
    "loss", "temperature", "margin", "negative_weight", "uniformity", "sampler", "negative_power", "n_negatives",
    "n_candidates", "avoid_known",
)  # fmt: skip
"""Settings of training that a model of ratings has no use for: what it learns is in the ratings."""


class RatingTrainConfig(TrainConfig):
    """How a model of ratings is trained: squared error, or cross-entropy for yes and no."""

    epochs: PositiveInt = 30
    batch_size: PositiveInt | None = None  # ratings; None: 2048, 16 batches an epoch at least
    learning_rate: PositiveFloat | None = 0.01
    l2: NonNegativeFloat | None = 0.5  # on embeddings, per rating
    l2_exponent: float | None = Field(default=0.5, ge=0, le=1)
    calibration_share: float = Field(default=0.1, ge=0, le=0.5)  # yes and no: held out to fit probabilities on

    @model_validator(mode="after")
    def _no_settings_of_ranking(self) -> Self:
        check_no_ranking(self)
        if self.is_sparse:
            raise ValueError(f"optimiser = {self.optimiser!r}: every row has a gradient in every step; use 'adam'")
        return self


def check_no_ranking(config: TrainConfig) -> None:
    """Refuse settings that only ranking has.

    Raises:
        ValueError: naming the first.
    """
    for name in _OF_RANKING:
        if (value := getattr(config, name)) is not None:
            raise ValueError(
                f"{name} = {value!r} belongs to ranking; ratings are learned by squared error (yes and no by cross-entropy), "
                "without negatives; leave it out"
            )
    if config.penalised != "layer-0":
        raise ValueError(f"penalised = {config.penalised!r} belongs to ranking; leave it out")
    if config.precision != "float32":
        raise ValueError(f"precision = {config.precision!r} belongs to ranking with shared negatives; leave it out")


@dataclass(frozen=True)
class RatingBatch:
    """Some ratings.

    Attributes:
        users, items: int64 [b], positions. targets: float32 [b]: ratings, or 1 and 0.
        levels: int64 [b], the place of each rating among the levels of the scale.
    """

    users: Tensor
    items: Tensor
    targets: Tensor
    levels: Tensor


class RatingObjective:
    """What a model of ratings minimises, and on which batches.

    Args:
        ratings: [n_users, n_items].
        scale: of these ratings.
        config: batch size and penalties.
        seed: an epoch's batches depend on it and on the epoch's number alone.
        device: where batches go.
    """

    def __init__(
        self,
        ratings: csr_array,
        scale: RatingScale,
        config: TrainConfig,
        seed: int,
        device: torch.device,
    ) -> None:
        users, items = pairs_of(ratings)
        values = (users, items, scale.targets(ratings.data), scale.level_of(ratings.data))
        self._all = RatingBatch(*(torch.from_numpy(column).to(device) for column in values))
        self._seed, self.scale = seed, scale
        by_share = max(1, users.size // _STEPS_PER_EPOCH)
        self.batch_size = min(config.batch_size or min(_USUAL_BATCH, by_share), users.size)
        exponent = 1.0 if config.l2_exponent is None else config.l2_exponent
        sizes = zip((users, items), ratings.shape, strict=True)
        weights = [flattened(np.bincount(of, minlength=size).astype(np.float64), exponent) for of, size in sizes]
        self.row_weights = torch.from_numpy((np.concatenate(weights) / users.size).astype(np.float32)).to(device)
        """float32 [n_users + n_items]: each row's weight in a penalty, summing to 1 for either side."""

    @property
    def middle(self) -> float:
        """The mean of the targets, or for yes and no its log odds: a score to begin with."""
        mean = float(self._all.targets.double().mean())
        return float(np.log(mean / (1 - mean))) if self.scale.is_yes_no else mean

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return -(-self._all.targets.numel() // self.batch_size)

    def batches(self, epoch: int) -> Iterator[RatingBatch]:
        """Go once through all ratings in random order; the same batches whenever it is asked."""
        every = self._all
        order = torch.from_numpy(make_rng(self._seed, "epoch", epoch).permutation(every.targets.numel()))
        for start in range(0, order.numel(), self.batch_size):
            at = order[start : start + self.batch_size].to(every.targets.device)
            yield RatingBatch(every.users[at], every.items[at], every.targets[at], every.levels[at])

    def loss(self, scores: Tensor, batch: RatingBatch) -> Tensor:
        """Return the mean squared error, or for yes and no the mean cross-entropy of log odds; scores float32 [b]."""
        if self.scale.is_yes_no:
            return binary_cross_entropy_with_logits(scores, batch.targets)
        return mse_loss(scores, batch.targets)

    def penalty(self, tables: Iterable[Tensor], *, l1: float = 0.0, l2: float = 0.0) -> Tensor:
        """Return the penalties on some tables, float32 [n_users + n_items, d] each, summed."""
        total = self.row_weights.new_zeros(())
        for table in tables:
            if l2:
                total = total + l2 * l2_penalty(table, self.row_weights)
            if l1:
                total = total + l1 * l1_penalty(table, self.row_weights)
        return total

    def working_bytes(self, embedding_dim: int) -> int:
        """Count the bytes that a step's batch and its vectors take."""
        return 4 * self.batch_size * embedding_dim * 8 + 64 * self._all.targets.numel()


@dataclass(frozen=True)
class Parts:
    """What is learned from and what is kept back.

    Attributes:
        train, valid: [n_users, n_items] each; valid is empty unless an epoch is to be chosen by it, or probabilities are
            calibrated on it.
    """

    train: csr_array
    valid: csr_array


def keep_back(
    ratings: csr_array, scale: RatingScale, config: TrainConfig, share_of_calibration: float, seed: int
) -> Parts:
    """Hold ratings out: for yes and no always a share to calibrate on, else what `valid_share` says."""
    share = max(config.valid_share, share_of_calibration if scale.is_yes_no else 0.0)
    return Parts(*hold_out(ratings, share, make_rng(seed, "valid")))


def watch_error(predict: Predict, parts: Parts, scale: RatingScale, config: TrainConfig) -> Watch | None:
    """Return what to watch while training: the error on what is kept back; None unless `valid_share` asks for it."""
    if not config.valid_share or not parts.valid.nnz:
        return None
    users, items = pairs_of(parts.valid)
    targets = scale.targets(parts.valid.data).astype(np.float64)
    every = max(1, config.epochs // _LOOKS)

    def measure() -> float:
        found = answers(predict(users, items), scale, NOT_CALIBRATED).astype(np.float64)
        if scale.is_yes_no:
            return float(log_losses(found, targets > 0).mean())
        return float(np.sqrt(squared_errors(found, targets).mean()))

    name: Literal["log_loss", "rmse"] = "log_loss" if scale.is_yes_no else "rmse"
    return Watch(name, measure, every)


def fit_fallback(ratings: csr_array, scale: RatingScale) -> tuple[Doubles, Floats, Floats]:
    """Return mean [1] and biases of users [n_users + 1] and items [n_items + 1], for pairs with one that is not known."""
    biases = fit_biases(*pairs_of(ratings), scale.targets(ratings.data), ratings.shape)
    return np.array([biases.mean]), biases.users, biases.items


def answer_pairs(
    predict: Predict,
    known: Index,
    pairs: tuple[Index, Index],
    scale: RatingScale,
    calibration: Doubles,
    fallback: tuple[Doubles, Floats, Floats],
) -> Floats:
    """Answer for pairs of users and items: by scores at the places in `known`, elsewhere by biases within the scale."""
    mean, of_users, of_items = fallback
    user_index, item_index = pairs
    found = Biases(float(mean[0]), of_users, of_items).within(scale, user_index, item_index)
    found[known] = answers(predict(user_index[known], item_index[known]), scale, calibration)
    return found


def calibrate(predict: Predict, parts: Parts, scale: RatingScale) -> Doubles:
    """Return what makes probabilities of the log odds, fitted on what is kept back; see `fit_calibration`."""
    if not scale.is_yes_no or not parts.valid.nnz:
        return NOT_CALIBRATED.copy()
    users, items = pairs_of(parts.valid)
    return fit_calibration(predict(users, items), scale.targets(parts.valid.data) > 0)
