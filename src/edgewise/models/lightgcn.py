"""LightGCN: embeddings of users and items, smoothed over the graph of who met what, and nothing else."""

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import dropout, normalize

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.embeddings import cosine_block, score_embeddings, unit_vectors
from edgewise.graph.bipartite import bipartite
from edgewise.graph.dropout import GraphDropout
from edgewise.graph.folding import fold_in, senders
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.propagation import Propagation, StalePropagation
from edgewise.graph.reorder import Order
from edgewise.graph.svd import truncated_svd
from edgewise.newcomers import Newcomers
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, OneOf, SearchSpace
from edgewise.train.config import TrainConfig
from edgewise.train.devices import device_of
from edgewise.train.loop import train
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.plan import Plan
from edgewise.train.validation import hold_out, watch_ndcg
from edgewise.types import Floats, Index


class LightGCNConfig(TrainConfig):
    """Settings of `lightgcn`; those of training, among them the loss, are [train]'s."""

    embedding_dim: PositiveInt = 64
    n_layers: int = Field(default=3, ge=0, le=8)  # 0: matrix factorisation
    start: Literal["random", "spectral"] = "random"
    init_scale: PositiveFloat = 0.1  # standard deviation of the table at the start
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
        if self.warm_start is not None and self.start != "random":
            raise ValueError(f"start = {self.start!r} and warm_start = {self.warm_start!r}: choose one")
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


class LightGCN(Recommender):
    """Score by the dot product of a user and an item after propagation: the mean of all layers of A^l X.

    A loss that sees angles alone (infonce, cosine-contrastive, alignment-uniformity) leaves lengths to chance; then the
    vectors are cut to length 1, and scores are cosines.

    Whoever comes after training is folded in: the sum over the neighbours of what these would send to a node of the graph,
    without a vector of the node's own. With normalisation between the layers there is no such sum, and nobody is folded in.

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
    STATE: ClassVar[tuple[str, ...]] = ("users", "items", "users_sent", "items_sent")
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    SEARCH: ClassVar[SearchSpace] = {
        "l2": LogUniform(1e-3, 0.3),
        "learning_rate": LogUniform(3e-3, 0.1),
        "epochs": IntLogUniform(10, 100),
        "n_layers": IntLogUniform(1, 4),
        "loss": OneOf(("sampled-softmax", "infonce")),
        "avoid_known": OneOf((False, True)),
    }

    users: Floats  # [n_users, d], after propagation; NaN for a user without interactions
    items: Floats  # [n_items, d]
    users_sent: Floats  # [n_users, d], what each user sends to a new item; [0, d] where nobody can be folded in
    items_sent: Floats  # [n_items, d], what each item sends to a new user

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the table, then keep what propagation makes of it."""
        config: LightGCNConfig = self.config.for_data(dataset.interactions)
        if self.config.loss is None:
            self.record.notes.append(f"loss: {config.loss}, chosen by the share of all pairs that is known")
        device = device_of(config.device)
        order = Order.by_neighbours(dataset.interactions)
        ordered = order.apply(dataset.interactions)
        interactions, held_out = hold_out(ordered, config.valid_share, make_rng(self.seed, "valid"))
        graph = symmetric_normalise(bipartite(interactions))
        net = LightGCNNet(graph, _start(interactions, config, make_rng(self.seed, "start")), config).to(device)
        objective = RankingObjective(interactions, config, self.seed)

        def loss(drawn: Drawn) -> Tensor:
            table: Tensor = net.table.weight
            if config.n_layers == 0 and not config.feature_dropout:
                return objective.loss_of_rows(table, drawn)
            if net.needs_rows_alone and config.penalised == "layer-0":
                return objective.loss_at_rows(table, lambda rows: net.propagate.at_rows(table, rows), drawn)
            return objective.loss(table, net(), drawn)

        def vectors() -> tuple[Floats, Floats]:
            with torch.no_grad():
                table: Tensor = net()
                final: Floats = (normalize(table) if config.traits.angular else table).cpu().numpy()
            return final[: dataset.n_users], final[dataset.n_users :]

        plan = Plan(
            net=net,
            loss=loss,
            batches=objective.batches,
            steps_per_epoch=objective.steps_per_epoch,
            seed=self.seed,
            watch=watch_ndcg(vectors, interactions, held_out, config, make_rng(self.seed, "watch")),
            working_bytes=_working_bytes(net, objective),
        )
        train(plan, config, curve=self.record.curve, keeping=self.keeping)
        users, self.items = order.undo(*vectors())
        met_something = np.diff(dataset.interactions.indptr)[:, None] > 0
        self.users = np.where(met_something, users, np.float32(np.nan))
        self.users_sent, self.items_sent = order.undo(*_sent(net, interactions))

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors; NaN for a user without interactions, whose vector is what is left of the random start."""
        return score_embeddings(self.users, self.items, user_index)

    def embed_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Fold in by history; NaN without one."""
        sent = self.items_sent if newcomers.side == "user" else self.users_sent
        if not sent.any():
            return None
        vectors = fold_in(newcomers.history, sent)
        is_angular = self.config.for_data(self.catalogue.seen).traits.angular
        return unit_vectors(vectors) if is_angular else vectors

    def add_items(self, newcomers: Newcomers, order: Index) -> None:
        """Append vectors; what a new item would send to new users is not known, so it sends nothing."""
        super().add_items(newcomers, order)
        nothing = np.zeros((len(newcomers), self.items_sent.shape[1]), dtype=np.float32)
        self.items_sent = np.vstack([self.items_sent, nothing])[order]

    def similarity_block(self, item_index: Index) -> Floats:
        """Return the cosines of the items' vectors."""
        return cosine_block(self.items, item_index)

    def item_vectors(self) -> Floats:
        """Return the items' vectors after propagation."""
        return self.items


def _start(interactions: csr_array, config: LightGCNConfig, rng: np.random.Generator) -> Floats:
    """Make the table [n_users + n_items, d]: noise, or the leading singular vectors of the normalised interactions."""
    n_users, n_items = interactions.shape
    table = rng.standard_normal((n_users + n_items, config.embedding_dim), dtype=np.float32)
    if config.start == "spectral":
        n_factors = min(config.embedding_dim, n_users, n_items)
        left, strengths, right = truncated_svd(symmetric_normalise(interactions), n_factors, rng)
        factors = np.vstack([left, right]) * np.sqrt(strengths)
        # As long as the noise in whose place they stand, so that the other settings keep their meaning.
        table[:, : strengths.size] = factors * np.sqrt(factors.size) / np.linalg.norm(factors)
    return table * np.float32(config.init_scale)


def _sent(net: LightGCNNet, interactions: csr_array) -> tuple[Floats, Floats]:
    """Return what each user and each item would send to a new neighbour; zeros where layers are not mere products."""
    x: Tensor = net.table.weight
    degrees = [np.diff(interactions.indptr), np.bincount(interactions.indices, minlength=interactions.shape[1])]
    with torch.no_grad():
        below = net.propagate.below_last(x) if net.config.normalisation == "none" else torch.zeros_like(x)
    sent = senders(below.cpu().numpy(), np.concatenate(degrees).astype(np.float32))
    return sent[: degrees[0].size], sent[degrees[0].size :]


def _working_bytes(net: LightGCNNet, objective: RankingObjective) -> int:
    """Count what a step needs beside weights and optimiser: layers forth and back, scores of a block, the batch."""
    table: Tensor = net.table.weight
    n_tables = 5 if net.is_plain else 4 + 4 * net.config.n_layers
    return n_tables * table.numel() * 4 + objective.working_bytes(net.config.embedding_dim)
