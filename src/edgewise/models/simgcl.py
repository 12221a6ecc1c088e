"""SimGCL: LightGCN, and a contrast between two passes over the graph with noise on every layer."""

from typing import ClassVar

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat
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


class SimGCLConfig(NoisyTableConfig):
    """Settings of `simgcl`; those of training, among them the ranking loss, are [train]'s."""

    noise: NonNegativeFloat = 0.1
    contrast_weight: NonNegativeFloat = 0.2
    contrast_temperature: PositiveFloat = 0.2


class SimGCLNet(NoisyTableNet):
    """The table, and the mean of the layers over it; two more such means, with noise, while it is trained.

    Args:
        interactions: [n_users, n_items].
        start: float32 [n_users + n_items, d], the table at the start.
        config: the settings.
    """

    n_tables = 12

    def __init__(self, interactions: csr_array, start: Floats, config: SimGCLConfig) -> None:
        super().__init__(interactions, start, config)
        self.config = config

    def loss(self, objective: RankingObjective, drawn: Drawn) -> Tensor:
        """Return the ranking loss on exact vectors, and the contrast of two noisy views of some nodes of the batch."""
        config = self.config
        table: Tensor = self.table.weight
        loss = objective.loss_at_rows(table, lambda rows: self.propagate.at_rows(table, rows), drawn)
        users, items = nodes_to_contrast(drawn, config.n_contrasted)
        rows = np.concatenate([users, items])
        first, second = (self.noisy.at_rows(table, rows, draw_seed())[0] for _ in range(2))
        for part in (slice(0, users.size), slice(users.size, rows.size)):
            contrast = contrastive_loss(first[part], second[part], config.contrast_temperature)
            loss = loss + config.contrast_weight * contrast
        return loss


class SimGCL(TableRecommender):
    """Score by the dot product of a user and an item after propagation: the mean of the layers of A^l X.

    While it is trained, two further passes over the graph add noise to every vector in each layer, within
    its orthant: two views of each node. Of a batch's users, and of its items, each is to be told from the others by its other view
    (InfoNCE). That spreads vectors over the sphere, which helps what is rarely met. `xsimgcl` has its views from one pass.

    Differs from the paper: the ranking loss is a sampled softmax by default, where the paper has BPR, the table itself
    counts as a layer unless `skip_table`, and noise is a share of a vector's length, where theirs has a fixed length.
    """

    name: ClassVar[str] = "simgcl"
    title: ClassVar[str] = "SimGCL"
    paper: ClassVar[str] = (
        "Yu et al., “Are Graph Augmentations Necessary? Simple Graph Contrastive Learning for Recommendation”, SIGIR 2022 "
        "(arXiv:2112.08679)"
    )
    Config: ClassVar[type[Settings]] = SimGCLConfig
    SEARCH: ClassVar[SearchSpace] = {**CONTRAST_SEARCH, "n_layers": IntLogUniform(1, 4)}

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the table, then keep what propagation makes of it."""
        config: SimGCLConfig = self.config
        trained = train_table(
            dataset,
            config,
            lambda interactions, start: SimGCLNet(interactions, start, config),
            seed=self.seed,
            record=self.record,
            keeping=self.keeping,
        )
        self.keep(trained)
