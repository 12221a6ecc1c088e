"""Matrix factorisation of ratings: biases, vectors, and what follows from who rated what."""

from typing import ClassVar, Self

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import embedding

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.ratings import RatingScale, rating_scale
from edgewise.embeddings import score_embeddings
from edgewise.nn.implicit_table import ImplicitTable, Sides
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace
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


class MFConfig(RatingTrainConfig):
    """Settings of `mf`; defaults by RMSE on a validation part of MovieLens 100k (benchmarks/ratings.py --settings)."""

    embedding_dim: PositiveInt = 40
    implicit: Sides = "both"  # whose vectors also say who was met: SVD, SVD++, both sides
    init_scale: PositiveFloat = 0.05  # standard deviation of the vectors at the start
    l2: NonNegativeFloat | None = 0.7
    l2_bias: NonNegativeFloat = 0.04

    @model_validator(mode="after")
    def _no_other_weights(self) -> Self:
        if self.weights_l1 or self.weights_l2:
            raise ValueError(
                "weights_l1 and weights_l2 are for weights beside the embeddings, and there are none; use l1, l2"
            )
        return self


class MFNet(torch.nn.Module):
    """Mean, biases and the product of vectors; see `MF`.

    Args:
        ratings: [n_users, n_items], whose pairs tell who was met.
        start: float32 [n_users + n_items, d], p and q.
        mean: of the targets, or their log odds.
        implicit: which sides have the sum.
    """

    mean: Tensor

    def __init__(self, ratings: csr_array, start: Floats, mean: float, implicit: Sides) -> None:
        super().__init__()
        self.vectors = ImplicitTable(ratings, start, implicit)
        self.biases = torch.nn.Embedding(len(start), 1, _weight=torch.zeros(len(start), 1))
        self.n_users = ratings.shape[0]
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Return mean + b_u + b_i + the product of the vectors, for pairs: float32 [b]."""
        x, items = self.vectors(), items + self.n_users
        product = (embedding(users, x) * embedding(items, x)).sum(dim=1)
        scores: Tensor = self.mean + self.biases(users)[:, 0] + self.biases(items)[:, 0] + product
        return scores


class MF(Recommender):
    """Predict mean + b_u + b_i + (p_u + |N(u)|^-1/2 sum y_j)·(q_i + |N(i)|^-1/2 sum z_v).

    The sums are those of `ImplicitTable`: which items somebody chose to rate says something, whatever the ratings. Trained by Adam on squared error; of yes and no on the cross-entropy of log odds.

    Differs from the paper: z; L2 terms with the weights of Rendle et al., RecSys 2022 (`l2_exponent`),
    and one of them for p, q, y, z alike. A pair with an unknown user or item gets mean and biases, as from `biases`.
    """

    name: ClassVar[str] = "mf"
    title: ClassVar[str] = "Matrix factorisation of ratings"
    paper: ClassVar[str] = (
        "Koren, “Factorization Meets the Neighborhood: a Multifaceted Collaborative Filtering Model”, KDD 2008"
    )
    needs: ClassVar[str] = "ratings"
    is_baseline: ClassVar[bool] = True
    by_dot_product: ClassVar[bool] = True
    starts_from: ClassVar[tuple[str, ...]] = ("vectors.own.weight",)
    Config: ClassVar[type[Settings]] = MFConfig
    STATE: ClassVar[tuple[str, ...]] = ("levels", "calibration", "users", "items", "mean", "user_bias", "item_bias")
    SEARCH: ClassVar[SearchSpace] = {
        "embedding_dim": IntLogUniform(10, 100),
        "l2": LogUniform(0.1, 2.0),
        "learning_rate": LogUniform(3e-3, 0.03),
        "epochs": IntLogUniform(10, 60),
    }

    levels: Doubles  # the distinct ratings
    calibration: Doubles  # see `fit_calibration`
    users: Floats  # [n_users, d + 2]: the vector, 1, mean + b_u
    items: Floats  # [n_items, d + 2]: the vector, b_i, 1
    mean: Doubles  # [1], with the biases for pairs that are not known
    user_bias: Floats  # [n_users + 1]
    item_bias: Floats  # [n_items + 1]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train, then keep vectors with their biases."""
        config: MFConfig = self.config
        scale = rating_scale(dataset.ratings, who=self.name)
        device = device_of(config.device)
        parts = keep_back(dataset.ratings, scale, config, config.calibration_share, self.seed)
        objective = RatingObjective(parts.train, scale, config, self.seed, device)
        rows = dataset.n_users + dataset.n_items
        start = make_rng(self.seed, "start").standard_normal((rows, config.embedding_dim), dtype=np.float32)
        start *= np.float32(config.init_scale)
        start[objective.row_weights.cpu().numpy() == 0] = 0  # nothing is known, so nothing is said
        net = MFNet(parts.train, start, objective.middle, config.implicit).to(device)

        def loss(batch: RatingBatch) -> Tensor:
            value = objective.loss(net.scores(batch.users, batch.items), batch)
            value = value + objective.penalty(net.vectors.tables, l1=config.l1, l2=config.l2 or 0.0)
            return value + objective.penalty([net.biases.weight], l2=config.l2_bias)

        def predict(user_index: Index, item_index: Index) -> Floats:
            with torch.no_grad():
                users, items = torch.from_numpy(user_index).to(device), torch.from_numpy(item_index).to(device)
                found: Floats = net.scores(users, items).cpu().numpy()
            return found

        plan = Plan(
            net=net,
            loss=loss,
            batches=objective.batches,
            steps_per_epoch=objective.steps_per_epoch,
            seed=self.seed,
            watch=watch_error(predict, parts, scale, config),
            rows=dict.fromkeys(("vectors.own.weight", "vectors.met.weight", "biases.weight"), np.arange(rows)),
            working_bytes=objective.working_bytes(config.embedding_dim) + 6 * start.nbytes,
        )
        train(plan, config, curve=self.record.curve, keeping=self.keeping)
        self.levels, self.calibration = scale.levels, calibrate(predict, parts, scale)
        with torch.no_grad():
            x, bias = net.vectors().cpu().numpy(), net.biases.weight.cpu().numpy()
        one = np.ones_like(bias)
        n = dataset.n_users
        self.users = np.hstack([x[:n], one[:n], bias[:n] + np.float32(objective.middle)])
        self.items = np.hstack([x[n:], bias[n:], one[n:]])
        self.mean, self.user_bias, self.item_bias = fit_fallback(dataset.ratings, scale)

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors, biases included."""
        return score_embeddings(self.users, self.items, user_index)

    def predict_pairs(self, user_index: Index, item_index: Index) -> Floats:
        """Multiply vectors pair by pair; biases where training has not met the user or the item."""

        def scores(users: Index, items: Index) -> Floats:
            product: Floats = np.einsum("nd,nd->n", self.users[users], self.items[items])
            return product

        return answer_pairs(
            scores,
            self.met_pairs(user_index, item_index),
            (user_index, item_index),
            RatingScale(self.levels),
            self.calibration,
            (self.mean, self.user_bias, self.item_bias),
        )

    def item_vectors(self) -> Floats:
        """Return the items' vectors without biases: they say how good an item is, not what it is."""
        return np.ascontiguousarray(self.items[:, :-2])
