"""LightGCN: embeddings of users and items, smoothed over the graph of who met what, and nothing else."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.embeddings import cosine_block, score_embeddings
from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.propagation import Propagation
from edgewise.graph.svd import truncated_svd
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace, Uniform
from edgewise.train.batches import Batch, batches_of_interactions, batches_of_users
from edgewise.train.loop import Watch, train
from edgewise.train.losses import bpr_loss, l2_penalty, sampled_softmax_loss
from edgewise.train.negatives import ItemSampler
from edgewise.train.schedules import ScheduleConfig, make_schedule
from edgewise.train.validation import hold_out, validation_ndcg
from edgewise.types import Doubles, Floats, Index

_STEPS_PER_EPOCH = 16
"""Unless a batch size is given. A step passes over the whole graph whatever its batch, so few and large steps are cheap."""

_N_NEGATIVES = (1024, 8192)
"""A fifth of the items, within these bounds: 8,192 were better than 2,048 on validation, and the cost grows with them."""

_NONE = np.empty(0, dtype=np.float32)

_K = 20
"""The cut-off of the validation metric."""

_WATCHED_USERS = 4000
"""A sample of so many users tells two epochs apart at a fraction of the time."""


_L2 = {"sampled-softmax": 0.045, "bpr": 1e-4}
"""By the loss: the softmax pushes each interaction with a force near 1, BPR with one that soon fades."""

_L2_EXPONENT = {"sampled-softmax": 0.5, "bpr": 1.0}
"""By the loss: of 0, 0.5 and 1 the best on validation; BPR as in the paper."""

_NEGATIVE_POWER = {"sampled-softmax": 0.5, "bpr": 0.0}
"""By the loss: of 0.25, 0.5 and 1 the best on validation; BPR as in the paper."""


class LightGCNConfig(Settings):
    """Settings of `lightgcn`; defaults of the softmax chosen by validation on Gowalla, those of BPR are partly the paper's."""

    embedding_dim: PositiveInt = 64
    n_layers: int = Field(default=3, ge=0, le=8)
    loss: Literal["sampled-softmax", "bpr"] = "sampled-softmax"
    l2: NonNegativeFloat | None = None  # on the table below the first layer, per interaction; None: by the loss
    l2_exponent: float | None = Field(
        default=None, ge=0, le=1
    )  # it grows with a row's interactions so; None: by the loss
    start: Literal["random", "spectral"] = "random"
    init_scale: PositiveFloat = 0.1  # standard deviation of the table at the start
    epochs: PositiveInt = 80
    batch_size: PositiveInt | None = None  # interactions; None: a sixteenth of all
    learning_rate: PositiveFloat = 0.03  # at its highest
    schedule: ScheduleConfig = ScheduleConfig()  # how it moves: by default along half a cosine to zero
    clip_norm: PositiveFloat | None = None  # the longest a step's gradient may be
    n_negatives: PositiveInt | None = None  # sampled softmax: shared by a batch; None: by the number of items
    negative_power: NonNegativeFloat | None = None  # drawn by popularity to this power; None: by the loss
    valid_share: float = Field(default=0.0, ge=0, le=0.5)  # held out to find the best epoch, hence lost to training
    patience: PositiveInt = 3  # stop after so many looks at the held-out share without a new best


