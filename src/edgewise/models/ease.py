"""EASE: one ridge regression for every item, all solved at once by one matrix inverse."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import psutil
from pydantic import PositiveFloat
from scipy.linalg import lapack
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.errors import MemoryNeedError, TrainingError
from edgewise.graph.bipartite import transposed
from edgewise.graph.products import dense_product
from edgewise.graph.spmm import spmm
from edgewise.newcomers import Newcomers, by_history
from edgewise.recommender import Recommender
from edgewise.search_space import LogUniform, SearchSpace
from edgewise.types import Floats, Index

_TILE = 1024
"""Rows and columns of the part that is mirrored at once: two of these fit a processor's cache."""


class EASEConfig(Settings):
    """Settings of `ease`.

    Larger penalties suit dense data and smaller ones sparse; the default lies between what is best for MovieLens 1M and for
    CiteULike on validation parts (benchmarks/settings.py).
    """

    regularization: PositiveFloat = 200.0
    max_memory_gb: PositiveFloat | None = None  # refuse to need more than this; None: than what is free


class EASE(Recommender):
    """Score by a linear map of the history with a zero diagonal: X B, B = argmin |X - X B|^2 + regularization |B|^2, diag(B) = 0.

    In closed form, with P = (X^T X + regularization I)^-1: B_ij = -P_ij / P_jj for i != j. B is dense, so memory grows with
    the square of the catalogue (one matrix: it is built, inverted and scaled in place) and time with its cube.
    """

    name: ClassVar[str] = "ease"
    title: ClassVar[str] = "EASE"
    paper: ClassVar[str] = "Steck, “Embarrassingly Shallow Autoencoders for Sparse Data”, WWW 2019 (arXiv:1905.03375)"
    needs: ClassVar[str] = "interactions, and memory for n_items^2 numbers"
    is_baseline: ClassVar[bool] = True
    Config: ClassVar[type[Settings]] = EASEConfig
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    adds_up: ClassVar[bool] = True
    STATE: ClassVar[tuple[str, ...]] = ("weights",)
    SEARCH: ClassVar[SearchSpace] = {"regularization": LogUniform(10.0, 5000.0)}

    weights: Floats  # B, [n_items, n_items]: row i says for which items i speaks

    def fit_arrays(self, dataset: Dataset) -> None:
        """Invert the Gram matrix.

        Raises:
            MemoryNeedError: before anything is allocated, if the matrix does not fit.
        """
        _check_memory(dataset.n_items, self.config.max_memory_gb)
        interactions = dataset.interactions
        gram = dense_product(transposed(interactions), interactions)  # X^T X, [n_items, n_items]
        gram.flat[:: dataset.n_items + 1] += self.config.regularization
        inverse = _inverse_in_place(gram)
        inverse /= -inverse.diagonal()
        np.fill_diagonal(inverse, 0.0)
        self.weights = inverse

    def score_block(self, user_index: Index) -> Floats:
        """Score by what each user has met."""
        return self.score_history(self.catalogue.seen[user_index])

    def score_history(self, rows: csr_array) -> Floats:
        """Score all items for histories of anyone: float32 [b, n_items] from [b, n_items]."""
        return spmm(rows, self.weights)

    def score_newcomers(self, newcomers: Newcomers) -> Floats:
        """Score by history, as for known users."""
        return by_history(self.score_history, newcomers)

    def similarity_block(self, item_index: Index) -> Floats:
        """Tell the partial correlation of items, given all others: -P_ij / sqrt(P_ii P_jj)."""
        there, back = self.weights[item_index], self.weights[:, item_index].T  # [b, n_items] each
        correlation: Floats = np.copysign(np.sqrt(np.abs(there * back)), there)
        return correlation

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:  # noqa: ARG002
        """Split the score into its terms B_ij."""
        terms: Floats = self.weights[history, item_index]
        return terms


def _check_memory(n_items: int, max_memory_gb: float | None) -> None:
    needed_gb = 4 * n_items**2 / 1e9
    limit_gb = _free_bytes() / 1e9 if max_memory_gb is None else max_memory_gb
    if needed_gb > limit_gb:
        limit = f"{_gb(limit_gb)} are free" if max_memory_gb is None else f"max_memory_gb = {limit_gb:g} allows less"
        raise MemoryNeedError(
            f"ease needs {_gb(needed_gb)} for the likeness of {n_items:,} items to each other, and {limit}. Use item-knn or "
            "rp3beta, which keep the nearest items only, or graph-filter; or leave out items that few people met, by a k-core."
        )


def _gb(amount: float) -> str:
    return f"{amount:.1f} GB" if amount >= 0.05 else f"{amount:.2g} GB"


def _free_bytes() -> float:
    """What can be allocated without swapping: the machine's free memory, or what a container still allows."""
    free = float(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        return min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no control groups of version 2, or no limit ("max")
        return free


def _inverse_in_place(gram: Floats) -> Floats:
    """Invert a symmetric positive definite float32 matrix in its own memory, by Cholesky."""
    # LAPACK stores by columns; the transpose of a symmetric C matrix is the same matrix by columns, without a copy.
    by_columns = gram.T
    factor, failed = lapack.spotrf(by_columns, lower=1, overwrite_a=1)
    if not failed:
        inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise TrainingError(
            f"ease: the Gram matrix plus regularization cannot be inverted in single precision (LAPACK says {failed}); "
            "raise regularization."
        )
    _mirror(inverse.T)
    return inverse.T  # type: ignore[no-any-return]


def _mirror(matrix: Floats) -> None:
    """Copy the upper triangle to the lower one, tile by tile."""
    n = matrix.shape[0]
    for top in range(0, n, _TILE):
        for left in range(top, n, _TILE):
            tile = matrix[top : top + _TILE, left : left + _TILE]
            if left == top:
                tile[:] = np.triu(tile) + np.triu(tile, 1).T
            else:
                matrix[left : left + _TILE, top : top + _TILE] = tile.T
