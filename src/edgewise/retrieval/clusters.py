"""k-means: vectors grouped by the nearest of some centres, the same groups whatever the number of threads."""

import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from edgewise.types import Floats, Index

_BLOCK = 1024
"""Rows a product: a fixed number, so that neither the number of threads nor the machine changes how sums are formed."""

_SAMPLE = 40
"""Vectors a centre to train with, not tuned."""

_ROUNDS = 6
"""Rounds of k-means, not tuned: lists need not be perfect."""


def centres_of(vectors: Floats, n_centres: int, rng: np.random.Generator) -> Floats:
    """Find centres by k-means on a sample: Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 1982.

    Args:
        vectors: float32 [n, d], finite, n >= n_centres.
        n_centres: how many.
        rng: draws the sample, whose first vectors are the first centres.

    Returns:
        float32 [n_centres, d]. A centre that loses all its vectors stays where it was.
    """
    size = min(len(vectors), _SAMPLE * n_centres)
    chosen = rng.permutation(len(vectors))[:size]
    centres: Floats = vectors[chosen[:n_centres]].copy()
    sample = vectors[np.sort(chosen)]  # in order, which reads memory forwards
    for _ in range(_ROUNDS):
        _move(sample, nearest(sample, centres), centres)
    return centres


def nearest(vectors: Floats, centres: Floats) -> Index:
    """Return for each vector of float32 [n, d] the centre at the least distance, int64 [n]; the first of several."""
    half_squares = 0.5 * np.einsum("ld,ld->l", centres, centres)  # |x - c|^2 is least where x c - |c|^2 / 2 is most
    across = np.ascontiguousarray(centres.T)  # [d, n_centres]
    found = np.empty(len(vectors), dtype=np.int64)

    def assign(start: int) -> None:
        block = vectors[start : start + _BLOCK]
        _largest(block @ across, half_squares, found[start : start + _BLOCK])

    # One BLAS thread a block: how BLAS cuts a product among several may change the last bit.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(numba.get_num_threads(), os.cpu_count() or 1)) as pool:
        list(pool.map(assign, range(0, len(vectors), _BLOCK)))
    return found


@numba.njit(cache=True, nogil=True)
def _largest(products, half_squares, found):  # type: ignore[no-untyped-def]
    for row in range(products.shape[0]):
        best, at = np.float32(-np.inf), 0
        for centre in range(products.shape[1]):
            score = products[row, centre] - half_squares[centre]
            if score > best:
                best, at = score, centre
        found[row] = at


@numba.njit(cache=True, nogil=True)
def _move(sample, group, centres):  # type: ignore[no-untyped-def]
    """Put each centre to the mean of its vectors."""
    sums = np.zeros(centres.shape, dtype=np.float64)
    counts = np.zeros(centres.shape[0], dtype=np.int64)
    for row in range(sample.shape[0]):
        counts[group[row]] += 1
        for place in range(sample.shape[1]):
            sums[group[row], place] += sample[row, place]
    for centre in range(centres.shape[0]):
        if counts[centre]:
            for place in range(sample.shape[1]):
                centres[centre, place] = sums[centre, place] / counts[centre]