class LightGCN(Recommender):
    """Score by the dot product of a user and an item after propagation: the mean of all layers of A^l X.

    Differs from the paper: the default loss is a sampled softmax, which needs tens of epochs where BPR needs hundreds;
    negatives may be known positives; the L2 term is the expectation of the paper's over batches, which takes no look-up.
    """

    name: ClassVar[str] = "lightgcn"
    title: ClassVar[str] = "LightGCN"
    paper: ClassVar[str] = (
        "He et al., “LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation”, SIGIR 2020 (arXiv:2002.02126)"
    )
    Config: ClassVar[type[Settings]] = LightGCNConfig
    STATE: ClassVar[tuple[str, ...]] = ("users", "items")
    SEARCH: ClassVar[SearchSpace] = {
        "l2": LogUniform(1e-3, 0.3),
        "learning_rate": LogUniform(3e-3, 0.1),
        "epochs": IntLogUniform(10, 100),
        "n_layers": IntLogUniform(1, 4),
        "negative_power": Uniform(0.0, 1.0),
    }

    users: Floats  # [n_users, d], after propagation; NaN for a user without interactions
    items: Floats  # [n_items, d]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the table, then keep what propagation makes of it."""
        config: LightGCNConfig = self.config
        n_users, n_items = dataset.n_users, dataset.n_items
        interactions, held_out = hold_out(dataset.interactions, config.valid_share, make_rng(self.seed, "valid"))
        propagate = Propagation.mean(symmetric_normalise(bipartite(interactions)), config.n_layers)
        table = torch.nn.Parameter(torch.from_numpy(_start(interactions, config, make_rng(self.seed, "start"))))
        power = _NEGATIVE_POWER[config.loss] if config.negative_power is None else config.negative_power
        sampler = ItemSampler(np.bincount(interactions.indices, minlength=n_items), power)
        batch_size = config.batch_size or max(1, interactions.nnz // _STEPS_PER_EPOCH)
        n_negatives = config.n_negatives or int(np.clip(n_items // 5, *_N_NEGATIVES))
        l2_weights = torch.from_numpy(_l2_weights(interactions, config, sampler))

        def batches(epoch: int) -> Iterator[tuple[Batch, Index, Floats]]:
            rng = make_rng(self.seed, "epoch", epoch)  # a stream an epoch: what it draws depends on no other
            if config.loss == "bpr":
                for batch in batches_of_interactions(interactions, batch_size, rng):
                    yield batch, sampler.draw(len(batch), rng), _NONE
            else:
                for batch in batches_of_users(interactions, batch_size, rng):
                    yield batch, *sampler.draw_shared(n_negatives, rng)

        def loss(drawn: tuple[Batch, Index, Floats]) -> Tensor:
            batch, negatives, log_expected = drawn
            final = propagate(table)  # [n_users + n_items, d]
            items, others = n_users + batch.items, n_users + negatives
            if config.loss == "bpr":
                ranking_loss = bpr_loss(final, batch.users[batch.owner], items, others)
            else:
                ranking_loss = sampled_softmax_loss(final, batch.users, batch.owner, items, others, log_expected)
            return ranking_loss + l2_penalty(table, l2_weights)

        def vectors() -> tuple[Floats, Floats]:
            with torch.no_grad():
                final: Floats = propagate(table).numpy()
            return final[:n_users], final[n_users:]

        measure = validation_ndcg(vectors, interactions, held_out, _K, _WATCHED_USERS, make_rng(self.seed, "watch"))
        train(
            table,
            loss,
            batches,
            n_epochs=config.epochs,
            steps_per_epoch=-(-interactions.nnz // batch_size),
            learning_rate=config.learning_rate,
            schedule=make_schedule(config.schedule),
            clip_norm=config.clip_norm,
            curve=self.record.curve,
            watch=Watch(f"ndcg@{_K}", measure, max(1, config.epochs // 20), config.patience) if held_out.nnz else None,
        )
        users, items = vectors()
        met_something = np.diff(interactions.indptr)[:, None] > 0
        self.users, self.items = np.where(met_something, users, np.float32(np.nan)), items.copy()

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors; NaN for a user without interactions, whose vector is what is left of the random start."""
        return score_embeddings(self.users, self.items, user_index)

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


def _l2_weights(interactions: csr_array, config: LightGCNConfig, sampler: ItemSampler) -> Floats:
    """Weigh each row's penalty by how often it stands in an interaction: float32 [n_users + n_items].

    The paper adds the squared lengths of the rows of a batch, over the size of the batch; with an exponent of 1 this is
    their expectation. A smaller one spreads the same sum more evenly: Rendle et al., "Revisiting the Performance of iALS on
    Item Recommendation Benchmarks", RecSys 2022 (arXiv:2110.14037), find that it matters.
    """
    l2 = _L2[config.loss] if config.l2 is None else config.l2
    exponent = _L2_EXPONENT[config.loss] if config.l2_exponent is None else config.l2_exponent
    per_user = np.diff(interactions.indptr)
    per_item = np.bincount(interactions.indices, minlength=interactions.shape[1]).astype(np.float64)
    if config.loss == "bpr":
        per_item += interactions.nnz * sampler.probability  # the paper's batch holds the negatives too
    weights = [_flattened(counts.astype(np.float64), exponent) for counts in (per_user, per_item)]
    return np.asarray(l2 * np.concatenate(weights) / interactions.nnz, dtype=np.float32)


def _flattened(counts: Doubles, exponent: float) -> Doubles:
    """Raise counts to a power, scaled so that their sum stays; zeros stay zero."""
    raised: Doubles = np.power(counts, exponent, out=np.zeros_like(counts), where=counts > 0)
    raised *= counts.sum() / raised.sum()
    return raised
