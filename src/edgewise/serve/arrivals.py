"""Items that came after training: placed by what was told of them and by who met them first, without training."""

from collections.abc import Mapping, Sequence

import polars as pl

from edgewise.data.vocabulary import UNDOES
from edgewise.errors import ConfigError
from edgewise.pipeline.new_items import with_placed
from edgewise.pipeline.told import told_columns
from edgewise.recommender import Recommender
from edgewise.store import EventStore, StoredItem

_MOST_PEOPLE = 1000
"""How many of the latest events of a new item are read."""


def with_arrivals(
    model: Recommender, store: EventStore, told: Mapping[str, StoredItem], item_ids: Sequence[str]
) -> Recommender | None:
    """Return a model that also knows those of some items, which it does not know yet, that it can place.

    Args:
        model: as it was trained. store: who met the items. told: what was told of them, by id.
        item_ids: as text; one that cannot be an id of this model is left out.

    Returns:
        The model; None where it can place none of them.
    """
    items, users = model.catalogue.items, model.catalogue.users
    texts = sorted(item_ids)
    ids = items.from_text(texts)
    possible = ids.is_not_null().to_list()
    texts, ids = [text for text, is_one in zip(texts, possible, strict=True) if is_one], ids.drop_nulls()
    if not texts:
        return None
    history = [users.from_text(_people_of(store, text)).drop_nulls() for text in texts]
    try:
        return with_placed(
            model, ids, history, _attributes(model, [told.get(text) or StoredItem(text) for text in texts])
        )[0]
    except ConfigError:  # a model that takes no new items
        return None


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
