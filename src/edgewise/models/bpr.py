"""BPR: matrix factorisation that learns to rank what was met above what was not."""

from typing import ClassVar

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from edgewise import telemetry
from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.embeddings import score_embeddings
from edgewise.head_start import Start
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace, Uniform
from edgewise.threads import n_cpus
from edgewise.types import Floats, Index


class BPRConfig(Settings):
    """Settings of `bpr`.

    Defaults by NDCG@20 on validation parts of Gowalla, MovieLens 1M and CiteULike (benchmarks/settings.py).
    """

    embedding_dim: PositiveInt = 64
    epochs: PositiveInt = 150
    learning_rate: PositiveFloat = 0.05
    regularization: NonNegativeFloat = 0.01
    popularity_correction: NonNegativeFloat = 0.75  # how many times log(n_users) of an item is added to its bias
    deterministic: bool = True  # False: all threads update at once without locks, faster, and no two fits are the same


class BPR(Recommender):
    """Vectors x_u, y_j and item biases b_j, fitted so that x_u y_i + b_i > x_u y_j + b_j for i met by u and j drawn at random.

    Fitted by the `implicit` package, which draws j among all interactions, by popularity, where the paper draws all items alike.
    That teaches how much more often u meets an item than others do, not how often; adding a multiple of the logarithm of
    popularity to b_j afterwards makes up for it. An item's bias is the last number of its vector, where every user has a 1.
    """

    name: ClassVar[str] = "bpr"
    title: ClassVar[str] = "BPR matrix factorisation"
    paper: ClassVar[str] = (
        "Rendle, Freudenthaler, Gantner and Schmidt-Thieme, “BPR: Bayesian Personalized Ranking from Implicit Feedback”, "
        "UAI 2009 (arXiv:1205.2618)"
    )
    is_baseline: ClassVar[bool] = True
    by_dot_product: ClassVar[bool] = True
    starts_from: ClassVar[tuple[str, ...]] = ("users", "item_factors")
    Config: ClassVar[type[Settings]] = BPRConfig
    STATE: ClassVar[tuple[str, ...]] = ("users", "items")
    SEARCH: ClassVar[SearchSpace] = {
        "embedding_dim": IntLogUniform(32, 256),
        "epochs": IntLogUniform(50, 300),
        "learning_rate": LogUniform(0.01, 0.2),
        "regularization": LogUniform(1e-3, 0.05),
        "popularity_correction": Uniform(0.0, 1.3),
    }

    users: Floats  # [n_users, embedding_dim + 1]
    items: Floats  # [n_items, embedding_dim + 1]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Let `implicit` take its steps."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        with threadpool_limits(1, "blas"), telemetry.step("bpr", self.config.epochs) as work:
            model = BayesianPersonalizedRanking(
                factors=self.config.embedding_dim,
                learning_rate=self.config.learning_rate,
                regularization=self.config.regularization,
                iterations=self.config.epochs,
                num_threads=1 if self.config.deterministic else n_cpus(),
                random_state=int(make_rng(self.seed, "bpr").integers(2**31)),
            )
            if (start := self.keeping.start) is not None:
                model.user_factors, model.item_factors = self._from(start, dataset)
            model.fit(csr_matrix(dataset.interactions), show_progress=False, callback=lambda *_: work.advance(1))
        self.users, self.items = model.user_factors, model.item_factors
        self.keeping.trained["item_factors"] = self.items.copy()
        self.items[:, -1] += self.config.popularity_correction * np.log(np.maximum(dataset.item_counts, 1))

    def _from(self, start: Start, dataset: Dataset) -> tuple[Floats, Floats]:
        """Return the factors of an earlier fit, and of newcomers what `implicit` starts with."""
        d, n_users = self.config.embedding_dim, dataset.n_users
        noise = make_rng(self.seed, "newcomers").random((n_users + dataset.n_items, d + 1), dtype=np.float32)
        noise = (noise - np.float32(0.5)) / np.float32(d)
        noise[:n_users, -1] = 1
        return start.of_users("users", noise[:n_users]), start.of_items("item_factors", noise[n_users:])

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors, biases included."""
        return score_embeddings(self.users, self.items, user_index)

    def item_vectors(self) -> Floats:
        """Return the items' vectors without biases: they say how popular an item is, not what it is."""
        return np.ascontiguousarray(self.items[:, :-1])
