"""What the contrastive models share: a table under propagation, which noise can be added to, and its settings."""

from typing import Self

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.perturbation import NoisyPropagation
from edgewise.graph.propagation import Propagation
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace
from edgewise.train.tables import TableConfig
from edgewise.types import Floats

CONTRAST_SEARCH: SearchSpace = {
    "contrast_weight": LogUniform(0.01, 1.0),
    "contrast_temperature": LogUniform(0.05, 0.5),
    "noise": LogUniform(0.02, 0.5),
    "l2": LogUniform(1e-3, 0.3),
    "learning_rate": LogUniform(3e-3, 0.1),
    "epochs": IntLogUniform(10, 100),
}
"""What a search over settings may vary; the layers are each model's own."""


class NoisyTableConfig(TableConfig):
    """Settings of noise and contrast; how much of either is each model's own default."""

    n_layers: int = Field(default=3, ge=1, le=8)
    skip_table: bool = False  # whether the table itself is left out of the mean of layers, as in the papers
    noise: NonNegativeFloat  # that each layer adds to a vector, as a share of its length
    contrast_weight: NonNegativeFloat
    contrast_temperature: PositiveFloat
    n_contrasted: PositiveInt = 2048  # of a batch, so many users and as many items at the most

    @model_validator(mode="after")
    def _no_contradiction_with_layers(self) -> Self:
        self.check_that_every_row_has_a_gradient()
        return self


class NoisyTableNet(torch.nn.Module):
    """The table, and the mean of the layers over it, without noise or with it; a model adds the loss.

    Args:
        interactions: [n_users, n_items].
        start: float32 [n_users + n_items, d], the table at the start.
        config: the settings.
    """

    def __init__(self, interactions: csr_array, start: Floats, config: NoisyTableConfig) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(start.shape[0], start.shape[1], _weight=torch.from_numpy(start))
        graph = symmetric_normalise(bipartite(interactions))
        combine = Propagation.mean_above if config.skip_table else Propagation.mean
        self.propagate = combine(graph, config.n_layers)
        self.noisy = NoisyPropagation(self.propagate, config.noise)

    def forward(self) -> Tensor:
        """Return the final embeddings, without noise: float32 [n, d]."""
        return self.propagate(self.table.weight)

    def below_last(self) -> Tensor | None:
        """Return what the last product is taken of."""
        return self.propagate.below_last(self.table.weight)
