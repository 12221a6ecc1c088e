"""UltraGCN: what infinitely many layers of propagation would come to, said by weights of a loss, without any layer."""

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.graph.bipartite import ascending, transposed
from edgewise.graph.products import top_quotients
from edgewise.inductive.tables import TableRecommender
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace
from edgewise.train.config import LossName, SamplerName
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.tables import TableConfig, train_table
from edgewise.train.weighted_bce import weighted_bce_loss
from edgewise.types import Doubles, Floats


class UltraGCNConfig(TableConfig):
    """Settings of `ultragcn`; those of training are [train]'s. Defaults by validation pairs of Gowalla (benchmarks/gowalla.py)."""

    loss: LossName | None = "shared-bce"  # the model is this loss, with its weights
    start: Literal["random", "spectral"] = "spectral"
    init_scale: PositiveFloat = 0.2
    negative_weight: PositiveFloat | None = 10.0
    sampler: SamplerName | None = "popularity"  # corrected for, so that the loss is the same, and less noisy
    negative_power: NonNegativeFloat | None = 0.5
    l2: NonNegativeFloat | None = 3e-4
    constraint_weight: NonNegativeFloat = 1.0  # of beta, what the graph makes of a pair of a user and an item
    base_weight: NonNegativeFloat = 1e-6  # that every pair has beside beta
    neighbour_weight: NonNegativeFloat = 0.3  # of the items near those that a user met
    n_neighbours: PositiveInt = 10  # items that are near an item

    @field_validator("loss")
    @classmethod
    def _its_own_loss(cls, loss: LossName | None) -> LossName | None:
        if loss != "shared-bce":
            raise ValueError(f"loss = {loss!r}: UltraGCN is a way to weigh 'shared-bce'; leave it out")
        return loss

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if not self.constraint_weight and not self.base_weight:
            raise ValueError("constraint_weight = 0 and base_weight = 0: then no pair counts; set one of them above 0")
        self.check_that_every_row_has_a_gradient()
        return self


class UltraGCNNet(torch.nn.Module):
    """The table, and the weights that the graph gives to pairs.

    Args:
        interactions: [n_users, n_items], columns ascending in each row.
        start: float32 [n_users + n_items, d], the table at the start.
        config: the settings.
    """

    def __init__(self, interactions: csr_array, start: Floats, config: UltraGCNConfig) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(start.shape[0], start.shape[1], _weight=torch.from_numpy(start))
        self.config = config
        self.n_tables = 4
        self.n_users = interactions.shape[0]
        self.of_user, self.of_item = constraint(interactions)
        own = beta(interactions, self.of_user, self.of_item)
        own.data = config.base_weight + config.constraint_weight * own.data
        near = interactions @ item_neighbours(interactions, config.n_neighbours)
        wanted = ascending(csr_array(own + config.neighbour_weight * near))
        columns = wanted.indices + self.n_users  # of the table
        shape = (self.n_users, start.shape[0])
        self.wanted = csr_array((wanted.data.astype(np.float32), columns, wanted.indptr), shape=shape)

    def forward(self) -> Tensor:
        """Return the table: float32 [n, d]."""
        table: Tensor = self.table.weight
        return table

    def below_last(self) -> Tensor | None:
        """Return None: there is no propagation, so nobody can be folded in."""
        return None

    def loss(self, objective: RankingObjective, drawn: Drawn) -> Tensor:
        """Return the loss of a batch of users with all their interactions, a mean over these."""
        config, table = self.config, self()
        _, interactions, negatives, by_user, by_negative = objective.weights_of_pairs(table.shape[0], drawn)
        betas = self.of_user[drawn.users, None], self.of_item[negatives - self.n_users, None]
        value = weighted_bce_loss(
            table,
            drawn.users,
            self.wanted[drawn.users] * np.float32(1 / interactions.nnz),
            negatives,
            by_user * _with_base(config, betas[0]),
            by_negative * _with_ones(betas[1]),
            left_out=drawn.left_out,
        )
        return value + objective.penalty(table)


