"""The leading singular vectors of a sparse matrix: its smoothest signals."""

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.graph.bipartite import transposed
from edgewise.graph.spmm import spmm
from edgewise.types import Floats

_SMALL = 2048
"""A side up to this long is solved exactly through its dense Gram matrix, in seconds."""

_OVERSAMPLING = 1.125
"""The random subspace is this much wider than asked for; the widest tenth converges last and is thrown away."""

_NOISE = 1e-5
"""A singular value below this share of the largest is rounding in single precision."""


def truncated_svd(
    matrix: csr_array, n_factors: int, rng: np.random.Generator, *, n_iterations: int = 6
) -> tuple[Floats, Floats, Floats]:
    """Return the leading singular triplets: matrix is nearly left @ diag(strengths) @ right.T.

    Exact where one side is small; else randomised subspace iteration (Halko, Martinsson and Tropp, "Finding Structure with
    Randomness", SIAM Review 2011, algorithms 4.4 and 5.1), with our product of sparse and dense.

    Args:
        matrix: float32 [n, m].
        n_factors: how many, >= 1; fewer come back where the matrix has a lower rank.
        rng: for the random subspace.
        n_iterations: passes over the matrix and its transpose.

    Returns:
        left float32 [n, k], strengths float32 [k], falling, and right float32 [m, k]. Signs are fixed: the largest entry
        of each right vector is positive.

    Raises:
        ConfigError: if `n_factors` is below 1.
    """
    if n_factors < 1:
        raise ConfigError(f"n_factors = {n_factors}: expected at least 1.")
    if matrix.shape[0] > matrix.shape[1]:
        right, strengths, left = truncated_svd(transposed(matrix), n_factors, rng, n_iterations=n_iterations)
    else:
        back = transposed(matrix)
        basis = None if matrix.shape[0] <= _SMALL else _leading_subspace(matrix, back, n_factors, rng, n_iterations)
        seen = matrix.toarray().T if basis is None else spmm(back, basis)  # [m, k'], matrix.T @ basis
        squares, turn = eigh(seen.T.astype(np.float64) @ seen)
        order = np.argsort(-squares, kind="stable")[:n_factors]
        order = order[squares[order] > squares.max(initial=0.0) * _NOISE**2]
        strengths = np.sqrt(squares[order]).astype(np.float32)
        turned = np.ascontiguousarray(turn[:, order], dtype=np.float32)
        left = turned if basis is None else basis @ turned
        right = (seen @ turned) / strengths
    flip = np.where(right[np.abs(right).argmax(axis=0), np.arange(right.shape[1])] < 0, np.float32(-1), np.float32(1))
    return left * flip, strengths, right * flip


def _leading_subspace(
    matrix: csr_array, back: csr_array, n_factors: int, rng: np.random.Generator, n_iterations: int
) -> Floats:
    """Return an orthonormal basis float32 [n, k'] of what matrix @ matrix.T keeps of random directions."""
    width = min(matrix.shape[0], int(np.ceil(n_factors * _OVERSAMPLING)) + 8)
    basis = rng.standard_normal((matrix.shape[0], width), dtype=np.float32)
    for _ in range(n_iterations):
        basis, _ = np.linalg.qr(spmm(matrix, spmm(back, basis)))
        basis = np.ascontiguousarray(basis)
    return basis
