"""Items that came after training, from files: which of them a fitted model can place, and the model that knows these."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from edgewise.data.columns import id_columns
from edgewise.data.ids import UNKNOWN, IdMap
from edgewise.data.read import read_attributes, read_events
from edgewise.data.wording import count
from edgewise.errors import ConfigError, DataError
from edgewise.newcomers import Newcomers
from edgewise.ranking import block_size
from edgewise.recommender import Recommender
from edgewise.types import Bools

_N_ASKED = 256
"""An item is placed if the model scores it for any of so many users, those who met most."""


@dataclass(frozen=True)
class AddedItems:
    """A model with new items, and what became of each.

    Attributes:
        model: knows the new items too.
        added: their ids, in the file's order.
        left_out: id and reason of each that the model cannot place.
        notes: what of the files was not used, one line each.
    """

    model: Recommender
    added: tuple[str | int, ...]
    left_out: tuple[tuple[str | int, str], ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, the model left out."""
        return {
            "model": self.model.name,
            "added": list(self.added),
            "left_out": [{"item_id": item, "reason": reason} for item, reason in self.left_out],
            "n_items": len(self.model.catalogue.items),
            "notes": list(self.notes),
        }


def with_items_of(model: Recommender, items: Path, events: Path | None = None) -> AddedItems:
    """Read new items from files and place them, without training; an item that the model cannot place is left out.

    Args:
        model: fitted; stays as it is.
        items: a table with item_id and any of the columns that the model's items have.
        events: a log of who met the new items, user_id and item_id.

    Raises:
        DataError: if a file cannot be used: no column of ids, an id twice, no column that the model knows, no item of the log.
        ConfigError: if an id is known already, or the model can take no new item, or none of these.
    """
    catalogue = model.catalogue
    table, notes = _read_items(model, items, has_events=events is not None)
    ids = table["item_id"]
    history, told = (None, []) if events is None else _met_by(events, ids, catalogue.users)
    notes += told
    attributes = table.drop("item_id") if table.width > 1 else None
    newcomers = model.newcomers(
        "item", history=[[] for _ in range(len(ids))] if history is None else history, attributes=attributes
    )
    whole, placed = with_placed(model, ids, history, attributes)
    if whole is None:
        raise ConfigError(
            f"{model.name} can place none of the {count(len(ids), 'new item')}. {ids[0]}: {_why_not(model, newcomers, 0)}"
            + ("" if events is not None else " Who met the new items can be given with --events FILE.")
        )
    left_out = tuple((ids[place], _why_not(model, newcomers, place)) for place in np.flatnonzero(~placed).tolist())
    unknown = sum(bool(remark) for remark in newcomers.remarks)
    if unknown:
        notes.append(f"Some of the users who met {count(unknown, 'new item')} are not known to the model: left out.")
    return AddedItems(whole, tuple(ids.filter(pl.Series(placed)).to_list()), left_out, tuple(notes))


def with_placed(
    model: Recommender, ids: pl.Series, history: list[pl.Series] | None, attributes: pl.DataFrame | None
) -> tuple[Recommender | None, Bools]:
    """Return a model that also knows those of some new items that it can place, and which these are.

    Args:
        ids: the new ids [n]. history: for each, who met it. attributes: [n] rows, columns as the model's items have them.

    Returns:
        The model, None where it can place none; and bool [n].

    Raises:
        ConfigError: if an id is known already, or the model can take no new item at all.
    """
    whole = _extended(model, ids, history, attributes)
    placed = _placed(whole, ids)
    if placed.all():
        return whole, placed
    if not placed.any():
        return None, placed
    kept = np.flatnonzero(placed).tolist()
    whole = _extended(
        model,
        ids.gather(kept),
        None if history is None else [history[place] for place in kept],
        None if attributes is None else attributes[kept],
    )
    return whole, placed


