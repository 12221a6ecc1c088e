"""NeuMF: a product of embeddings and a multilayer perceptron side by side, for ratings and for ranking."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import dropout, embedding, relu

from edgewise.config import Settings, make
from edgewise.data import Dataset
from edgewise.data.ratings import RatingScale, pairs_of, rating_scale
from edgewise.errors import CannotPredictError, ConfigError
from edgewise.evaluate.calibration import answers, fit_calibration
from edgewise.evaluate.edges import sample_non_edges
from edgewise.nn.implicit_table import ImplicitTable, Sides
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace, Uniform
from edgewise.train.config import TrainConfig
from edgewise.train.devices import device_of
from edgewise.train.loop import train
from edgewise.train.losses import bce_of_scores, bpr_of_scores
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.plan import Plan
from edgewise.train.rating_objective import (
    RatingBatch,
    RatingObjective,
    answer_pairs,
    calibrate,
    check_no_ranking,
    fit_fallback,
    keep_back,
    watch_error,
)
from edgewise.train.sampled_softmax import softmax_of_scores
from edgewise.train.validation import hold_out, watch_ranking
from edgewise.types import Doubles, Floats, Index

_PAIRS_AT_ONCE = 1 << 16
"""Hidden layers of so many pairs are held at once."""

_CHANCE = RatingScale(np.array([0.0, 1.0]))

_RANKING_LOSSES = ("bce", "bpr", "sampled-softmax")


class NeuMFConfig(TrainConfig):
    """Settings of `neumf`. Defaults for ratings by RMSE on a validation part of MovieLens 100k (benchmarks/ratings.py --settings)."""

    target: Literal["auto", "ratings", "ranking"] = "auto"  # auto: ratings where values differ
    embedding_dim: PositiveInt = 40  # of the product
    mlp_dim: PositiveInt = 16  # of the embeddings below the perceptron
    implicit: Sides | None = None  # whose embeddings also say who was met; None: of ratings "both", of ranking "none"
    hidden: tuple[PositiveInt, ...] = Field(default=(64, 32, 16), min_length=1, max_length=6)  # widths of its layers
    dropout: float | None = Field(default=None, ge=0, lt=1)  # of the hidden layers; None: of ratings 0, of ranking 0.3
    init_scale: PositiveFloat = 0.05  # standard deviation of the embeddings at the start
    l2_bias: NonNegativeFloat = 0.04  # ratings
    weights_l2: NonNegativeFloat = 0.01  # of all but the embeddings, whose own penalty they could otherwise get round
    calibration_share: float | None = Field(default=None, ge=0, le=0.5)  # held out; None: 0.1 for yes and no, else 0
    epochs: PositiveInt = 30

    @model_validator(mode="after")
    def _no_contradiction_with_target(self) -> Self:
        if self.target == "ratings":
            check_no_ranking(self)
        if self.loss is not None and self.loss not in _RANKING_LOSSES:
            raise ValueError(
                f"loss = {self.loss!r} compares vectors, and neumf has scores; use {', '.join(_RANKING_LOSSES)}"
            )
        if self.sampler == "hard":
            raise ValueError("sampler = 'hard' looks for negatives by products of vectors; neumf takes the others")
        if self.precision != "float32":
            raise ValueError(f"precision = {self.precision!r}: neumf is trained in float32")
        if self.penalised != "layer-0":
            raise ValueError(f"penalised = {self.penalised!r}: the tables are all there is; leave it at 'layer-0'")
        return self

    def resolved(self, *, ratings: bool) -> Self:
        """Return the settings with the defaults of one of the two tasks.

        Raises:
            ConfigError: if a setting belongs to the other.
        """
        usual: dict[str, object]
        if ratings and self.is_sparse:
            raise ConfigError(
                f"neumf: optimiser = {self.optimiser!r}: of ratings every row has a gradient in every step; use 'adam'"
            )
        if not ratings and self.implicit not in (None, "none"):
            raise ConfigError(
                f"neumf: implicit = {self.implicit!r} belongs to ratings; a ranking that knows who was met has nothing to learn"
            )
        if ratings:
            usual = {
                "target": "ratings",
                "learning_rate": 0.003,
                "l2": 0.4,
                "l2_exponent": 0.5,
                "implicit": "both",
                "dropout": 0.0,
            }
        else:
            usual = {
                "target": "ranking",
                "loss": "bce",
                "learning_rate": 0.005,
                "l2": 1e-3,
                "implicit": "none",
                "dropout": 0.3,
            }
        values = self.model_dump()
        return make(
            type(self),
            values | {key: value for key, value in usual.items() if values[key] is None or key == "target"},
            where="neumf",
        )


@dataclass(frozen=True)
class Rows:
    """What a pair needs of the tables.

    Attributes:
        p, q: float32 [b, d], below the product. x_user, x_item: float32 [b, d'], below the perceptron.
        bias: float32 [2, b], of users and items; None without.
    """

    p: Tensor
    q: Tensor
    x_user: Tensor
    x_item: Tensor
    bias: Tensor | None


class NeuMFNet(torch.nn.Module):
    """score = [b +] w·(p_u * q_i) + v·mlp(x_u, y_i), the perceptron's first layer taken apart: relu(A x_u + B y_i + c).

    Apart, it is computed once for every user and once for every item, and only added up for pairs.

    Args:
        ratings: [n_users, n_items], whose pairs tell who was met.
        offset: at the start: the mean of the targets, or their log odds.
        biases: whether users and items have one.
        rng: for the start.
        config: the settings.
    """

    def __init__(
        self, ratings: csr_array, offset: float, rng: np.random.Generator, config: NeuMFConfig, *, biases: bool
    ) -> None:
        super().__init__()
        n, widths = sum(ratings.shape), (2 * config.mlp_dim, *config.hidden)
        self.n_users, self.config = ratings.shape[0], config

        def normal(*shape: int, scale: float) -> Tensor:
            return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32) * np.float32(scale))

        start = rng.standard_normal((n, config.embedding_dim + config.mlp_dim), dtype=np.float32)
        start *= np.float32(config.init_scale)
        self.table = ImplicitTable(ratings, start, config.implicit or "none")  # [n, d + d']
        self.biases = torch.nn.Embedding(n, 1, _weight=torch.zeros(n, 1)) if biases else None
        self.weights = torch.nn.ParameterList([normal(a, b, scale=(2 / a) ** 0.5) for a, b in pairwise(widths)])
        self.shifts = torch.nn.ParameterList([torch.zeros(width) for width in widths[1:]])
        self.of_product = torch.nn.Parameter(torch.ones(config.embedding_dim))
        self.of_hidden = torch.nn.Parameter(normal(widths[-1], scale=widths[-1] ** -0.5))
        self.offset = torch.nn.Parameter(torch.tensor([offset], dtype=torch.float32))

    def rows(self, users: Tensor, items: Tensor) -> Rows:
        """Look up pairs: users and items int64 [b]."""
        items = items + self.n_users
        x, d = self.table(), self.config.embedding_dim
        of_users, of_items = (embedding(index, x, sparse=self.config.is_sparse) for index in (users, items))
        bias = None
        if self.biases is not None:
            pair = torch.stack([users, items])  # [2, b]
            bias = embedding(pair, self.biases.weight, sparse=self.config.is_sparse)[..., 0]
        return Rows(of_users[:, :d], of_items[:, :d], of_users[:, d:], of_items[:, d:], bias)

    def score(self, rows: Rows) -> Tensor:
        """Score pairs that were looked up: float32 [b]."""
        half = self.config.mlp_dim
        first = rows.x_user @ self.weights[0][:half] + rows.x_item @ self.weights[0][half:]
        scores = (rows.p * rows.q) @ self.of_product + self._above(first)
        return scores if rows.bias is None else scores + rows.bias.sum(dim=0)

    def cross(self, users: Tensor, items: Tensor) -> Tensor:
        """Score all of some items for all of some users: int64 [u] and [i] to float32 [u, i]."""
        rows = self.rows(users, users[:0])
        others = self.rows(users[:0], items)
        half = self.config.mlp_dim
        first = (rows.x_user @ self.weights[0][:half])[:, None, :] + (others.x_item @ self.weights[0][half:])[
            None, :, :
        ]
        return (rows.p * self.of_product) @ others.q.T + self._above(first)

    def _above(self, first: Tensor) -> Tensor:
        rate, training = self.config.dropout or 0.0, self.training
        h = dropout(relu(first + self.shifts[0]), rate, training)
        for weight, shift in zip(list(self.weights)[1:], list(self.shifts)[1:], strict=True):
            h = dropout(relu(h @ weight + shift), rate, training)
        above: Tensor = h @ self.of_hidden + self.offset
        return above


def _rows_of_nodes(dataset: Dataset) -> dict[str, Index]:
    nodes = np.arange(dataset.n_users + dataset.n_items)
    return dict.fromkeys(("table.own.weight", "table.met.weight", "biases.weight"), nodes)


class NeuMF(Recommender):
    """Score a pair by a generalised product of embeddings and by a perceptron over another pair of embeddings, added up.

    Two tasks. Where values differ (or target = "ratings"), it predicts them, with biases beside the net, by squared error, or yes
    and no by cross-entropy; its embeddings also say who was met, as `ImplicitTable` does. Where all are alike (or target = "ranking"), it ranks what was met above what was not, by the paper's
    cross-entropy with drawn negatives, BPR or sampled softmax.

    `predict` then gives the chance that the user meets the item rather than one drawn at random, each as likely beforehand;
    that takes calibration_share > 0, since scores are turned into chances on interactions that were held out.

    Differs from the paper: both parts are trained at once, without pre-training; biases, and who was met, for ratings; dropout. A pair with an
    unknown user or item gets mean and biases, as from `biases`.
    """

    name: ClassVar[str] = "neumf"
    title: ClassVar[str] = "NeuMF"
    paper: ClassVar[str] = "He et al., “Neural Collaborative Filtering”, WWW 2017 (arXiv:1708.05031)"
    needs: ClassVar[str] = "ratings or interactions"
    starts_from: ClassVar[tuple[str, ...]] = ("table.own.weight",)
    Config: ClassVar[type[Settings]] = NeuMFConfig
    STATE: ClassVar[tuple[str, ...]] = (
        "levels", "calibration", "gmf_users", "gmf_items", "first_users", "first_items", "upper", "of_hidden",
        "user_bias", "item_bias", "mean", "user_fallback", "item_fallback",
    )  # fmt: skip
    SEARCH: ClassVar[SearchSpace] = {
        "learning_rate": LogUniform(1e-3, 0.02),
        "l2": LogUniform(0.05, 2.0),
        "dropout": Uniform(0.0, 0.5),
        "epochs": IntLogUniform(10, 60),
    }

    levels: Doubles  # the distinct ratings; empty where it ranks
    calibration: Doubles  # see `fit_calibration`; empty where it ranks and nothing was held out
    gmf_users: Floats  # [n_users, d], times the weights of the product
    gmf_items: Floats  # [n_items, d]
    first_users: Floats  # [n_users, h_1], the first layer's part, shift included
    first_items: Floats  # [n_items, h_1]
    upper: Floats  # the layers above in a row, each its weights and its shift
    of_hidden: Floats  # [h_last + 1], the last is the offset
    user_bias: Floats  # [n_users]
    item_bias: Floats  # [n_items]
    mean: Doubles  # [1], with the biases for pairs that are not known
    user_fallback: Floats  # [n_users + 1]
    item_fallback: Floats  # [n_items + 1]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train for ratings or for ranking, then keep the first layer taken apart."""
        values = dataset.ratings.data
        ratings = self.config.target == "ratings" or (
            self.config.target == "auto" and bool((values != values[0]).any())
        )
        config: NeuMFConfig = self.config.resolved(ratings=ratings)
        self.record.notes.append(f"learned {'ratings' if ratings else 'to rank'}")
        if ratings:
            self._fit_ratings(dataset, config)
        else:
            self._fit_ranking(dataset, config)

    def _fit_ratings(self, dataset: Dataset, config: NeuMFConfig) -> None:
        ratings = dataset.ratings
        scale = rating_scale(ratings, who=self.name)
        device = device_of(config.device)
        share = 0.1 if config.calibration_share is None else config.calibration_share
        parts = keep_back(ratings, scale, config, share, self.seed)
        objective = RatingObjective(parts.train, scale, config, self.seed, device)
        rng = make_rng(self.seed, "start")
        net = NeuMFNet(parts.train, objective.middle, rng, config, biases=True).to(device)

        def loss(batch: RatingBatch) -> Tensor:
            rows = net.rows(batch.users, batch.items)
            value = objective.loss(net.score(rows), batch)
            value = value + objective.penalty(net.table.tables, l1=config.l1, l2=config.l2 or 0.0)
            biases = [] if net.biases is None else [net.biases.weight]
            return value + objective.penalty(biases, l2=config.l2_bias)

        def predict(user_index: Index, item_index: Index) -> Floats:
            self._take(net)
            return self._scores(user_index, item_index)

        self._train(
            config,
            Plan(
                net=net,
                loss=loss,
                batches=objective.batches,
                steps_per_epoch=objective.steps_per_epoch,
                seed=self.seed,
                watch=watch_error(predict, parts, scale, config),
                rows=_rows_of_nodes(dataset),
                working_bytes=objective.working_bytes(sum(config.hidden))
                + 6 * sum(table.nbytes for table in net.table.tables),
            ),
        )
        self._take(net)
        self.levels, self.calibration = scale.levels, calibrate(self._scores, parts, scale)
        self.mean, self.user_fallback, self.item_fallback = fit_fallback(ratings, scale)

    def _fit_ranking(self, dataset: Dataset, config: NeuMFConfig) -> None:
        device = device_of(config.device)
        kept, apart = hold_out(
            dataset.interactions, config.calibration_share or 0.0, make_rng(self.seed, "calibration")
        )
        newest = None if self.keeping.start is None else self.keeping.start.newest
        interactions, held_out = hold_out(kept, config.valid_share, make_rng(self.seed, "valid"), newest)
        rng = make_rng(self.seed, "start")
        net = NeuMFNet(interactions, 0.0, rng, config, biases=False).to(device)
        objective = RankingObjective(interactions, config, self.seed)

        def loss(drawn: Drawn) -> Tensor:
            return _ranking_loss(net, config, drawn, device)

        def score_now() -> Callable[[Index], Floats]:
            self._take(net)
            return self.score_block

        watch = watch_ranking(score_now, interactions, held_out, config, make_rng(self.seed, "watch"))
        self._train(
            config,
            Plan(
                net=net,
                loss=loss,
                batches=objective.batches,
                steps_per_epoch=objective.steps_per_epoch,
                seed=self.seed,
                watch=watch,
                rows=_rows_of_nodes(dataset),
                working_bytes=objective.working_bytes(sum(config.hidden)),
            ),
        )
        self._take(net)
        # The vectors of somebody who met nothing are what is left of the random start.
        self.user_bias = np.where(np.diff(dataset.interactions.indptr) > 0, self.user_bias, np.float32(np.nan))
        self.levels = np.empty(0)
        self.calibration = np.empty(0)
        nothing = np.zeros(1, dtype=np.float32)
        self.mean, self.user_fallback, self.item_fallback = np.zeros(1), nothing, nothing
        if apart.nnz:
            n_each = np.diff(apart.indptr).astype(np.int64)
            others = sample_non_edges(dataset.interactions, n_each, make_rng(self.seed, "non-edges"))
            users, items = pairs_of(apart)
            no_users = np.repeat(np.arange(dataset.n_users), np.diff(others.indptr))
            scores = np.concatenate(
                [self._scores(users, items), self._scores(no_users, others.indices.astype(np.int64))]
            )
            self.calibration = fit_calibration(scores, np.arange(scores.size) < users.size)

    def _train(self, config: NeuMFConfig, plan: Plan[Any]) -> None:
        train(plan, config, curve=self.record.curve, keeping=self.keeping)

    def score_block(self, user_index: Index) -> Floats:
        """Score all items, user by user: the products have one shape, so that no user's scores depend on the company."""
        out = np.empty((user_index.size, len(self.gmf_items)), dtype=np.float32)
        for place, user in enumerate(user_index):
            first = np.maximum(self.first_items + self.first_users[user], 0)  # [n_items, h_1]
            out[place] = self.gmf_items @ self.gmf_users[user] + self._above(first)
            out[place] += self.item_bias + self.user_bias[user]
        return out

    def predict_pairs(self, user_index: Index, item_index: Index) -> Floats:
        """Return ratings, chances of a yes, or where it ranks the chance of meeting rather than a random item.

        Raises:
            CannotPredictError: if it ranks and nothing was held out to calibrate on.
        """
        known = self.met_pairs(user_index, item_index)
        if not self.levels.size:
            if not self.calibration.size:
                raise CannotPredictError(
                    "this neumf learned to rank, and nothing was held out to turn its scores into chances. Fit it with "
                    "calibration_share = 0.1, or on ratings that differ."
                )
            found = np.full(user_index.size, 0.5, dtype=np.float32)
            chance = answers(self._scores(user_index[known], item_index[known]), _CHANCE, self.calibration)
            found[known] = chance
            return found
        return answer_pairs(
            self._scores,
            known,
            (user_index, item_index),
            RatingScale(self.levels),
            self.calibration,
            (self.mean, self.user_fallback, self.item_fallback),
        )

    def item_vectors(self) -> Floats:
        """Return the items' vectors below the product."""
        return self.gmf_items

    def _take(self, net: NeuMFNet) -> None:
        n, half = net.n_users, net.config.mlp_dim

        def numbers(tensor: Tensor) -> Floats:
            found: Floats = tensor.detach().cpu().numpy().copy()
            return found

        with torch.no_grad():
            gmf, mlp = np.hsplit(numbers(net.table()), [net.config.embedding_dim])
        weights, shifts = [numbers(w) for w in net.weights], [numbers(s) for s in net.shifts]
        self.gmf_users, self.gmf_items = gmf[:n] * numbers(net.of_product), np.ascontiguousarray(gmf[n:])
        self.first_users = mlp[:n] @ weights[0][:half] + shifts[0]
        self.first_items = mlp[n:] @ weights[0][half:]
        above = [np.vstack([weight, shift]).ravel() for weight, shift in zip(weights[1:], shifts[1:], strict=True)]
        self.upper = np.concatenate([np.empty(0, dtype=np.float32), *above])
        self.of_hidden = np.concatenate([numbers(net.of_hidden), numbers(net.offset)])
        biases = np.zeros(len(gmf), dtype=np.float32) if net.biases is None else numbers(net.biases.weight)[:, 0]
        self.user_bias, self.item_bias = biases[:n], biases[n:]

    def _scores(self, user_index: Index, item_index: Index) -> Floats:
        scores = np.empty(user_index.size, dtype=np.float32)
        for start in range(0, user_index.size, _PAIRS_AT_ONCE):
            users, items = user_index[start : start + _PAIRS_AT_ONCE], item_index[start : start + _PAIRS_AT_ONCE]
            product = np.einsum("nd,nd->n", self.gmf_users[users], self.gmf_items[items])
            above = self._above(np.maximum(self.first_users[users] + self.first_items[items], 0))
            scores[start : start + users.size] = product + above + self.user_bias[users] + self.item_bias[items]
        return scores

    def _above(self, h: Floats) -> Floats:
        """Go through the layers above the first: float32 [n, h_1] to [n]."""
        place = 0
        for width, below in zip(self.config.hidden[1:], self.config.hidden[:-1], strict=True):
            layer = self.upper[place : place + (below + 1) * width].reshape(below + 1, width)
            place += layer.size
            h = np.maximum(h @ layer[:-1] + layer[-1], 0)
        found: Floats = h @ self.of_hidden[:-1] + self.of_hidden[-1]
        return found


def _ranking_loss(net: NeuMFNet, config: NeuMFConfig, drawn: Drawn, device: torch.device) -> Tensor:
    """Return the loss of a batch and its penalty: half the squared lengths of the rows that it reads, per interaction."""
    users = torch.from_numpy(drawn.users[drawn.owner]).to(device)
    items = torch.from_numpy(drawn.items - net.n_users).to(device)
    negatives = torch.from_numpy(drawn.negatives - net.n_users).to(device)
    rows = net.rows(users, items)
    chosen = net.score(rows)[:, None]
    read = [rows.p, rows.q, rows.x_user, rows.x_item]
    if config.loss == "sampled-softmax":
        mine = torch.from_numpy(drawn.users).to(device)
        shared = net.cross(mine, negatives) - torch.from_numpy(drawn.log_expected).to(device)
        value = softmax_of_scores(shared, chosen[:, 0], drawn.owner, drawn.left_out)
    else:
        n_each = negatives.shape[1]
        against = net.rows(users.repeat_interleave(n_each), negatives.ravel())
        rejected = net.score(against).view(-1, n_each)
        read += [against.q, against.x_item]
        value = (bpr_of_scores if config.loss == "bpr" else bce_of_scores)(chosen, rejected)
    l1, l2 = config.l1, config.l2 or 0.0
    for part in read:
        value = value + (l2 / 2 * part.square().sum() + l1 * part.abs().sum()) / users.numel()
    return value
