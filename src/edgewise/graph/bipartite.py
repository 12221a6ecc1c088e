"""The graph of users and items: one square CSR matrix, its two halves, and the weight of its edges."""

from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.errors import DataError
from edgewise.types import Index

EdgeWeight: TypeAlias = Literal["one", "value", "log"]
"""What an edge weighs: 1, the sum of the pair's values, or log(1 + that sum)."""

MS_PER_DAY = 86_400_000
"""Milliseconds."""


def bipartite(interactions: csr_array) -> csr_array:
    """Join users and items in one graph: [[0, R], [R^T, 0]], users first.

    Args:
        interactions: R, [n_users, n_items]; not modified.

    Returns:
        [n_users + n_items, same], symmetric, R's type, columns ascending, indices of 32 bits where they fit.
    """
    n_users, n_items = interactions.shape
    users, items = ascending(interactions), transposed(interactions)
    index_type = index_type_for(max(2 * users.nnz, n_users + n_items))
    return csr_array(
        (
            np.concatenate([users.data, items.data]),
            np.concatenate([users.indices.astype(index_type) + index_type(n_users), items.indices.astype(index_type)]),
            np.concatenate([users.indptr.astype(index_type), items.indptr[1:].astype(index_type) + users.nnz]),
        ),
        shape=(n_users + n_items, n_users + n_items),
    )


def halves(graph: csr_array, n_users: int) -> tuple[csr_array, csr_array]:
    """Take a two-sided graph apart: users to items [n_users, n_items], and items to users [n_items, n_users].

    Raises:
        DataError: if the graph is not square, has fewer nodes than users, or joins two users or two items.
    """
    n_nodes = graph.shape[0]
    if graph.shape[1] != n_nodes or not 0 <= n_users <= n_nodes:
        raise DataError(
            f"a two-sided graph of {n_users} users has the shape [n, n] with n >= {n_users}; got {list(graph.shape)}."
        )
    cut = int(graph.indptr[n_users])
    if (graph.indices[:cut] < n_users).any() or (graph.indices[cut:] >= n_users).any():
        raise DataError(
            f"with {n_users} users first, the graph joins two users or two items; only user-item edges can be taken apart."
        )
    forth = (graph.data[:cut], graph.indices[:cut] - n_users, graph.indptr[: n_users + 1])
    back = (graph.data[cut:], graph.indices[cut:], graph.indptr[n_users:] - cut)
    return csr_array(forth, shape=(n_users, n_nodes - n_users)), csr_array(back, shape=(n_nodes - n_users, n_users))


def weighted_interactions(
    dataset: Dataset, weight: EdgeWeight = "one", *, half_life_days: float | None = None, now: int | None = None
) -> csr_array:
    """Return who met what with the weight of each edge.

    Args:
        dataset: not modified.
        weight: "one"; "value", the sum of the values of the pair's events; "log", log(1 + that sum).
        half_life_days: an edge loses half its weight with every so many days between the pair's latest event and the
            latest event of all; None: edges do not age.
        now: UTC milliseconds, what age is counted from in place of the latest event of all.

    Returns:
        float32 [n_users, n_items], columns ascending.

    Raises:
        DataError: if edges shall age and the events have no times, or a sum is negative and its logarithm is asked for.
    """
    matrix = (dataset.interactions if weight == "one" else dataset.strengths).copy()
    if weight == "log":
        if (matrix.data < 0).any():
            raise DataError(
                f"{int((matrix.data < 0).sum())} pairs have a negative sum of values (lowest: {matrix.data.min():g}), "
                "which has no logarithm; weigh edges by 'one' or 'value', or drop those events first."
            )
        matrix.data = np.log1p(matrix.data)
    if half_life_days is not None:
        if not dataset.has_times:
            raise DataError("edges cannot age: the events have no timestamp column. Leave half_life_days out.")
        latest = latest_times(dataset)
        age_days = ((latest.max() if now is None else now) - latest) / MS_PER_DAY
        matrix.data = matrix.data * np.exp2(-age_days / half_life_days).astype(np.float32)
    return matrix


def transposed(matrix: csr_array) -> csr_array:
    """Turn [n, m] into [m, n] in CSR, columns ascending, same type."""
    return csr_array(matrix.T.tocsr())


def ascending(matrix: csr_array) -> csr_array:
    """Return the matrix with columns ascending in each row: itself, or a sorted copy."""
    return matrix if matrix.has_sorted_indices else matrix.sorted_indices()


def index_type_for(largest: int) -> type[np.int32] | type[np.int64]:
    """Return the smaller integer type that can count up to `largest`.

    >>> index_type_for(3_000_000_000).__name__
    'int64'
    """
    return np.int32 if largest <= np.iinfo(np.int32).max else np.int64


def latest_times(dataset: Dataset) -> Index:
    """Return when each pair's latest event was, in the order of `dataset.interactions`: int64 [nnz], UTC milliseconds.

    A pair whose events have no time counts as old as the oldest that has one.
    """
    latest = (
        dataset.events.group_by("user_index", "item_index")
        .agg(pl.col("timestamp").max())
        .sort("user_index", "item_index")["timestamp"]
    )
    return np.asarray(latest.fill_null(strategy="min").fill_null(0).to_numpy(), dtype=np.int64)
