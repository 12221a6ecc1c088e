"""Graphs of items (or of users) that share neighbours: who is like whom, the nearest few of each."""

from typing import Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.graph.bipartite import transposed
from edgewise.graph.normalise import checked_weights, sums_of
from edgewise.graph.products import top_quotients
from edgewise.types import Doubles

Similarity: TypeAlias = Literal["cosine", "jaccard", "dice", "tversky", "dot"]
"""How alike two rows are; `top_neighbours` has the formulas."""


def top_neighbours(
    matrix: csr_array,
    n_neighbours: int | None,
    *,
    similarity: Similarity = "cosine",
    shrinkage: float = 0.0,
    exponents: tuple[float, float] = (0.5, 0.5),
    tversky: tuple[float, float] = (1.0, 1.0),
) -> csr_array:
    """Find the rows most like each row: R gives a graph of users, its transpose a graph of items.

    With `c_ij` the dot product of rows i and j, `|i|` the length of row i, and `n_i` how many entries it has:

    - cosine: `c_ij / (|i|^2p |j|^2q + shrinkage)` with `exponents = (p, q)`. (0.5, 0.5) is the cosine itself; (p, 1 - p) the
      asymmetric cosine of Aiolli, "Efficient Top-N Recommendation for Very Large Scale Binary Rated Datasets", RecSys 2013;
      a smaller q leaves popular neighbours more of their lead.
    - jaccard: `c_ij / (n_i + n_j - c_ij + shrinkage)`; dice: `2 c_ij / (n_i + n_j + 2 shrinkage)`;
      tversky: `c_ij / (c_ij + x (n_i - c_ij) + y (n_j - c_ij) + shrinkage)` with `tversky = (x, y)`.
      These compare sets: `c_ij` counts shared entries, and weights are ignored.
    - dot: `c_ij`.

    Shrinkage (Bell and Koren, "Scalable Collaborative Filtering with Jointly Derived Neighborhood Interpolation Weights",
    ICDM 2007) pulls the likeness of rows that share little towards zero.

    Args:
        matrix: [n, m], weights >= 0; not modified.
        n_neighbours: the most to keep in a row, never the row itself, equal values to the lower index; None: all that share anything.
        similarity: which formula.
        shrinkage: >= 0, in the units of what it is added to; not for dot.

    Returns:
        float32 [n, n], columns ascending, values > 0; row i holds the neighbours of i. Not symmetric, even where likeness is.

    Raises:
        DataError: if a weight is negative or not a number.
        ConfigError: if a setting is out of range or does not belong to the similarity.
    """
    return _neighbours(matrix, matrix, n_neighbours, similarity, shrinkage, exponents, tversky, skip_diagonal=True)


def neighbours_among(
    asked: csr_array,
    matrix: csr_array,
    n_neighbours: int | None,
    *,
    similarity: Similarity = "cosine",
    shrinkage: float = 0.0,
    exponents: tuple[float, float] = (0.5, 0.5),
) -> csr_array:
    """Find the rows of `matrix` most like rows that are not among them; else as `top_neighbours`.

    Args:
        asked: [b, m]. matrix: [n, m].

    Returns:
        float32 [b, n].
    """
    return _neighbours(asked, matrix, n_neighbours, similarity, shrinkage, exponents, (1.0, 1.0), skip_diagonal=False)


def _neighbours(
    asked: csr_array,
    matrix: csr_array,
    n_neighbours: int | None,
    similarity: Similarity,
    shrinkage: float,
    exponents: tuple[float, float],
    tversky: tuple[float, float],
    *,
    skip_diagonal: bool,
) -> csr_array:
    _check_settings(similarity, n_neighbours, shrinkage, tversky)
    if similarity in ("cosine", "dot"):
        lengths = [_squared_lengths(rows) for rows in (asked, matrix)]
        p, q = exponents if similarity == "cosine" else (0.0, 0.0)
        sizes, others, set_weights = (lengths[0] ** p, lengths[1] ** q), (asked, matrix), None
    else:
        set_weights = {"jaccard": (1.0, 1.0), "dice": (0.5, 0.5), "tversky": tversky}[similarity]
        others = (_as_sets(asked), _as_sets(matrix))
        sizes = tuple(np.diff(rows.indptr).astype(np.float64) for rows in (asked, matrix))
    return top_quotients(
        others[0],
        transposed(others[1]),
        n_neighbours,
        *sizes,
        skip_diagonal=skip_diagonal,
        shrinkage=shrinkage,
        set_weights=set_weights,
    )


def _squared_lengths(matrix: csr_array) -> Doubles:
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return sums_of(rows, checked_weights(matrix) ** 2, matrix.shape[0])


def _as_sets(matrix: csr_array) -> csr_array:
    ones = np.ones_like(checked_weights(matrix))
    return csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


def _check_settings(similarity: str, n_neighbours: int | None, shrinkage: float, tversky: tuple[float, float]) -> None:
    known = ("cosine", "jaccard", "dice", "tversky", "dot")
    if similarity not in known:
        raise ConfigError(f"similarity = {similarity!r}: expected one of {', '.join(known)}.")
    if n_neighbours is not None and n_neighbours < 1:
        raise ConfigError(f"n_neighbours = {n_neighbours}: expected at least 1, or None for all.")
    if not shrinkage >= 0:
        raise ConfigError(f"shrinkage = {shrinkage}: expected a number >= 0.")
    if shrinkage and similarity == "dot":
        raise ConfigError(
            f"shrinkage = {shrinkage} has no meaning for the plain dot product; use 0, or another similarity."
        )
    if not min(tversky) >= 0:
        raise ConfigError(f"tversky = {list(tversky)}: expected two numbers >= 0.")
