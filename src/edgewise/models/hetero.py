"""Recommendations on a graph with types: behaviours, friends, categories and attributes, each a relation of its own."""

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import normalize

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.features import FeatureEncoder
from edgewise.data.vocabulary import standard_type
from edgewise.embeddings import unit_vectors
from edgewise.errors import DataError
from edgewise.graph.folding import senders
from edgewise.graph.heterogeneous import REVERSE, EdgeType, HeterogeneousGraph
from edgewise.graph.relations import FRIEND, ITEM, USER, Attributes, GraphConfig, heterogeneous, is_relation
from edgewise.graph.spmm import spmm
from edgewise.inductive.tables import TableRecommender
from edgewise.newcomers import Newcomers
from edgewise.nn.heterogeneous import (
    Combine,
    HeterogeneousConfig,
    HeterogeneousEncoder,
    degrees_of_ends,
    joined_edges,
    typed_edges,
)
from edgewise.nn.sparse_linear import SparseLinear, SparseRows
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, OneOf, SearchSpace
from edgewise.train.config import TrainConfig
from edgewise.train.loop import train
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.plan import Plan
from edgewise.train.validation import hold_out, watch_ndcg
from edgewise.types import Bools, Floats


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

    # Along each relation: light, rgcn, gcn, gat, gatv2, transformer, sage, or a convolution of PyTorch Geometric
    conv: str = "light"
    conv_options: dict[str, Any] = Field(
        default_factory=dict
    )  # further arguments of a convolution of PyTorch Geometric
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
        shared = (
            "conv", "conv_options", "combine", "n_layers", "n_bases", "n_heads", "edge_dim", "dropout", "edge_dropout",
        )  # fmt: skip
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
        if config.conv == "light" and config.combine == "sum":
            self.edges = joined_edges(self.edges)
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


