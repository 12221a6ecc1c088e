"""GC-MC: a graph autoencoder whose edges are ratings."""

from typing import ClassVar

import numpy as np
import polars as pl
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import cross_entropy, dropout, embedding, leaky_relu

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.features import FeatureConfig, FeatureEncoder
from edgewise.data.ratings import MOST_LEVELS, RatingScale, rating_scale
from edgewise.embeddings import score_embeddings
from edgewise.errors import DataError
from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.propagation import Propagation
from edgewise.nn.sparse_linear import SparseLinear, SparseRows
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace, Uniform
from edgewise.train.devices import device_of
from edgewise.train.loop import train
from edgewise.train.plan import Plan
from edgewise.train.rating_objective import (
    RatingBatch,
    RatingObjective,
    RatingTrainConfig,
    answer_pairs,
    calibrate,
    fit_fallback,
    keep_back,
    watch_error,
)
from edgewise.types import Doubles, Floats, Index


class GCMCConfig(RatingTrainConfig):
    """Settings of `gc-mc`; defaults by RMSE on a validation part of MovieLens 100k (benchmarks/ratings.py --settings)."""

    embedding_dim: PositiveInt = 64  # of what a node sends and gathers
    output_dim: PositiveInt = 32  # of what the decoder reads
    n_bases: PositiveInt = 2  # matrices that those of all levels are made of
    node_dropout: float = Field(default=0.7, ge=0, lt=1)  # of nodes with all they send, in each step
    output_dropout: float = Field(default=0.0, ge=0, lt=1)  # of the numbers that arrive
    init_scale: PositiveFloat = 0.1  # standard deviation of the table at the start
    side_dim: NonNegativeInt = (
        10  # of the layer that attributes of users and items go through, where tables have them; 0: none
    )
    features: FeatureConfig = FeatureConfig(min_count=30)  # how their columns become features; what few share is a name
    epochs: PositiveInt = 40
    l2: NonNegativeFloat | None = 0.02


