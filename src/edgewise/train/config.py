"""The settings of training: the [train] section, the same for every model that learns step by step."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array

from edgewise.config import make
from edgewise.train.loop_config import LoopConfig

LossName: TypeAlias = Literal[
    "sampled-softmax",
    "in-batch-softmax",
    "infonce",
    "bpr",
    "bce",
    "shared-bce",
    "cosine-contrastive",
    "alignment-uniformity",
]
SamplerName: TypeAlias = Literal["uniform", "popularity", "in-batch", "mixed", "hard"]


@dataclass(frozen=True)
class LossTraits:
    """What follows from the choice of a loss.

    Attributes:
        negatives: "shared" by all users of a batch, "own" of each interaction, or "none".
        sampler, negative_power, n_negatives, batch_size, learning_rate, l2, l2_exponent: the defaults; n_negatives and
            batch_size of None depend on the data.
        by_user: whether a batch holds users with all their interactions, or interactions drawn at random.
        angular: whether it sees the angles between vectors alone, so that scores have to be cosines.
        avoid_known: the default.
    """

    negatives: Literal["shared", "own", "none"]
    sampler: SamplerName
    negative_power: float
    n_negatives: int | None
    batch_size: int | None
    learning_rate: float
    l2: float
    l2_exponent: float
    by_user: bool
    angular: bool = False
    avoid_known: bool = False


TRAITS: dict[LossName, LossTraits] = {
    "sampled-softmax": LossTraits("shared", "popularity", 0.5, None, None, 0.03, 0.045, 0.5, by_user=True),
    "in-batch-softmax": LossTraits("shared", "in-batch", 0.0, None, 4096, 0.03, 0.045, 0.5, by_user=False),
    "infonce": LossTraits(
        "shared", "uniform", 0.0, None, None, 0.03, 1e-4, 0.5, by_user=True, angular=True, avoid_known=True
    ),
    "bpr": LossTraits("own", "uniform", 0.0, 1, 2048, 0.003, 1e-4, 1.0, by_user=False),
    "bce": LossTraits("own", "uniform", 0.0, 4, 2048, 0.003, 1e-4, 1.0, by_user=False),
    "shared-bce": LossTraits("shared", "uniform", 0.0, None, None, 0.03, 1e-3, 0.5, by_user=True),
    "cosine-contrastive": LossTraits("shared", "uniform", 0.0, 1024, None, 0.03, 1e-4, 0.5, by_user=True, angular=True),
    "alignment-uniformity": LossTraits(
        "none", "uniform", 0.0, None, 4096, 0.01, 1e-4, 0.5, by_user=False, angular=True
    ),
}
"""Loss name to what follows from it."""

_DENSE = 0.01
"""Where at least this share of all pairs of a user and an item is known, `infonce` is the default. On validation parts of
MovieLens 100k, 1M and latest-small and of FilmTrust (6, 4, 1.5 and 1 % known) it was better than `sampled-softmax`, by up to a
half; on Gowalla and Deskdrop (less than 1 %) it was a few percent worse (benchmarks/settings.py)."""

LOSSES: tuple[LossName, ...] = tuple(TRAITS)
"""The names there are."""


class TrainConfig(LoopConfig):
    """How a model of users and items is trained. Where a default is None, it follows from the loss (see `TRAITS`) or the data."""

    loss: LossName | None = None  # None: by the data, see `for_data`
    temperature: PositiveFloat | None = None  # infonce: what cosines are divided by; None: 0.15
    margin: float | None = Field(default=None, ge=-1, le=1)  # cosine-contrastive: cosines below cost nothing; None: 0.4
    negative_weight: PositiveFloat | None = (
        None  # cosine-contrastive, shared-bce: of the mean over negatives; None: 100
    )
    uniformity: PositiveFloat | None = None  # alignment-uniformity: weight of the latter; None: 1

    sampler: SamplerName | None = None
    negative_power: NonNegativeFloat | None = None  # negatives are drawn by popularity to this power
    n_negatives: PositiveInt | None = None  # shared by a batch, or of each interaction
    n_candidates: PositiveInt | None = None  # hard: the best-scored of so many is taken; None: 8
    avoid_known: bool | None = None  # whether what a user met is never a negative; where not, chance decides

    batch_size: PositiveInt | None = None  # interactions; None: by the loss, 16 batches an epoch at least
    l1: NonNegativeFloat = 0.0  # on embeddings, per interaction
    l2: NonNegativeFloat | None = None  # on embeddings, per interaction
    l2_exponent: float | None = Field(default=None, ge=0, le=1)  # l1 and l2 grow with a row's interactions so
    penalised: Literal["layer-0", "final"] = "layer-0"  # the table below the first layer, or what comes out of the last
    valid_share: float = Field(default=0.0, ge=0, le=0.5)  # held out to find the best epoch, hence lost to training

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        traits = self.traits
        owned: dict[str, tuple[LossName, ...]] = {
            "temperature": ("infonce",),
            "margin": ("cosine-contrastive",),
            "negative_weight": ("cosine-contrastive", "shared-bce"),
            "uniformity": ("alignment-uniformity",),
        }
        for key, owners in owned.items():
            if (value := getattr(self, key)) is not None and self.loss not in owners:
                raise ValueError(
                    f"{key} = {value:g} belongs to the loss {owners[0]!r}, not {self.loss or 'the default'!r}; leave it out"
                )
        if traits.negatives == "none":
            for key in ("sampler", "negative_power", "n_negatives", "n_candidates"):
                if (value := getattr(self, key)) is not None:
                    raise ValueError(f"{key} = {value!r}: the loss {self.loss!r} has no negatives; leave it out")
            if self.avoid_known:
                raise ValueError(f"avoid_known = true: the loss {self.loss!r} has no negatives; leave it out")
        self._check_sampler(traits)
        if self.patience is not None and not self.valid_share:
            raise ValueError(
                f"patience = {self.patience}: nothing is held out to look at; set valid_share, such as 0.1"
            )
        if self.schedule.name == "plateau" and not self.valid_share:
            raise ValueError(
                "the schedule 'plateau' waits for a validation metric, and nothing is held out; set valid_share, such as 0.1"
            )
        if self.schedule.name == "plateau" and self.patience is not None and self.patience <= (self.schedule.wait or 2):
            raise ValueError(
                f"patience = {self.patience}: training would stop before the rate could drop, after schedule.wait = "
                f"{self.schedule.wait or 2} looks; wait less, or be more patient"
            )
        if self.precision == "bfloat16" and traits.negatives != "shared":
            raise ValueError(
                f"precision = 'bfloat16' rounds the products of users with shared negatives, and {self.loss!r} has none"
            )
        return self

    def _check_sampler(self, traits: LossTraits) -> None:
        if self.sampler == "hard" and traits.negatives == "shared":
            raise ValueError(
                f"sampler = 'hard' picks negatives for each interaction, and those of {self.loss or 'the default'!r} are shared by a batch; "
                "use loss bpr or bce"
            )
        if self.loss == "in-batch-softmax" and self.sampler not in (None, "in-batch"):
            raise ValueError(f"sampler = {self.sampler!r}: 'in-batch-softmax' takes the batch; use 'sampled-softmax'")
        sampler = self.sampler or traits.sampler
        if self.negative_power and sampler in ("uniform", "in-batch"):
            if self.sampler is None and sampler == "uniform":
                return  # a power without a sampler asks for popularity
            raise ValueError(
                f"negative_power = {self.negative_power:g}: the sampler {sampler!r} knows no popularity; use 'popularity'"
            )
        if self.n_candidates is not None and sampler != "hard":
            raise ValueError(f"n_candidates = {self.n_candidates} belongs to the sampler 'hard', not {sampler!r}")
        if self.n_negatives is not None and sampler == "in-batch" and traits.negatives == "shared":
            raise ValueError(
                f"n_negatives = {self.n_negatives}: the sampler 'in-batch' takes the batch's items; set batch_size"
            )

    def for_data(self, interactions: csr_array) -> Self:
        """Return the settings with a loss: where none is named, `infonce` for dense data and `sampled-softmax` for others.

        Raises:
            ConfigError: if another setting contradicts that loss.
        """
        if self.loss is not None:
            return self
        known = interactions.nnz / max(1, interactions.shape[0] * interactions.shape[1])
        chosen = "infonce" if known >= _DENSE else "sampled-softmax"
        return make(type(self), self.model_dump() | {"loss": chosen}, where=f"loss {chosen!r}, chosen by the data")

    @property
    def traits(self) -> LossTraits:
        """What follows from the loss; before one is chosen, what those that could be have in common."""
        return TRAITS[self.loss or "sampled-softmax"]

    @property
    def vector_length(self) -> float:
        """How long vectors are for the loss; 0 where it takes them as they are."""
        if self.loss == "infonce":
            return float((self.temperature or 0.15) ** -0.5)
        return float(self.traits.angular)

    @property
    def avoids_known(self) -> bool:
        """Whether what a user met is never a negative."""
        return self.traits.avoid_known if self.avoid_known is None else self.avoid_known

    @property
    def highest_rate(self) -> float:
        """The learning rate at its highest."""
        return self.learning_rate if self.learning_rate is not None else self.traits.learning_rate
