"""Features of users and items: a table of attributes becomes a sparse matrix, by a transform fitted on train alone.

The transform is plain JSON, saved with the model, so that a new item is encoded at serving time exactly as it would
have been in training. What it has not seen is all zero, and the other rows never change what a row becomes.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt, ValidationError
from scipy.sparse import csr_array, hstack

from edgewise.config import Settings
from edgewise.data.feature_columns import (
    Categories,
    ColumnEncoder,
    HashedWords,
    Numeric,
    Scaling,
    Time,
    Words,
    as_text,
    as_times,
)
from edgewise.data.wording import count
from edgewise.errors import ConfigError, DataError, ModelFolderError
from edgewise.types import Bools

Kind: TypeAlias = Literal["categorical", "multi-hot", "numeric", "time", "text", "ignore"]

_SEPARATORS = {"|": 0.8, ";": 0.5, ",": 0.5, "、": 0.5, "，": 0.5}
"""What may stand between the categories of one row, and the largest share of distinct pieces that still looks like categories."""

_NAMES_OF_CODES = re.compile(
    r"(^|[_ ])(id|code|zip|postcode|isbn\d*|ean|sku|barcode)$|[a-z](Id|ID|Code)$|(编号|代码|邮编|条码)$"
)
"""Numbers under such a name tell things apart and do not measure them."""

_CODE = r"^[A-Za-z0-9._/-]*[0-9][A-Za-z0-9._/-]*$"
"""One word with a digit in it."""

_ALL_DISTINCT = 0.95
"""Where this share of the values is distinct, each row has its own, and the column tells nothing about likeness."""


class FeatureConfig(Settings):
    """Settings of the section [features]."""

    kinds: dict[str, Kind] = Field(
        default_factory=dict
    )  # of columns; the kind of any other is inferred from its values
    scaling: Scaling = "standard"  # of numeric columns: by mean and deviation, by range, or by median and middle half
    max_categories: PositiveInt = 1000  # of a column, the most frequent
    text: Literal["tf-idf", "hashed"] = "tf-idf"
    max_text_features: PositiveInt = 5000  # of a column: the words in most rows, or the buckets
    min_count: PositiveInt = 1  # in how many rows a category or a word must be
    missing_indicator: bool = False  # one more feature a column, 1 where the value is missing


@dataclass(frozen=True)
class Block:
    """The features of one column: those from `start` up to, not including, `stop`."""

    column: str
    kind: str
    start: int
    stop: int


@dataclass(frozen=True)
class FeatureMatrix:
    """A table as numbers.

    Attributes:
        x: float32 CSR [n_rows, n_features], rows in the order of the table.
        names: of the features, such as "genre=Drama", "title:matrix", "year".
        blocks: which features each column became.
        missing: column to which rows had no usable value, bool [n_rows]; numbers are then imputed by the training median.
    """

    x: csr_array
    names: tuple[str, ...]
    blocks: tuple[Block, ...]
    missing: dict[str, Bools]


class FeatureEncoder(Settings):
    """The fitted transform of one table.

    Attributes:
        key: the id column, which is not a feature. fitted_on: the fingerprint of the training set.
        columns: the fitted encoders, in the table's order.
        notes: what was inferred or left out, and why, one line each.
    """

    format: Literal[1] = 1
    key: str
    fitted_on: str
    columns: Annotated[tuple[ColumnEncoder, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, table: pl.DataFrame, key: str, config: FeatureConfig | None = None, *, fitted_on: str = "") -> Self:
        """Learn categories, words, centers and scales from the rows of `table`, which should be those of training alone.

        Args:
            table: a row for each id.
            key: its id column.
            config: kinds and limits; see `FeatureConfig`.
            fitted_on: the training set's fingerprint, for the leakage check.

        Raises:
            ConfigError: if `kinds` names a column that the table lacks.
            DataError: if no column tells rows apart.
        """
        config = FeatureConfig() if config is None else config
        attributes = [name for name in table.columns if name != key]
        if unknown := [name for name in config.kinds if name not in attributes]:
            raise ConfigError(
                f"[features] kinds names {', '.join(map(repr, unknown))}; the columns beside {key} are {', '.join(attributes) or 'none'}."
            )
        columns: list[ColumnEncoder] = []
        notes: list[str] = []
        for name in attributes:
            column, note = _fit_column(name, table[name], config)
            columns += [column] if column is not None else []
            notes += [note]
        if not columns:
            raise DataError(
                f"the table by {key} has no column that tells its rows apart ({' '.join(notes) or 'it has no other column'}). "
                "Give a table with attributes, such as category, title or price."
            )
        return cls(key=key, fitted_on=fitted_on, columns=tuple(columns), notes=tuple(notes))

    def transform(self, table: pl.DataFrame) -> FeatureMatrix:
        """Turn rows into features; a column that the table lacks counts as missing in every row."""
        parts: list[csr_array] = []
        names: list[str] = []
        blocks: list[Block] = []
        missing: dict[str, Bools] = {}
        for column in self.columns:
            values = table[column.column] if column.column in table.columns else pl.Series([None] * table.height)
            absent = column.missing(values).to_numpy()
            missing[column.column] = absent
            own = [column.encode(values)]
            own_names = column.names()
            if column.indicator:
                own.append(csr_array(absent.astype(np.float32)[:, None]))
                own_names.append(f"{column.column}=(missing)")
            blocks.append(Block(column.column, column.kind, len(names), len(names) + len(own_names)))
            parts += own
            names += own_names
        x = csr_array(hstack(parts, format="csr", dtype=np.float32))
        x.sort_indices()
        return FeatureMatrix(x, tuple(names), tuple(blocks), missing)

    def to_json(self) -> str:
        """Return all that was fitted as JSON text."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ModelFolderError: if it is not that, whole and of this version.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the text"
            raise ModelFolderError(
                f"the saved feature transform cannot be read: {where}: {first['msg']}. Fit the model again or restore a copy."
            ) from None


