"""Recommendations on a graph with types: behaviours, friends, categories and attributes, each a relation of its own."""

from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import normalize

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.embeddings import cosine_block, score_embeddings
from edgewise.errors import DataError
from edgewise.graph.heterogeneous import HeterogeneousGraph
from edgewise.graph.relations import ITEM, USER, GraphConfig, heterogeneous
from edgewise.nn.heterogeneous import Combine, HeterogeneousConfig, HeterogeneousEncoder, typed_edges
from edgewise.nn.sparse_linear import SparseLinear, SparseRows
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, OneOf, SearchSpace
from edgewise.train.config import TrainConfig
from edgewise.train.loop import train
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.plan import Plan
from edgewise.train.validation import hold_out, watch_ndcg
from edgewise.types import Bools, Floats, Index


class HeteroConfig(TrainConfig):
    """Settings of `hetero`; those of training, among them the loss, are [train]'s."""

    embedding_dim: PositiveInt = 64
    graph: GraphConfig = GraphConfig()  # which relations there are
    target: str | None = None  # the type of event to train for; None: any that a user and an item had
    nodes: Literal["ids", "attributes", "both"] = (
        "ids"  # what users and items begin with: a vector each, their features
    )
    init_scale: PositiveFloat = 0.1  # standard deviation of the vectors at the start
    id_dropout: float = Field(default=0.0, ge=0, lt=1)  # of users' and items' own vectors, in each step

    conv: Literal["light", "rgcn", "gcn", "gat", "gatv2", "transformer", "sage"] = "light"  # along each relation
    combine: Combine = "sum"  # of the relations that arrive at a node
    scaled: Literal["by-ends", "by-node"] = "by-node"  # light: which edges the degrees sum up that edges are scaled by
    n_layers: PositiveInt = 3
    n_bases: PositiveInt | None = None  # rgcn: matrices that all relations share
    n_heads: PositiveInt = 4  # gat, gatv2, transformer
    edge_dim: NonNegativeInt = 0  # columns of the embeddings of edges, where attention looks at them
    dropout: float = Field(default=0.0, ge=0, lt=1)  # of the numbers that go into a layer
    edge_dropout: float = Field(default=0.0, ge=0, lt=1)  # of edges, in each layer and step

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.encoder  # noqa: B018 - a contradiction within it is one of ours
        if self.device != "cpu":
            raise ValueError(f"device = {self.device!r}: hetero runs on the CPU alone")
        if self.is_sparse:
            raise ValueError(
                f"optimiser = {self.optimiser!r} touches only the rows of a batch, and through the graph every row has a gradient; use 'adam'"
            )
        if self.id_dropout and self.nodes == "attributes":
            raise ValueError(
                f"id_dropout = {self.id_dropout:g}: with nodes = 'attributes' there are no vectors to drop"
            )
        return self

    @property
    def encoder(self) -> HeterogeneousConfig:
        """The settings of the encoder among these."""
        shared = ("conv", "combine", "n_layers", "n_bases", "n_heads", "edge_dim", "dropout", "edge_dropout")
        return HeterogeneousConfig(
            hidden_dim=self.embedding_dim, jumping="mean", **{name: getattr(self, name) for name in shared}
        )


