"""When items came, as their table tells it."""

import polars as pl

from edgewise.data.feature_columns import as_times
from edgewise.types import Doubles

TIME_COLUMNS = ("timestamp", "created_at", "published_at", "release_date", "date")
"""Columns of the item table that tell when an item came, in order of preference."""


def item_times(table: pl.DataFrame | None) -> Doubles | None:
    """Return when each item came, in milliseconds since 1970: float64 [n_items], NaN where unknown; None without a column."""
    column = next((name for name in TIME_COLUMNS if table is not None and name in table.columns), None)
    if table is None or column is None:
        return None
    times: Doubles = as_times(table[column]).cast(pl.Int64).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return times