class GCMCNet(torch.nn.Module):
    """Encoder: what arrives along the edges of each rating level, summed; decoder: a bilinear form for each level.

    Args:
        ratings: [n_users, n_items], entries the places of their levels.
        n_levels: how many there are.
        rng: for the start.
        config: the settings.
        sides: features of users and of items; None where there are none.
    """

    def __init__(
        self,
        ratings: csr_array,
        n_levels: int,
        rng: np.random.Generator,
        config: GCMCConfig,
        sides: tuple[csr_array | None, csr_array | None] = (None, None),
    ) -> None:
        super().__init__()
        n_users, n_items = ratings.shape
        n, d, out = n_users + n_items, config.embedding_dim, config.output_dim
        self.n_users, self.shape, self.config = n_users, (n_levels, n, d), config
        self.levels = _graphs_of_levels(ratings, n_levels)

        def normal(*shape: int, scale: float) -> Tensor:
            return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32) * np.float32(scale))

        # Ordinal: the row of level r is added to those of all levels from r on, so that neighbouring levels are alike.
        self.table = torch.nn.Embedding(n_levels * n, d, _weight=normal(n_levels * n, d, scale=config.init_scale))
        self.of_users = torch.nn.Parameter(normal(d, out, scale=d**-0.5))
        self.of_items = torch.nn.Parameter(normal(d, out, scale=d**-0.5))
        self.bases = torch.nn.Parameter(normal(config.n_bases, out, out, scale=0.1) + 0.1 * torch.eye(out))
        line = torch.linspace(-1, 1, n_levels)
        powers = torch.stack([line ** (1 + min(basis, 1)) for basis in range(config.n_bases)], dim=1)
        self.mixture = torch.nn.Parameter(powers + normal(n_levels, config.n_bases, scale=0.05))
        share = np.bincount(ratings.data.astype(np.int64), minlength=n_levels) + 1.0
        self.offset = torch.nn.Parameter(torch.from_numpy(np.log(share / share.sum()).astype(np.float32)))
        self.features = [None if x is None else SparseRows(x) for x in sides]
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**62)))
            self.sides = torch.nn.ModuleList(
                torch.nn.Identity() if x is None else _side_channel(x.shape[1], config) for x in self.features
            )

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return the vectors of users [n_users, out] and items [n_items, out]."""
        x = self.table.weight.view(self.shape).cumsum(dim=0)  # [n_levels, n, d]
        if self.training and self.config.node_dropout:
            kept = torch.rand(1, self.shape[1], 1).to(x.device) >= self.config.node_dropout
            x = x * (kept / (1 - self.config.node_dropout))
        gathered = sum((graph(level) for graph, level in zip(self.levels, x, strict=True)), x.new_zeros(()))
        h = dropout(leaky_relu(gathered, 0.1), self.config.output_dropout, self.training)  # [n, d]
        vectors = [h[: self.n_users] @ self.of_users, h[self.n_users :] @ self.of_items]
        for place, (features, side) in enumerate(zip(self.features, self.sides, strict=True)):
            if features is not None:
                vectors[place] = vectors[place] + side(features if x.device.type == "cpu" else features.dense().to(x))
        return vectors[0], vectors[1]

    def logits(self, users: Tensor, items: Tensor) -> Tensor:
        """Return what the softmax over levels is taken of, for vectors [b, out] of users and of items: float32 [b, n_levels]."""
        products = torch.einsum("bi,kij,bj->bk", users, self.bases, items)
        logits: Tensor = products @ self.mixture.T + self.offset
        return logits


class GCMC(Recommender):
    """Predict the expectation over levels of softmax_r (z_u^T Q_r z_i), Q_r = sum_s a_rs P_s.

    z_u = W leaky_relu(h_u) + V leaky_relu(F x_u + c): h_u is the sum, over levels r and items i that u gave r, of
    T_r[i] / sqrt(|N(u)| |N(i)|), T_r[i] = sum over s <= r of a table's rows; x_u are attributes, where a table has them. The same
    for items, with other weights. Trained on cross-entropy, with nodes silenced at random.

    Differs from the paper: levels are added up and not stacked, the activation is leaky, a constant for each level stands in the
    softmax, biases are those of the levels' tables, and the layer that attributes go through (`side_dim`) adds to z instead of
    standing beside what is gathered. A pair with an unknown user or item gets mean and biases, as from `biases`.
    """

    name: ClassVar[str] = "gc-mc"
    title: ClassVar[str] = "GC-MC graph autoencoder"
    paper: ClassVar[str] = (
        "van den Berg, Kipf and Welling, “Graph Convolutional Matrix Completion”, KDD Deep Learning Day 2018 (arXiv:1706.02263)"
    )
    needs: ClassVar[str] = "ratings"
    Config: ClassVar[type[Settings]] = GCMCConfig
    STATE: ClassVar[tuple[str, ...]] = (
        "levels", "calibration", "users", "items", "bases", "mixture", "offset", "mean", "user_bias", "item_bias",
    )  # fmt: skip
    SEARCH: ClassVar[SearchSpace] = {
        "embedding_dim": IntLogUniform(32, 128),
        "node_dropout": Uniform(0.3, 0.8),
        "l2": LogUniform(3e-3, 0.1),
        "epochs": IntLogUniform(20, 80),
    }

    levels: Doubles  # the distinct ratings
    calibration: Doubles  # see `fit_calibration`
    users: Floats  # [n_users, out]
    items: Floats  # [n_items, out]
    bases: Floats  # [n_bases, out, out]
    mixture: Floats  # [n_levels, n_bases]
    offset: Floats  # [n_levels]
    mean: Doubles  # [1], with the biases for pairs that are not known
    user_bias: Floats  # [n_users + 1]
    item_bias: Floats  # [n_items + 1]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the autoencoder, then keep its vectors and its decoder."""
        config: GCMCConfig = self.config
        ratings = dataset.ratings
        scale = rating_scale(ratings, who=self.name)
        if scale.levels.size > MOST_LEVELS:
            raise DataError(
                f"the ratings take {scale.levels.size:,} distinct values, and gc-mc has messages of their own for each; at most "
                f"{MOST_LEVELS} are levels. Round the values, or use mf or neumf."
            )
        device = device_of(config.device)
        parts = keep_back(ratings, scale, config, config.calibration_share, self.seed)
        objective = RatingObjective(parts.train, scale, config, self.seed, device)
        places = parts.train.copy()
        places.data = scale.level_of(places.data).astype(np.float32)
        sides = (
            self._features(dataset.user_table, "user_id", np.diff(parts.train.indptr)),
            self._features(dataset.item_table, "item_id", np.bincount(parts.train.indices, minlength=dataset.n_items)),
        )
        net = GCMCNet(places, scale.levels.size, make_rng(self.seed, "start"), config, sides).to(device)

        def loss(batch: RatingBatch) -> Tensor:
            users, items = net()
            value = cross_entropy(
                net.logits(embedding(batch.users, users), embedding(batch.items, items)), batch.levels
            )
            return value + objective.penalty(net.table.weight.view(net.shape), l1=config.l1, l2=config.l2 or 0.0)

        def predict(user_index: Index, item_index: Index) -> Floats:
            self._take(net)
            return self._scores(user_index, item_index)

        self.levels = scale.levels
        plan = Plan(
            net=net,
            loss=loss,
            batches=objective.batches,
            steps_per_epoch=objective.steps_per_epoch,
            seed=self.seed,
            watch=watch_error(predict, parts, scale, config),
            working_bytes=objective.working_bytes(config.output_dim) + 6 * 4 * int(np.prod(net.shape)),
        )
        train(plan, config, curve=self.record.curve, keeping=self.keeping)
        self._take(net)
        self.calibration = calibrate(self._scores, parts, scale)
        self.mean, self.user_bias, self.item_bias = fit_fallback(ratings, scale)

    def score_block(self, user_index: Index) -> Floats:
        """Return the expected rating of every item, or the log odds of a yes."""
        products = [score_embeddings(self.users @ basis, self.items, user_index) for basis in self.bases]
        return self._of_products(products)

    def predict_pairs(self, user_index: Index, item_index: Index) -> Floats:
        """Return the expectation over levels; biases where a user or an item is not known."""
        return answer_pairs(
            self._scores,
            self.met_pairs(user_index, item_index),
            (user_index, item_index),
            RatingScale(self.levels),
            self.calibration,
            (self.mean, self.user_bias, self.item_bias),
        )

    def item_vectors(self) -> Floats:
        """Return what the decoder reads of each item."""
        return self.items

    def _features(self, table: pl.DataFrame | None, key: str, n_ratings: Index) -> csr_array | None:
        """Encode attributes, the transform fitted on those who have ratings; None without attributes that tell anything."""
        if table is None or table.width == 1 or not self.config.side_dim:
            return None
        try:
            encoder = FeatureEncoder.fit(table[np.flatnonzero(n_ratings)], key, self.config.features)
        except DataError as error:
            self.record.notes.append(f"attributes left out: {error}")
            return None
        self.record.notes += encoder.notes
        return encoder.transform(table).x

    def _take(self, net: GCMCNet) -> None:
        net.eval()
        with torch.no_grad():
            vectors = [part.cpu().numpy() for part in net()]
            decoder = [part.detach().cpu().numpy().copy() for part in (net.bases, net.mixture, net.offset)]
        self.users, self.items = vectors
        self.bases, self.mixture, self.offset = decoder

    def _scores(self, user_index: Index, item_index: Index) -> Floats:
        users, items = self.users[user_index], self.items[item_index]
        return self._of_products([np.einsum("nd,nd->n", users @ basis, items) for basis in self.bases])

    def _of_products(self, products: list[Floats]) -> Floats:
        """Turn z_u^T P_s z_i, one array a basis, into expected ratings or log odds; level by level, for the memory's sake."""

        def logit(level: int) -> Floats:
            total = np.full_like(products[0], self.offset[level])
            for weight, product in zip(self.mixture[level], products, strict=True):
                total += weight * product
            return total

        if self.levels.size == 2:
            return logit(1) - logit(0)
        highest = logit(0)
        for level in range(1, self.levels.size):
            np.maximum(highest, logit(level), out=highest)
        above, below = np.zeros_like(highest), np.zeros_like(highest)
        for level, value in enumerate(self.levels):
            chance = np.exp(logit(level) - highest)
            above += np.float32(value) * chance
            below += chance
        return above / below


def _side_channel(n_features: int, config: GCMCConfig) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        SparseLinear(n_features, config.side_dim),
        torch.nn.LeakyReLU(0.1),
        torch.nn.Linear(config.side_dim, config.output_dim, bias=False),
    )


def _graphs_of_levels(ratings: csr_array, n_levels: int) -> list[Propagation]:
    """Return the graph of each level, its edges weighted by 1 / sqrt(|N(u)| |N(i)|) over all levels."""
    typed = bipartite(csr_array((ratings.data + 1, ratings.indices, ratings.indptr), shape=ratings.shape))
    whole = symmetric_normalise(csr_array((np.ones_like(typed.data), typed.indices, typed.indptr), shape=typed.shape))
    row = np.repeat(np.arange(whole.shape[0]), np.diff(whole.indptr))
    found = []
    for level in range(n_levels):
        kept = typed.data == level + 1
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=whole.shape[0]))])
        graph = csr_array((whole.data[kept], whole.indices[kept], indptr), shape=whole.shape)
        found.append(Propagation(graph, [0.0, 1.0]))
    return found