class Hetero(TableRecommender):
    """Score by the dot product of a user and an item after an encoder over all relations that the data have.

    With the defaults it is LightGCN on the graph of everything: users, items, friends and categories are nodes, an edge of
    any relation is scaled by the roots of the degrees of its ends, in all relations together, and vectors are the mean of
    all layers. With interactions alone it is LightGCN itself. Users and items without interactions get vectors from
    friends and attributes.

    Options are R-GCN's maps with shared bases, convolutions with attention, learnt weights of relations and attention over
    them; the last two were no better on validation parts of lastfm-2k and deskdrop (benchmarks/side_information.py).

    A newcomer is folded in: the sum over neighbours, whether items, friends or categories, of what these would send, without a
    vector of its own. What a newcomer met counts as events of the target, or of the most frequent type. With a convolution
    other than `light`, or attention over relations, there is no such sum, and nobody is folded in.
    """

    name: ClassVar[str] = "hetero"
    title: ClassVar[str] = "Heterogeneous graph"
    paper: ClassVar[str] = (
        "Schlichtkrull et al., “Modeling Relational Data with Graph Convolutional Networks”, ESWC 2018 (arXiv:1703.06103); "
        "He et al., “LightGCN”, SIGIR 2020 (arXiv:2002.02126)"
    )
    Config: ClassVar[type[Settings]] = HeteroConfig
    STATE: ClassVar[tuple[str, ...]] = (
        "users", "items", "users_sent", "items_sent", "friends_sent", "user_values", "item_values", "user_encoder", "item_encoder",
    )  # fmt: skip
    folds_in: ClassVar[tuple[str, ...]] = ("history", "attributes", "friends")
    reads_item_attributes: ClassVar[bool] = True
    starts_from: ClassVar[tuple[str, ...]] = ("table.weight",)
    scores_cold_items: ClassVar[bool] = True
    SEARCH: ClassVar[SearchSpace] = {
        "l2": LogUniform(1e-3, 0.3),
        "learning_rate": LogUniform(3e-3, 0.1),
        "epochs": IntLogUniform(10, 100),
        "n_layers": IntLogUniform(1, 4),
        "loss": OneOf(("sampled-softmax", "infonce")),
        "combine": OneOf(("weights", "sum", "attention")),
    }

    # Users and items of whom nothing is known have NaN; `users_sent` and `items_sent` no row where nobody can be folded in.
    friends_sent: Floats  # [n_users, d], what each user sends to a new friend; no row without a social graph
    user_values: Floats  # [n_features, d], what each value of an attribute, or each feature, gives a new user
    item_values: Floats  # [n_features, d], a new item
    user_encoder: NDArray[np.uint8]  # the fitted transform of attributes as UTF-8 JSON; empty without a table
    item_encoder: NDArray[np.uint8]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train all vectors and the encoder, then keep those of users and items."""
        target = _type_of(dataset, self.config.target)
        wanted = _target(dataset, target)
        config: HeteroConfig = self.config.for_data(dataset.interactions)
        if self.config.loss is None:
            self.record.notes.append(f"loss: {config.loss}, chosen by the share of all pairs that is known")
        newest = None if self.keeping.start is None else self.keeping.start.newest
        interactions, held_out = hold_out(wanted, config.valid_share, make_rng(self.seed, "valid"), newest)
        known_data = _without(dataset, held_out)
        attributes = Attributes.fit(known_data, config.graph.features)
        graph = heterogeneous(known_data, config.graph, attributes=attributes)
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
            rows={"table.weight": np.arange(sum(net.sizes) if config.nodes != "attributes" else 0)},
            working_bytes=4 * n_nodes * config.n_layers * (len(graph.relations) + 3)
            + objective.working_bytes(config.embedding_dim),
        )
        train(plan, config, curve=self.record.curve, keeping=self.keeping)
        self.record.notes += _told_factors(net)
        users, items = vectors()
        self.users = np.where(_told(graph, net, 0)[:, None], users, np.float32(np.nan))
        self.items = np.where(_told(graph, net, 1)[:, None], items, np.float32(np.nan))

        self.user_encoder, self.item_encoder = (_as_bytes(attributes.encoders.get(side)) for side in (USER, ITEM))
        self._keep_what_is_sent(net, graph, attributes, target)

    def _keep_what_is_sent(
        self, net: HeteroNet, graph: HeterogeneousGraph, attributes: Attributes, target: str | None
    ) -> None:
        """Keep what newcomers would hear from whom."""
        sent = _Sent(net, graph)
        dim = self.config.embedding_dim
        self.users_sent = sent.through(sent.most_frequent(USER, ITEM, target))
        self.items_sent = sent.through(sent.most_frequent(ITEM, USER, target))
        self.friends_sent = sent.through((USER, FRIEND, USER))
        values = []
        for side, linear in zip((USER, ITEM), net.maps, strict=True):
            parts = [np.empty((0, dim), dtype=np.float32)]
            mapped = (
                linear.weight.detach().numpy() / (net.config.n_layers + 1) if isinstance(linear, SparseLinear) else None
            )
            encoder, taken = attributes.encoders.get(side), 0
            for column in () if encoder is None else encoder.columns:
                n = len(column.names()) + column.indicator
                if is_relation(column.kind, column.column, net.config.graph):
                    part = sent.through((f"{side}_{column.column}", f"{REVERSE}{column.column}", side))
                    parts.append(part if part.size else np.zeros((n, dim), dtype=np.float32))
                else:
                    parts.append(np.zeros((n, dim), dtype=np.float32) if mapped is None else mapped[taken : taken + n])
                    taken += n
            values.append(np.vstack(parts))
        self.user_values, self.item_values = values

    def embed_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Fold in by history, attributes and friends; NaN for whom nothing is known."""
        is_user = newcomers.side == "user"
        sent = self.items_sent if is_user else self.users_sent
        if not sent.shape[0]:
            return None
        heard = [(USER if not is_user else ITEM, newcomers.history, sent)]
        if newcomers.friends is not None and self.friends_sent.shape[0]:
            heard.append((USER, newcomers.friends, self.friends_sent))
        n, values = len(newcomers), self.user_values if is_user else self.item_values
        total = np.zeros((n, sent.shape[1]), dtype=np.float32)
        told = newcomers.has_history | (newcomers.has_friends & bool(self.friends_sent.shape[0]))
        encoder = self._encoders[newcomers.side]
        if encoder is not None and newcomers.attributes is not None:
            encoded = encoder.transform(newcomers.attributes)
            for block in encoded.blocks:
                part, given = csr_array(encoded.x[:, block.start : block.stop]), values[block.start : block.stop]
                if not given.any():
                    continue
                told |= np.diff(part.indptr) > 0
                if is_relation(block.kind, block.column, self.config.graph):
                    heard.append((f"{newcomers.side}_{block.column}", part, given))
                else:
                    total += spmm(part, given)
        sums = [(sender, edges.sum(axis=1), spmm(edges, of_sender)) for sender, edges, of_sender in heard]
        for sender, _, brought in sums:
            alike = [degrees for other, degrees, _ in sums if self.config.scaled == "by-node" or other == sender]
            degree = np.sum(alike, axis=0)[:, None]
            total += np.divide(brought, np.sqrt(degree), out=np.zeros_like(brought), where=degree > 0)
        total[~told] = np.nan
        return unit_vectors(total) if self._is_angular else total

    @cached_property
    def _encoders(self) -> dict[str, FeatureEncoder | None]:
        saved = {USER: self.user_encoder, ITEM: self.item_encoder}
        return {side: FeatureEncoder.from_json(json.tobytes()) if json.size else None for side, json in saved.items()}

    @cached_property
    def _is_angular(self) -> bool:
        return bool(self.config.for_data(self.catalogue.seen).traits.angular)