def _read_items(model: Recommender, path: Path, *, has_events: bool) -> tuple[pl.DataFrame, list[str]]:
    """Return item_id and the columns that the model's items have, with the types they have there."""
    found = read_attributes(path, "item")
    key = found.names["item_id"]
    if not id_columns(("", key), "item")[0]:  # neither a usual name of an item's id nor "id": the first was taken
        raise DataError(
            f"{path.name} has no column of item ids; it has {', '.join(map(repr, found.names.values()))}. Name one of them item_id."
        )
    frame, notes = found.frame, list(found.notes)
    items = model.catalogue.items
    if frame.is_empty():
        raise DataError(f"{path.name}: no row has an id in {key!r}.")
    if items.is_text:
        frame = frame.with_columns(pl.col("item_id").cast(pl.String))
    ids = frame["item_id"]
    if (repeated := ids.filter(ids.is_duplicated())).len():
        raise DataError(
            f"{path.name}: item {repeated[0]!r} stands in {int((ids == repeated[0]).sum())} rows that differ; expected one row an item."
        )
    known = ids.filter(pl.Series(items.index_of(ids) != UNKNOWN))
    if len(known):
        raise ConfigError(
            f"{path.name}: {len(known):,} of {count(len(ids), 'item')} {'is' if len(known) == 1 else 'are'} in the model already "
            f"(first: {known[0]!r}). Leave these rows out; to change what is known of an item, fit the model again."
        )
    table = model.catalogue.item_table
    theirs = [] if table is None else [name for name in table.columns if name != "item_id"]
    shared = [name for name in theirs if name in frame.columns]
    if not shared and not has_events:
        has = ", ".join(map(repr, theirs)) if theirs else "no attribute, since it was fitted without --items"
        raise DataError(
            f"{path.name} tells nothing that the model knows of items: the model's items have {has}. "
            "Give a column of these, or who met the new items with --events FILE."
        )
    if absent := [name for name in theirs if name not in shared]:
        notes.append(f"{path.name} lacks {', '.join(map(repr, absent))}: not known of the new items.")
    if unused := [name for name in frame.columns if name not in ("item_id", *shared)]:
        notes.append(f"{path.name}: the model's items have no {', '.join(map(repr, unused))}: not used.")
    if table is None:
        return frame.select("item_id"), notes
    cast = frame.select("item_id", *(pl.col(name).cast(table[name].dtype, strict=False) for name in shared))
    for name in shared:
        if lost := cast[name].null_count() - frame[name].null_count():
            notes.append(
                f"{path.name}: {count(lost, 'value')} of {name!r} cannot be read as the model's {table[name].dtype}: taken as not known."
            )
    return cast, notes


def _met_by(path: Path, ids: pl.Series, users: IdMap) -> tuple[list[pl.Series], list[str]]:
    """Return for each new item the users who met it, and what of the log was not used."""
    events, _ = read_events(path)
    pairs = events.select(
        pl.col("user_id").cast(users.ids.dtype, strict=False), pl.col("item_id").cast(ids.dtype, strict=False)
    ).filter(pl.col("item_id").is_in(ids.implode()) & pl.col("user_id").is_not_null())
    if pairs.is_empty():
        raise DataError(f"{path.name}: none of its {count(events.height, 'event')} is about one of the new items.")
    notes = []
    if pairs.height < events.height:
        notes.append(
            f"{path.name}: {count(events.height - pairs.height, 'event')} about other items, or without an id: not used."
        )
    by_item = dict(pairs.group_by("item_id").agg("user_id").iter_rows())
    return [pl.Series(by_item.get(item, []), dtype=users.ids.dtype) for item in ids.to_list()], notes


def _extended(
    model: Recommender, ids: pl.Series, history: list[pl.Series] | None, attributes: pl.DataFrame | None
) -> Recommender:
    if history is None and attributes is None:
        history = [pl.Series([], dtype=model.catalogue.users.ids.dtype) for _ in ids]
    return model.with_new_items(ids, history=history, attributes=attributes)


def _placed(model: Recommender, ids: pl.Series) -> Bools:
    """Tell which items the model scores for anybody: bool [n]."""
    catalogue = model.catalogue
    index = catalogue.items.index_of(ids)
    vectors = model.rankable_items
    if vectors is not None:
        return np.asarray(np.isfinite(vectors[index]).all(axis=1))
    asked = np.argsort(-np.diff(catalogue.seen.indptr), kind="stable")[:_N_ASKED].astype(np.int64)
    placed = np.zeros(index.size, dtype=np.bool_)
    size = block_size(len(catalogue.items))
    for start in range(0, asked.size, size):
        scores = model.masked_scores(asked[start : start + size])[:, index]
        placed |= np.isfinite(scores).any(axis=0)
        if placed.all():
            break
    return placed


def _why_not(model: Recommender, newcomers: Newcomers, place: int) -> str:
    remark = newcomers.remarks[place]
    known = newcomers.known_by(place)
    if not known:
        return f"nothing usable is known of it. {remark}".rstrip()
    return f"{model.name} can make nothing of its {' and '.join(known)}. {remark}".rstrip()
