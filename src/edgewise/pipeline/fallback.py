"""Who answers when the model cannot: one function, for every caller."""

import numpy as np
from scipy.sparse import csr_array

from edgewise.ranking import top_k
from edgewise.recommender import Catalogue
from edgewise.types import Floats, Index

FALLBACK = "popular"
"""The name of what `popular_block` answers with, for people and for logs."""


def popular_block(
    catalogue: Catalogue, k: int, exclude: csr_array | None = None, n_rows: int = 1
) -> tuple[Index, Floats]:
    """Rank items by how many people met them, for users of whom the model knows nothing.

    Args:
        catalogue: of the fitted model.
        k: the longest list, > 0.
        exclude: float32 [n_rows, n_items], what each row has met; None for newcomers.
        n_rows: how many lists, where `exclude` is None.

    Returns:
        Item positions int64 [n_rows, k], -1 behind the end, and the counts float32 [n_rows, k]; items nobody met stay out.
    """
    counts = catalogue.item_counts.astype(np.float32)
    counts[counts == 0] = np.nan
    rows = exclude.shape[0] if exclude is not None else n_rows
    if exclude is None:  # everyone gets the same list: rank once
        best, scores = top_k(counts[None, :], k)
        return np.repeat(best, rows, axis=0), np.repeat(scores, rows, axis=0)
    return top_k(np.tile(counts, (rows, 1)), k, exclude)
