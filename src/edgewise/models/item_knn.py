"""Item-based collaborative filtering: what is met by the people who met what you met."""

from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.graph.bipartite import EdgeWeight, transposed, weighted_interactions
from edgewise.graph.cooccurrence import Similarity, top_neighbours
from edgewise.graph.normalise import bm25, degree_scale, tf_idf
from edgewise.graph.products import dense_product
from edgewise.newcomers import Newcomers, by_history
from edgewise.recommender import Recommender
from edgewise.search_space import IntLogUniform, OneOf, SearchSpace, Uniform
from edgewise.types import Floats, Index


class ItemKNNConfig(Settings):
    """Settings of `item-knn`.

    The defaults are a compromise between Gowalla, MovieLens 1M and CiteULike, by NDCG@20 on validation parts
    (benchmarks/settings.py).
    """

    similarity: Similarity = "cosine"
    n_neighbours: PositiveInt = 200  # of each candidate
    weighting: Literal["activity", "tf-idf", "bm25", "none"] = "activity"  # how much the word of each user counts
    activity_exponent: NonNegativeFloat = 0.7  # activity: a user's word counts n_items_met^-activity_exponent
    candidate_exponent: NonNegativeFloat = 0.35  # cosine: of the candidate's squared length; less favours popular ones
    history_exponent: NonNegativeFloat = 0.65  # cosine: of the history item's; 0.5 and 0.5 make the plain cosine
    shrinkage: NonNegativeFloat = 1.0
    edge_weight: EdgeWeight = "one"  # what likeness is measured on; histories always count each item once


class ItemKNN(Recommender):
    """Score a candidate by its likeness to each item of the history: score(u, j) = sum over i met by u of s(j, i).

    s(j, i) is kept for the `n_neighbours` items i most like each candidate j and zero for the rest. Those nearest to each
    candidate are kept, not to each history item, which ranks worse.
    """

    name: ClassVar[str] = "item-knn"
    title: ClassVar[str] = "Item-based kNN"
    paper: ClassVar[str] = (
        "Deshpande and Karypis, “Item-Based Top-N Recommendation Algorithms”, ACM TOIS 2004; "
        "asymmetric cosine: Aiolli, RecSys 2013"
    )
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = ItemKNNConfig
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    adds_up: ClassVar[bool] = True
    STATE: ClassVar[tuple[str, ...]] = ("neighbours",)
    SEARCH: ClassVar[SearchSpace] = {
        "n_neighbours": IntLogUniform(50, 1000),
        "activity_exponent": Uniform(0.0, 1.2),
        "candidate_exponent": Uniform(0.1, 0.5),
        "history_exponent": Uniform(0.4, 0.8),
        "shrinkage": OneOf((0.0, 0.1, 1.0)),
    }

    neighbours: csr_array  # [n_items, n_items], row j: the items most like j

    def fit_arrays(self, dataset: Dataset) -> None:
        """Find the items most like each item."""
        config = self.config
        item_users = transposed(weighted_interactions(dataset, config.edge_weight))  # [n_items, n_users]
        if config.weighting == "activity":
            # A user's weight enters once from either item, so each takes the root.
            item_users = degree_scale(item_users, 0.0, -config.activity_exponent / 2)
        elif config.weighting == "tf-idf":
            item_users = tf_idf(item_users)
        elif config.weighting == "bm25":
            item_users = bm25(item_users)
        self.neighbours = top_neighbours(
            item_users,
            config.n_neighbours,
            similarity=config.similarity,
            shrinkage=config.shrinkage,
            exponents=(config.candidate_exponent, config.history_exponent),
        )

    def score_block(self, user_index: Index) -> Floats:
        """Score by what each user has met."""
        return self.score_history(self.catalogue.seen[user_index])

    def score_history(self, rows: csr_array) -> Floats:
        """Score all items for histories of anyone: float32 [b, n_items] from [b, n_items]."""
        return dense_product(rows, self._votes)

    def score_newcomers(self, newcomers: Newcomers) -> Floats:
        """Score by history, as for known users."""
        return by_history(self.score_history, newcomers)

    def similarity_block(self, item_index: Index) -> Floats:
        """Tell the likeness that scores are made of; 0 beyond the nearest."""
        return self.neighbours[item_index].toarray()  # type: ignore[no-any-return]

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:  # noqa: ARG002
        """Split the score into its terms s(j, i)."""
        terms: Floats = self.similarity_block(np.array([item_index]))[0, history]
        return terms

    @cached_property
    def _votes(self) -> csr_array:
        """Row i: for which candidates item i speaks, and how much."""
        return transposed(self.neighbours)
