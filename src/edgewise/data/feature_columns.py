"""One column of a table as numbers: a class for each kind, holding what was fitted, nothing else.

All are frozen settings, so that what was fitted is plain JSON and is checked when it is read again. An encoder looks at
one row at a time: the other rows never change what a row becomes.
"""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.types import Doubles

Scaling: TypeAlias = Literal["standard", "min-max", "robust"]
TimePart: TypeAlias = Literal["hour", "weekday", "month"]

_FARTHEST = 1000.0
"""A value at serving that is farther out than any in training, or a mistake, must not become infinite."""

_PERIOD: dict[TimePart, float] = {"hour": 24.0, "weekday": 7.0, "month": 12.0}
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # kana and Chinese characters: written without spaces
_TOKEN = re.compile(rf"[{_CJK}]+|(?:(?![{_CJK}])[^\W_])+")


class _Column(Settings):
    """What every kind has: the column's name, and whether a last feature tells that the value is missing."""

    column: str
    indicator: bool = False


class Categories(_Column):
    """One feature a category: 1 where the row has it. A row has one, or several between separators or in a list."""

    kind: Literal["categorical", "multi-hot"]
    categories: Annotated[tuple[str, ...], Field(min_length=1)]
    separator: str | None = None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        _check_distinct(self.categories)
        return self

    @classmethod
    def fit(
        cls, column: str, values: pl.Series, separator: str | None, most: int, least_count: int, *, indicator: bool
    ) -> Self | None:
        """Take the categories of most rows, at most `most`, each of at least `least_count` rows; None without any."""
        kind: Literal["categorical", "multi-hot"] = (
            "multi-hot" if separator is not None or _is_list(values) else "categorical"
        )
        found = _frequent(_pieces(values, separator), most, least_count)
        names = tuple(sorted(found))
        return (
            cls(column=column, kind=kind, categories=names, separator=separator, indicator=indicator) if names else None
        )

    def names(self) -> list[str]:
        """Name the features."""
        return [f"{self.column}={category}" for category in self.categories]

    def encode(self, values: pl.Series) -> csr_array:
        """Return [n_rows, n_categories]; an unknown category and a missing value are all zero."""
        codes = _coded(_pieces(values, self.separator), self.categories)
        return _matrix(codes, np.ones(codes.height), (len(values), len(self.categories)))

    def missing(self, values: pl.Series) -> pl.Series:
        """Tell which rows have no value."""
        return values.list.len().fill_null(0) == 0 if _is_list(values) else as_text(values).is_null()


class Numeric(_Column):
    """One feature: (value - center) / scale, at most 1000 from 0; what is missing or no finite number counts as `fill`."""

    kind: Literal["numeric"] = "numeric"
    center: float
    scale: PositiveFloat
    fill: float

    @classmethod
    def fit(cls, column: str, values: pl.Series, scaling: Scaling, *, indicator: bool) -> Self | None:
        """Measure center and scale of the finite values, and their median as `fill`; None where all are the same."""
        known = _as_numbers(values).drop_nulls().to_numpy()
        if known.size == 0 or known.min() == known.max():
            return None
        low, median, high = np.quantile(known, [0.25, 0.5, 0.75])
        center, scale = float(known.mean()), float(known.std())
        if scaling == "min-max":
            center, scale = float(known.min()), float(known.max() - known.min())
        elif scaling == "robust" and high > low:  # where the middle half is one value, its width cannot be a scale
            center, scale = float(median), float(high - low)
        if not np.isfinite([center, scale]).all() or scale <= 0:
            return None
        return cls(column=column, center=center, scale=scale, fill=float(median), indicator=indicator)

    def names(self) -> list[str]:
        """Name the feature."""
        return [self.column]

    def encode(self, values: pl.Series) -> csr_array:
        """Return [n_rows, 1]."""
        numbers = _as_numbers(values).fill_null(self.fill).to_numpy()
        reach = _FARTHEST * self.scale
        near = numbers.clip(self.center - reach, self.center + reach)
        return csr_array(((near - self.center) / self.scale).astype(np.float32)[:, None])

    def missing(self, values: pl.Series) -> pl.Series:
        """Tell which rows have no finite number."""
        return _as_numbers(values).is_null()


