"""User-based collaborative filtering: what people like you met."""

from functools import cached_property
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt
from scipy.sparse import csr_array, diags_array

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.attribute_vectors import attribute_vectors
from edgewise.data.features import FeatureEncoder, FeatureMatrix
from edgewise.graph.bipartite import transposed
from edgewise.graph.cooccurrence import Similarity, neighbours_among, top_neighbours
from edgewise.graph.normalise import degree_scale
from edgewise.graph.products import dense_product, top_products
from edgewise.newcomers import Newcomers, by_history
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

    N(u) are the `n_neighbours` users most like u, d_j how many users met j, c the `candidate_exponent`. Whoever met nothing
    is compared by attributes, where there is a table of users.
    """

    name: ClassVar[str] = "user-knn"
    title: ClassVar[str] = "User-based kNN"
    paper: ClassVar[str] = (
        "Herlocker, Konstan, Borchers and Riedl, “An Algorithmic Framework for Performing Collaborative Filtering”, SIGIR 1999; "
        "asymmetric cosine: Aiolli, RecSys 2013"
    )
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = UserKNNConfig
    STATE: ClassVar[tuple[str, ...]] = ("neighbours", "attributes", "encoder_json")
    folds_in: ClassVar[tuple[str, ...]] = ("history", "attributes")
    adds_up: ClassVar[bool] = True
    SEARCH: ClassVar[SearchSpace] = {
        "n_neighbours": IntLogUniform(20, 500),
        "rarity_exponent": Uniform(0.0, 1.0),
        "neighbour_exponent": Uniform(0.2, 0.6),
        "candidate_exponent": Uniform(0.0, 0.5),
        "shrinkage": OneOf((0.0, 0.3, 1.0)),
    }

    neighbours: csr_array  # [n_users, n_users], row u: the users most like u
    attributes: (
        csr_array  # [n_users, n_features], rows of length 1 for those who met something; no column without a table
    )
    encoder_json: NDArray[np.uint8]  # the fitted transform of user attributes as UTF-8 JSON; empty without a table

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
        self.attributes = csr_array((dataset.n_users, 0), dtype=np.float32)
        self.encoder_json = np.empty(0, dtype=np.uint8)
        if dataset.user_table is not None and dataset.user_table.width > 1:
            self._fit_attributes(dataset, dataset.user_table)

    def _fit_attributes(self, dataset: Dataset, table: pl.DataFrame) -> None:
        """Give those who met nothing the neighbours that their attributes name."""
        met = np.diff(dataset.interactions.indptr) > 0
        encoder = FeatureEncoder.fit(table.filter(pl.Series(met)), "user_id", fitted_on=dataset.fingerprint)
        vectors = attribute_vectors(encoder.transform(table), np.flatnonzero(met), {})
        self.attributes = csr_array(diags_array(met.astype(np.float32)) @ vectors)
        self.attributes.eliminate_zeros()
        self.encoder_json = np.frombuffer(encoder.to_json().encode(), dtype=np.uint8)
        self.neighbours = csr_array(
            self.neighbours + diags_array((~met).astype(np.float32)) @ self._most_alike(vectors)
        )

    def _most_alike(self, vectors: csr_array) -> csr_array:
        """Return the users most like some attributes: float32 [n, n_users]."""
        return top_products(vectors, transposed(self.attributes), self.config.n_neighbours, skip_diagonal=False)

    def score_block(self, user_index: Index) -> Floats:
        """Add up what the neighbours of each user met."""
        return self._counted(self.neighbours[user_index])

    def score_newcomers(self, newcomers: Newcomers) -> Floats:
        """Do the same for newcomers, whose neighbours are found by history or, without one, by attributes."""
        scores = by_history(lambda rows: self._counted(self._neighbours_of(rows)), newcomers)
        others = np.flatnonzero(~newcomers.has_history & newcomers.has_attributes)
        if others.size and self.encoder_json.size and newcomers.attributes is not None:
            encoder, known, met = self._known_attributes
            given = encoder.transform(newcomers.attributes[others])
            scores[others] = self._counted(self._most_alike(attribute_vectors(given, met, {}, known=known)))
        return scores

    @cached_property
    def _known_attributes(self) -> tuple[FeatureEncoder, FeatureMatrix | None, Index]:
        """The transform, the features of the known users, and which of them training met: these tell how rare a value is."""
        encoder, table = FeatureEncoder.from_json(self.encoder_json.tobytes()), self.catalogue.user_table
        met = np.flatnonzero(np.diff(self.catalogue.seen.indptr))
        return encoder, None if table is None else encoder.transform(table), met

    def _neighbours_of(self, rows: csr_array) -> csr_array:
        """Find the users most like histories of anyone, by the formulas of `top_neighbours`: [b, n_users]."""
        config, seen = self.config, self.catalogue.seen
        rarity = np.maximum(self.catalogue.item_counts, 1.0) ** (-config.rarity_exponent / 2)
        weights = diags_array(rarity.astype(np.float32))
        mine, theirs = csr_array(rows @ weights), csr_array(seen @ weights)
        return neighbours_among(
            mine,
            theirs,
            config.n_neighbours,
            similarity=config.similarity,
            shrinkage=config.shrinkage,
            exponents=(0.5, config.neighbour_exponent),
        )

    def _counted(self, neighbours: csr_array) -> Floats:
        """Add up what neighbours met, by likeness: float32 [b, n_items]; NaN without a neighbour."""
        scores = dense_product(neighbours, self._votes)
        scores[np.diff(neighbours.indptr) == 0] = np.nan
        return scores

    def similarity_block(self, item_index: Index) -> Floats:
        """Tell the cosine of items over the users who met both."""
        counts = self.catalogue.item_counts
        shared = dense_product(self._item_users[item_index], self.catalogue.seen)  # [b, n_items]
        lengths = np.sqrt(np.maximum(counts, 1)).astype(np.float32)
        return shared / (lengths[item_index, None] * lengths)

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:
        """Split each neighbour's vote among the items that make this neighbour alike, by their weight in the likeness."""
        neighbours = self.neighbours[[user_index]]
        votes = self._votes[neighbours.indices][:, [item_index]].toarray()[:, 0] * neighbours.data  # [n_neighbours]
        weights = np.maximum(self.catalogue.item_counts[history], 1.0) ** -self._rarity
        shared = self.catalogue.seen[neighbours.indices][:, history].toarray() * weights  # [n_neighbours, n_history]
        total = shared.sum(axis=1, keepdims=True)
        shares = np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)
        terms: Floats = (votes @ shares).astype(np.float32)
        return terms

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