class HeteroNet(torch.nn.Module):
    """A vector for each node, from its id, its features or both, and the encoder over the graph.

    Args:
        graph: with "user" and "item" among its nodes.
        known: bool [n_users + n_items], who has an interaction; the others have no vector of their own, since nothing would
            teach it, and live on what their neighbours and features tell.
        config: the settings.
        seed: of the start.
    """

    def __init__(self, graph: HeterogeneousGraph, known: Tensor, config: HeteroConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.sizes = [graph.nodes[USER].n_nodes, graph.nodes[ITEM].n_nodes]
        rng = make_rng(seed, "start")
        n_own = sum(self.sizes) if config.nodes != "attributes" else 0
        self.table = _embedding(n_own, config, rng)
        self.known = known[:, None].float()
        self.others = [name for name in graph.nodes if name not in (USER, ITEM)]
        self.tables = torch.nn.ModuleList(_embedding(graph.nodes[name].n_nodes, config, rng) for name in self.others)
        self.features: list[SparseRows | None] = [None, None]
        if config.nodes != "ids":
            self.features = [_sparse(graph, name) for name in (USER, ITEM)]
            if self.features == [None, None] and not self.others:
                raise DataError(
                    f"nodes = {config.nodes!r}: neither users nor items have attributes. Give --items or --users, or set nodes = 'ids'."
                )
        self.edges = typed_edges(graph, scaled=config.scaled if config.conv == "light" else "none")
        dims = dict.fromkeys(graph.nodes, config.embedding_dim)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**62)))
            self.maps = torch.nn.ModuleList(
                torch.nn.Identity() if x is None else SparseLinear(x.shape[1], config.embedding_dim, bias=False)
                for x in self.features
            )
            self.encoder = HeterogeneousEncoder(config.encoder, dims, config.embedding_dim, self.edges)

    def below(self) -> Tensor:
        """Return what users and items begin with: float32 [n_users + n_items, d]."""
        parts = []
        for x, linear, n in zip(self.features, self.maps, self.sizes, strict=True):
            parts.append(torch.zeros(n, self.config.embedding_dim) if x is None else linear(x))
        given = torch.cat(parts)
        if self.config.nodes == "attributes":
            return given
        own = self.table.weight * self.known
        if self.training and self.config.id_dropout:
            kept = torch.rand(own.shape[0], 1) >= self.config.id_dropout
            own = own * kept
        return given + own

    def starts(self, below: Tensor) -> dict[str, Tensor]:
        """Return what nodes of each type begin with."""
        users, items = below[: self.sizes[0]], below[self.sizes[0] :]
        starts: dict[str, Tensor] = {USER: users, ITEM: items}
        for name, table in zip(self.others, self.tables, strict=True):
            assert isinstance(table, torch.nn.Embedding)
            starts[name] = table.weight
        return starts

    def forward(self, below: Tensor) -> Tensor:
        """Return the final vectors of users and items: float32 [n_users + n_items, d]."""
        final = self.encoder(self.starts(below), self.edges)
        return torch.cat([final[USER], final[ITEM]])


class Hetero(Recommender):
    """Score by the dot product of a user and an item after an encoder over all relations that the data have.

    With the defaults a layer is LightGCN's, along each relation apart: what arrives at a node by views, by purchases, from
    friends or from genres is scaled by the degrees in that relation, and a softmax over learnt numbers, for each layer and
    type of nodes, tells what each counts. With interactions alone it is LightGCN. Users and items without interactions get
    vectors from friends and attributes.

    Other convolutions, R-GCN's maps with shared bases and attention over relations are options.
    """

    name: ClassVar[str] = "hetero"
    title: ClassVar[str] = "Heterogeneous graph"
    paper: ClassVar[str] = (
        "Schlichtkrull et al., “Modeling Relational Data with Graph Convolutional Networks”, ESWC 2018 (arXiv:1703.06103); "
        "He et al., “LightGCN”, SIGIR 2020 (arXiv:2002.02126)"
    )
    Config: ClassVar[type[Settings]] = HeteroConfig
    STATE: ClassVar[tuple[str, ...]] = ("users", "items")
    scores_cold_items: ClassVar[bool] = True
    SEARCH: ClassVar[SearchSpace] = {
        "l2": LogUniform(1e-3, 0.3),
        "learning_rate": LogUniform(3e-3, 0.1),
        "epochs": IntLogUniform(10, 100),
        "n_layers": IntLogUniform(1, 4),
        "loss": OneOf(("sampled-softmax", "infonce")),
        "combine": OneOf(("weights", "sum", "attention")),
    }

    users: Floats  # [n_users, d]; NaN for a user of whom nothing is known
    items: Floats  # [n_items, d]; NaN likewise

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train all vectors and the encoder, then keep those of users and items."""
        wanted = _target(dataset, self.config.target)
        config: HeteroConfig = self.config.for_data(wanted)
        if self.config.loss is None:
            self.record.notes.append(f"loss: {config.loss}, chosen by the share of all pairs that is known")
        interactions, held_out = hold_out(wanted, config.valid_share, make_rng(self.seed, "valid"))
        graph = heterogeneous(_without(dataset, held_out), config.graph)
        self.record.notes += graph.notes
        known = (
            np.concatenate(
                [np.diff(interactions.indptr), np.bincount(interactions.indices, minlength=interactions.shape[1])]
            )
            > 0
        )
        net = HeteroNet(graph, torch.from_numpy(known), config, self.seed)
        objective = RankingObjective(interactions, config, self.seed)

        def loss(drawn: Drawn) -> Tensor:
            below = net.below()
            return objective.loss(below, net(below), drawn)

        def vectors() -> tuple[Floats, Floats]:
            with torch.no_grad():
                table = net(net.below())
                final: Floats = (normalize(table) if config.traits.angular else table).numpy()
            return final[: dataset.n_users], final[dataset.n_users :]

        n_nodes = graph.n_nodes * config.embedding_dim
        plan = Plan(
            net=net,
            loss=loss,
            batches=objective.batches,
            steps_per_epoch=objective.steps_per_epoch,
            seed=self.seed,
            watch=watch_ndcg(vectors, interactions, held_out, config, make_rng(self.seed, "watch")),
            working_bytes=4 * n_nodes * config.n_layers * (len(graph.relations) + 3)
            + objective.working_bytes(config.embedding_dim),
        )
        train(plan, config, curve=self.record.curve, keeping=self.keeping)
        self.record.notes += _told_factors(net)
        users, items = vectors()
        self.users = np.where(_told(graph, net, 0)[:, None], users, np.float32(np.nan))
        self.items = np.where(_told(graph, net, 1)[:, None], items, np.float32(np.nan))

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors; NaN where nothing is known of the user or the item."""
        return score_embeddings(self.users, self.items, user_index)

    def similarity_block(self, item_index: Index) -> Floats:
        """Return the cosines of the items' vectors."""
        return cosine_block(self.items, item_index)

    def item_vectors(self) -> Floats:
        """Return the items' vectors; zeros for an item of which nothing is known."""
        return np.nan_to_num(self.items)


