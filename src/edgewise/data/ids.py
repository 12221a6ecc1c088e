"""Ids: the caller's own outside, dense positions inside; translated here and nowhere else."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edgewise.errors import DataError, IdTypeError
from edgewise.types import Ids, Index

UNKNOWN = -1
"""The position of an id that the map does not hold."""

_TABLE_SPREAD = 4
"""A look-up table is used for integers whose range is at most this many times their number, and that of the rows to look up."""

_BLOCK_ROWS = 1 << 17
"""How many ids are looked up at once: 1 MB of them, which the cache holds together with what becomes of them."""

_MANY_ROWS = 1 << 20
"""From so many rows on, the compiled kernel is worth its start."""

_SHOWN = 60
"""How much of a wrong id a message repeats."""

_FEW = 64
"""Up to so many ids are read from text one by one."""

_CANONICAL = re.compile(r"0|-?[1-9][0-9]*")


class IdMap:
    """The ids of one side (users, or items), ascending; an id's place is its index.

    Args:
        ids: unique, ascending, Int64 or String.
        kind: "user" or "item", for messages.
    """

    def __init__(self, ids: pl.Series, kind: str) -> None:
        self.ids = ids
        self.kind = kind

    @classmethod
    def of(cls, ids: pl.Series, kind: str) -> "IdMap":
        """Build the map of the distinct ids of a column."""
        return cls(_distinct(as_id_series(ids, kind)), kind)

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdMap) and self.is_text == other.is_text and self.ids.equals(other.ids)

    __hash__ = None  # type: ignore[assignment]  # two equal maps are equal by content, which is too long to hash

    @property
    def is_text(self) -> bool:
        """Whether the ids are strings (else 64-bit integers)."""
        return self.ids.dtype == pl.String

    def index_of(self, ids: Ids) -> Index:
        """Return the position of each id, `UNKNOWN` (-1) for those the map does not hold.

        Raises:
            IdTypeError: if the ids are of the other kind (text for integers), since somebody passed the wrong column.
        """
        wanted = as_id_series(ids, self.kind)
        if wanted.is_empty():
            return np.empty(0, dtype=np.int64)
        if (wanted.dtype == pl.String) != self.is_text:
            raise IdTypeError(
                f"{self.kind} ids are {_kind_name(self.ids.dtype)} in this data set, and {_kind_name(wanted.dtype)} "
                f"were given (such as {_odd_one(wanted)!r}). Pass them as {_kind_name(self.ids.dtype)}, or check that this is the {self.kind} column."
            )
        if len(wanted) * 64 < len(self):  # a few ids: hashing all of ours again would cost more than the question
            return np.array([self._positions.get(value, UNKNOWN) for value in wanted.to_list()], dtype=np.int64)
        return encode(wanted, self).astype(np.int64)

    def index_of_text(self, text: str) -> int:
        """Return the position of one id given as text, `UNKNOWN` (-1) where the map does not hold it.

        >>> IdMap.of(pl.Series([7, 9]), "user").index_of_text("9")
        1
        """
        value = text if self.is_text else _integer_of(text)
        return UNKNOWN if value is None else self._positions.get(value, UNKNOWN)

    def ids_at(self, index: Index) -> pl.Series:
        """Return the ids at the given positions, all of which must be known."""
        return self.ids.gather(pl.Series(index, dtype=pl.Int64))

    def from_text(self, texts: Sequence[str]) -> pl.Series:
        """Turn text (from a command line, a URL) into ids of this map's kind; what cannot be is an unknown id.

        >>> IdMap.of(pl.Series([7, 9]), "user").from_text(["7", "seven"]).to_list()
        [7, None]
        """
        if (
            not self.is_text and len(texts) <= _FEW
        ):  # a frame for each question of a service would cost more than its answer
            return pl.Series([_integer_of(text) for text in texts], dtype=pl.Int64)
        series = pl.Series(list(texts), dtype=pl.String)
        if self.is_text:
            return series
        canonical = series.str.contains(r"^(0|-?[1-9][0-9]*)$")
        return series.to_frame("id").select(pl.when(canonical).then(pl.col("id")).cast(pl.Int64, strict=False))["id"]

    @cached_property
    def _positions(self) -> dict[str | int, int]:
        return {value: position for position, value in enumerate(self.ids.to_list())}


def _odd_one(ids: pl.Series) -> str | int | None:
    """Return the first id that is no integer, since one such makes a column of integers text; else the first."""
    odd = ids if ids.dtype != pl.String else ids.filter(~ids.str.contains(f"^(?:{_CANONICAL.pattern})$"))
    found: str | int | None = next(iter(odd.head(1)), None)
    return ids[0] if found is None else found


def _integer_of(text: str) -> int | None:
    number = int(text) if len(text) <= 20 and _CANONICAL.fullmatch(text) else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def as_id_series(ids: Ids, kind: str) -> pl.Series:
    """Return ids as an Int64 or String series, or say why that cannot be.

    A missing id (None) is kept: it is known to no map.

    Raises:
        IdTypeError: for floats, booleans, mixtures, and integers beyond 64 bits.
    """
    try:
        series = (
            ids
            if isinstance(ids, pl.Series)
            else pl.Series(kind, ids if isinstance(ids, np.ndarray) else list(ids), strict=True)
        )
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise IdTypeError(
            f"{kind} ids must be all text or all 64-bit integers; got {str(list(ids[:3]))[:_SHOWN]} … ({type(error).__name__})."
        ) from None
    dtype = series.dtype
    if dtype == pl.Null or dtype in (pl.Int64, pl.String):
        return series.cast(pl.Int64) if dtype == pl.Null else series
    if dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if dtype.is_integer():
        try:
            return series.cast(pl.Int64)
        except pl.exceptions.PolarsError:
            raise IdTypeError(f"{kind} ids of type {dtype} go beyond 64-bit integers; pass them as text.") from None
    raise IdTypeError(
        f"{kind} ids must be text or 64-bit integers; got {dtype} (first: {str(series[0])[:_SHOWN] if len(series) else 'none'}). "
        "Cast the column first, so that no id changes on the way."
    )


def encode(ids: pl.Series, id_map: IdMap) -> NDArray[np.int32]:
    """Return the positions of a long column of ids of the map's own kind; -1 where the map does not hold one."""
    if id_map.is_text:
        return _encode_text(ids, id_map.ids)
    known = id_map.ids.to_numpy()
    if len(known) and _is_dense(int(known[0]), int(known[-1]), len(known) + len(ids)):
        return _encode_dense(ids, known)
    if len(ids) >= _MANY_ROWS and not ids.has_nulls():
        from edgewise.data.lookup import find  # compiled by Numba, which is slow to import and not needed otherwise

        return find(ids.to_numpy(), known)
    ours = pl.DataFrame({"id": id_map.ids, "position": np.arange(len(id_map), dtype=np.int32)})
    found = ids.to_frame("id").join(ours, on="id", how="left", maintain_order="left")["position"]
    return np.asarray(found.fill_null(UNKNOWN).to_numpy(), dtype=np.int32)


