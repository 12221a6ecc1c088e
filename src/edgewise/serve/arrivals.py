"""Items that came after training: placed by what was told of them and by who met them first, without training."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from edgewise.data.ids import UNKNOWN
from edgewise.data.vocabulary import UNDOES
from edgewise.errors import ConfigError
from edgewise.pipeline.new_items import with_placed
from edgewise.pipeline.told import told_columns
from edgewise.recommender import Recommender
from edgewise.store import EventStore, StoredItem
from edgewise.store.event import subject_of
from edgewise.types import Index

_MOST_PEOPLE = 1000
"""How many of the latest events of a new item are read."""


class Arrivals:
    """Who met the items that came after the training of a model, read from the store once and again where something happened.

    Args:
        model: as it was trained. store: who met the items.
    """

    def __init__(self, model: Recommender, store: EventStore) -> None:
        self._model, self._store = model, store
        self._people: dict[str, Index] = {}  # of users whom training met: no others place an item

    def placed(self, told: Mapping[str, StoredItem], item_ids: Collection[str]) -> Recommender | None:
        """Return the model with those of some items, which it does not know yet, that it can place.

        Args:
            told: what was told of items, by id.
            item_ids: as text; one that cannot be an id of this model is left out. What is known of others is dropped.

        Returns:
            The model; None where it can place none of them.
        """
        model = self._model
        items, users = model.catalogue.items, model.catalogue.users
        texts = sorted(item_ids)
        ids = items.from_text(texts)
        possible = ids.is_not_null().to_list()
        texts, ids = [text for text, is_one in zip(texts, possible, strict=True) if is_one], ids.drop_nulls()
        self._people = {text: self._people[text] for text in texts if text in self._people}
        if not texts:
            return None
        self._read([text for text in texts if text not in self._people])
        history = _cut(
            users.ids_at(_joined(self._people[text] for text in texts)), [self._people[text].size for text in texts]
        )
        try:
            return with_placed(
                model, ids, history, _attributes(model, [told.get(text) or StoredItem(text) for text in texts])
            )[0]
        except ConfigError:  # a model that takes no new items
            return None

    def forget(self, item_ids: Iterable[str]) -> None:
        """Read who met some items again when they are placed next."""
        for item in item_ids:
            self._people.pop(item, None)

    def touched_by(self, subjects: Collection[str]) -> set[str]:
        """Return the items that the log calls by one of these subjects, or that were placed by users whom it calls so."""
        if not subjects:
            return set()
        touched = {item for item in self._people if subject_of(item) in subjects}
        users = np.unique(_joined(self._people.values()))
        names = self._model.catalogue.users.ids_at(users).cast(pl.String).to_list()
        gone = users[np.array([subject_of(name) in subjects for name in names], dtype=np.bool_)]
        if gone.size:
            touched |= {item for item, people in self._people.items() if np.isin(people, gone).any()}
        return touched

    def _read(self, item_ids: Sequence[str]) -> None:
        """Ask the store about items, and translate the ids of all their people at once."""
        if not item_ids:
            return
        users = self._model.catalogue.users
        people = [_people_of(self._store, item) for item in item_ids]
        index = users.index_of(users.from_text([name for names in people for name in names]))
        ends = np.cumsum([len(names) for names in people])
        for item, found in zip(item_ids, np.split(index, ends[:-1]), strict=True):
            self._people[item] = found[found != UNKNOWN]


def _joined(parts: Iterable[Index]) -> Index:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def _cut(series: pl.Series, sizes: Sequence[int]) -> list[pl.Series]:
    ends = np.cumsum(sizes).tolist()
    return [series.slice(end - size, size) for end, size in zip(ends, sizes, strict=True)]


def _people_of(store: EventStore, item_id: str) -> list[str]:
    """Return who met an item and did not take it back."""
    counts: dict[tuple[str, str], int] = {}
    for event in store.of_item(item_id, _MOST_PEOPLE):
        key = event.user_id, UNDOES.get(event.type, event.type)
        counts[key] = counts.get(key, 0) + (-1 if event.type in UNDOES else 1)
    return sorted({user for (user, _), n in counts.items() if n > 0})


def _attributes(model: Recommender, told: Sequence[StoredItem]) -> pl.DataFrame | None:
    """Return what was told in the columns that the model's items have; None where nothing of it is one of these."""
    table = model.catalogue.item_table
    columns = [] if table is None or table.width == 1 else told_columns(table, told, "item")
    return pl.DataFrame(columns) if columns else None
