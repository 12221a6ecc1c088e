"""XSimGCL: LightGCN with noise on every layer, and a contrast between an early layer and the sum of all."""

from typing import ClassVar, Self

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.inductive.tables import TableRecommender
from edgewise.search_space import IntLogUniform, SearchSpace
from edgewise.train.contrast import contrastive_loss, draw_seed, nodes_to_contrast
from edgewise.train.noisy_tables import CONTRAST_SEARCH, NoisyTableConfig, NoisyTableNet
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.tables import train_table
from edgewise.types import Floats


class XSimGCLConfig(NoisyTableConfig):
    """Settings of `xsimgcl`; those of training, among them the ranking loss, are [train]'s."""

    noise: NonNegativeFloat = 0.05
    contrast_layer: PositiveInt = 2  # which layer is contrasted with the sum of all
    contrast_weight: NonNegativeFloat = 0.1
    contrast_temperature: PositiveFloat = 0.15

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.contrast_layer > self.n_layers:
            raise ValueError(
                f"contrast_layer = {self.contrast_layer}: there are {self.n_layers} layers; take one of these"
            )
        return self


class XSimGCLNet(NoisyTableNet):
    """The table, and the mean of the layers above it, with noise while it is trained.

    Args:
        interactions: [n_users, n_items].
        start: float32 [n_users + n_items, d], the table at the start.
        config: the settings.
    """

    n_tables = 6

    def __init__(self, interactions: csr_array, start: Floats, config: XSimGCLConfig) -> None:
        super().__init__(interactions, start, config)
        self.config = config

    def loss(self, objective: RankingObjective, drawn: Drawn) -> Tensor:
        """Return the ranking loss on noisy vectors, and the contrast of two of their layers."""
        config, rows = self.config, drawn.rows()
        table: Tensor = self.table.weight
        final, layer = self.noisy.at_rows(table, rows, draw_seed(), config.contrast_layer)
        loss = objective.loss_at_rows(table, lambda _: final, drawn)
        for places in nodes_to_contrast(drawn.among(rows), config.n_contrasted):
            loss = loss + config.contrast_weight * contrastive_loss(
                layer[places], final[places], config.contrast_temperature
            )
        return loss


class XSimGCL(TableRecommender):
    """Score by the dot product of a user and an item after propagation: the mean of the layers of A^l X.

    While it is trained, each layer adds noise to every vector, within its orthant. One noisy pass gives
    the vectors for the ranking loss, their sum over layers, and by an early layer a second view of each node: of a batch's
    users, and of its items, each is to be told from the others by the other view (InfoNCE). That spreads vectors over the
    sphere, which helps what is rarely met, and costs no second pass over the graph.

    Differs from the paper: the ranking loss is a sampled softmax by default, where the paper has BPR, the table itself
    counts as a layer unless `skip_table`, and noise is a share of a vector's length, where theirs has a fixed length.
    """

    name: ClassVar[str] = "xsimgcl"
    title: ClassVar[str] = "XSimGCL"
    paper: ClassVar[str] = (
        "Yu et al., “XSimGCL: Towards Extremely Simple Graph Contrastive Learning for Recommendation”, TKDE 2023 (arXiv:2209.02544)"
    )
    Config: ClassVar[type[Settings]] = XSimGCLConfig
    SEARCH: ClassVar[SearchSpace] = {**CONTRAST_SEARCH, "n_layers": IntLogUniform(2, 4)}  # the second is contrasted

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the table, then keep what propagation makes of it."""
        config: XSimGCLConfig = self.config
        trained = train_table(
            dataset,
            config,
            lambda interactions, start: XSimGCLNet(interactions, start, config),
            seed=self.seed,
            record=self.record,
            keeping=self.keeping,
        )
        self.keep(trained)