class UltraGCN(TableRecommender):
    """Score by the dot product of a user and an item; no layers, in training or after.

    At the limit of infinitely many layers a user's vector is the sum of the items' vectors with weights beta_ui =
    sqrt(d_u + 1) / (d_u sqrt(d_i + 1)), d being degrees. Instead of summing, the loss asks for it: a binary cross-entropy in which
    each interaction, and each negative, counts beta. A second term does the same for the graph of items that were met together: the
    `n_neighbours` items j nearest to each item i that a user met count omega_ij = G_ij / (g_i - G_ii) sqrt(g_i / g_j), with
    G = B'B and g its row sums. Both terms ask for pairs of a user and an item, so their weights are one sparse matrix.

    Differs from the paper: users of a batch share their negatives, and a batch holds users with all their interactions, so that in
    an epoch a user sees thousands of negatives, where the paper draws as many anew for each interaction.
    """

    name: ClassVar[str] = "ultragcn"
    title: ClassVar[str] = "UltraGCN"
    paper: ClassVar[str] = (
        "Mao et al., “UltraGCN: Ultra Simplification of Graph Convolutional Networks for Recommendation”, CIKM 2021 (arXiv:2110.15114)"
    )
    Config: ClassVar[type[Settings]] = UltraGCNConfig
    folds_in: ClassVar[tuple[str, ...]] = ()
    SEARCH: ClassVar[SearchSpace] = {
        "neighbour_weight": LogUniform(0.01, 3.0),
        "negative_weight": LogUniform(1.0, 300.0),
        "l2": LogUniform(1e-6, 1e-2),
        "learning_rate": LogUniform(3e-3, 0.1),
        "epochs": IntLogUniform(10, 100),
    }

    def fit_arrays(self, dataset: Dataset) -> None:
        """Weigh pairs by the graph, then train the table."""
        config: UltraGCNConfig = self.config
        trained = train_table(
            dataset,
            config,
            lambda interactions, start: UltraGCNNet(interactions, start, config),
            seed=self.seed,
            record=self.record,
            keeping=self.keeping,
        )
        self.keep(trained)


def constraint(interactions: csr_array) -> tuple[Floats, Floats]:
    """Return the factors of beta_ui = sqrt(d_u + 1) / d_u · 1 / sqrt(d_i + 1): float32 [n_users] and [n_items].

    A user without interactions has 0.
    """
    of_users = np.diff(interactions.indptr).astype(np.float64)
    of_items = np.bincount(interactions.indices, minlength=interactions.shape[1])
    left = np.divide(np.sqrt(of_users + 1), of_users, out=np.zeros_like(of_users), where=of_users > 0)
    return left.astype(np.float32), (1 / np.sqrt(of_items + 1)).astype(np.float32)


def beta(interactions: csr_array, of_user: Floats, of_item: Floats) -> csr_array:
    """Return beta of all interactions: float32 [n_users, n_items]."""
    rows = np.repeat(np.arange(interactions.shape[0]), np.diff(interactions.indptr))
    data = of_user[rows] * of_item[interactions.indices]
    return csr_array((data, interactions.indices, interactions.indptr), shape=interactions.shape)


def item_neighbours(interactions: csr_array, n_neighbours: int) -> csr_array:
    """Return omega_ij = G_ij / (g_i - G_ii) sqrt(g_i / g_j) of each item's nearest: float32 [n_items, n_items].

    Args:
        interactions: B, [n_users, n_items], ones; G = B'B, g its row sums.
        n_neighbours: how many to keep of each item, never the item itself.
    """
    by_item = transposed(interactions)
    of_items = np.diff(by_item.indptr).astype(np.float64)  # G_ii
    together: Doubles = by_item.astype(np.float64) @ np.diff(interactions.indptr).astype(np.float64)  # g_i
    root = np.sqrt(np.maximum(together, 1))
    others = np.maximum(together - of_items, 1)  # 0 only where there is no neighbour
    return top_quotients(by_item, interactions, n_neighbours, others / root, root, skip_diagonal=True)


def _with_base(config: UltraGCNConfig, betas: Floats) -> Floats:
    base = np.full_like(betas, config.base_weight)
    return np.hstack([base, np.float32(config.constraint_weight) * betas])


def _with_ones(betas: Floats) -> Floats:
    return np.hstack([np.ones_like(betas), betas])
