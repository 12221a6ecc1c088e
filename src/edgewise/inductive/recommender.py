"""Recommenders with a learnt encoder over the graph of who met what: fitting them, and placing newcomers without training."""

from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt
from scipy.sparse import csr_array, hstack
from torch import Tensor
from torch.nn.functional import normalize

from edgewise.data import Dataset
from edgewise.data.features import FeatureConfig
from edgewise.embeddings import cosine_block, score_embeddings, unit_vectors
from edgewise.errors import DataError
from edgewise.graph.bipartite import bipartite
from edgewise.inductive.features import SideFeatures, from_bytes, to_bytes
from edgewise.inductive.net import GraphNet
from edgewise.newcomers import Newcomers
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import EncoderConfig
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, OneOf, SearchSpace
from edgewise.train.config import TrainConfig
from edgewise.train.loop import train
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.plan import Plan
from edgewise.train.validation import hold_out, watch_ndcg
from edgewise.types import Floats, Index

_SIDES = ("user", "item")


class InductiveConfig(TrainConfig):
    """Settings of recommenders with an encoder; those of training are [train]'s."""

    embedding_dim: PositiveInt = 64
    inputs: Literal["ids", "attributes", "both"] = "both"  # what a node is by itself; attributes where there are tables
    init_scale: PositiveFloat = 0.1  # standard deviation of the embeddings at the start
    encoder: EncoderConfig = EncoderConfig()
    adds_input: bool = True  # whether a node's vector is what the encoder makes plus what the node is by itself
    # In each step so many of the users and items are taken for newcomers: no embedding and no neighbours, attributes alone.
    # Without this, a net learns to rely on embeddings, and cannot tell much of a node that has none.
    cold_share: float = Field(default=0.3, ge=0, lt=1)
    features: FeatureConfig = FeatureConfig()  # how columns become features: the section [features]
    epochs: PositiveInt = 40


