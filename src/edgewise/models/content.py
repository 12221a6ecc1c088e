"""Content: items like those a user met, by their attributes alone. It also answers for items that nobody met yet."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat
from scipy.sparse import csr_array, hstack

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.feature_columns import unit_rows
from edgewise.data.features import FeatureConfig, FeatureEncoder, FeatureMatrix
from edgewise.errors import ConfigError, DataError
from edgewise.ranking import block_size
from edgewise.recommender import Recommender
from edgewise.types import Bools, Floats, Index

_NUMBER_COUNTS = 0.01
"""What a column of numbers or times counts, where one of words counts 10 to 50: enough to order what is else alike.

Counting as much as a column of categories, the twelve numeric columns of goodbooks-10k (counts of ratings, mostly) cost
most of the accuracy that titles and authors bring.
"""


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
        self.vectors = _item_vectors(encoder.transform(table), met, self.config.column_weights)
        if self.vectors.nnz == 0:
            raise ConfigError("content: column_weights leaves no column with a weight; give one of them more than 0.")
        self.strengths = dataset.strengths
        self.encoder_json = np.frombuffer(encoder.to_json().encode(), dtype=np.uint8)

    def score_block(self, user_index: Index) -> Floats:
        """Return the cosine of each user's profile with each item; NaN without a profile, or without item attributes."""
        n_items, n_features = self.vectors.shape
        scores = np.empty((user_index.size, n_items), dtype=np.float32)
        size = block_size(n_features)
        for start in range(0, user_index.size, size):
            rows = user_index[start : start + size]
            profiles = unit_rows(csr_array(self.strengths[rows] @ self.vectors))  # [b, n_features]
            scores[start : start + size] = (self.vectors @ np.ascontiguousarray(profiles.toarray().T)).T
            scores[start : start + size][np.diff(profiles.indptr) == 0] = np.nan
        scores[:, np.diff(self.vectors.indptr) == 0] = np.nan
        return scores

    def similarity_block(self, item_index: Index) -> Floats:
        """Return the cosine of the items' attributes."""
        asked = np.ascontiguousarray(self.vectors[item_index].toarray().T)  # [n_features, b]
        return np.ascontiguousarray((self.vectors @ asked).T)

    def contributions(self, user_index: int, item_index: int, history: Index) -> tuple[Floats, bool]:
        """Split the score: each history item gives its strength times its likeness, over the length of the profile."""
        strengths = self.strengths[[user_index]]
        profile = strengths @ self.vectors
        length = float(np.sqrt(profile.multiply(profile).sum()))
        likeness = (self.vectors[history] @ self.vectors[[item_index]].T).toarray()[:, 0]
        return (strengths.toarray()[0, history] * likeness / (length or 1.0)).astype(np.float32), True


def _item_vectors(matrix: FeatureMatrix, met: Index, weights: dict[str, float]) -> csr_array:
    """Scale each column's features to length 1 times the root of what the column counts, then each item to length 1.

    What two items share tells the more the rarer it is, within a column and between columns. So a column of words or
    categories counts as the square of its mean rarity, as it does in TF-IDF, where rarity enters on both sides.

    Args:
        matrix: the features of all items.
        met: the items that training met, on which rarity is measured.
        weights: further factors, by column.
    """
    known = {block.column for block in matrix.blocks}
    if unknown := set(weights) - known:
        raise ConfigError(
            f"content: column_weights names {', '.join(sorted(map(repr, unknown)))}; the columns in use are {', '.join(sorted(known))}."
        )
    parts: list[csr_array] = []
    for block in matrix.blocks:
        part = csr_array(matrix.x[:, block.start : block.stop])
        counts = _NUMBER_COUNTS
        if block.kind == "numeric":
            part = _on_a_quarter_circle(part, ~matrix.missing[block.column])
        elif block.kind != "time" and part[met].nnz:
            rows_with = np.bincount(part[met].indices, minlength=part.shape[1])
            rarity = np.log((1 + met.size) / (1 + rows_with)) + 1
            counts = float(rarity[part[met].indices].mean()) ** 2
            if block.kind == "multi-hot":
                part.data = (part.data * rarity[part.indices]).astype(np.float32)
        parts.append(unit_rows(part) * np.float32(np.sqrt(counts * weights.get(block.column, 1.0))))
    vectors = csr_array(hstack(parts, format="csr"))
    vectors.eliminate_zeros()
    return unit_rows(vectors)


def _on_a_quarter_circle(numbers: csr_array, known: Bools) -> csr_array:
    """Turn scaled numbers [n, 1] into directions [n, 2]: equal numbers have cosine 1, the farthest apart 0.

    A number alone has no direction but its sign; as an angle between 0 and 90 degrees, near numbers are alike. A number
    that is not known has no direction: two gaps are not alike.
    """
    angle = (np.pi / 4) * (1 + np.tanh(numbers[:, [0]].toarray()[:, 0]))
    return csr_array((np.column_stack([np.cos(angle), np.sin(angle)]) * known[:, None]).astype(np.float32))
