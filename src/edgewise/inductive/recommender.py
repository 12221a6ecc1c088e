"""Recommenders with a learnt encoder over the graph of who met what: fitting them, and placing newcomers without training."""

from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.data import Dataset
from edgewise.data.features import FeatureConfig
from edgewise.embeddings import score_embeddings
from edgewise.errors import DataError
from edgewise.explanations import Evidence, Method
from edgewise.graph.bipartite import bipartite
from edgewise.inductive.alike import NewcomerEdges, alike_rows
from edgewise.inductive.features import SideFeatures, from_bytes, to_bytes
from edgewise.inductive.inside import attends, attention, edges_of_newcomers, gradients, split_layers
from edgewise.inductive.net import GraphNet
from edgewise.newcomers import Newcomers
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import Activation, EncoderConfig
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, OneOf, SearchSpace
from edgewise.train.config import LossName, TrainConfig
from edgewise.train.loop import train
from edgewise.train.losses import shortened
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.plan import Plan
from edgewise.train.validation import hold_out, watch_ndcg
from edgewise.types import Floats, Index

_SIDES = ("user", "item")


class RankingEncoder(EncoderConfig):
    """An encoder for ranking: little dropout, and nothing between the layers."""

    dropout: float = 0.1
    activation: Activation = "none"


class InductiveConfig(TrainConfig):
    """Settings of recommenders with an encoder; those of training are [train]'s."""

    embedding_dim: PositiveInt = 64
    inputs: Literal["ids", "attributes", "both"] = "both"  # what a node is by itself; attributes where there are tables
    init_scale: PositiveFloat = 0.1  # standard deviation of the embeddings at the start
    encoder: EncoderConfig = RankingEncoder()
    adds_input: bool = True  # whether a node's vector is what the encoder makes plus what the node is by itself
    # In each step so many of the users and items are taken for newcomers: no embedding and no edges, attributes alone, as
    # it will be when a newcomer comes. Without this a net relies on embeddings, and has little to say of a node without.
    cold_share: float = Field(default=0.3, ge=0, lt=1)
    # A newcomer without edges hears from so many nodes of its side, the most alike by attributes. Where many are equally
    # alike, as people of one age and occupation are, few are a chance draw: take hundreds.
    n_alike: NonNegativeInt = 20
    features: FeatureConfig = FeatureConfig()  # how columns become features: the section [features]
    loss: LossName | None = "infonce"
    epochs: PositiveInt = 40

    @model_validator(mode="after")
    def _scores_can_have_biases(self) -> Self:
        if self.traits.angular and self.loss != "infonce":
            raise ValueError(
                f"loss = {self.loss!r} compares cosines alone, and items have biases here; use 'infonce', 'sampled-softmax', "
                "'bpr' or another whose scores are sums"
            )
        return self


