"""Who answers when the model cannot: one function, for every caller."""

import numpy as np
from scipy.sparse import csr_array

from edgewise.catalogue import Catalogue
from edgewise.ranking import NOTHING, top_k
from edgewise.types import Floats, Index

FALLBACK = "popular"
"""The name of what `popular_items` answers with, for people and for logs."""


def popular_scores(catalogue: Catalogue) -> Floats:
    """Return how many people met each item: float32 [n_items], NaN for those that nobody met."""
    counts = catalogue.item_counts.astype(np.float32)
    counts[counts == 0] = np.nan
    return counts


def popular_items(catalogue: Catalogue, k: int, exclude: csr_array | None = None) -> tuple[Index, Floats]:
    """Rank items by how many people met them, for someone of whom the model knows nothing.

    Args:
        catalogue: of the fitted model.
        k: the longest list, > 0.
        exclude: [1, n_items], what this person has met; None for a newcomer.

    Returns:
        Item positions int64, at most k, and the counts float32; items that nobody met stay out.
    """
    best, scores = top_k(popular_scores(catalogue)[None, :], min(k, len(catalogue.items)), exclude)
    there = best[0] != NOTHING
    return best[0][there], scores[0][there]
