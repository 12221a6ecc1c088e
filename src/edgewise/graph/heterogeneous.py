"""Graphs with types: nodes of several kinds, and a CSR matrix for each kind of edge between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from edgewise.errors import DataError
from edgewise.graph.bipartite import index_type_for, transposed
from edgewise.types import Bools, Floats, Index

EdgeType: TypeAlias = tuple[str, str, str]
"""What sends, how, and what receives: ("user", "view", "item")."""

REVERSE = "rev_"
"""What stands before a relation's name for the same edges the other way round, as PyTorch Geometric has it."""


@dataclass(frozen=True, eq=False)
class NodeType:
    """The nodes of one type.

    Attributes:
        n_nodes: how many there are; one without edges counts too.
        ids: the caller's own, distinct, one a node; None where they have none.
        features: float32 [n_nodes, n_features], CSR or dense; None where nothing is known of them.
        feature_names: one a feature, or none at all.
    """

    n_nodes: int
    ids: pl.Series | None = None
    features: csr_array | Floats | None = None
    feature_names: tuple[str, ...] = ()

    @property
    def n_features(self) -> int:
        """How many features a node has; 0 without any."""
        return 0 if self.features is None else int(self.features.shape[1])


@dataclass(frozen=True, eq=False)
class Relation:
    """The edges of one type, by receiver.

    Attributes:
        matrix: float32 [n_targets, n_sources]: row i has the weights of the edges that node i receives, columns ascending, none
            twice. A stored zero is an edge that weighs nothing.
        features: float32 [n_edges, n_features], in the order of the matrix; None without any.
        feature_names: one a feature, or none at all.
        times: int64 [n_edges], UTC milliseconds, in the order of the matrix; None where not known.
    """

    matrix: csr_array
    features: Floats | None = None
    feature_names: tuple[str, ...] = ()
    times: Index | None = None

    @classmethod
    def from_edges(
        cls,
        edge_index: NDArray[Any],
        n_sources: int,
        n_targets: int,
        *,
        weights: NDArray[Any] | None = None,
        features: NDArray[Any] | None = None,
        feature_names: tuple[str, ...] = (),
        times: NDArray[Any] | None = None,
    ) -> "Relation":
        """Take a list of edges in any order; those between the same two nodes, in the same direction, become one.

        The one that stays has the sum of their weights, the mean of their features and the latest of their times.

        Args:
            edge_index: integers [2, n_edges]; row 0 sends, row 1 receives.
            n_sources, n_targets: how many nodes there are at either end.
            weights: [n_edges], finite; None: 1 each.
            features: [n_edges, n_features], or [n_edges] for one feature.
            feature_names: of these.
            times: int64 [n_edges], UTC milliseconds.

        Raises:
            DataError: if a shape does not fit, a node is out of range, or a number is not finite.
        """
        senders, receivers = _checked_ends(edge_index, n_sources, n_targets)
        n = senders.size
        weights = _numbers(np.ones(n) if weights is None else weights, (n,), "edge weights")
        if features is not None:
            features = np.asarray(features)
            features = _numbers(features[:, None] if features.ndim == 1 else features, (n, None), "edge features")
        if times is not None:
            times = _checked_times(times, n)
        key = receivers * max(1, n_sources) + senders
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if n else np.empty(0, dtype=np.int64)
        weights = weights[order]
        features = None if features is None else features[order]
        times = None if times is None else times[order]
        if first.size < n:
            n_each = np.diff(np.r_[first, n])
            weights = np.add.reduceat(weights.astype(np.float64), first).astype(np.float32)
            if features is not None:
                sums = np.add.reduceat(features.astype(np.float64), first, axis=0)
                features = (sums / n_each[:, None]).astype(np.float32)
            times = None if times is None else np.maximum.reduceat(times, first)
        kept = order[first]
        index_type = index_type_for(max(first.size, n_sources, n_targets))
        indptr = np.zeros(n_targets + 1, dtype=index_type)
        np.cumsum(np.bincount(receivers[kept], minlength=n_targets), out=indptr[1:])
        matrix = csr_array((weights, senders[kept].astype(index_type), indptr), shape=(n_targets, n_sources))
        return cls(matrix, features, feature_names, times)

    @property
    def n_edges(self) -> int:
        """How many edges there are."""
        return int(self.matrix.nnz)

    @property
    def edge_index(self) -> Index:
        """The ends of the edges, by ascending receiver: int64 [2, n_edges]; row 0 sends, row 1 receives."""
        return np.stack([self.matrix.indices.astype(np.int64), receivers_of(self.matrix)])

    @property
    def n_self_loops(self) -> int:
        """How many edges go from a place to the same place: meant for relations between nodes of one type."""
        return int((self.matrix.indices == receivers_of(self.matrix)).sum())

    def reversed(self) -> "Relation":
        """Return the same edges the other way round, with their weights, features and times."""
        n = self.n_edges
        places = csr_array((np.arange(n, dtype=np.int64), self.matrix.indices, self.matrix.indptr), self.matrix.shape)
        turned = transposed(places)
        place = turned.data
        matrix = csr_array((self.matrix.data[place], turned.indices, turned.indptr), shape=turned.shape)
        features = None if self.features is None else self.features[place]
        return Relation(matrix, features, self.feature_names, None if self.times is None else self.times[place])

    def where(self, keep: Bools) -> "Relation":
        """Return some of the edges: bool [n_edges], in the order of the matrix."""
        indptr = np.concatenate([[0], np.cumsum(keep)])[self.matrix.indptr].astype(self.matrix.indptr.dtype)
        matrix = csr_array((self.matrix.data[keep], self.matrix.indices[keep], indptr), shape=self.matrix.shape)
        features = None if self.features is None else self.features[keep]
        return Relation(matrix, features, self.feature_names, None if self.times is None else self.times[keep])


