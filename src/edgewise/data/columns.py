"""Which column of a file is what: the mapping given, then the usual names, and a clear word where neither finds it."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgewise.config import Settings, make
from edgewise.data.times import TimeUnit
from edgewise.data.vocabulary import EVENT_NAMES, SOCIAL_NAMES, STRENGTH_NAMES, Name, plain, rank_of
from edgewise.errors import DataError

_USUAL_SHOWN = 6


class Columns(Settings):
    """Where a file's names are not the usual ones: the column for each part of an interaction ('': there is none)."""

    user_id: str | None = None
    item_id: str | None = None
    type: str | None = None
    value: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    time_unit: TimeUnit = "auto"  # what numbers in the time column count; told by their size


@dataclass(frozen=True)
class Found:
    """What each part of a row is called in a file.

    Attributes:
        names: standard name to the file's own.
        unused: columns that are none of these.
        notes: choices between several that would do, one line each.
    """

    names: dict[str, str]
    unused: tuple[str, ...]
    notes: tuple[str, ...] = ()


def as_columns(columns: Columns | Mapping[str, str] | None) -> Columns:
    """Take the mapping in either form.

    Raises:
        ConfigError: if a key is not part of an interaction.
    """
    if columns is None:
        return Columns()
    if isinstance(columns, Columns):
        return columns
    return make(Columns, columns, where="columns (part of an interaction: name in the file)")


def find_columns(header: Sequence[str], columns: Columns | Mapping[str, str] | None = None) -> Found:
    """Find the parts of an interaction in a header.

    In this order: the mapping given; the usual names, the more certain before the less (`EVENT_NAMES`); for a log of
    sessions without users the session as user; for items the only column left that ends in "id". Without a column of
    strengths, one of reading times or likes takes its place.

    Args:
        header: the names in the file.
        columns: standard name to name in the file, for those that the usual names do not find; "" for none.

    Raises:
        DataError: if a named column is not there, or no column of users or items is found.
    """
    given = as_columns(columns)
    names: dict[str, str] = {}
    notes: list[str] = []
    for part in EVENT_NAMES:
        if wanted := getattr(given, part):
            names[part] = _named(header, part, wanted)
    for part, known in EVENT_NAMES.items():
        if getattr(given, part) is None:
            _take(part, known, header, names, notes)
    if "user_id" not in names and "session_id" in names and given.user_id is None:
        names["user_id"] = names["session_id"]
        notes.append(f"there is no column of users: each session ({names['session_id']!r}) was taken for a user.")
    if "item_id" not in names and given.item_id is None:
        _take_only_id_left(header, names, notes)
    if "value" not in names and given.value is None:
        for part, known in STRENGTH_NAMES.items():
            _take(part, known, header, names, notes)
    for part in ("user_id", "item_id"):
        if part not in names:
            raise _not_found(part, header, names, EVENT_NAMES[part], f"--set data.{part}=NAME")
    return _found(header, names, notes)


def find_social_columns(header: Sequence[str]) -> Found:
    """Find user_id, friend_id and, where there are such, weight and timestamp in the header of a file of friendships.

    Raises:
        DataError: if there are fewer than two columns that can be people.
    """
    names: dict[str, str] = {}
    notes: list[str] = []
    for part in ("friend_id", "user_id", "weight", "timestamp"):  # a friend's names are the rarer ones
        _take(part, SOCIAL_NAMES[part], header, names, notes)
    for part in ("user_id", "friend_id"):
        if part not in names:
            raise _not_found(part, header, names, SOCIAL_NAMES[part], "rename the column")
    return _found(header, names, notes)


def id_columns(header: Sequence[str], kind: str) -> list[str]:
    """Return the columns of an attribute table that may be its id, the likeliest first; the first column is always one."""
    known = EVENT_NAMES[f"{kind}_id"]
    ranked = sorted((rank, name) for name in header if (rank := rank_of(name, known)) is not None)
    plain_id = [name for name in header if plain(name) in ("id", "编号")]
    return list(dict.fromkeys([*(name for _, name in ranked), *plain_id, *header[:1]]))


def _take(part: str, known: Name, header: Sequence[str], names: dict[str, str], notes: list[str]) -> None:
    """Take the free column whose name is most surely this part, and tell if others would do as well."""
    free = [name for name in header if name not in names.values()]
    ranked = sorted(
        (rank, place, name) for place, name in enumerate(free) if (rank := rank_of(name, known)) is not None
    )
    if ranked:
        names[part] = ranked[0][2]
        if others := [name for _, _, name in ranked[1:]]:
            notes.append(f"{part} was read from {names[part]!r}; {_list(others)} would have done as well.")


def _take_only_id_left(header: Sequence[str], names: dict[str, str], notes: list[str]) -> None:
    left = [
        name for name in header if name not in names.values() and plain(name).endswith("id") and plain(name) != "id"
    ]
    if len(left) == 1:
        names["item_id"] = left[0]
        notes.append(f"items were read from {left[0]!r}, the only column left that holds ids.")


def _named(header: Sequence[str], part: str, wanted: str) -> str:
    """Return the column that a mapping names: as it is written, else but for case, spaces and underscores."""
    if wanted in header:
        return wanted
    alike = [name for name in header if plain(name) == plain(wanted)]
    if len(alike) == 1:
        return alike[0]
    close = difflib.get_close_matches(wanted, header, n=1, cutoff=0.5)
    raise DataError(
        f"{part} is mapped to the column {wanted!r}, which is not there. The header has {_list(header)}."
        + (f" Did you mean {close[0]!r}?" if close else "")
    )


def _not_found(part: str, header: Sequence[str], names: Mapping[str, str], known: Name, how: str) -> DataError:
    free = {plain(name): name for name in header if name not in names.values()}
    close = [
        free[match]
        for alias in known.aliases
        for match in difflib.get_close_matches(plain(alias), list(free), n=1, cutoff=0.72)
    ]
    usual = [*known.aliases[:_USUAL_SHOWN], *[alias for alias in known.aliases if not alias.isascii()][:3]]
    guess = close[0] if close else "NAME"
    say = how.replace("NAME", guess) if "NAME" in how else how
    what = {"user_id": "users", "item_id": "items", "friend_id": "friends"}[part]
    return DataError(
        f"no column of {what} was found. The header has {_list(header)}; usual names are {', '.join(usual)}."
        + (f" The closest is {guess!r}." if close else "")
        + (f" Say which it is: {say}, or columns={{'{part}': '{guess}'}}." if "NAME" in how else f" To help: {say}.")
        + (
            " Is the separator right? The whole line was taken for one column."
            if len(header) == 1 and any(mark in header[0] for mark in ",;|\t ")
            else ""
        )
    )


def _found(header: Sequence[str], names: Mapping[str, str], notes: Sequence[str]) -> Found:
    taken = set(names.values())
    return Found(dict(names), tuple(name for name in header if name not in taken), tuple(notes))


def _list(names: Sequence[str], shown: int = 12) -> str:
    text = ", ".join(repr(name[:40]) for name in names[:shown])
    return text + (f" and {len(names) - shown} more" if len(names) > shown else "")
