"""Tables beside the log: attributes of users and items, and friendships."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from edgewise.data.columns import find_social_columns, id_columns
from edgewise.data.events import positional_roles
from edgewise.data.layout import GENRE_FLAGS
from edgewise.data.lists import LIST_FORMATS
from edgewise.data.table import Table
from edgewise.data.times import moments
from edgewise.data.values import ids, numbers
from edgewise.data.vocabulary import EVENT_NAMES, plain, rank_of, standard_attribute
from edgewise.data.wording import count
from edgewise.errors import DataError

_CODES = ("zip_code",)
"""Attributes that look like numbers, and are not."""

_COLUMNS_AT_ONCE = 4
"""Spare columns loaded together: a file of text is parsed again for each load, and all of a wide one may not fit into memory."""

_SAMPLED_IDS = 1000

_HARDLY_ANY = 0.05
"""A table and a log that share less of the smaller one's ids are probably not about the same things."""

_TITLES_FOR_WANT_OF_OTHERS = ("description", "itemdescription", "productdescription", "product", "商品描述", "商品")
"""Where a log has no title, these say best what an item is."""

_TITLES_OF_ANYTHING = ("name", "名称")
"""In a log these may be names of people as well."""

_INTEGERS = r"^(?:0|-?[1-9]\d{0,17})$"
_DECIMALS = r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$"


@dataclass(frozen=True)
class Attributes:
    """A table of attributes.

    Attributes:
        frame: user_id or item_id, then the attributes; one row an id.
        names: standard name to the name in the file.
        notes: choices, one line each.
        doubts: why it may be the wrong table, one line each.
    """

    frame: pl.DataFrame
    names: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def attributes_of(
    table: Table, kind: str, known_ids: pl.Series | None = None, log_names: Mapping[str, str] | None = None
) -> Attributes:
    """Read a table of attributes of users or items.

    The id is the column with a usual name, else the first; where that has few of the log's ids and another far more, the
    other (in goodbooks, `id` and not `book_id`). Numbers become numbers, the rest stays text; `a|b|c` too.

    Args:
        table: the file or frame.
        kind: "user" or "item".
        known_ids: the ids of the log.
        log_names: standard name to the name in the log.

    Raises:
        DataError: if there is no row, or beside a log the id is named as that of the other side.
    """
    loaded = table.load(list(table.header))
    if loaded.is_empty():
        raise DataError(f"{table.path.name} has a header ({', '.join(table.header[:8])}) and no rows.")
    key, notes = _key(table, loaded, kind, known_ids)
    if log_names is not None and table.named:
        _refuse_other_side(table, key, kind, log_names)
    own_ids, told = ids(loaded[key])
    names: dict[str, str] = {f"{kind}_id": key}
    columns = [own_ids.alias(f"{kind}_id")]
    for name in loaded.columns:
        if name == key or (name in GENRE_FLAGS and "genres" not in loaded.columns and _is_flag(loaded[name])):
            continue
        standard = standard_attribute(name, kind)
        if standard in names or (standard != name and standard in loaded.columns):
            standard = name if name not in names else f"{name} (2)"
        names[standard] = name
        values = loaded[name] if standard in _CODES else typed(loaded[name])
        columns.append(values.alias(standard))
    if genres := _genres(loaded):
        columns.append(genres[0])
        names["genres"] = "genres"
    frame = pl.DataFrame(columns)
    complete = frame.filter(pl.col(f"{kind}_id").is_not_null()).unique(maintain_order=True)
    if complete.height < frame.height:
        notes.append(
            f"{table.path.name}: {count(frame.height - complete.height, 'row')} without an id, or the same as another, left out."
        )
    doubts: list[str] = []
    if known_ids is not None:
        met, doubts = _known_to_log(table, key, kind, complete[f"{kind}_id"], known_ids)
        notes += met
    return Attributes(complete, names, (*table.notes, *told, *notes), tuple(doubts))


