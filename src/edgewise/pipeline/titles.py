"""What to call an item or a user in front of people."""

import polars as pl

from edgewise.catalogue import Catalogue

TITLE_COLUMNS = ("title", "name", "description")
"""Attribute columns that name an item, in order of preference; standard names, as reading gives them."""

CATEGORY_COLUMNS = ("category", "genres", "genre", "tags", "type", "brand", "author", "language")
"""Attribute columns that group items, in order of preference."""


def titles_of(catalogue: Catalogue, item_ids: pl.Series) -> list[str]:
    """Return the title of each item, its id as text where it has none."""
    texts = item_ids.cast(pl.String)
    column = _first(catalogue.item_table, TITLE_COLUMNS)
    if column is None or catalogue.item_table is None:
        return texts.to_list()
    index = catalogue.items.index_of(item_ids)
    titles = catalogue.item_table[column].cast(pl.String).gather(index)
    return (
        pl.select(pl.when(titles.is_null() | (titles.str.strip_chars() == "")).then(texts).otherwise(titles))
        .to_series()
        .to_list()
    )


def category_column(catalogue: Catalogue) -> str | None:
    """Return the name of the attribute that groups items, or None."""
    return _first(catalogue.item_table, CATEGORY_COLUMNS)


def _first(table: pl.DataFrame | None, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if table is not None and name in table.columns), None)