class _Sent:
    """What nodes would send to a newcomer along a relation, summed over the layers, where layers are mere products.

    Args:
        net: after training. graph: that it was trained on.
    """

    def __init__(self, net: HeteroNet, graph: HeterogeneousGraph) -> None:
        config = net.config
        self._graph, self._dim = graph, config.embedding_dim
        self._outputs: list[dict[str, Tensor]] = []
        if config.conv == "light" and config.combine in ("sum", "mean", "weights"):
            with torch.no_grad():
                self._outputs = net.encoder.outputs(net.starts(net.below()), net.edges)[:-1]
            self._factors = net.encoder.factors()
            self._degrees = degrees_of_ends(graph, config.scaled)

    def through(self, edge_type: EdgeType | None) -> Floats:
        """Return float32 [n_senders, d]; no row where there is no such relation, or no such sum."""
        if not self._outputs or edge_type is None or edge_type not in self._graph.relations:
            return np.empty((0, self._dim), dtype=np.float32)
        layers = zip(self._outputs, self._factors, strict=True)
        parts = [
            output[edge_type[0]] * factors.get(edge_type, 1.0) / (len(self._outputs) + 1) for output, factors in layers
        ]
        below: Floats = torch.stack(parts).sum(0).detach().numpy()
        degrees = self._degrees[edge_type][0].astype(np.float32)
        return senders(below, degrees)

    def most_frequent(self, source: str, target: str, wanted: str | None) -> EdgeType | None:
        """Return the relation between two types of nodes that has the name wanted, or else the most edges."""
        between = [edge_type for edge_type in self._graph.relations if (edge_type[0], edge_type[2]) == (source, target)]
        named = [edge_type for edge_type in between if edge_type[1].removeprefix(REVERSE) == wanted]
        sizes = {edge_type: self._graph.relations[edge_type].n_edges for edge_type in named or between}
        return max(sizes, key=lambda edge_type: sizes[edge_type], default=None)


def _as_bytes(encoder: FeatureEncoder | None) -> NDArray[np.uint8]:
    return np.frombuffer(b"" if encoder is None else encoder.to_json().encode(), dtype=np.uint8)


def _embedding(n: int, config: HeteroConfig, rng: np.random.Generator) -> torch.nn.Embedding:
    start = rng.standard_normal((n, config.embedding_dim), dtype=np.float32) * np.float32(config.init_scale)
    return torch.nn.Embedding(n, config.embedding_dim, _weight=torch.from_numpy(start))


def _sparse(graph: HeterogeneousGraph, name: str) -> SparseRows | None:
    features = graph.nodes[name].features
    return None if features is None else SparseRows(csr_array(features))


def _type_of(dataset: Dataset, target: str | None) -> str | None:
    """Return what the data set calls a type of events: `buy` in a log is `purchase`."""
    return target if target is None or target in dataset.type_names else standard_type(target)


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
