"""Heterogeneous graphs to and from PyTorch Geometric's `HeteroData`. Needs torch, which no other file of graphs with types does."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.errors import DataError
from edgewise.graph.bipartite import index_type_for
from edgewise.graph.heterogeneous import (
    EdgeType,
    HeterogeneousGraph,
    NodeType,
    Relation,
    arrow,
    ends_of,
    merged_note,
    named,
    receivers_of,
)
from edgewise.graph.pyg import load_pyg
from edgewise.types import Floats

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

_NODE_KEYS = ("x", "num_nodes", "ids", "feature_names")
_EDGE_KEYS = ("edge_index", "edge_weight", "edge_attr", "time", "feature_names")


def to_hetero_data(graph: HeterogeneousGraph) -> "HeteroData":
    """Turn a graph into PyTorch Geometric's form; nothing is lost, and `from_hetero_data` gives it back.

    Nodes get `num_nodes`, `x` (a COO tensor where features are sparse), `ids` (int64 tensor, or a list of text) and
    `feature_names`; edges get `edge_index` by ascending receiver, `edge_weight`, and where they have them `edge_attr`, `time`
    (int64 UTC milliseconds) and `feature_names`. Arrays are copied. The graph's notes are `data.notes`.
    """
    data = load_pyg("data").HeteroData()
    data.notes = list(graph.notes)
    for name, nodes in graph.nodes.items():
        store = data[name]
        store.num_nodes = nodes.n_nodes
        if nodes.ids is not None:
            is_integer = nodes.ids.dtype.is_integer()
            store.ids = (
                torch.from_numpy(nodes.ids.cast(pl.Int64).to_numpy().copy()) if is_integer else nodes.ids.to_list()
            )
        if nodes.features is not None:
            store.x = _tensor(nodes.features)
        if nodes.feature_names:
            store.feature_names = list(nodes.feature_names)
    for edge_type, relation in graph.relations.items():
        store = data[edge_type]
        store.edge_index = torch.from_numpy(relation.edge_index)
        store.edge_weight = torch.from_numpy(relation.matrix.data.copy())
        if relation.features is not None:
            store.edge_attr = torch.from_numpy(relation.features.copy())
        if relation.feature_names:
            store.feature_names = list(relation.feature_names)
        if relation.times is not None:
            store.time = torch.from_numpy(relation.times.copy())
    return data


def from_hetero_data(data: "HeteroData") -> HeterogeneousGraph:
    """Turn PyTorch Geometric's form into a graph, whoever made it.

    Read are, of nodes, `num_nodes`, `x`, `ids` and `feature_names`; of edges, `edge_index`, `edge_weight`, `edge_attr`, `time`
    and `feature_names`. Numbers become float32, repeated edges are merged, and whatever else there is (labels, masks) is left out;
    `notes` says so.

    Raises:
        DataError: if nodes tell neither `num_nodes` nor `x` nor `ids`, edges have no `edge_index` or one that is out of range,
            a type of nodes is missing, a shape does not fit, or a number is not finite.
    """
    if not isinstance(data, load_pyg("data").HeteroData):
        raise DataError(f"expected a torch_geometric.data.HeteroData, got a {type(data).__name__}.")
    notes = [str(note) for note in data.to_dict().get("_global_store", {}).get("notes", [])]
    nodes = {}
    for name in data.node_types:
        store = data[name].to_dict()
        notes += _left_out(f"nodes of type {name!r}", store, _NODE_KEYS)
        nodes[name] = _nodes(name, store)
    relations: dict[EdgeType, Relation] = {}
    for edge_type in data.edge_types:
        store = data[edge_type].to_dict()
        notes += _left_out(arrow(edge_type), store, _EDGE_KEYS)
        source, target = ends_of(edge_type, nodes)
        with named(edge_type):
            relations[edge_type] = _relation(store, source.n_nodes, target.n_nodes)
        notes += merged_note(edge_type, int(store["edge_index"].shape[1]), relations[edge_type])
    return HeterogeneousGraph(nodes, relations, tuple(notes))


def _nodes(name: str, store: Mapping[str, Any]) -> NodeType:
    what = f"nodes of type {name!r}"
    features = _features(store["x"], what) if store.get("x") is not None else None
    ids = _ids(store["ids"], what) if store.get("ids") is not None else None
    if store.get("num_nodes") is not None:
        n_nodes = store["num_nodes"]
        if isinstance(n_nodes, bool) or not isinstance(n_nodes, int):
            raise DataError(f"{what}: num_nodes = {n_nodes!r}; expected a whole number.")
    elif features is not None:
        n_nodes = int(features.shape[0])
    elif ids is not None:
        n_nodes = len(ids)
    else:
        raise DataError(
            f"{what} do not say how many there are: no num_nodes, x or ids. "
            f"Set data[{name!r}].num_nodes; counting the ends of edges would miss nodes without any."
        )
    return NodeType(n_nodes, ids, features, _names(store.get("feature_names"), what))


def _relation(store: Mapping[str, Any], n_sources: int, n_targets: int) -> Relation:
    edge_index = store.get("edge_index")
    if edge_index is None:
        held = ", ".join(store) or "nothing"
        raise DataError(f"there is no edge_index, only {held}. Set edge_index, int64 [2, n_edges], senders first.")
    weights, features, times = (store.get(name) for name in ("edge_weight", "edge_attr", "time"))
    weights = None if weights is None else _array(weights, "edge_weight")
    if weights is not None and weights.ndim == 2 and weights.shape[1] == 1:
        weights = weights[:, 0]
    return Relation.from_edges(
        _array(edge_index, "edge_index"),
        n_sources,
        n_targets,
        weights=weights,
        features=None if features is None else _array(features, "edge_attr"),
        feature_names=_names(store.get("feature_names"), "edges"),
        times=None if times is None else _array(times, "time"),
    )


def _tensor(features: csr_array | Floats) -> Tensor:
    if isinstance(features, np.ndarray):
        return torch.from_numpy(features.copy())
    place = np.stack([receivers_of(features), features.indices.astype(np.int64)])
    values = torch.from_numpy(features.data.copy())
    # COO: torch warns that its CSR tensors are in beta.
    with torch.sparse.check_sparse_tensor_invariants(enable=False):  # type: ignore[no-untyped-call]  # said aloud, or torch warns
        return torch.sparse_coo_tensor(torch.from_numpy(place), values, size=features.shape, is_coalesced=True)


def _features(x: Any, what: str) -> csr_array | Floats:
    if isinstance(x, Tensor) and x.layout != torch.strided:
        if x.dim() != 2:
            raise DataError(f"{what}: x is sparse and has the shape {list(x.shape)}; expected [n_nodes, n_features].")
        x = x.detach().cpu()
        entries = x.coalesce() if x.layout == torch.sparse_coo else x.to_sparse_coo().coalesce()
        values = entries.values().numpy().astype(np.float32)
        place = entries.indices().numpy().astype(index_type_for(max(values.size, *x.shape)))
        matrix = csr_array((values, tuple(place)), shape=tuple(x.shape))
        matrix.sort_indices()
        return matrix
    values = _array(x, f"{what}: x")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not (np.issubdtype(values.dtype, np.number) or values.dtype == np.bool_):
        raise DataError(f"{what}: x is {values.dtype} {list(values.shape)}; expected numbers [n_nodes, n_features].")
    return np.ascontiguousarray(values, dtype=np.float32)


def _ids(ids: Any, what: str) -> pl.Series:
    try:
        series = pl.Series("ids", _array(ids, "ids") if isinstance(ids, Tensor) else ids, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{what}: ids are neither all text nor all integers ({type(error).__name__}).") from None
    if series.dtype == pl.Null:  # an empty list tells no type, and a missing id is found as such later
        return series.cast(pl.String)
    if series.dtype != pl.String and not series.dtype.is_integer():
        raise DataError(f"{what}: ids are {series.dtype}; expected text or integers.")
    return series


def _array(values: Any, what: str) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        dense: NDArray[Any] = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
        return dense
    try:
        array: NDArray[Any] = np.asarray(values)
    except ValueError:
        raise DataError(f"{what} is a {type(values).__name__} that is no array; expected a tensor.") from None
    return array


def _names(names: Any, what: str) -> tuple[str, ...]:
    if names is None:
        return ()
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{what}: feature_names = {str(names)[:60]}; expected a list of text.")
    return tuple(names)


def _left_out(what: str, store: Mapping[str, Any], known: tuple[str, ...]) -> list[str]:
    others = [key for key in store if key not in known]
    return [f"{what}: {', '.join(others)} left out."] if others else []