class Time(_Column):
    """Sine and cosine of the hour, weekday and month (UTC), so that 23:59 lies beside 00:00; missing is all zero."""

    kind: Literal["time"] = "time"
    parts: Annotated[tuple[TimePart, ...], Field(min_length=1)]

    @classmethod
    def fit(cls, column: str, values: pl.Series, *, indicator: bool) -> Self | None:
        """Take the parts that differ between rows: dates without a time of day have no hour."""
        times = as_times(values)
        parts: tuple[TimePart, ...] = tuple(part for part in _PERIOD if _part(times, part).drop_nulls().n_unique() > 1)
        return cls(column=column, parts=parts, indicator=indicator) if parts else None

    def names(self) -> list[str]:
        """Name the features."""
        return [f"{self.column}.{part}.{wave}" for part in self.parts for wave in ("sin", "cos")]

    def encode(self, values: pl.Series) -> csr_array:
        """Return [n_rows, 2 * n_parts]."""
        times = as_times(values)
        waves = []
        for part in self.parts:
            angle = _part(times, part).to_numpy() * (2 * np.pi / _PERIOD[part])  # [n_rows], NaN where missing
            waves += [np.sin(angle), np.cos(angle)]
        return csr_array(np.nan_to_num(np.column_stack(waves)).astype(np.float32))

    def missing(self, values: pl.Series) -> pl.Series:
        """Tell which rows have no time."""
        return as_times(values).is_null()


class Words(_Column):
    """A bag of words: (1 + log of its count) times the word's rarity, each row scaled to length 1.

    Rarity as in scikit-learn's smooth TF-IDF: log((1 + rows) / (1 + rows with the word)) + 1. Chinese and Japanese, written
    without spaces, count by pairs of neighbouring characters.
    """

    kind: Literal["text"] = "text"
    words: Annotated[tuple[str, ...], Field(min_length=1)]
    rarity: tuple[float, ...]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(self.words) != len(self.rarity):
            raise ValueError(f"{len(self.words)} words and {len(self.rarity)} rarities")
        _check_distinct(self.words)
        return self

    @classmethod
    def fit(cls, column: str, values: pl.Series, most: int, least_count: int, *, indicator: bool) -> Self | None:
        """Take the words of most rows, at most `most`, each in at least `least_count` rows; None without any."""
        rows_with = _frequent(_words(values).unique(), most, least_count)
        words = sorted(rows_with)
        if not words:
            return None
        rarity = np.log((1 + len(values)) / (1 + np.array([rows_with[word] for word in words]))) + 1
        return cls(column=column, words=tuple(words), rarity=tuple(rarity.round(6).tolist()), indicator=indicator)

    def names(self) -> list[str]:
        """Name the features."""
        return [f"{self.column}:{word}" for word in self.words]

    def encode(self, values: pl.Series) -> csr_array:
        """Return [n_rows, n_words]; unknown words are left out."""
        counts = _coded(_words(values), self.words).group_by("row", "code").len("count").sort("row", "code")
        weights = (1 + np.log(counts["count"].to_numpy())) * np.array(self.rarity)[counts["code"].to_numpy()]
        return unit_rows(_matrix(counts, weights, (len(values), len(self.words))))

    def missing(self, values: pl.Series) -> pl.Series:
        """Tell which rows have no text."""
        return as_text(values).is_null()


class HashedWords(_Column):
    """A bag of words without a vocabulary: each word falls into one of `n_buckets` by its CRC-32; rows of length 1."""

    kind: Literal["hashed-text"] = "hashed-text"
    n_buckets: PositiveInt

    def names(self) -> list[str]:
        """Name the features."""
        return [f"{self.column}#{bucket}" for bucket in range(self.n_buckets)]

    def encode(self, values: pl.Series) -> csr_array:
        """Return [n_rows, n_buckets]."""
        counts = _words(values).group_by("row", "piece").len("count")
        distinct = counts["piece"].unique()
        buckets = pl.Series([zlib.crc32(word.encode()) % self.n_buckets for word in distinct], dtype=pl.Int64)
        counts = counts.join(pl.DataFrame({"piece": distinct, "code": buckets}), on="piece")
        weight = (1 + pl.col("count").log()).sum()
        weights = counts.group_by("row", "code").agg(weight.alias("weight")).sort("row", "code")
        return unit_rows(_matrix(weights, weights["weight"].to_numpy(), (len(values), self.n_buckets)))

    def missing(self, values: pl.Series) -> pl.Series:
        """Tell which rows have no text."""
        return as_text(values).is_null()


ColumnEncoder: TypeAlias = Annotated[Categories | Numeric | Time | Words | HashedWords, Field(discriminator="kind")]


def words_of(text: str) -> list[str]:
    """Cut a text into lower-case words, and Chinese and Japanese into pairs of neighbouring characters.

    >>> words_of("The Matrix (1999): Ｒｅｌｏａｄｅｄ"), words_of("流浪地球2"), words_of("猫")
    (['the', 'matrix', '1999', 'reloaded'], ['流浪', '浪地', '地球', '2'], ['猫'])
    """
    found: list[str] = []
    for token in _TOKEN.findall(unicodedata.normalize("NFKC", text).lower()):
        if len(token) > 1 and re.match(f"[{_CJK}]", token):
            found += [token[place : place + 2] for place in range(len(token) - 1)]
        else:
            found.append(token)
    return found


