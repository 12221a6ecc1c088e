"""What is known of somebody, as pieces that can be taken away: items met, friends, values of attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.newcomers import Newcomers
from edgewise.types import Bools, Index

PieceKind: TypeAlias = Literal["history", "friend", "attribute"]

SEPARATORS = "|;、，,"
"""What may stand between several values in one cell of a table, the likeliest first."""


@dataclass(frozen=True)
class Piece:
    """One thing that is known.

    Attributes:
        kind: what it is.
        place: the dense index of the item met (of a new item: the user who met it) or of the friend; -1 for an attribute.
        name, value: of an attribute; of a cell with several values, each is a piece.
    """

    kind: PieceKind
    place: int = -1
    name: str = ""
    value: Any = None


@dataclass(frozen=True)
class Evidence:
    """All that is known of one user, or one item.

    Attributes:
        newcomer: all that is known, of one.
        pieces: what can be taken away; what is known beyond these always stays.
    """

    newcomer: Newcomers
    pieces: tuple[Piece, ...]

    @classmethod
    def of(
        cls, newcomer: Newcomers, history: Index | None = None, *, kinds: Sequence[PieceKind] | None = None
    ) -> "Evidence":
        """Take apart what is known of one.

        Args:
            newcomer: one.
            history: which of the history are pieces; None: all.
            kinds: which kinds of pieces to take; None: all.
        """
        pieces: list[Piece] = []
        wanted = ("history", "friend", "attribute") if kinds is None else kinds
        if "history" in wanted:
            pieces += [
                Piece("history", int(place)) for place in (newcomer.history.indices if history is None else history)
            ]
        if "friend" in wanted and newcomer.friends is not None:
            pieces += [Piece("friend", int(place)) for place in newcomer.friends.indices]
        if "attribute" in wanted and newcomer.attributes is not None:
            for name in newcomer.attributes.columns:
                values, _ = _values_of(newcomer.attributes[name][0])
                pieces += [Piece("attribute", name=name, value=value) for value in values]
        return cls(newcomer, tuple(pieces))

    def variants(self, kept: Bools) -> Newcomers:
        """Return one newcomer for each row of `kept`: bool [n, n_pieces], which pieces it has."""
        whole = self.newcomer
        return Newcomers(
            whole.side,
            self._thinned(whole.history, "history", kept),
            None if whole.friends is None else self._thinned(whole.friends, "friend", kept),
            None if whole.attributes is None else self._with_values(whole.attributes, kept),
            ("",) * kept.shape[0],
        )

    def _thinned(self, row: csr_array, kind: PieceKind, kept: Bools) -> csr_array:
        """Repeat a row for each variant, without the pieces that it lacks."""
        at = [number for number, piece in enumerate(self.pieces) if piece.kind == kind]
        place = np.searchsorted(row.indices, [self.pieces[number].place for number in at]).astype(np.int64)
        there = np.ones((kept.shape[0], row.nnz), dtype=np.bool_)
        there[:, place] = kept[:, at]
        indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
        column = np.nonzero(there)[1]
        return csr_array((row.data[column], row.indices[column], indptr), shape=(kept.shape[0], row.shape[1]))

    def _with_values(self, table: pl.DataFrame, kept: Bools) -> pl.DataFrame:
        """Repeat a table's row for each variant, without the values that it lacks."""
        columns = {}
        for name in table.columns:
            at = [n for n, piece in enumerate(self.pieces) if piece.kind == "attribute" and piece.name == name]
            cell = table[name][0]
            if not at:
                columns[name] = pl.Series(name, [cell] * kept.shape[0], dtype=table[name].dtype)
                continue
            values, separator = _values_of(cell)
            cells = [
                _cell([value for value, there in zip(values, row, strict=True) if there], separator)
                for row in kept[:, at]
            ]
            columns[name] = pl.Series(name, cells, dtype=table[name].dtype)
        return pl.DataFrame(columns)


def _values_of(cell: Any) -> tuple[list[Any], str | None]:
    """Return the values of a cell, and what stands between them: "" for a list, None for a single value."""
    if cell is None:
        return [], None
    if isinstance(cell, pl.Series | list):
        return list(cell), ""
    if isinstance(cell, str):
        for separator in SEPARATORS:
            if separator in cell:
                return cell.split(separator), separator
    return [cell], None


def _cell(values: list[Any], separator: str | None) -> Any:
    if not values:
        return None
    if separator is None:
        return values[0]
    return separator.join(values) if separator else values
