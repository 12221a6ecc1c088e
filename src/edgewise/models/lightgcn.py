"""LightGCN: embeddings of users and items, smoothed over the graph of who met what, and nothing else."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.evaluate.metrics import find_hits, ndcg_at_k
from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.propagation import Propagation
from edgewise.ranking import Rows, block_size, top_k
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace, Uniform
from edgewise.train.batches import Batch, batches_of_interactions, batches_of_users
from edgewise.train.losses import bpr_loss, l2_penalty, sampled_softmax_loss
from edgewise.train.loop import Watch, train
from edgewise.train.negatives import ItemSampler
from edgewise.types import Floats, Index

_K = 20
"""The cut-off of the validation metric."""

_WATCHED_USERS = 4000
"""A sample of so many users tells two epochs apart at a fraction of the time."""


class LightGCNConfig(Settings):
    """Settings of `lightgcn`; defaults by validation on Gowalla and two MovieLens sets."""

    embedding_dim: PositiveInt = 64
    n_layers: int = Field(default=2, ge=0, le=8)
    loss: Literal["sampled-softmax", "bpr"] = "sampled-softmax"
    l2: NonNegativeFloat = 0.03  # on the table below the first layer, per interaction; the paper's, for bpr, is 1e-4
    start: Literal["random", "spectral"] = "random"
    init_scale: PositiveFloat = 0.1  # standard deviation of the table at the start
    epochs: PositiveInt = 40
    batch_size: PositiveInt | None = (
        None  # interactions; None: a sixteenth of all, since each step pays for the whole graph
    )
    learning_rate: PositiveFloat = 0.03  # at the start; it falls to zero
    n_negatives: PositiveInt = 2048  # sampled softmax: shared by a batch; bpr takes one for each interaction
    negative_power: NonNegativeFloat = 0.5  # negatives are drawn by popularity to this power; 0: uniform
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
        interactions, held_out = _hold_out(dataset.interactions, config.valid_share, make_rng(self.seed, "valid"))
        n_users = dataset.n_users
        propagate = Propagation.mean(symmetric_normalise(bipartite(interactions)), config.n_layers)
        table = torch.nn.Parameter(torch.from_numpy(_start(interactions, config, self.seed)))
        sampler = ItemSampler(np.bincount(interactions.indices, minlength=dataset.n_items), config.negative_power)
        batch_size = config.batch_size or max(1, interactions.nnz // _STEPS_PER_EPOCH)
        l2_weights = torch.from_numpy(_l2_weights(interactions, config, sampler))

        def batches(epoch: int) -> Iterator[tuple[Batch, Index]]:
            rng = make_rng(self.seed, "epoch", epoch)  # by epoch, so that the numbers do not depend on where a run began
            if config.loss == "bpr":
                for batch in batches_of_interactions(interactions, batch_size, rng):
                    yield batch, sampler.draw(len(batch), rng)
            else:
                for batch in batches_of_users(interactions, batch_size, rng):
                    yield batch, _shared_negatives(sampler, config.n_negatives, rng)

        def loss(batch: Batch, negatives: Index) -> Tensor:
            final = propagate(table)  # [n_users + n_items, d]
            items, others = n_users + batch.items, n_users + negatives
            if config.loss == "bpr":
                ranking_loss = bpr_loss(final, batch.users[batch.owner], items, others)
            else:
                expected = sampler.log_expected(negatives)
                ranking_loss = sampled_softmax_loss(final, batch.users, batch.owner, items, others, expected)
            return ranking_loss + l2_penalty(table, l2_weights)

        def final_vectors() -> tuple[Floats, Floats]:
            with torch.no_grad():
                final = propagate(table).numpy()
            return final[:n_users], final[n_users:]

        train(
            table,
            lambda drawn: loss(*drawn),
            batches,
            n_epochs=config.epochs,
            steps_per_epoch=-(-interactions.nnz // batch_size),
            learning_rate=config.learning_rate,
            curve=self.record.curve,
        )
        users, items = final_vectors()
        users = np.where(np.diff(interactions.indptr)[:, None] > 0, users, np.float32(np.nan))
        self.users, self.items = users, items.copy()

    def score_block(self, user_index: Index) -> Floats:
        """Return the dot products; NaN for a user without interactions, whose vector is still the random start."""
        scores: Floats = self.users[user_index] @ self.items.T
        return scores

    def similarity_block(self, item_index: Index) -> Floats:
        """Return the cosines of the items' vectors."""
        unit = self.items / np.maximum(np.linalg.norm(self.items, axis=1, keepdims=True), np.float32(1e-12))
        similarity: Floats = unit[item_index] @ unit.T
        return similarity

    def item_vectors(self) -> Floats:
        """Return the items' vectors after propagation."""
        return self.items