def unit_rows(matrix: csr_array) -> csr_array:
    """Scale each row to Euclidean length 1; an all-zero row stays so. Returns a new float32 matrix."""
    lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    per_entry = np.repeat(np.where(lengths > 0, lengths, 1.0), np.diff(matrix.indptr))
    return csr_array(
        (np.asarray(matrix.data / per_entry, dtype=np.float32), matrix.indices, matrix.indptr), matrix.shape
    )


def as_text(values: pl.Series) -> pl.Series:
    """Return values as text without blanks around it, a list as one text; empty text, null and NaN are missing."""
    if isinstance(values.dtype, pl.List):
        values = values.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=True)
    elif values.dtype.is_float():
        values = values.fill_nan(None)
    text = values.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def as_times(values: pl.Series) -> pl.Series:
    """Return dates, times, UTC milliseconds or ISO 8601 text as UTC times; null where that cannot be."""
    if values.dtype == pl.String:
        text = values.str.strip_chars().str.slice(0, 19).str.replace("T", " ", literal=True).to_frame("time")
        formats = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
        found = [pl.col("time").str.to_datetime(form, time_unit="ms", strict=False) for form in formats]
        return text.select(pl.coalesce(found)).to_series()
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if values.dtype.is_numeric():
        values = _as_numbers(values).cast(pl.Int64)
    elif values.dtype not in (pl.Date, pl.Datetime, pl.Null):
        return pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("ms"))
    return values.cast(pl.Datetime("ms"), strict=False)


def _part(times: pl.Series, part: TimePart) -> pl.Series:
    """Return how far each time is into the day (hours), the week (days) or the year (months)."""
    if part == "hour":
        return times.dt.hour().cast(pl.Float64) + times.dt.minute() / 60
    return (times.dt.weekday() if part == "weekday" else times.dt.month()).cast(pl.Float64) - 1


def _as_numbers(values: pl.Series) -> pl.Series:
    """Return finite numbers; null where a value is none."""
    if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.String, pl.Null)):
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    numbers = values.cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite(), None)


def _is_list(values: pl.Series) -> bool:
    return isinstance(values.dtype, pl.List)


def _pieces(values: pl.Series, separator: str | None) -> pl.DataFrame:
    """Return the categories of each row, each once: row, piece; by ascending row."""
    if _is_list(values):
        lists = values
    else:
        text = as_text(values)
        lists = text.str.split(separator) if separator else text.to_frame("t").select(pl.concat_list("t")).to_series()
    pieces = _exploded(lists)
    return pieces.with_columns(as_text(pieces["piece"])).drop_nulls().unique(maintain_order=True)


def _words(values: pl.Series) -> pl.DataFrame:
    """Return the words of each row, repeats included: row, piece; by ascending row."""
    texts: Sequence[str | None] = as_text(values).to_list()
    lists = pl.Series([words_of(text) if text else [] for text in texts], dtype=pl.List(pl.String))
    return _exploded(lists).drop_nulls()


def _exploded(lists: pl.Series) -> pl.DataFrame:
    frame = pl.DataFrame({"row": np.arange(len(lists), dtype=np.int64), "piece": lists.alias("piece")})
    return frame.explode("piece")


def _frequent(pieces: pl.DataFrame, most: int, least_count: int) -> dict[str, int]:
    """Count in how many rows each piece is, and keep the most frequent; of equals, the first by name."""
    counts = pieces.group_by("piece").len("n").filter(pl.col("n") >= least_count)
    top = counts.sort("n", "piece", descending=[True, False]).head(most)
    return dict(top.iter_rows())


def _coded(pieces: pl.DataFrame, known: Sequence[str]) -> pl.DataFrame:
    """Turn pieces into their places among the known ones, and leave the unknown out: row, code."""
    code = pl.col("piece").cast(pl.Enum(list(known)), strict=False).to_physical().cast(pl.Int64)
    return pieces.select("row", code.alias("code")).drop_nulls()


def _matrix(entries: pl.DataFrame, values: Doubles, shape: tuple[int, int]) -> csr_array:
    """Build [n_rows, n_features] float32 from row, code and a value for each; columns ascending in each row."""
    place = (entries["row"].to_numpy(), entries["code"].to_numpy())
    matrix = csr_array((np.asarray(values, dtype=np.float32), place), shape=shape)
    matrix.sort_indices()
    return matrix


def _check_distinct(names: tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        raise ValueError("a name occurs twice")
