"""Parquet tables and SciPy sparse matrices. Both know their types, so nothing goes through text."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edgewise.data.source import unpacked
from edgewise.data.table import Table
from edgewise.errors import DataError

PARQUET_MARK = b"PAR1"


def open_parquet(path: Path, *, packed: bool) -> Table:
    """Open a Parquet file; only the columns that are needed will be read from it.

    Raises:
        DataError: if the file is not Parquet, damaged, or cut short.
    """
    try:
        scan = pl.scan_parquet(io.BytesIO(unpacked(path)[0]) if packed else path, glob=False)
        header = tuple(scan.collect_schema().names())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, error) from None

    def load(columns: Sequence[str]) -> pl.DataFrame:
        try:
            return scan.select(columns).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(path, error) from None

    return Table(path, "parquet", header, load)


def open_npz(path: Path) -> Table:
    """Open a sparse matrix saved by `scipy.sparse.save_npz`: rows are users, columns items, stored values strengths.

    Pickled objects inside are refused, since opening them could run code.

    Raises:
        DataError: if the file is damaged, not a CSR, CSC or COO matrix, or its indices point outside it.
    """

    def load(columns: Sequence[str]) -> pl.DataFrame:
        users, items, values = _entries(path, _arrays(path))
        frame = pl.DataFrame({"user_id": users.astype(np.int64), "item_id": items.astype(np.int64), "value": values})
        return frame.select(columns)

    note = "ids are the numbers of rows and columns, from 0."
    return Table(path, "npz", ("user_id", "item_id", "value"), load, notes=(note,))


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except ValueError as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise DataError(
                f"{path.name} holds pickled objects, which could run code when opened, so it was not. Save the matrix with "
                "scipy.sparse.save_npz(path, csr_matrix), or the rows as Parquet."
            ) from None
        raise _not_a_matrix(path, str(error)) from None
    except (OSError, zipfile.BadZipFile, EOFError, KeyError, NotImplementedError) as error:
        raise _not_a_matrix(path, f"{type(error).__name__}: {error}") from None


def _entries(
    path: Path, arrays: dict[str, NDArray[np.generic]]
) -> tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.float64]]:
    """Return row, column and value of each stored entry, checked."""
    kind = arrays.get("format", np.array("")).item()
    kind = kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind)
    needed = {"csr": ("indptr", "indices"), "csc": ("indptr", "indices"), "coo": ("row", "col")}.get(kind)
    if needed is None or any(name not in arrays for name in (*needed, "data", "shape")):
        raise _not_a_matrix(path, f"it has format {kind!r} and the arrays {', '.join(sorted(arrays)) or 'none'}")
    first, second, data, shape = (np.asarray(arrays[name]) for name in (*needed, "data", "shape"))
    if shape.shape != (2,) or any(not np.issubdtype(array.dtype, np.integer) for array in (first, second, shape)):
        raise _not_a_matrix(path, "its shape or indices are not integers")
    if data.dtype.kind not in "fiub":
        raise _not_a_matrix(path, f"its values are {data.dtype}, not numbers")
    outer, inner = (int(shape[0]), int(shape[1])) if kind != "csc" else (int(shape[1]), int(shape[0]))
    if kind != "coo":
        steps = np.diff(first)
        if first.size != outer + 1 or first[0] != 0 or first[-1] != second.size or (steps < 0).any():
            raise _not_a_matrix(path, "its indptr does not fit its shape and indices")
        first = np.repeat(np.arange(outer), steps)
    if not first.size == second.size == data.size:
        raise _not_a_matrix(path, f"it has {second.size:,} indices and {data.size:,} values")
    if first.size and (min(first.min(), second.min()) < 0 or first.max() >= outer or second.max() >= inner):
        raise _not_a_matrix(path, f"an index lies outside its shape {outer} x {inner}")
    users, items = (first, second) if kind != "csc" else (second, first)
    return users, items, data.astype(np.float64)


def _not_a_matrix(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path.name} is not a sparse matrix that can be read: {reason}. Expected a CSR, CSC or COO matrix of numbers written by "
        "scipy.sparse.save_npz, users in rows and items in columns."
    )


def _damaged(path: Path, error: Exception) -> DataError:
    reason = str(error).strip().partition("\n")[0][:160]
    return DataError(
        f"{path.name} cannot be read as Parquet ({reason}). It may be cut short or still being written; copy or export it again."
    )
