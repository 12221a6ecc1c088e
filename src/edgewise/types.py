"""Names for the arrays and ids that travel between the parts."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ids: TypeAlias = Sequence[str] | Sequence[int] | NDArray[np.generic] | pl.Series
"""Ids as the caller keeps them: strings or 64-bit integers, one kind in one data set."""

Index: TypeAlias = NDArray[np.int64]
"""Dense positions, 0 to n - 1; -1 stands for an id that is not known."""

Floats: TypeAlias = NDArray[np.float32]
"""Single-precision numbers: embeddings, scores, weights."""

Doubles: TypeAlias = NDArray[np.float64]
"""Double-precision numbers: metrics and statistics."""

Bools: TypeAlias = NDArray[np.bool_]
"""A mask."""
