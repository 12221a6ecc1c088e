"""Perturbation: ask a model again without some of what it knows, and see what becomes of the scores."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from edgewise.explanations.evidence import Evidence
from edgewise.newcomers import Newcomers
from edgewise.ranking import block_size
from edgewise.types import Bools, Floats, Index

Ask: TypeAlias = Callable[[Newcomers], Floats]
"""Scores newcomers: float32 [n, m], NaN where the model cannot say."""


def scores_of(ask: Ask, evidence: Evidence, kept: Bools) -> Floats:
    """Score for somebody of whom only some pieces are known, block by block: float32 [n, m].

    Args:
        ask: how to score.
        evidence: all that is known.
        kept: bool [n, n_pieces], which pieces are known each time.
    """
    size = block_size(evidence.newcomer.history.shape[1])
    starts = range(0, kept.shape[0], size)
    return np.concatenate([ask(evidence.variants(kept[start : start + size])) for start in starts])


def perturbation(ask: Ask, evidence: Evidence) -> Floats:
    """Tell by how much the scores fall if one piece is not known: float32 [n_pieces, m].

    Where nothing is left to answer from, the score counts as zero.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (arXiv:1311.2901), section 4.2
    (occlusion); of the edges of a graph, Ying et al., "GNNExplainer", NeurIPS 2019 (arXiv:1903.03894), section 4.

    Args:
        ask: how to score.
        evidence: all that is known, in pieces.
    """
    n = len(evidence.pieces)
    kept = np.vstack([np.ones((1, n), dtype=np.bool_), ~np.eye(n, dtype=np.bool_)])
    scores = np.nan_to_num(scores_of(ask, evidence, kept))
    fallen: Floats = scores[0] - scores[1:]
    return fallen


def standing(scores: Floats, items: Index) -> Floats:
    """Tell by how many standard deviations some items stand above the mean of all: float32 [n, n_items].

    A ranking does not change if all scores of a user grow alike, as they do in many models when less is known; this does not
    either. On lastfm-2k it makes reasons necessary more often, and much more often sufficient, than plain scores do.

    Args:
        scores: float32 [n, n_all], NaN where there is none.
        items: int64 [n_items].
    """
    known = np.isfinite(scores)
    n = np.maximum(known.sum(axis=1, keepdims=True), 1)
    there = np.where(known, scores, 0)
    mean = there.sum(axis=1, keepdims=True, dtype=np.float64) / n
    deviation = np.sqrt(np.where(known, (there - mean) ** 2, 0).sum(axis=1, keepdims=True) / n)
    above: Floats = ((scores[:, items] - mean) / np.maximum(deviation, 1e-12)).astype(np.float32)
    return above