@dataclass(frozen=True, eq=False)
class HeterogeneousGraph:
    """Typed nodes, and typed edges between them. Both are checked when it is made, and never changed afterwards.

    Attributes:
        nodes: node type to its nodes.
        relations: edge type to its edges. Edges go one way; see `with_reverses`.
        notes: what was merged or left out while building it, one line each.

    Raises:
        DataError: if an edge type names a node type that is not there, a shape does not fit, a node is out of range, an edge
            stands twice, or a number is not finite.
    """

    nodes: Mapping[str, NodeType]
    relations: Mapping[EdgeType, Relation]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.nodes:
            raise DataError("a heterogeneous graph needs at least one type of nodes; got none.")
        for name, nodes in self.nodes.items():
            _check_nodes(name, nodes)
        for edge_type, relation in self.relations.items():
            _check_relation(edge_type, relation, self.nodes)
        object.__setattr__(self, "nodes", MappingProxyType(dict(self.nodes)))
        object.__setattr__(self, "relations", MappingProxyType(dict(self.relations)))

    @classmethod
    def from_edge_lists(
        cls, nodes: Mapping[str, NodeType | int], edge_lists: Mapping[EdgeType, NDArray[Any]]
    ) -> "HeterogeneousGraph":
        """Build from plain lists of edges without weights; what stands twice is merged, and noted.

        >>> graph = HeterogeneousGraph.from_edge_lists(
        ...     {"user": 2, "item": 3}, {("user", "buy", "item"): np.array([[0, 0, 1, 0], [2, 0, 2, 2]])}
        ... )
        >>> graph.relations["user", "buy", "item"].matrix.toarray().tolist()
        [[1.0, 0.0], [0.0, 0.0], [2.0, 1.0]]
        >>> graph.notes
        ('user -buy-> item: 1 repeated edge was merged with the first of its kind, weights summed.',)
        """
        types = {name: NodeType(given) if isinstance(given, int) else given for name, given in nodes.items()}
        relations: dict[EdgeType, Relation] = {}
        notes: list[str] = []
        for edge_type, edge_index in edge_lists.items():
            source, target = ends_of(edge_type, types)
            with named(edge_type):
                relations[edge_type] = Relation.from_edges(edge_index, source.n_nodes, target.n_nodes)
            notes += merged_note(edge_type, edge_index.shape[1], relations[edge_type])
        return cls(types, relations, tuple(notes))

    @property
    def n_nodes(self) -> int:
        """How many nodes there are, of all types."""
        return sum(nodes.n_nodes for nodes in self.nodes.values())

    @property
    def n_edges(self) -> int:
        """How many edges there are, of all types."""
        return sum(relation.n_edges for relation in self.relations.values())

    def features_of(self, node_type: str) -> csr_array | Floats:
        """Return the features of a type of nodes: float32 [n_nodes, n_features].

        Raises:
            DataError: if there is no such type, or it has none.
        """
        features = self._nodes_of(node_type).features
        if features is None:
            raise DataError(
                f"nodes of type {node_type!r} have no features; "
                f"those that have: {', '.join(name for name, nodes in self.nodes.items() if nodes.features is not None) or 'none'}. "
                "Give them features, or learn an embedding for each."
            )
        return features

    def isolated(self, node_type: str) -> Bools:
        """Tell which nodes of a type neither send nor receive: bool [n_nodes].

        Raises:
            DataError: if there is no such type.
        """
        alone = np.ones(self._nodes_of(node_type).n_nodes, dtype=np.bool_)
        for (source, _, target), relation in self.relations.items():
            if source == node_type:
                alone[relation.matrix.indices] = False
            if target == node_type:
                alone[np.diff(relation.matrix.indptr) > 0] = False
        return alone

    def select(self, edge_types: list[EdgeType]) -> "HeterogeneousGraph":
        """Return the graph of some types of edges, with all nodes.

        Raises:
            DataError: if the graph lacks one of them.
        """
        if lacking := [edge_type for edge_type in edge_types if edge_type not in self.relations]:
            raise DataError(
                f"the graph has no edges {arrow(lacking[0])}; there are {', '.join(map(arrow, self.relations)) or 'none'}."
            )
        return replace(self, relations={edge_type: self.relations[edge_type] for edge_type in edge_types})

    def with_reverses(self) -> "HeterogeneousGraph":
        """Return the graph with each relation's edges the other way round beside it, under "rev_" and its name.

        Left as they are: a relation whose reverse is there already, and one between nodes of one type whose edges all have
        an edge back, of the same weight.
        """
        relations = dict(self.relations)
        for edge_type, relation in self.relations.items():
            back = reverse_of(edge_type)
            source, _, target = edge_type
            if back not in self.relations and not (source == target and is_symmetric(relation.matrix)):
                relations[back] = relation.reversed()
        return replace(self, relations=relations)

    def _nodes_of(self, node_type: str) -> NodeType:
        if node_type not in self.nodes:
            raise DataError(f"there are no nodes of type {node_type!r}; there are {', '.join(self.nodes)}.")
        return self.nodes[node_type]


