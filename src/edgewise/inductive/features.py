"""Attributes of both sides as the sparse features of one graph's nodes, users first, and the same for newcomers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.data.attribute_vectors import attribute_vectors
from edgewise.data.features import FeatureConfig, FeatureEncoder, FeatureMatrix
from edgewise.errors import DataError
from edgewise.types import Index


@dataclass(frozen=True)
class SideFeatures:
    """The fitted transform of one side's table of attributes.

    Attributes:
        encoder: the transform.
        table: the attributes of all known rows. met: int64 [n_met], those that training met, which tell how rare a value is.
    """

    encoder: FeatureEncoder
    table: pl.DataFrame
    met: Index

    @classmethod
    def fit(cls, dataset: Dataset, side: str, config: FeatureConfig) -> "SideFeatures | None":
        """Fit on the rows that training met; None without a table, or where it tells nothing."""
        table = dataset.user_table if side == "user" else dataset.item_table
        if table is None or table.width == 1:
            return None
        counts = np.diff(dataset.interactions.indptr) if side == "user" else dataset.item_counts
        met = np.flatnonzero(counts)
        try:
            encoder = FeatureEncoder.fit(table[met], f"{side}_id", config, fitted_on=dataset.fingerprint)
        except DataError:
            return None
        return cls(encoder, table, met)

    @cached_property
    def of_training(self) -> csr_array:
        """The features of the known rows: float32 [n, n_features], rows of length 1 or, without attributes, 0."""
        return attribute_vectors(self._encoded, self.met, {})

    def of_newcomers(self, attributes: pl.DataFrame | None, n: int) -> csr_array:
        """Return the features of newcomers: float32 [n, n_features]."""
        if attributes is None or not attributes.width:
            return csr_array((n, self.n_features), dtype=np.float32)
        return attribute_vectors(self.encoder.transform(attributes), self.met, {}, known=self._encoded)

    @property
    def n_features(self) -> int:
        """How many features there are."""
        return int(self.of_training.shape[1])

    @cached_property
    def _encoded(self) -> FeatureMatrix:
        return self.encoder.transform(self.table)


def to_bytes(features: SideFeatures | None) -> NDArray[np.uint8]:
    """Return the transform as UTF-8 JSON in an array, for the model folder; empty for none."""
    return np.frombuffer(b"" if features is None else features.encoder.to_json().encode(), dtype=np.uint8)


def from_bytes(saved: NDArray[np.uint8], table: pl.DataFrame | None, met: Index) -> SideFeatures | None:
    """Read what `to_bytes` made, beside the table and the rows of the fit."""
    if not saved.size or table is None:
        return None
    return SideFeatures(FeatureEncoder.from_json(saved.tobytes()), table, met)
