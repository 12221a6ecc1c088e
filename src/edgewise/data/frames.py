"""Frames of other libraries as tables: Polars, pandas and Arrow, without importing those that are not there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from edgewise.data.table import Table
from edgewise.errors import DataError


def table_of_frame(frame: Any, what: str = "the frame") -> Table:
    """Take a frame as a table; only the columns that are needed are converted.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or an Arrow Table or RecordBatch.
        what: what to call it in messages.

    Raises:
        DataError: if it is none of these, or (on loading) a column mixes types.
    """
    library = type(frame).__module__.partition(".")[0]
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        return Table(Path(what), "Polars frame", tuple(frame.columns), frame.select)
    if library == "pandas" and hasattr(frame, "columns"):
        return _of_pandas(frame, what)
    if library == "pyarrow" and hasattr(frame, "column_names"):
        return _of_arrow(frame, what)
    raise DataError(
        f"{what} is a {type(frame).__module__}.{type(frame).__name__}; expected a Polars or pandas DataFrame or an Arrow Table. "
        "For a file use Dataset.from_file, for a SciPy matrix Dataset.from_csr."
    )


def _of_pandas(frame: Any, what: str) -> Table:
    names = [str(name) for name in frame.columns]

    def load(columns: Sequence[str]) -> pl.DataFrame:
        converted = []
        for name in columns:
            series = frame.iloc[:, names.index(name)]
            try:
                converted.append(pl.Series(name, pl.from_pandas(series.reset_index(drop=True))))
            except (
                TypeError,
                ValueError,
                OverflowError,
                pl.exceptions.PolarsError,
            ) as error:  # Arrow's errors are these too
                raise DataError(
                    f"{what}: the column {name!r} ({series.dtype}) mixes types ({str(error)[:120]}). Make it one type first, such as "
                    f"frame[{name!r}].astype(str)."
                ) from None
        return pl.DataFrame(converted)

    return Table(Path(what), "pandas frame", tuple(names), load)


def _of_arrow(frame: Any, what: str) -> Table:
    def load(columns: Sequence[str]) -> pl.DataFrame:
        loaded = pl.from_arrow(frame.select(list(columns)))
        if not isinstance(loaded, pl.DataFrame):
            raise DataError(f"{what}: Arrow gave no table for the columns {', '.join(columns)}.")
        return loaded

    return Table(Path(what), "Arrow table", tuple(frame.column_names), load)
