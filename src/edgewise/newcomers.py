"""Users and items that training never saw, and what is known of them: a history, attributes, friends."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.config import did_you_mean
from edgewise.data.ids import UNKNOWN, IdMap
from edgewise.data.vocabulary import plain, standard_attribute
from edgewise.errors import ConfigError, DataError
from edgewise.types import Bools, Floats, Ids, Index

_MOST_NAMED = 20
"""Up to so many values of a column are listed."""

Side: TypeAlias = Literal["user", "item"]

Histories: TypeAlias = Ids | Sequence[Ids]
"""The ids one newcomer met, or a list of these for each of several."""

Attributes: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | pl.DataFrame
"""What is known of one newcomer by name, or of each of several; or a table with a row for each."""


@dataclass(frozen=True)
class Newcomers:
    """New users, or new items, and what is known of them.

    Attributes:
        side: "user" or "item".
        history: float32 [n, n_others], columns ascending: the items that each new user met, or the users who met each new item.
        friends: float32 [n, n_users], columns ascending, of new users: whom each is a friend of; None where nobody asked.
        attributes: a row for each newcomer; None where nothing is known.
        remarks: for each newcomer what of the given could not be used, and why; "" where all could.
    """

    side: Side
    history: csr_array
    friends: csr_array | None = None
    attributes: pl.DataFrame | None = None
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        side: Side,
        users: IdMap,
        items: IdMap,
        *,
        history: Histories | None = None,
        attributes: Attributes | None = None,
        friends: Histories | None = None,
    ) -> "Newcomers":
        """Translate what is given by ids; ids that are not known are left out, and the remarks say so.

        Raises:
            IdTypeError: if ids are of the other kind.
            ConfigError: if nothing is given, the parts tell of different numbers of newcomers, or items are said to have friends.
        """
        lists = {"history": history, "friends": friends}
        given = {name: _lists_of(value) for name, value in lists.items() if value is not None}
        table = None if attributes is None else _table_of(attributes)
        sizes = {name: len(value) for name, value in given.items()} | (
            {} if table is None else {"attributes": table.height}
        )
        if not sizes:
            raise ConfigError(
                f"nothing is given about the new {side}; give history=…, attributes=…{', friends=…' * (side == 'user')}."
            )
        if len(set(sizes.values())) > 1:
            counted = ", ".join(f"{name} of {size}" for name, size in sizes.items())
            raise ConfigError(
                f"{counted}: expected the same number of new {side}s in each; give an empty list or mapping where nothing is known."
            )
        if side == "item" and friends is not None:
            raise ConfigError("friends=… belongs to new users; an item has none.")
        n = next(iter(sizes.values()))
        others = items if side == "user" else users
        rows, told = _encoded(given.get("history", [[]] * n), others, "history")
        of_friends, told_friends = (
            _encoded(given["friends"], users, "friends") if "friends" in given else (None, [""] * n)
        )
        remarks = tuple(f"{one} {other}".strip() for one, other in zip(told, told_friends, strict=True))
        return cls(side, rows, of_friends, table, remarks)

    def __len__(self) -> int:
        return int(self.history.shape[0])

    def rows(self, index: Index) -> "Newcomers":
        """Return some of them."""
        return Newcomers(
            self.side,
            self.history[index],
            None if self.friends is None else self.friends[index],
            None if self.attributes is None else self.attributes[index],
            tuple(self.remarks[place] for place in index) if self.remarks else (),
        )

    @property
    def has_history(self) -> Bools:
        """Who met anything that is known: bool [n]."""
        return np.asarray(np.diff(self.history.indptr) > 0)

    @property
    def has_friends(self) -> Bools:
        """Who has a friend that is known: bool [n]."""
        return (
            np.zeros(len(self), dtype=np.bool_)
            if self.friends is None
            else np.asarray(np.diff(self.friends.indptr) > 0)
        )

    @property
    def has_attributes(self) -> Bools:
        """Of whom some attribute is known: bool [n]."""
        if self.attributes is None or not self.attributes.width:
            return np.zeros(len(self), dtype=np.bool_)
        return self.attributes.select(~pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()

    def named_as(self, table: pl.DataFrame | None) -> "Newcomers":
        """Call attributes what a table calls them: names are found as they are when a table is read, whatever their case.

        Args:
            table: of the known users or items; None: there is none.
        """
        if self.attributes is None or table is None:
            return self
        known = {plain(name): name for name in table.columns}
        names: dict[str, str] = {}
        for name in self.attributes.columns:
            also = known.get(plain(standard_attribute(name, self.side))) or known.get(plain(name))
            if (
                name not in table.columns
                and also is not None
                and also not in {*self.attributes.columns, *names.values()}
            ):
                names[name] = also
        return replace(self, attributes=self.attributes.rename(names)) if names else self

    def remarked(self, usable: Collection[str], table: pl.DataFrame | None) -> "Newcomers":
        """Add to the remarks what a model will not use of what it is given beside what it will.

        Args:
            usable: of "history", "attributes", "friends".
            table: whose columns are the attributes that the model has.
        """
        remarks = []
        for place, remark in enumerate(self.remarks):
            known = self.known_by(place)
            told = [remark] if remark else []
            idle = [name for name in known if name not in usable]
            if idle and len(idle) < len(known):
                told.append(f"The model makes no use of {' and '.join(idle)}.")
            if "attributes" in known and "attributes" in usable and self.attributes is not None:
                told += _unread(self.attributes.row(place, named=True), table, self.side)
            remarks.append(" ".join(told))
        return replace(self, remarks=tuple(remarks))

    def known_by(self, place: int) -> tuple[str, ...]:
        """Tell what is known of one: of "history", "attributes", "friends"."""
        there = {"history": self.has_history, "attributes": self.has_attributes, "friends": self.has_friends}
        return tuple(name for name, mask in there.items() if mask[place])


def _unread(given: Mapping[str, Any], table: pl.DataFrame | None, side: Side) -> list[str]:
    """Say which attributes of one newcomer mean nothing, and why."""
    known = pl.DataFrame() if table is None else table.drop(f"{side}_id", strict=False)
    told = []
    for name, value in given.items():
        if value is None:
            continue
        if name not in known.columns:
            told.append(
                f"There is no attribute {name!r} of {side}s; there are {', '.join(known.columns) or 'none'}{did_you_mean(name, known.columns)}."
            )
        elif isinstance(value, str):
            told += _unread_text(name, value.strip(), known[name])
    return told


def _unread_text(name: str, value: str, column: pl.Series) -> list[str]:
    if column.dtype.is_numeric():
        return (
            [f"{name} {value!r} is no number."]
            if pl.Series([value]).cast(pl.Float64, strict=False).null_count()
            else []
        )
    if column.dtype != pl.String:
        return []
    words = column.drop_nulls().unique().sort()
    # With several in one they may be texts or lists, of which a part may be known.
    if words.str.contains(r"[\s,;|]").any() or value in words.str.strip_chars():
        return []
    few = f"there are {', '.join(words)}" if len(words) <= _MOST_NAMED else f"it saw {len(words):,} others"
    return [f"Training never saw {name} {value!r}; {few}{did_you_mean(value, words)}."]


def by_history(answer: Callable[[csr_array], Floats], newcomers: Newcomers) -> Floats:
    """Ask a function of histories for those who have one.

    Args:
        answer: gives float32 [b, m] for histories [b, n_others].
        newcomers: [n].

    Returns:
        float32 [n, m], NaN for whoever has no history.
    """
    found = answer(newcomers.history)
    found[~newcomers.has_history] = np.nan
    return found


def _lists_of(given: Histories) -> list[Any]:
    """Return one list a newcomer, of one newcomer or several."""
    if isinstance(given, str):
        raise ConfigError(f"a history of {given!r}: expected a list of ids, such as [{given!r}].")
    if isinstance(given, pl.Series | np.ndarray):
        return [given]
    nested = [isinstance(value, list | tuple | pl.Series | np.ndarray) for value in given]
    return list(given) if nested and all(nested) else [given]


def _table_of(given: Attributes) -> pl.DataFrame:
    if isinstance(given, pl.DataFrame):
        return given
    rows = [given] if isinstance(given, Mapping) else list(given)
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        return (
            pl.DataFrame({name: [row.get(name) for row in rows] for name in names}, strict=False)
            if names
            else pl.DataFrame({"": [None] * len(rows)})
        )
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"the attributes cannot be made a table ({error}); give plain values by name, such as {{'age': 25}}."
        ) from None


def _encoded(lists: Sequence[Any], ids: IdMap, what: str) -> tuple[csr_array, list[str]]:
    """Turn lists of ids into rows of ones; an id that stands twice counts once."""
    rows, remarks = [], []
    for given in lists:
        found = ids.index_of(given) if len(given) else np.empty(0, dtype=np.int64)
        unknown = int((found == UNKNOWN).sum())
        rows.append(np.unique(found[found != UNKNOWN]))
        remarks.append(
            f"{unknown} of the {found.size} {ids.kind}s of the {what} {'is' if unknown == 1 else 'are'} not known."
            if unknown
            else ""
        )
    indptr = np.cumsum([0, *(row.size for row in rows)]).astype(np.int64)
    indices = np.concatenate([np.empty(0, dtype=np.int64), *rows])
    return csr_array((np.ones(indices.size, dtype=np.float32), indices, indptr), shape=(len(rows), len(ids))), remarks