def attributes_in_log(table: Table, unused: Sequence[str], events: pl.DataFrame) -> dict[str, Attributes]:
    """Find what the spare columns of a log say of its items and users: a column that is the same in all rows of an id.

    A title (for want of one, a description) is always the item's, whatever it says elsewhere, and the first one counts.
    Other columns have to be the same in every row of an item, else of a user, and rows at least twice as many as ids: with
    one row an id every column would be.

    Args:
        table: the log.
        unused: its columns that are no part of an event.
        events: user_id and item_id of each of its rows.

    Returns:
        "item" and "user" to their tables, where there is something to say.
    """
    found: dict[str, list[tuple[str, str, pl.Series]]] = {"item": [], "user": []}
    sides = {kind: _Side(events[f"{kind}_id"]) for kind in found} if unused and table.named else {}
    title = _title_column(unused)
    for start in range(0, len(unused) if sides else 0, _COLUMNS_AT_ONCE):
        for column in table.load(list(unused[start : start + _COLUMNS_AT_ONCE])).iter_columns():
            if column.dtype.is_nested():
                continue
            for kind, side in sides.items():
                is_title = kind == "item" and column.name == title
                standard = "title" if is_title else standard_attribute(column.name, kind)
                if standard in (f"{kind}_id", *(taken for taken, _, _ in found[kind])):
                    continue
                if is_title or side.decides(column):
                    found[kind].append((standard, column.name, column))
                    break
    return {kind: _first_of_each(kind, columns, events) for kind, columns in found.items() if columns}


def _title_column(names: Sequence[str]) -> str | None:
    titles = [
        name for name in names if standard_attribute(name, "item") == "title" and plain(name) not in _TITLES_OF_ANYTHING
    ]
    return next(iter(titles or [name for name in names if plain(name) in _TITLES_FOR_WANT_OF_OTHERS]), None)


