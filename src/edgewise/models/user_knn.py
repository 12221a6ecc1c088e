"""User-based collaborative filtering: what people like you met."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.graph.bipartite import transposed
from edgewise.graph.cooccurrence import Similarity, top_neighbours
from edgewise.graph.normalise import degree_scale
from edgewise.graph.products import dense_product
from edgewise.recommender import Recommender
from edgewise.search_space import IntLogUniform, OneOf, SearchSpace, Uniform
from edgewise.types import Floats, Index


class UserKNNConfig(Settings):
    """Settings of `user-knn`.

    Defaults by NDCG@20 on validation parts of Gowalla, MovieLens 1M and CiteULike (benchmarks/settings.py).
    """

    similarity: Similarity = "cosine"
    n_neighbours: PositiveInt = 200
    rarity_exponent: NonNegativeFloat = (
        0.4  # a shared item counts n_users^-rarity_exponent: rare ones tell more of a taste
    )
    neighbour_exponent: NonNegativeFloat = 0.55  # cosine: of the neighbour's squared length; 0.5 is the plain cosine
    candidate_exponent: NonNegativeFloat = 0.25  # a candidate's votes are divided by n_users^candidate_exponent
    shrinkage: NonNegativeFloat = 0.3


class UserKNN(Recommender):
    """Score a candidate by the likeness of the neighbours who met it: score(u, j) = sum over v in N(u) of s(u, v) r_vj / d_j^c.

    N(u) are the `n_neighbours` users most like u, d_j how many users met j, c the `candidate_exponent`.
    """

    name: ClassVar[str] = "user-knn"
    title: ClassVar[str] = "User-based kNN"
    paper: ClassVar[str] = (
        "Herlocker, Konstan, Borchers and Riedl, “An Algorithmic Framework for Performing Collaborative Filtering”, SIGIR 1999; "
        "asymmetric cosine: Aiolli, RecSys 2013"
    )
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = UserKNNConfig
    STATE: ClassVar[tuple[str, ...]] = ("neighbours",)
    SEARCH: ClassVar[SearchSpace] = {
        "n_neighbours": IntLogUniform(20, 500),
        "rarity_exponent": Uniform(0.0, 1.0),
        "neighbour_exponent": Uniform(0.2, 0.6),
        "candidate_exponent": Uniform(0.0, 0.5),
        "shrinkage": OneOf((0.0, 0.3, 1.0)),
    }

    neighbours: csr_array  # [n_users, n_users], row u: the users most like u

    def fit_arrays(self, dataset: Dataset) -> None:
        """Find the users most like each user."""
        config = self.config
        # An item's weight enters once from either user, so each takes the root.
        weighted = degree_scale(dataset.interactions, 0.0, -config.rarity_exponent / 2)
        self.neighbours = top_neighbours(
            weighted,
            config.n_neighbours,
            similarity=config.similarity,
            shrinkage=config.shrinkage,
            exponents=(0.5, config.neighbour_exponent),
        )

    def score_block(self, user_index: Index) -> Floats:
        """Add up what the neighbours of each user met."""
        return dense_product(self.neighbours[user_index], self._votes)

    def similarity_block(self, item_index: Index) -> Floats:
        """Tell the cosine of items over the users who met both."""
        counts = self.catalogue.item_counts
        shared = dense_product(self._item_users[item_index], self.catalogue.seen)  # [b, n_items]
        lengths = np.sqrt(np.maximum(counts, 1)).astype(np.float32)
        return shared / (lengths[item_index, None] * lengths)

    def contributions(self, user_index: int, item_index: int, history: Index) -> tuple[Floats, bool]:
        """Split each neighbour's vote among the items that make this neighbour alike, by their weight in the likeness."""
        neighbours = self.neighbours[[user_index]]
        votes = self._votes[neighbours.indices][:, [item_index]].toarray()[:, 0] * neighbours.data  # [n_neighbours]
        weights = np.maximum(self.catalogue.item_counts[history], 1.0) ** -self._rarity
        shared = self.catalogue.seen[neighbours.indices][:, history].toarray() * weights  # [n_neighbours, n_history]
        total = shared.sum(axis=1, keepdims=True)
        shares = np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)
        return (votes @ shares).astype(np.float32), True

    @property
    def _rarity(self) -> float:
        """The exponent by which shared items counted; the likenesses of sets count each once."""
        return float(self.config.rarity_exponent) if self.config.similarity in ("cosine", "dot") else 0.0

    @cached_property
    def _votes(self) -> csr_array:
        """What each user votes for: 1 / d_j^c for what was met."""
        return degree_scale(self.catalogue.seen, 0.0, -self.config.candidate_exponent)

    @cached_property
    def _item_users(self) -> csr_array:
        return transposed(self.catalogue.seen)
