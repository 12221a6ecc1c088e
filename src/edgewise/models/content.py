"""Content: items like those a user met, by their attributes alone. It also answers for items that nobody met yet."""

from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat
from scipy.sparse import csr_array, hstack, vstack

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.attribute_vectors import attribute_vectors
from edgewise.data.feature_columns import unit_rows
from edgewise.data.features import FeatureConfig, FeatureEncoder
from edgewise.errors import ConfigError, DataError
from edgewise.newcomers import Newcomers, by_history
from edgewise.ranking import block_size
from edgewise.recommender import Recommender
from edgewise.types import Floats, Index


class ContentConfig(Settings):
    """Settings of `content`."""

    features: FeatureConfig = FeatureConfig()  # how columns become features: the section [features]
    # What a column counts is multiplied by its factor here, 1 by default.
    column_weights: dict[str, NonNegativeFloat] = Field(default_factory=dict)


class Content(Recommender):
    """Rank items by the cosine between their attributes and the mean attributes of what the user met.

    A column counts by how rare its values are, not by how many features it has: a common author tells more than a common
    language. The mean is weighted by the strength of the user's interactions.
    """

    name: ClassVar[str] = "content"
    title: ClassVar[str] = "Content-based"
    paper: ClassVar[str] = (
        "Pazzani and Billsus, “Content-Based Recommendation Systems”, in The Adaptive Web, 2007, doi:10.1007/978-3-540-72079-9_10"
    )
    needs: ClassVar[str] = "interactions, item attributes"
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = ContentConfig
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    reads_item_attributes: ClassVar[bool] = True
    adds_up: ClassVar[bool] = True
    STATE: ClassVar[tuple[str, ...]] = ("vectors", "strengths", "encoder_json")
    scores_cold_items: ClassVar[bool] = True

    vectors: csr_array  # [n_items, n_features], rows of length 1, or 0 where no attribute is known
    strengths: csr_array  # [n_users, n_items]
    encoder_json: NDArray[np.uint8]  # the fitted feature transform as UTF-8 JSON, for items to come

    def fit_arrays(self, dataset: Dataset) -> None:
        """Fit the features on the items that training met, and encode all."""
        table = dataset.item_table
        if table is None or table.width == 1:
            raise DataError(
                "content needs item attributes, and this data set has no item table. Give one with --items FILE "
                "(items=... in Python): a row an item, with columns such as category, title or price."
            )
        met = np.flatnonzero(dataset.item_counts)
        encoder = FeatureEncoder.fit(table[met], "item_id", self.config.features, fitted_on=dataset.fingerprint)
        self.record.notes += encoder.notes
        self.vectors = attribute_vectors(encoder.transform(table), met, self.config.column_weights)
        if self.vectors.nnz == 0:
            raise ConfigError("content: column_weights leaves no column with a weight; give one of them more than 0.")
        self.strengths = dataset.strengths
        self.encoder_json = np.frombuffer(encoder.to_json().encode(), dtype=np.uint8)

    def score_block(self, user_index: Index) -> Floats:
        """Return the cosine of each user's profile with each item; NaN without a profile, or without item attributes."""
        return self.score_history(self.strengths[user_index])

    def score_history(self, rows: csr_array) -> Floats:
        """Do the same for histories of anyone: float32 [b, n_items] from strengths [b, n_items]."""
        n_items, n_features = self.vectors.shape
        scores = np.empty((rows.shape[0], n_items), dtype=np.float32)
        size = block_size(n_features)
        for start in range(0, rows.shape[0], size):
            profiles = unit_rows(csr_array(rows[start : start + size] @ self.vectors))  # [b, n_features]
            scores[start : start + size] = (self.vectors @ np.ascontiguousarray(profiles.toarray().T)).T
            scores[start : start + size][np.diff(profiles.indptr) == 0] = np.nan
        scores[:, np.diff(self.vectors.indptr) == 0] = np.nan
        return scores

    def score_newcomers(self, newcomers: Newcomers) -> Floats:
        """Score by history, as for known users."""
        return by_history(self.score_history, newcomers)

    def score_new_items(self, users: Newcomers, items: Newcomers) -> Floats | None:
        """Return the cosine of each new user's profile with the attributes of each new item."""
        if items.attributes is None:
            return None
        profiles = unit_rows(csr_array(users.history @ self.vectors))
        scores: Floats = (profiles @ self._vectors_of(items.attributes).T).toarray()
        return scores

    def _vectors_of(self, attributes: pl.DataFrame) -> csr_array:
        """Return the vectors of new items: float32 [n, n_features]."""
        encoder = FeatureEncoder.from_json(self.encoder_json.tobytes())
        table = self.catalogue.item_table
        assert table is not None
        known, met = encoder.transform(table), np.flatnonzero(self.catalogue.item_counts)
        return attribute_vectors(encoder.transform(attributes), met, self.config.column_weights, known=known)

    def add_items(self, newcomers: Newcomers, order: Index) -> None:
        """Append the attributes of new items."""
        catalogue = self.catalogue
        if newcomers.attributes is None or catalogue.item_table is None:
            raise ConfigError("content places a new item by its attributes, and none are given; give attributes=….")
        vectors = self._vectors_of(newcomers.attributes)
        self.vectors = csr_array(vstack([self.vectors, vectors], format="csr")[order])
        self.strengths = csr_array(hstack([self.strengths, newcomers.history.T], format="csr")[:, order])

    def similarity_block(self, item_index: Index) -> Floats:
        """Return the cosine of the items' attributes."""
        asked = np.ascontiguousarray(self.vectors[item_index].toarray().T)  # [n_features, b]
        return np.ascontiguousarray((self.vectors @ asked).T)

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:
        """Split the score: each history item gives its strength times its likeness, over the length of the profile."""
        strengths = self.strengths[[user_index]]
        profile = strengths @ self.vectors
        length = float(np.sqrt(profile.multiply(profile).sum()))
        likeness = (self.vectors[history] @ self.vectors[[item_index]].T).toarray()[:, 0]
        terms: Floats = (strengths.toarray()[0, history] * likeness / (length or 1.0)).astype(np.float32)
        return terms