class _Side:
    """The users or the items of a log, asked which columns they decide."""

    def __init__(self, ids: pl.Series) -> None:
        self._ids = ids
        self._repeat = len(ids) >= 2 * ids.n_unique()
        some = ids.gather_every(max(1, len(ids) // _SAMPLED_IDS)).unique()
        self._rows = ids.is_in(some.implode()).arg_true()  # all rows of some ids: enough to refuse most columns
        self._sampled = ids.gather(self._rows)

    def decides(self, column: pl.Series) -> bool:
        """Whether a column is the same in all rows of each id, and not the same in all rows of the log."""
        if not self._repeat or not _is_decided(column.gather(self._rows), self._sampled):
            return False
        return _is_decided(column, self._ids) and column.n_unique() > 1


def _is_decided(column: pl.Series, ids: pl.Series) -> bool:
    pairs = pl.DataFrame({"id": ids, "attribute": column}).drop_nulls()
    return pairs.n_unique() == pairs["id"].n_unique()


def _first_of_each(kind: str, columns: list[tuple[str, str, pl.Series]], events: pl.DataFrame) -> Attributes:
    key = f"{kind}_id"
    named = [(column if standard in _CODES else typed(column)).alias(standard) for standard, _, column in columns]
    rows = pl.DataFrame([events[key], *named]).filter(pl.col(key).is_not_null())
    frame = rows.group_by(key, maintain_order=True).agg(pl.all().drop_nulls().first())
    names = {standard: name for standard, name, _ in columns}
    said = ", ".join(repr(name) for name in names.values())
    return Attributes(frame, names, (f"attributes of {kind}s were taken from the log itself: {said}.",))


def friendships_of(table: Table) -> Attributes:
    """Read a table of friendships: user_id, friend_id and, where there are such, weight and timestamp.

    Raises:
        DataError: if there are not two columns of people, or no row.
    """
    if table.format in LIST_FORMATS:
        names = {"user_id": "user_id", "friend_id": "item_id"}
        notes: tuple[str, ...] = ()
    elif table.named:
        found = find_social_columns(table.header)
        names, notes = found.names, found.notes
    else:
        roles = positional_roles(table, ("user_id", "friend_id"), "weight")
        names, notes = dict(zip(roles, table.header, strict=False)), ()
    loaded = table.load(list(names.values()))
    if loaded.is_empty():
        raise DataError(f"{table.path.name} has a header ({', '.join(table.header[:8])}) and no rows.")
    columns = [ids(loaded[names[name]])[0].alias(name) for name in ("user_id", "friend_id")]
    if "weight" in names:
        columns.append(numbers(loaded[names["weight"]]).alias("weight"))
    if "timestamp" in names:
        columns.append(moments(loaded[names["timestamp"]]).values.alias("timestamp"))
    if columns[0].dtype != columns[1].dtype:
        columns[:2] = [column.cast(pl.String) for column in columns[:2]]
    frame = pl.DataFrame(columns)
    usable = frame.filter(
        pl.col("user_id").is_not_null() & pl.col("friend_id").is_not_null() & (pl.col("user_id") != pl.col("friend_id"))
    )
    if usable.height < frame.height:
        notes = (
            *notes,
            f"{table.path.name}: {count(frame.height - usable.height, 'friendship')} without one of the two, or with oneself, left out.",
        )
    return Attributes(usable, names, (*table.notes, *notes))


def _key(table: Table, loaded: pl.DataFrame, kind: str, known_ids: pl.Series | None) -> tuple[str, list[str]]:
    """Choose the id column; also say how it was chosen, where that is not plain."""
    candidates = id_columns(table.header, kind)
    if known_ids is None:
        return candidates[0], []
    shared = {name: _overlap(loaded[name], known_ids) for name in candidates}
    key = max(candidates, key=lambda name: shared[name])  # the first of equals
    if shared[key] < 2 * shared[candidates[0]] or 2 * shared[candidates[0]] > len(known_ids):
        key = candidates[0]  # numbers of rows share some ids with every log
    notes = []
    if key != candidates[0]:
        notes.append(
            f"{table.path.name}: {kind}s are joined by {key!r}, which has {shared[key]:,} of the log's {len(known_ids):,} ids; "
            f"{candidates[0]!r} has {shared[candidates[0]]:,}."
        )
    return key, notes


def _refuse_other_side(table: Table, key: str, kind: str, log_names: Mapping[str, str]) -> None:
    """Refuse a table of users whose id is named as an item's is, or the reverse, unless the log itself names it so.

    Ids cannot tell: those of films and of people who rate them are often the same small numbers.
    """
    other = "item" if kind == "user" else "user"
    own_in_log, other_in_log = (plain(log_names.get(f"{side}_id", "")) for side in (kind, other))
    usual, unusual = (rank_of(key, EVENT_NAMES[f"{side}_id"]) is not None for side in (kind, other))
    if plain(key) == own_in_log or not (plain(key) == other_in_log or (unusual and not usual)):
        return
    article = "an" if other == "item" else "a"
    raise DataError(
        f"{table.path.name} was given as the table of {kind}s, and its id column {key!r} is named as {article} {other}'s. "
        f"Give it as the table of {other}s (--{other}s on the command line), or rename the column to {kind}_id if it does hold {kind}s."
    )


def _known_to_log(
    table: Table, key: str, kind: str, own: pl.Series, known_ids: pl.Series
) -> tuple[list[str], list[str]]:
    """Say of how many ids the log knows nothing, and in doubt whether it is the right table: notes and doubts."""
    shared = _overlap(own, known_ids)
    name = table.path.name
    if shared == 0:
        return [], [f"{name}: none of its ids ({key!r}) is in the log. Is it the right table, and the right column?"]
    rest = f"the other {count(len(own) - shared, kind)} have no event"
    met = f"{name}: {shared:,} of its {len(own):,} ids ({key!r}) {'is' if shared == 1 else 'are'} in the log"
    if shared < _HARDLY_ANY * min(len(own), len(known_ids)):
        text = f"{met}, which has {count(len(known_ids), kind)}; {rest}. Is it the right table, and the right column?"
        return [], [text]
    return ([f"{met}; {rest}."] if 2 * shared < len(own) else []), []


def _overlap(column: pl.Series, known_ids: pl.Series) -> int:
    try:
        own = ids(column)[0].drop_nulls().unique()
    except DataError:
        return 0
    if own.dtype != known_ids.dtype:
        own, known_ids = own.cast(pl.String), known_ids.cast(pl.String)
    return int(own.is_in(known_ids.implode()).sum())


def typed(column: pl.Series) -> pl.Series:
    """Give a column of text its type: integers or decimals if every value is one as it would be printed, else text."""
    if column.dtype != pl.String:
        return column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column
    given = column.drop_nulls().str.strip_chars()
    given = given.filter(given != "")
    if given.is_empty():
        return column
    for pattern, dtype in ((_INTEGERS, pl.Int64), (_DECIMALS, pl.Float64)):
        if given.head(1000).str.contains(pattern).all() and given.str.contains(pattern).all():
            return column.str.strip_chars().cast(dtype, strict=False)
    return column


def _is_flag(column: pl.Series) -> bool:
    return bool(column.cast(pl.String).drop_nulls().is_in(["0", "1"]).all())


def _genres(loaded: pl.DataFrame) -> list[pl.Series]:
    """Join the columns of 0 and 1 that MovieLens has for genres into one text, "Comedy|Drama"."""
    flags = [name for name in loaded.columns if name in GENRE_FLAGS and _is_flag(loaded[name])]
    if len(flags) < 2 or "genres" in loaded.columns:
        return []
    parts = [pl.when(pl.col(name).cast(pl.String) == "1").then(pl.lit(name)) for name in flags]
    return [loaded.select(genres=pl.concat_str(parts, separator="|", ignore_nulls=True)).to_series()]
