"""ALS: weighted matrix factorisation, users and items in turns."""

from typing import ClassVar

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from edgewise import telemetry
from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.embeddings import score_embeddings
from edgewise.graph.bipartite import EdgeWeight, weighted_interactions
from edgewise.newcomers import Newcomers, by_history
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import IntLogUniform, LogUniform, SearchSpace
from edgewise.threads import n_cpus
from edgewise.types import Doubles, Floats, Index


class ALSConfig(Settings):
    """Settings of `als`.

    Defaults by NDCG@20 on validation parts of Gowalla, MovieLens 1M and CiteULike (benchmarks/settings.py).
    """

    embedding_dim: PositiveInt = 128
    iterations: PositiveInt = 15
    alpha: PositiveFloat = 15.0  # confidence of an interaction, where that of a pair without one is 1
    regularization: NonNegativeFloat = 10.0
    edge_weight: EdgeWeight = "one"  # what alpha multiplies


class ALS(Recommender):
    """Vectors x_u, y_j that minimise sum over all pairs of c_uj (r_uj - x_u y_j)^2 + regularization (|x|^2 + |y|^2).

    r is 1 for pairs that met and 0 else; c is alpha times the edge's weight for the former and 1 for the latter. Fitted by the
    `implicit` package (conjugate gradient: Takács, Pilászy and Tikk, RecSys 2011); at the end every x_u is solved exactly, so
    that a stored user scores as the same history of a stranger does, and the score splits into its parts without a rest.
    """

    name: ClassVar[str] = "als"
    title: ClassVar[str] = "ALS matrix factorisation"
    paper: ClassVar[str] = (
        "Hu, Koren and Volinsky, “Collaborative Filtering for Implicit Feedback Datasets”, ICDM 2008; "
        "how strong as a baseline: Rendle et al., RecSys 2022 (arXiv:2110.14037)"
    )
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = ALSConfig
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    adds_up: ClassVar[bool] = True
    by_dot_product: ClassVar[bool] = True
    starts_from: ClassVar[tuple[str, ...]] = ("users", "items")
    STATE: ClassVar[tuple[str, ...]] = ("users", "items")
    SEARCH: ClassVar[SearchSpace] = {
        "embedding_dim": IntLogUniform(32, 256),
        "alpha": LogUniform(1.0, 100.0),
        "regularization": LogUniform(1.0, 300.0),
    }

    users: Floats  # [n_users, embedding_dim]
    items: Floats  # [n_items, embedding_dim]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Let `implicit` alternate; the same numbers whatever the number of threads, since each row is solved by one."""
        from implicit.cpu.als import AlternatingLeastSquares

        confidence = csr_matrix(weighted_interactions(dataset, self.config.edge_weight))
        seed = int(make_rng(self.seed, "als").integers(2**31))
        # More than one BLAS thread inside each of implicit's own would slow it many times over; it warns of that.
        with threadpool_limits(1, "blas"), telemetry.step("als", self.config.iterations) as work:
            model = AlternatingLeastSquares(
                factors=self.config.embedding_dim,
                regularization=self.config.regularization,
                alpha=self.config.alpha,
                iterations=self.config.iterations,
                num_threads=n_cpus(),
                random_state=seed,
            )
            if (start := self.keeping.start) is not None:
                noise = make_rng(self.seed, "newcomers").random(
                    (dataset.n_users + dataset.n_items, self.config.embedding_dim), dtype=np.float32
                )
                noise *= 0.01  # as `implicit` starts
                model.user_factors = start.of_users("users", noise[: dataset.n_users])
                model.item_factors = start.of_items("items", noise[dataset.n_users :])
            model.fit(confidence, show_progress=False, callback=lambda *_: work.advance(1))
            self.users = model.recalculate_user(np.arange(dataset.n_users), confidence)
        self.items = model.item_factors

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors."""
        return score_embeddings(self.users, self.items, user_index)

    def score_history(self, rows: csr_array) -> Floats:
        """Score all items for histories of anyone: float32 [b, n_items] from confidences before alpha [b, n_items]."""
        return score_embeddings(self.embed_history(rows), self.items, np.arange(rows.shape[0]))

    def embed_history(self, rows: csr_array) -> Floats:
        """Solve for the vectors of anyone: float32 [b, d] from confidences before alpha [b, n_items]."""
        return self._solved(rows, self.items, self._gram())

    def _solved(self, rows: csr_array, others: Floats, gram: Doubles) -> Floats:
        """Solve for the vectors of one side, float32 [b, d], from confidences [b, n_others], given those of the other side."""
        vectors = np.zeros((rows.shape[0], others.shape[1]), dtype=np.float32)
        for row, (start, stop) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
            y = others[rows.indices[start:stop]].astype(np.float64)  # [n_history, d]
            confidence = self.config.alpha * rows.data[start:stop].astype(np.float64)
            vectors[row] = np.linalg.solve(_weighted_gram(gram, y, confidence), y.T @ confidence)
        return vectors

    def embed_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Solve for the vectors of newcomers from their histories, each interaction with a weight of 1."""
        if newcomers.side == "user":
            return by_history(self.embed_history, newcomers)
        return by_history(lambda rows: self._solved(rows, self.users, self._gram_of(self.users)), newcomers)

    def item_vectors(self) -> Floats:
        """Return the items' vectors."""
        return self.items

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:  # noqa: ARG002
        """Split the score as section 5 of the paper does: y_j (Y^T C_u Y + regularization I)^-1 y_i c_ui for each i met."""
        y = self.items[history].astype(np.float64)  # [n_history, d]
        confidence = np.full(history.size, self.config.alpha)
        towards = np.linalg.solve(
            _weighted_gram(self._gram(), y, confidence), self.items[item_index].astype(np.float64)
        )
        return (confidence * (y @ towards)).astype(np.float32)

    def _gram(self) -> Doubles:
        """Y^T Y + regularization I: float64 [d, d]; kept, since a service asks again for every newcomer."""
        kept: tuple[Floats, Doubles] | None = self.__dict__.get("_kept_gram")
        if kept is None or kept[0] is not self.items:
            kept = self._kept_gram = self.items, self._gram_of(self.items)
        return kept[1]

    def _gram_of(self, vectors: Floats) -> Doubles:
        y = vectors.astype(np.float64)
        gram: Doubles = y.T @ y + self.config.regularization * np.eye(y.shape[1])
        return gram


def _weighted_gram(gram: Doubles, y: Doubles, confidence: Doubles) -> Doubles:
    """Add what the items met weigh beyond 1: Y^T C_u Y + regularization I."""
    return gram + (y.T * (confidence - 1)) @ y