class GraphRecommender(Recommender):
    """The base of `gcn`, `gat` and `graphsage`: they differ in the convolution, and so in their settings.

    A node is an embedding plus a linear map of its attributes; the encoder makes vectors of nodes and neighbours; scores
    are dot products. A new user or item has no embedding; its vector comes from its attributes and from its neighbours'
    layers, which are kept, by the same weights. Nothing is trained for it, and nobody else's vector changes.
    """

    Config: ClassVar[type[InductiveConfig]]
    needs: ClassVar[str] = "interactions; attributes where there are any"
    STATE: ClassVar[tuple[str, ...]] = (
        "users", "items", "user_layers", "item_layers", "weights", "user_features", "item_features",
    )  # fmt: skip
    SEARCH: ClassVar[SearchSpace] = {
        "l2": LogUniform(1e-3, 0.3),
        "learning_rate": LogUniform(3e-3, 0.05),
        "epochs": IntLogUniform(10, 80),
        "loss": OneOf(("sampled-softmax", "infonce")),
    }
    folds_in: ClassVar[tuple[str, ...]] = ("history", "attributes")
    scores_cold_items: ClassVar[bool] = True

    users: Floats  # [n_users, d]; NaN for whom nothing is known
    items: Floats  # [n_items, d]; NaN likewise
    user_layers: Floats  # [n_users, sum of columns], what goes into each layer, side by side
    item_layers: Floats  # [n_items, sum of columns]
    weights: Floats  # of the net, embeddings left out, one after the other
    user_features: NDArray[np.uint8]  # the fitted transform of attributes as UTF-8 JSON; empty without a table
    item_features: NDArray[np.uint8]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the net, then keep the vectors, and what newcomers need."""
        config: InductiveConfig = self.config.for_data(dataset.interactions)
        sides = self._sides_of(dataset)
        x_of = [
            csr_array((n, 0), dtype=np.float32) if side is None else side.of_training()
            for side, n in zip(sides, dataset.interactions.shape, strict=True)
        ]
        interactions, held_out = hold_out(dataset.interactions, config.valid_share, make_rng(self.seed, "valid"))
        net = self._new_net((x_of[0].shape[1], x_of[1].shape[1]), sum(interactions.shape))
        edges = Edges.from_csr(bipartite(interactions))
        objective = RankingObjective(interactions, config, self.seed)
        has_attributes = torch.from_numpy(np.concatenate([np.diff(x.indptr) > 0 for x in x_of]))

        def loss(drawn: Drawn) -> Tensor:
            said = net.attributes(*x_of)
            own = said if net.embeddings is None else said + net.embeddings.weight
            final = net.vectors(own, edges)
            if config.cold_share and bool(has_attributes.any()):
                is_cold = has_attributes & (torch.rand(has_attributes.shape) < config.cold_share)
                rows = is_cold.nonzero()[:, 0]
                final = final.index_copy(0, rows, net.without_edges(said[rows]).to(final.dtype))
            return objective.loss(own, final, drawn)

        def vectors() -> tuple[Floats, Floats]:
            with torch.no_grad():
                final = self._finished(net, x_of, edges)[0]
            return final[: dataset.n_users], final[dataset.n_users :]

        plan = Plan(
            net=net,
            loss=loss,
            batches=objective.batches,
            steps_per_epoch=objective.steps_per_epoch,
            seed=self.seed,
            watch=watch_ndcg(vectors, interactions, held_out, config, make_rng(self.seed, "watch")),
            working_bytes=4 * 6 * config.encoder.n_layers * edges.n_receivers * config.embedding_dim
            + objective.working_bytes(config.embedding_dim),
        )
        train(plan, config, curve=self.record.curve, keeping=self.keeping)
        with torch.no_grad():
            final, layers = self._finished(net, x_of, edges)
        known = (np.diff(bipartite(dataset.interactions).indptr) > 0) | has_attributes.numpy()
        final[~known] = np.nan
        n_users = dataset.n_users
        self.users, self.items = final[:n_users], final[n_users:]
        self.user_layers, self.item_layers = layers[:n_users], layers[n_users:]
        self.weights = net.weights()
        self.user_features, self.item_features = to_bytes(sides[0]), to_bytes(sides[1])

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
        for side in sides:
            self.record.notes += [] if side is None else list(side.encoder.notes)
        return sides

    def _new_net(self, n_features: tuple[int, int], n_nodes: int | None) -> GraphNet:
        """Make the net; without `n_nodes` one that has no embeddings, for newcomers."""
        config = self.config
        start: Floats | None = None
        if n_nodes is not None and config.inputs != "attributes":
            start = make_rng(self.seed, "start").standard_normal((n_nodes, config.embedding_dim), dtype=np.float32)
            start *= np.float32(config.init_scale)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(make_rng(self.seed, "net").integers(2**62)))
            return GraphNet(n_features, config.encoder, config.embedding_dim, start, adds_input=config.adds_input)

    def _finished(self, net: GraphNet, x_of: list[csr_array], edges: Edges) -> tuple[Floats, Floats]:
        """Return the vectors, and what goes into each layer, side by side."""
        said = net.attributes(*x_of)
        own = said if net.embeddings is None else said + net.embeddings.weight
        outputs = net.encoder.layers(own, edges)
        made = net.encoder.combined(outputs)
        final = self._scaled(own + made if net.adds_input else made)
        return final.numpy(), torch.cat([own, *outputs[:-1]], dim=1).numpy()

    def _scaled(self, vectors: Tensor) -> Tensor:
        return normalize(vectors) if self._is_angular else vectors

    @property
    def _is_angular(self) -> bool:
        if self.config.loss is not None or self._catalogue is None:
            return bool(self.config.traits.angular)
        return bool(self.config.for_data(self.catalogue.seen).traits.angular)

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors."""
        return score_embeddings(self.users, self.items, user_index)

    def similarity_block(self, item_index: Index) -> Floats:
        """Return the cosines of the items' vectors."""
        return cosine_block(self.items, item_index)

    def item_vectors(self) -> Floats:
        """Return the items' vectors."""
        return np.nan_to_num(self.items)

    def embed_newcomers(self, newcomers: Newcomers) -> Floats:
        """Encode newcomers from their attributes and their neighbours' layers; NaN for whom nothing is known."""
        side = _SIDES.index(newcomers.side)
        own_features = self._features[side]
        n = len(newcomers)
        x = (
            csr_array((n, 0), dtype=np.float32)
            if own_features is None
            else own_features.of_newcomers(newcomers.attributes, n)
        )
        others = self.item_layers if side == 0 else self.user_layers
        degrees = self._degrees[1 - side]
        history = newcomers.history
        whole = csr_array(hstack([csr_array((n, n), dtype=np.float32), history], format="csr"))
        sender_degree = np.concatenate([np.diff(history.indptr) + 1, degrees + 1]).astype(np.float32)
        edges = Edges(whole.indptr, whole.indices, whole.shape[1], sender_degree=sender_degree)
        net = self._net
        with torch.no_grad():
            own = given = net.attributes_of(side, x)
            outputs, place = [], 0
            for number in range(len(net.encoder.convs)):
                theirs = torch.from_numpy(np.ascontiguousarray(others[:, place : place + given.shape[1]]))
                place += given.shape[1]
                given = net.encoder.layer(number, torch.cat([given, theirs]), edges)
                outputs.append(given)
            made = net.encoder.combined(outputs)
            vectors: Floats = (own + made if net.adds_input else made).numpy()
        if self._is_angular:
            vectors = unit_vectors(vectors)
        vectors[~(newcomers.has_history | (np.diff(x.indptr) > 0))] = np.nan
        return vectors

    def add_items(self, newcomers: Newcomers, order: Index) -> None:
        """Append vectors; the layers of a new item start with zeros, so that it says nothing to new users yet."""
        super().add_items(newcomers, order)
        nothing = np.zeros((len(newcomers), self.item_layers.shape[1]), dtype=np.float32)
        self.item_layers = np.vstack([self.item_layers, nothing])[order]

    @cached_property
    def _features(self) -> list[SideFeatures | None]:
        catalogue = self.catalogue
        met = [np.flatnonzero(counts) for counts in self._degrees]
        return [
            from_bytes(saved, table, rows)
            for saved, table, rows in (
                (self.user_features, catalogue.user_table, met[0]),
                (self.item_features, catalogue.item_table, met[1]),
            )
        ]

    @cached_property
    def _degrees(self) -> list[Index]:
        return [np.diff(self.catalogue.seen.indptr).astype(np.int64), self.catalogue.item_counts]

    @cached_property
    def _net(self) -> GraphNet:
        n_features = [0 if side is None else side.n_features for side in self._features]
        net = self._new_net((n_features[0], n_features[1]), None)
        net.take_weights(self.weights)
        return net.eval()


def inductive_search(**more: Any) -> SearchSpace:
    """Return the search space of a recommender with an encoder, with what its convolution adds."""
    return {**GraphRecommender.SEARCH, **more}