def _fit_column(name: str, values: pl.Series, config: FeatureConfig) -> tuple[ColumnEncoder | None, str]:
    """Fit one column; also say how it is read and why."""
    kind, reason = (config.kinds[name], "as set") if name in config.kinds else _inferred(name, values)
    indicator = config.missing_indicator
    column: ColumnEncoder | None = None
    if kind in ("categorical", "multi-hot"):
        separator = _separator(values, certain=True) if kind == "multi-hot" else None
        limits = (config.max_categories, config.min_count)
        column = Categories.fit(name, values, separator, *limits, indicator=indicator)
    elif kind == "numeric":
        column = Numeric.fit(name, values, config.scaling, indicator=indicator)
    elif kind == "time":
        column = Time.fit(name, values, indicator=indicator)
    elif kind == "text" and config.text == "hashed":
        column = HashedWords(column=name, n_buckets=config.max_text_features, indicator=indicator)
    elif kind == "text":
        column = Words.fit(name, values, config.max_text_features, config.min_count, indicator=indicator)
    if kind == "ignore":
        return None, f"{name}: left out, {reason}."
    if column is None:
        return None, f"{name}: left out, as {kind} it says nothing (all missing, rare or the same)."
    return column, f"{name}: {kind}, {reason}; {count(len(column.names()), 'feature')}."


def _inferred(name: str, values: pl.Series) -> tuple[Kind, str]:
    """Guess what kind of column this is, and say from what."""
    dtype = values.dtype
    known = values.drop_nulls()
    if known.is_empty():
        return "ignore", "all values are missing"
    if isinstance(dtype, pl.List):
        return ("multi-hot", "lists") if not dtype.inner.is_nested() else ("ignore", f"of type {dtype}")
    if dtype in (pl.Date, pl.Datetime):
        return "time", "dates"
    if dtype in (pl.Boolean, pl.Enum, pl.Categorical):
        return "categorical", "a few fixed values"
    if dtype.is_numeric() and _NAMES_OF_CODES.search(name):
        return _codes(known, "codes, by their name")
    if dtype.is_numeric():
        return "numeric", "numbers"
    return _inferred_text(as_text(known).drop_nulls()) if dtype == pl.String else ("ignore", f"of type {dtype}")


def _codes(known: pl.Series, reason: str) -> tuple[Kind, str]:
    own = known.n_unique() >= _ALL_DISTINCT * len(known)
    return ("ignore", "nearly every row has its own code") if own else ("categorical", reason)


def _inferred_text(text: pl.Series) -> tuple[Kind, str]:
    n_unique = text.n_unique()
    if n_unique <= 1:
        return "ignore", "one value alone"
    if text.str.contains(r"^https?://").mean() > 0.9:  # type: ignore[operator]
        return "ignore", "web addresses"
    if as_times(text).is_not_null().mean() > 0.9:  # type: ignore[operator]
        return "time", "dates"
    if text.str.contains(_CODE).mean() > 0.9:  # type: ignore[operator]
        return _codes(text, "codes")
    if (separator := _separator(text, certain=False)) is not None:
        return "multi-hot", f"several values between {separator!r}"
    if n_unique <= len(text) / 2:
        return "categorical", f"{n_unique:,} values in {len(text):,} rows"
    return "text", "mostly different words"


def _separator(values: pl.Series, *, certain: bool) -> str | None:
    """Find what stands between the categories of one row.

    Args:
        values: text, or lists, which need none.
        certain: that there are several categories; then the most frequent separator is it. Otherwise the pieces must look
            like categories: repeated from row to row, and short.
    """
    if values.dtype != pl.String:
        return None
    text = as_text(values).drop_nulls()
    counts = {separator: int(text.str.contains(separator, literal=True).sum()) for separator in _SEPARATORS}
    if certain:
        best = max(counts, key=lambda separator: counts[separator])
        return best if counts[best] else None
    for separator, most_distinct in _SEPARATORS.items():
        if counts[separator] < 0.05 * len(text):
            continue
        pieces = text.str.split(separator).explode().str.strip_chars()
        n_gaps = pieces.str.count_matches(r"\s+").mean()
        if pieces.n_unique() <= most_distinct * len(pieces) and isinstance(n_gaps, float) and n_gaps < 3:
            return separator
    return None
