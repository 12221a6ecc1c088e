"""RP3beta: walk from a user to an item, to another user, to another item; hold back what is popular."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.graph.bipartite import transposed
from edgewise.graph.normalise import degree_scale
from edgewise.graph.products import dense_product, top_products
from edgewise.newcomers import Newcomers, by_history
from edgewise.recommender import Recommender
from edgewise.search_space import IntLogUniform, SearchSpace, Uniform
from edgewise.types import Floats, Index


class RP3betaConfig(Settings):
    """Settings of `rp3beta`.

    Defaults by NDCG@20 on validation parts of Gowalla, MovieLens 1M and CiteULike (benchmarks/settings.py).
    """

    alpha: NonNegativeFloat = 0.6  # power of each step's probability
    beta: NonNegativeFloat = 0.25  # power of the candidate's popularity that the score is divided by
    n_neighbours: PositiveInt = 150  # of each candidate; the paper keeps all


class RP3beta(Recommender):
    """Score a candidate by the random walks of three steps that reach it, divided by a power of its popularity.

    With R the interactions, D_U and D_I the degrees: score(u, j) = sum over i met by u of s(j, i), where
    s(j, i) = sum over users v of R_vi R_vj (d_i d_v)^-alpha / d_j^beta. The first step's probability is the same for all
    items of a user and changes no ranking, so it is left out. Differs from the paper: s is kept for the `n_neighbours`
    largest i of each j, which is more accurate and much smaller, as Ferrari Dacrema et al. found (arXiv:1907.06902).
    """

    name: ClassVar[str] = "rp3beta"
    title: ClassVar[str] = "RP3beta"
    paper: ClassVar[str] = (
        "Paudel, Christoffel, Newell and Bernstein, “Updatable, Accurate, Diverse, and Scalable Recommendations for "
        "Interactive Applications”, ACM TiiS 2017"
    )
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = RP3betaConfig
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    adds_up: ClassVar[bool] = True
    STATE: ClassVar[tuple[str, ...]] = ("neighbours",)
    SEARCH: ClassVar[SearchSpace] = {
        "alpha": Uniform(0.3, 1.2),
        "beta": Uniform(0.0, 0.8),
        "n_neighbours": IntLogUniform(50, 1000),
    }

    neighbours: csr_array  # [n_items, n_items], row j: the items from which most walks come to j

    def fit_arrays(self, dataset: Dataset) -> None:
        """Walk from every item to every item over the users they share."""
        alpha, beta = self.config.alpha, self.config.beta
        interactions = dataset.interactions
        arriving = degree_scale(transposed(interactions), -beta, -alpha)  # [n_items, n_users]: 1 / (d_j^beta d_v^alpha)
        leaving = degree_scale(interactions, 0.0, -alpha)  # [n_users, n_items]: 1 / d_i^alpha
        self.neighbours = top_products(arriving, leaving, self.config.n_neighbours, skip_diagonal=True)

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
        """Tell how many walks come from each item, those beyond the nearest left out."""
        return self.neighbours[item_index].toarray()  # type: ignore[no-any-return]

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:  # noqa: ARG002
        """Split the score into its terms s(j, i)."""
        terms: Floats = self.similarity_block(np.array([item_index]))[0, history]
        return terms

    @cached_property
    def _votes(self) -> csr_array:
        """Row i: which candidates walks from item i reach, and how many."""
        return transposed(self.neighbours)