def _encode_text(ids: pl.Series, known: pl.Series) -> NDArray[np.int32]:
    if known.is_empty():
        return np.full(len(ids), UNKNOWN, dtype=np.int32)
    # An Enum numbers its categories in the order given, which is what an index is; the cast is a parallel hash look-up.
    found = ids.cast(pl.Enum(known), strict=False).to_physical().cast(pl.Int32)
    return np.asarray(found.fill_null(UNKNOWN).to_numpy(), dtype=np.int32)


def _encode_dense(ids: pl.Series, known: NDArray[np.int64]) -> NDArray[np.int32]:
    """Look positions up in a table by the distance from the lowest id, a block of rows at a time."""
    lowest, highest = int(known[0]), int(known[-1])
    positions = np.full(highest - lowest + 1, UNKNOWN, dtype=np.int32)
    positions[known - lowest] = np.arange(len(known), dtype=np.int32)
    if ids.has_nulls():
        ids = ids.fill_null(lowest - 1 if lowest > np.iinfo(np.int64).min else np.iinfo(np.int64).max)
    found = np.empty(len(ids), dtype=np.int32)
    for start, values in _blocks(ids):
        inside = (values >= lowest) & (values <= highest)
        if inside.all():
            found[start : start + len(values)] = positions[values - lowest]
        else:
            known_here = positions[np.where(inside, values - lowest, 0)]
            found[start : start + len(values)] = np.where(inside, known_here, np.int32(UNKNOWN))
    return found


def _distinct(ids: pl.Series) -> pl.Series:
    if ids.null_count():
        raise DataError(
            f"{ids.null_count()} {ids.name} ids are missing; drop those rows first (cleaning does: [clean] missing = 'drop')."
        )
    if ids.dtype == pl.Int64 and len(ids):
        lowest, highest = ids.min(), ids.max()
        if isinstance(lowest, int) and isinstance(highest, int) and _is_dense(lowest, highest, len(ids)):
            there = np.zeros(highest - lowest + 1, dtype=np.bool_)
            for _, values in _blocks(ids):
                there[values - lowest] = True
            return pl.Series("id", np.flatnonzero(there) + lowest, dtype=pl.Int64)
    return ids.unique().sort().rechunk().alias("id")


def _is_dense(lowest: int, highest: int, size: int) -> bool:
    """Whether integers lie so close together that a table over their whole range costs less than hashing them."""
    return highest - lowest < max(_TABLE_SPREAD * size, 1 << 16)


def _blocks(ids: pl.Series) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield the start and the values of blocks that fit the cache; a view where the column has no nulls."""
    start = 0
    for chunk in ids.get_chunks():
        values = chunk.to_numpy()
        for offset in range(0, len(values), _BLOCK_ROWS):
            yield start + offset, values[offset : offset + _BLOCK_ROWS]
        start += len(values)


def _kind_name(dtype: pl.DataType) -> str:
    return "text" if dtype == pl.String else "integers"
