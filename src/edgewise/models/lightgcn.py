"""LightGCN: embeddings of users and items, smoothed over the graph of who met what, and nothing else."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import dropout

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.graph.bipartite import bipartite
from edgewise.graph.dropout import GraphDropout
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.propagation import Propagation, StalePropagation
from edgewise.inductive.tables import TableRecommender
from edgewise.search_space import IntLogUniform, LogUniform, OneOf, SearchSpace
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.tables import TableConfig, train_table
from edgewise.types import Floats


class LightGCNConfig(TableConfig):
    """Settings of `lightgcn`; those of training, among them the loss, are [train]'s."""

    n_layers: int = Field(default=3, ge=0, le=8)  # 0: matrix factorisation
    feature_dropout: float = Field(default=0.0, ge=0, lt=1)  # of the numbers of the table
    message_dropout: float = Field(default=0.0, ge=0, lt=1)  # of the numbers that arrive at a node, in each layer
    edge_dropout: float = Field(default=0.0, ge=0, lt=1)  # of edges, both directions at once, in each step
    node_dropout: float = Field(default=0.0, ge=0, lt=1)  # of nodes with all their edges, in each step
    normalisation: Literal["none", "batch", "layer"] = "none"  # of what each layer gives
    propagate_every: PositiveInt = 1  # steps; more is an approximation, faster with small batches

    @model_validator(mode="after")
    def _no_contradiction_with_layers(self) -> Self:
        layers = ("message_dropout", "edge_dropout", "node_dropout")
        in_use = [name for name in layers if getattr(self, name)] + ["normalisation"] * (self.normalisation != "none")
        if in_use and not self.n_layers:
            raise ValueError(f"{in_use[0]} = {getattr(self, in_use[0])!r}: there is no layer, since n_layers = 0")
        if self.propagate_every > 1 and (in_use or self.feature_dropout or not self.n_layers):
            raise ValueError(
                f"propagate_every = {self.propagate_every}: a sum of layers can be reused only if it is the same in every "
                f"step; it needs n_layers >= 1, and no dropout and no normalisation"
            )
        if self.normalisation == "none" and (self.weights_l1 or self.weights_l2):
            raise ValueError(
                "weights_l1 and weights_l2 are for weights beside the embeddings, and without normalisation there are none; use l1, l2"
            )
        if self.penalised == "final" and not self.n_layers:
            raise ValueError("penalised = 'final': with n_layers = 0 the table is all there is; leave it at 'layer-0'")
        if self.is_sparse and (self.n_layers or self.feature_dropout):
            raise ValueError(
                f"optimiser = {self.optimiser!r} touches only the rows of a batch, and through {self.n_layers} layers and "
                f"feature_dropout = {self.feature_dropout:g} every row has a gradient; use 'adam', or n_layers = 0 without dropout"
            )
        return self


class LightGCNNet(torch.nn.Module):
    """The table, and the mean of all layers over it: X, A X, A^2 X, …, with dropout and normalisation where asked for.

    Args:
        graph: A, float32 [n, n], symmetric: users first, then items.
        start: float32 [n, d], the table at the start.
        config: the settings.
    """

    def __init__(self, graph: csr_array, start: Floats, config: LightGCNConfig) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(start.shape[0], start.shape[1], _weight=torch.from_numpy(start))
        self.config = config
        self.propagate = Propagation.mean(graph, config.n_layers)
        self.one_layer = Propagation(graph, [0.0, 1.0])
        self.stale = (
            StalePropagation(self.propagate, config.propagate_every, start.shape)
            if config.propagate_every > 1
            else None
        )
        has_dropout = config.edge_dropout or config.node_dropout
        self.graph_dropout = GraphDropout(graph, config.edge_dropout, config.node_dropout) if has_dropout else None
        kinds = {"none": torch.nn.Identity, "batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}
        self.norms = torch.nn.ModuleList(kinds[config.normalisation](start.shape[1]) for _ in range(config.n_layers))

    @property
    def is_plain(self) -> bool:
        """Whether nothing but propagation lies between the table and what comes out."""
        config = self.config
        return config.normalisation == "none" and not (
            self.training and (config.feature_dropout or config.message_dropout)
        )

    @property
    def needs_rows_alone(self) -> bool:
        """Whether the final embeddings of some rows can be had for less than those of all."""
        return self.is_plain and self.stale is None and self.graph_dropout is None

    @property
    def n_tables(self) -> int:
        """How many arrays of the size of the table a step needs beside weights and optimiser: layers forth and back."""
        return 5 if self.is_plain else 4 + 4 * self.config.n_layers

    def loss(self, objective: RankingObjective, drawn: Drawn) -> Tensor:
        """Return the loss of a batch, with as little work as the settings allow."""
        table: Tensor = self.table.weight
        if self.config.n_layers == 0 and not self.config.feature_dropout:
            return objective.loss_of_rows(table, drawn)
        if self.needs_rows_alone and self.config.penalised == "layer-0":
            return objective.loss_at_rows(table, lambda rows: self.propagate.at_rows(table, rows), drawn)
        return objective.loss(table, self(), drawn)

    def forward(self) -> Tensor:
        """Return the final embeddings: float32 [n, d]."""
        x, config = self.table.weight, self.config
        if self.stale is not None:
            final: Tensor = self.stale(x)
            return final
        thinned = self.graph_dropout.draw() if self.graph_dropout is not None and self.training else None
        if self.is_plain:
            return self.propagate(x) if thinned is None else self.propagate.over(thinned)(x)
        layer = self.one_layer if thinned is None else self.one_layer.over(thinned)
        x = dropout(x, config.feature_dropout, self.training)
        total = x
        for norm in self.norms:
            x = norm(dropout(layer(x), config.message_dropout, self.training))
            total = total + x
        return total / (config.n_layers + 1)

    def below_last(self) -> Tensor | None:
        """Return what the last product is taken of; None where layers are not mere products."""
        return self.propagate.below_last(self.table.weight) if self.config.normalisation == "none" else None


class LightGCN(TableRecommender):
    """Score by the dot product of a user and an item after propagation: the mean of all layers of A^l X.

    A loss that sees angles alone (infonce, cosine-contrastive, alignment-uniformity) leaves lengths to chance; then the
    vectors are cut to length 1, and scores are cosines.

    Differs from the paper: the default loss is a sampled softmax, which needs tens of epochs where BPR needs hundreds;
    negatives may be known positives; the L2 term is the expectation of the paper's over batches, which takes no look-up.
    Dropout, normalisation and reused propagation are options that the paper does without.
    """

    name: ClassVar[str] = "lightgcn"
    title: ClassVar[str] = "LightGCN"
    paper: ClassVar[str] = (
        "He et al., “LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation”, SIGIR 2020 (arXiv:2002.02126)"
    )
    Config: ClassVar[type[Settings]] = LightGCNConfig
    SEARCH: ClassVar[SearchSpace] = {
        "l2": LogUniform(1e-3, 0.3),
        "learning_rate": LogUniform(3e-3, 0.1),
        "epochs": IntLogUniform(10, 100),
        "n_layers": IntLogUniform(1, 4),
        "loss": OneOf(("sampled-softmax", "infonce")),
        "avoid_known": OneOf((False, True)),
    }

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the table, then keep what propagation makes of it."""
        config: LightGCNConfig = self.config.for_data(dataset.interactions)
        trained = train_table(
            dataset,
            self.config,
            lambda interactions, start: LightGCNNet(symmetric_normalise(bipartite(interactions)), start, config),
            seed=self.seed,
            record=self.record,
            keeping=self.keeping,
        )
        self.keep(trained)