class named:  # noqa: N801 - reads as a phrase: with named(edge_type)
    """Put the edge type before the text of a `DataError` raised inside the block."""

    def __init__(self, edge_type: EdgeType) -> None:
        self._edge_type = edge_type

    def __enter__(self) -> None:
        """Nothing to open."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Say where it happened."""
        if isinstance(error, DataError):
            raise DataError(f"{arrow(self._edge_type)}: {error}") from None


def arrow(edge_type: EdgeType) -> str:
    """Write an edge type for people.

    >>> arrow(("user", "view", "item"))
    'user -view-> item'
    """
    source, relation, target = edge_type
    return f"{source} -{relation}-> {target}"


def reverse_of(edge_type: EdgeType) -> EdgeType:
    """Return the type of the same edges the other way round.

    >>> reverse_of(("user", "view", "item")), reverse_of(("item", "rev_view", "user"))
    (('item', 'rev_view', 'user'), ('user', 'view', 'item'))
    """
    source, relation, target = edge_type
    is_back = relation.startswith(REVERSE)
    return (target, relation.removeprefix(REVERSE) if is_back else REVERSE + relation, source)


def is_symmetric(matrix: csr_array) -> bool:
    """Whether a square matrix of edges has for each edge the one back, of the same weight."""
    back = transposed(matrix)
    same = np.array_equal(matrix.indptr, back.indptr) and np.array_equal(matrix.indices, back.indices)
    return bool(same and np.array_equal(matrix.data, back.data))