def _embedding(n: int, config: HeteroConfig, rng: np.random.Generator) -> torch.nn.Embedding:
    start = rng.standard_normal((n, config.embedding_dim), dtype=np.float32) * np.float32(config.init_scale)
    return torch.nn.Embedding(n, config.embedding_dim, _weight=torch.from_numpy(start))


def _sparse(graph: HeterogeneousGraph, name: str) -> SparseRows | None:
    features = graph.nodes[name].features
    return None if features is None else SparseRows(csr_array(features))


def _target(dataset: Dataset, target: str | None) -> csr_array:
    """Return the interactions to train for: float32 [n_users, n_items] of ones.

    Raises:
        DataError: if there are no events of that type.
    """
    if target is None:
        return dataset.interactions
    if target not in dataset.type_names:
        raise DataError(f"target = {target!r}: there are no such events; there are {', '.join(dataset.type_names)}.")
    events = dataset.events.filter(pl.col("type") == target) if len(dataset.type_names) > 1 else dataset.events
    if events.is_empty():
        raise DataError(f"target = {target!r}: the training data have no such event.")
    return replace(dataset, events=events).interactions


def _without(dataset: Dataset, held_out: csr_array) -> Dataset:
    """Return the data set without any event of the pairs held out, with all ids."""
    if not held_out.nnz:
        return dataset
    n_items = dataset.n_items
    rows = np.repeat(np.arange(held_out.shape[0], dtype=np.int64), np.diff(held_out.indptr))
    gone = rows * n_items + held_out.indices
    pairs = dataset.events["user_index"].to_numpy().astype(np.int64) * n_items + dataset.events["item_index"].to_numpy()
    return replace(dataset, events=dataset.events.filter(pl.Series(~np.isin(pairs, gone))))


def _told(graph: HeterogeneousGraph, net: HeteroNet, side: int) -> Bools:
    """Tell of which users or items anything is known: an edge, or a feature that the net looks at: bool [n]."""
    told = ~graph.isolated((USER, ITEM)[side])
    x = net.features[side]
    return told if x is None else told | (np.diff(x.matrix.indptr) > 0)


def _told_factors(net: HeteroNet) -> list[str]:
    """Say what each relation counts in each layer, where that is one number."""
    if net.config.combine != "weights":
        return []
    notes = []
    for number, factors in enumerate(net.encoder.factors()):
        for name in (USER, ITEM):
            counts = {edge_type[1]: factor for edge_type, factor in factors.items() if edge_type[2] == name}
            if len(counts) > 1:
                told = ", ".join(f"{relation} {factor:.2f}" for relation, factor in counts.items())
                notes.append(f"layer {number + 1}, what a relation counts at {name}s: {told}")
    return notes