class GraphRecommender(Recommender):
    """The base of `gcn`, `gat` and `graphsage`: they differ in the convolution, and so in their settings.

    A node is an embedding plus a linear map of its attributes; the encoder makes vectors of nodes and neighbours; scores
    are dot products plus an item's bias, which starts from log popularity: of a user of whom little is known, vectors
    need to tell only in what it differs from the others. A new user or item has no embedding; its vector comes from its attributes and from its neighbours'
    layers, which are kept, by the same weights. Nothing is trained for it, and nobody else's vector changes.
    """

    Config: ClassVar[type[InductiveConfig]]
    needs: ClassVar[str] = "interactions; attributes where there are any"
    STATE: ClassVar[tuple[str, ...]] = (
        "users", "items", "user_layers", "item_layers", "weights", "user_features", "item_features", "vector_length",
    )  # fmt: skip
    SEARCH: ClassVar[SearchSpace] = {
        "l2": LogUniform(1e-3, 0.3),
        "learning_rate": LogUniform(3e-3, 0.05),
        "epochs": IntLogUniform(10, 80),
        "loss": OneOf(("sampled-softmax", "infonce")),
    }
    folds_in: ClassVar[tuple[str, ...]] = ("history", "attributes")
    reads_item_attributes: ClassVar[bool] = True
    scores_cold_items: ClassVar[bool] = True
    by_dot_product: ClassVar[bool] = True
    starts_from: ClassVar[tuple[str, ...]] = ("embeddings.weight",)

    users: Floats  # [n_users, d + 1], the last column 1; NaN for whom nothing is known
    items: Floats  # [n_items, d + 1], the last column the bias; NaN likewise
    user_layers: Floats  # [n_users, sum of columns], what goes into each layer, side by side
    item_layers: Floats  # [n_items, sum of columns]
    weights: Floats  # of the net, embeddings left out, one after the other
    user_features: NDArray[np.uint8]  # the fitted transform of attributes as UTF-8 JSON; empty without a table
    item_features: NDArray[np.uint8]
    vector_length: Floats  # [1], the most that vectors are shortened to; 0: they are not

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the net, then keep the vectors, and what newcomers need."""
        config: InductiveConfig = self.config.for_data(dataset.interactions)
        self.vector_length = np.array([config.vector_length], dtype=np.float32)
        sides = self._sides_of(dataset)
        x_of_all = [
            csr_array((n, 0), dtype=np.float32) if side is None else side.of_training
            for side, n in zip(sides, dataset.interactions.shape, strict=True)
        ]
        # Whoever met nothing is a newcomer like any other: in training such a node would be a negative and nothing else.
        met = [np.flatnonzero(np.diff(dataset.interactions.indptr)), np.flatnonzero(dataset.item_counts)]
        x_of = [x[rows] for x, rows in zip(x_of_all, met, strict=True)]
        met_by = csr_array(dataset.interactions[met[0]][:, met[1]])
        newest = None if self.keeping.start is None else self.keeping.start.newest
        newest = None if newest is None else csr_array(newest[met[0]][:, met[1]])
        interactions, held_out = hold_out(met_by, config.valid_share, make_rng(self.seed, "valid"), newest)
        net = self._new_net((x_of[0].shape[1], x_of[1].shape[1]), self._start(interactions))
        edges = Edges.from_csr(bipartite(interactions))
        alike = NewcomerEdges(edges, [alike_rows(x, x, config.n_alike, skip_diagonal=True) for x in x_of])
        objective = RankingObjective(interactions, config, self.seed)
        is_user = torch.arange(edges.n_receivers) < met[0].size
        has_attributes = torch.from_numpy(np.concatenate([np.diff(x.indptr) > 0 for x in x_of]))

        def loss(drawn: Drawn) -> Tensor:
            said = net.attributes(*x_of)
            is_cold = torch.zeros(said.shape[0], dtype=torch.bool)
            if config.cold_share:
                is_cold = has_attributes & (torch.rand(said.shape[0]) < config.cold_share)
            own = said
            if net.embeddings is not None:
                own = said + net.embeddings.weight * ~is_cold[:, None]
            x = own[:, :-1]
            final = net.vectors(x, alike.with_newcomers(is_cold.numpy()))
            return objective.loss(x, final, drawn, torch.where(is_user, 1.0, own[:, -1]))

        def vectors() -> tuple[Floats, Floats]:
            with torch.no_grad():
                final = self._finished(net, x_of, edges)[0]
            return final[: met[0].size], final[met[0].size :]

        plan = Plan(
            net=net,
            loss=loss,
            batches=objective.batches,
            steps_per_epoch=objective.steps_per_epoch,
            seed=self.seed,
            watch=watch_ndcg(vectors, interactions, held_out, config, make_rng(self.seed, "watch")),
            rows={"embeddings.weight": np.concatenate([met[0], met[1] + dataset.n_users])},
            working_bytes=4 * 6 * config.encoder.n_layers * edges.n_receivers * config.embedding_dim
            + objective.working_bytes(config.embedding_dim),
        )
        train(plan, config, curve=self.record.curve, keeping=self.keeping)
        with torch.no_grad():
            final, layers = self._finished(net, x_of, edges)
            n = met[0].size
            self.users, self.user_layers = self._of_all(
                net, 0, x_of_all[0], met[0], (final[:n], layers[:n], edges.degrees[:n])
            )
            self.items, self.item_layers = self._of_all(
                net, 1, x_of_all[1], met[1], (final[n:], layers[n:], edges.degrees[n:])
            )
        self.weights = net.weights()
        self.user_features, self.item_features = to_bytes(sides[0]), to_bytes(sides[1])

    def _of_all(
        self, net: GraphNet, side: int, x: csr_array, met: Index, of_met: tuple[Floats, Floats, Index]
    ) -> tuple[Floats, Floats]:
        """Put the vectors and layers of those who met something among all: attributes tell of the others, else NaN."""
        final, layers, degrees = of_met
        vectors = np.full((x.shape[0], final.shape[1]), np.nan, dtype=np.float32)
        others = np.setdiff1d(np.flatnonzero(np.diff(x.indptr)), met)
        if others.size:
            vectors[others] = self._among_alike(net, side, x[others], x[met], layers, degrees)
        vectors[met] = final
        inputs = np.zeros((x.shape[0], layers.shape[1]), dtype=np.float32)
        inputs[met] = layers
        return vectors, inputs

    def _sides_of(self, dataset: Dataset) -> list[SideFeatures | None]:
        if self.config.inputs == "ids":
            return [None, None]
        sides = [SideFeatures.fit(dataset, side, self.config.features) for side in _SIDES]
        if self.config.inputs == "attributes" and any(side is None for side in sides):
            lacking = [f"{name}s" for name, side in zip(_SIDES, sides, strict=True) if side is None]
            if len(lacking) == 2:
                raise DataError(
                    f"{self.name} with inputs = 'attributes' needs a table of users or items, and there is none that tells rows apart; "
                    "give one with --items FILE or --users FILE, or set inputs = 'both'."
                )
            self.record.notes.append(f"{lacking[0]} have no attributes: they are known by their neighbours alone")
        for name, side, table in zip(_SIDES, sides, (dataset.user_table, dataset.item_table), strict=True):
            if side is not None:
                self.record.notes += side.encoder.notes
            elif table is not None and table.width > 1:
                self.record.notes.append(f"the table of {name}s has no column that tells its rows apart: left out")
        return sides

    def _start(self, interactions: csr_array) -> Floats | None:
        """Return the embeddings at the start: noise, and log popularity for the biases of items: float32 [n_nodes, d + 1].

        Biases that start from nothing end short of popularity, since vectors learn it first, and pass it to newcomers badly.
        """
        config, (n_users, n_items) = self.config, interactions.shape
        if config.inputs == "attributes":
            return None
        start = make_rng(self.seed, "start").standard_normal((n_users + n_items, config.embedding_dim + 1))
        start *= config.init_scale
        popularity = np.log(np.bincount(interactions.indices, minlength=n_items) + 1.0)
        start[:, -1] = np.concatenate([np.zeros(n_users), popularity - popularity.mean()])
        return start.astype(np.float32)

    def _new_net(self, n_features: tuple[int, int], start: Floats | None) -> GraphNet:
        """Make the net; without a start one that has no embeddings, for newcomers."""
        config = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(make_rng(self.seed, "net").integers(2**62)))
            return GraphNet(n_features, config.encoder, config.embedding_dim, start, adds_input=config.adds_input)

    def _finished(self, net: GraphNet, x_of: list[csr_array], edges: Edges) -> tuple[Floats, Floats]:
        """Return the vectors, and what goes into each layer, side by side."""
        said = net.attributes(*x_of)
        own = said if net.embeddings is None else said + net.embeddings.weight
        x, bias = own[:, :-1], own[:, -1:].clone()
        bias[: x_of[0].shape[0]] = 1
        outputs = net.encoder.layers(x, edges)
        made = net.encoder.combined(outputs)
        final = self._scaled(x + made if net.adds_input else made)
        return torch.cat([final, bias], dim=1).numpy(), torch.cat([x, *outputs[:-1]], dim=1).numpy()

    def _scaled(self, vectors: Tensor) -> Tensor:
        """Do to vectors what the loss does."""
        length = float(self.vector_length[0])
        return shortened(vectors) * length if length else vectors

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors."""
        return score_embeddings(self.users, self.items, user_index)

    def item_vectors(self) -> Floats:
        """Return the items' vectors without biases."""
        return np.nan_to_num(self.items[:, :-1])

    def embed_newcomers(self, newcomers: Newcomers) -> Floats:
        """Encode newcomers from their attributes and their neighbours' layers; NaN for whom nothing is known."""
        side = _SIDES.index(newcomers.side)
        features, n = self._features[side], len(newcomers)
        x = csr_array((n, 0), dtype=np.float32) if features is None else features.of_newcomers(newcomers.attributes, n)
        others = self.item_layers if side == 0 else self.user_layers
        vectors = self._encoded(self._net, side, x, newcomers.history, others, self._degrees[1 - side])
        lonely = np.flatnonzero(~newcomers.has_history)
        if lonely.size:
            met = self._trained[side]
            layers = (self.user_layers if side == 0 else self.item_layers)[met]
            degrees = self._degrees[side][met]
            vectors[lonely] = self._among_alike(self._net, side, x[lonely], self._known[side][met], layers, degrees)
        vectors[~(newcomers.has_history | (np.diff(x.indptr) > 0))] = np.nan
        return vectors

    def _among_alike(
        self, net: GraphNet, side: int, x: csr_array, known: csr_array, layers: Floats, degrees: Index
    ) -> Floats:
        """Encode nodes without edges by their attributes and the layers of those of their side who are most alike."""
        neighbours = alike_rows(x, known, self.config.n_alike, skip_diagonal=False)
        return self._encoded(net, side, x, neighbours, layers, degrees)

    def _encoded(
        self, net: GraphNet, side: int, x: csr_array, hears: csr_array, layers: Floats, degrees: Index
    ) -> Floats:
        """Encode new nodes.

        Args:
            side: 0 for users, 1 for items. x: float32 [n, n_features], their attributes.
            hears: float32 [n, n_others], whom they hear from. layers: [n_others, …], what goes into each layer there.
            degrees: [n_others], how many edges the others have.
        """
        used, place = np.unique(hears.indices, return_inverse=True)  # the others say nothing, and are many
        used = used if used.size else np.zeros(1, dtype=np.int64)
        heard = csr_array((hears.data, place, hears.indptr), shape=(hears.shape[0], used.size))
        edges = edges_of_newcomers(heard, degrees[used])
        with torch.no_grad():
            told, theirs = net.attributes_of(side, x), split_layers(net, torch.from_numpy(layers[used]))
            final = self._scaled(net.vectors_of_newcomers(told[:, :-1], theirs, edges))
            bias = told[:, -1:] if side else torch.ones(x.shape[0], 1)
            vectors: Floats = torch.cat([final, bias], dim=1).numpy()
        return vectors

    @property
    def explains_by(self) -> tuple[Method, ...]:
        """Perturbation, and what a look inside tells: gradients and, of layers that attend, attention."""
        inside: tuple[Method, ...] = ("gradient", "attention") if attends(self._net) else ("gradient",)
        return super().explains_by + inside

    def carried(self, evidence: Evidence, item_index: Index, method: Method) -> Floats:
        """Take the gradient of the scores times what each piece gives; or the attention that the layers pay to it."""
        newcomer = evidence.newcomer
        met = newcomer.history.indices
        hears = csr_array((newcomer.history.data, np.arange(met.size), newcomer.history.indptr), shape=(1, met.size))
        edges = edges_of_newcomers(hears, self._degrees[1][met])
        features = self._features[0]
        kept = np.vstack(
            [np.ones((1, len(evidence.pieces)), dtype=np.bool_), ~np.eye(len(evidence.pieces), dtype=np.bool_)]
        )
        variants = evidence.variants(kept).attributes
        x = csr_array((kept.shape[0], 0), dtype=np.float32)
        if features is not None:
            x = features.of_newcomers(variants, kept.shape[0])
        with torch.no_grad():
            said, theirs = (
                self._net.attributes_of(0, x)[:, :-1],
                split_layers(self._net, torch.from_numpy(self.item_layers[met])),
            )
        items = torch.from_numpy(np.ascontiguousarray(self.items[item_index, :-1]))
        place = np.searchsorted(met, [piece.place for piece in evidence.pieces if piece.kind == "history"])
        if method == "attention":
            amounts = np.zeros((len(evidence.pieces), item_index.size), dtype=np.float32)
            amounts[: place.size] = attention(self._net, said[:1], theirs, edges)[place, None]
            return amounts
        of_neighbours, of_own = gradients(self._net, said[:1], theirs, edges, items, self._scaled)
        of_pieces = (
            said[:1] - said[1:]
        ) @ of_own  # what an attribute gives to x, in the direction that the score grows
        of_pieces[: place.size] = of_neighbours[place]
        return of_pieces.numpy()

    def add_items(self, newcomers: Newcomers, order: Index) -> None:
        """Append vectors; the layers of a new item start with zeros, so that it says nothing to new users yet."""
        super().add_items(newcomers, order)
        nothing = np.zeros((len(newcomers), self.item_layers.shape[1]), dtype=np.float32)
        self.item_layers = np.vstack([self.item_layers, nothing])[order]

    @cached_property
    def _features(self) -> list[SideFeatures | None]:
        catalogue = self.catalogue
        met = self._trained
        return [
            from_bytes(saved, table, rows)
            for saved, table, rows in (
                (self.user_features, catalogue.user_table, met[0]),
                (self.item_features, catalogue.item_table, met[1]),
            )
        ]

    @cached_property
    def _known(self) -> list[csr_array]:
        """The attributes of the known users and items."""
        sizes = (len(self.catalogue.users), len(self.catalogue.items))
        return [
            csr_array((n, 0), dtype=np.float32) if side is None else side.of_training
            for side, n in zip(self._features, sizes, strict=True)
        ]

    @cached_property
    def _trained(self) -> list[Index]:
        """Which users and items took part in training; what joined later has no layers that anybody could hear from."""
        return [np.flatnonzero(layers.any(axis=1)) for layers in (self.user_layers, self.item_layers)]

    @cached_property
    def _degrees(self) -> list[Index]:
        return [np.diff(self.catalogue.seen.indptr).astype(np.int64), self.catalogue.item_counts]

    @cached_property
    def _net(self) -> GraphNet:
        n_features = [0 if side is None else side.n_features for side in self._features]
        net = self._new_net((n_features[0], n_features[1]), None)
        net.take_weights(self.weights)
        return net.eval()