def receivers_of(matrix: csr_array) -> Index:
    """Return the row of each entry: int64 [n_edges], ascending."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))


def ends_of(edge_type: EdgeType, nodes: Mapping[str, NodeType]) -> tuple[NodeType, NodeType]:
    """Return the nodes that send and those that receive.

    Raises:
        DataError: if it is no triple of names, or names a type of nodes that is not there.
    """
    if not (isinstance(edge_type, tuple) and len(edge_type) == 3 and all(isinstance(part, str) for part in edge_type)):
        raise DataError(f"edge type {edge_type!r}: expected three names, such as ('user', 'view', 'item').")
    for name in (edge_type[0], edge_type[2]):
        if name not in nodes:
            raise DataError(f"{arrow(edge_type)}: there are no nodes of type {name!r}; there are {', '.join(nodes)}.")
    return nodes[edge_type[0]], nodes[edge_type[2]]


def merged_note(edge_type: EdgeType, n_given: int, relation: Relation) -> list[str]:
    """Say how many edges were merged into others, in one line; none where none was."""
    n = n_given - relation.n_edges
    edges, kind = ("edge was", "its") if n == 1 else ("edges were", "their")
    text = f"{arrow(edge_type)}: {n:,} repeated {edges} merged with the first of {kind} kind, weights summed."
    return [text] if n else []


def _checked_ends(edge_index: NDArray[Any], n_sources: int, n_targets: int) -> tuple[Index, Index]:
    edge_index = np.asarray(edge_index)
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise DataError(f"edge_index has the shape {list(edge_index.shape)}; expected [2, n_edges], senders first.")
    if edge_index.size and not np.issubdtype(edge_index.dtype, np.integer):
        raise DataError(f"edge_index is {edge_index.dtype}; expected positions of nodes as integers.")
    senders, receivers = edge_index.astype(np.int64)
    for ends, n, what in ((senders, n_sources, "sends"), (receivers, n_targets, "receives")):
        wrong = np.flatnonzero((ends < 0) | (ends >= n))
        if wrong.size:
            raise DataError(
                f"edge {wrong[0]}: node {ends[wrong[0]]} {what}, and there are {n} such nodes (0 to {n - 1}); "
                f"{wrong.size} of {ends.size} edges are out of range. Count the nodes again, or check which row of edge_index is which."
            )
    return senders, receivers


def _numbers(values: NDArray[Any], shape: tuple[int | None, ...], what: str) -> Floats:
    """Return values as float32, if their shape fits and all are finite."""
    values = np.asarray(values)
    fits = values.ndim == len(shape) and all(
        size in (None, found) for size, found in zip(shape, values.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        raise DataError(f"{what} have the shape {list(values.shape)}; expected [{expected}].")
    if not (np.issubdtype(values.dtype, np.number) or values.dtype == np.bool_):
        raise DataError(f"{what} are {values.dtype}; expected numbers.")
    with np.errstate(over="ignore"):  # what is too large for float32 is found as infinite in the next line
        numbers = np.ascontiguousarray(values, dtype=np.float32)
    _check_finite(numbers, what)
    return numbers


def _check_finite(values: NDArray[Any], what: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        place = np.argwhere(~finite)[0]
        raise DataError(
            f"{what}: {values[tuple(place)]} at {place.tolist()}, and {int((~finite).sum()):,} of {values.size:,} numbers are not "
            "finite. Fill them in first, or drop those rows or columns."
        )


def _checked_times(times: NDArray[Any], n_edges: int) -> Index:
    times = np.asarray(times)
    if times.shape != (n_edges,) or (times.size and not np.issubdtype(times.dtype, np.integer)):
        raise DataError(
            f"times are {times.dtype} {list(times.shape)}; expected UTC milliseconds as integers [{n_edges}]."
        )
    return times.astype(np.int64)


def _check_nodes(name: str, nodes: NodeType) -> None:
    what = f"nodes of type {name!r}"
    if not isinstance(name, str) or not name:
        raise DataError(f"node type {name!r}: expected a name.")
    if isinstance(nodes.n_nodes, bool) or not isinstance(nodes.n_nodes, int) or nodes.n_nodes < 0:
        raise DataError(f"{what}: n_nodes = {nodes.n_nodes!r}; expected a whole number >= 0.")
    if nodes.ids is not None:
        if len(nodes.ids) != nodes.n_nodes:
            raise DataError(f"{what}: {len(nodes.ids)} ids for {nodes.n_nodes} nodes; expected one a node.")
        if nodes.ids.null_count() or nodes.ids.n_unique() != len(nodes.ids):
            again = nodes.ids.filter(nodes.ids.is_duplicated() | nodes.ids.is_null())
            raise DataError(f"{what}: the id {again[0]!r} is missing or stands twice; expected distinct ids.")
    if nodes.features is not None:
        shape, dtype = nodes.features.shape, nodes.features.dtype
        if len(shape) != 2 or shape[0] != nodes.n_nodes or dtype != np.float32:
            raise DataError(
                f"{what}: features are {dtype} {list(shape)}; expected float32 [{nodes.n_nodes}, n_features]."
            )
        if issparse(nodes.features):
            _check_csr(nodes.features, f"{what}: features")
        else:
            _check_finite(nodes.features, f"{what}: features")
    _check_names(nodes.feature_names, nodes.n_features, what)


def _check_relation(edge_type: EdgeType, relation: Relation, nodes: Mapping[str, NodeType]) -> None:
    source, target = ends_of(edge_type, nodes)
    what, matrix = arrow(edge_type), relation.matrix
    if matrix.shape != (target.n_nodes, source.n_nodes) or matrix.dtype != np.float32:
        raise DataError(
            f"{what}: the matrix is {matrix.dtype} {list(matrix.shape)}; expected float32 [{target.n_nodes}, {source.n_nodes}], "
            "a row for each node that receives. Relation.from_edges makes it from a list of edges."
        )
    _check_csr(matrix, what)
    if relation.features is not None:
        if relation.features.dtype != np.float32:
            raise DataError(f"{what}: edge features are {relation.features.dtype}; expected float32.")
        _numbers(relation.features, (relation.n_edges, None), f"{what}: edge features")
    if relation.times is not None:
        with named(edge_type):
            _checked_times(relation.times, relation.n_edges)
    _check_names(relation.feature_names, 0 if relation.features is None else relation.features.shape[1], what)


def _check_csr(matrix: csr_array, what: str) -> None:
    """Check that a matrix is sound, with columns ascending and none twice in a row, and holds finite numbers."""
    if matrix.format != "csr":
        raise DataError(f"{what}: a sparse matrix in {matrix.format.upper()}; expected CSR, matrix.tocsr().")
    indptr, indices = matrix.indptr, matrix.indices
    sound = indptr.size == matrix.shape[0] + 1 and indptr[0] == 0 and indptr[-1] == indices.size == matrix.data.size
    if (
        not sound
        or (np.diff(indptr) < 0).any()
        or (indices.size and (indices.min() < 0 or indices.max() >= matrix.shape[1]))
    ):
        raise DataError(f"{what}: indptr or indices do not fit a matrix of the shape {list(matrix.shape)}.")
    in_row = np.ones(indices.size, dtype=np.bool_)
    in_row[indptr[:-1][np.diff(indptr) > 0]] = False  # the first of a row has none before it
    if (np.diff(indices, prepend=-1)[in_row] <= 0).any():
        raise DataError(
            f"{what}: the columns of a row do not ascend, or one stands twice. Call matrix.sum_duplicates() first."
        )
    _check_finite(matrix.data, what)


def _check_names(names: tuple[str, ...], n_features: int, what: str) -> None:
    if names and len(names) != n_features:
        raise DataError(f"{what}: {len(names)} names for {n_features} features; expected one each, or none.")
