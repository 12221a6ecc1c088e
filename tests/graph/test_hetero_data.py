"""PyTorch Geometric's form: nothing is lost on the way there and back, and odd content is named."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.errors import DataError
from edgewise.graph.hetero_data import from_hetero_data, to_hetero_data
from edgewise.graph.heterogeneous import HeterogeneousGraph, NodeType, Relation
from edgewise.graph.pyg import load_pyg


def same(left: HeterogeneousGraph, right: HeterogeneousGraph) -> None:
    """Fail unless the two are equal in everything."""
    assert list(left.nodes) == list(right.nodes)
    assert list(left.relations) == list(right.relations)
    assert left.notes == right.notes
    for name, nodes in left.nodes.items():
        other = right.nodes[name]
        assert (nodes.n_nodes, nodes.feature_names) == (other.n_nodes, other.feature_names)
        assert (nodes.ids is None) == (other.ids is None)
        assert nodes.ids is None or nodes.ids.to_list() == (other.ids if other.ids is not None else nodes.ids).to_list()
        equal(nodes.features, other.features)
    for edge_type, relation in left.relations.items():
        back = right.relations[edge_type]
        equal(relation.matrix, back.matrix)
        equal(relation.features, back.features)
        equal(relation.times, back.times)
        assert relation.feature_names == back.feature_names


def equal(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    if isinstance(left, csr_array):
        for part in ("indptr", "indices", "data"):
            equal(getattr(left, part), getattr(right, part))
        assert left.shape == right.shape
    elif left is not None:
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype


@st.composite
def graphs(draw: st.DrawFn) -> HeterogeneousGraph:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes: dict[str, NodeType] = {}
    for name in draw(st.lists(st.sampled_from(["user", "item", "item_genre", "a b"]), min_size=1, unique=True)):
        n = draw(st.integers(0, 6))
        ids = draw(
            st.sampled_from(
                [None, pl.Series("ids", rng.permutation(n)), pl.Series([f"n{i}" for i in range(n)], dtype=pl.String)]
            )
        )
        width = draw(st.integers(0, 3))
        x = (rng.standard_normal((n, width)) * (rng.random((n, width)) < 0.5)).astype(np.float32)
        features = draw(st.sampled_from([None, x, csr_array(x)]))
        named = features is not None and draw(st.booleans())
        nodes[name] = NodeType(n, ids, features, tuple(f"f{i}" for i in range(width)) if named else ())
    relations: dict[tuple[str, str, str], Relation] = {}
    kinds = st.tuples(
        st.sampled_from(list(nodes)), st.sampled_from(["view", "rating=4.5"]), st.sampled_from(list(nodes))
    )
    for edge_type in draw(st.lists(kinds, max_size=4, unique=True)):
        sizes = nodes[edge_type[0]].n_nodes, nodes[edge_type[2]].n_nodes
        n = draw(st.integers(0, 12)) if min(sizes) else 0
        relations[edge_type] = Relation.from_edges(
            rng.integers(0, [[max(1, sizes[0])], [max(1, sizes[1])]], size=(2, n)),
            *sizes,
            weights=rng.standard_normal(n) * (rng.random(n) < 0.8),
            features=draw(st.sampled_from([None, rng.standard_normal((n, 2))])),
            times=draw(st.sampled_from([None, rng.integers(-5, 2**60, n)])),
        )
    return HeterogeneousGraph(nodes, relations, draw(st.sampled_from([(), ("one note",)])))


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_a_graph_comes_back_as_it_went(graph: HeterogeneousGraph) -> None:
    same(graph, from_hetero_data(to_hetero_data(graph)))


def test_the_form_is_that_of_pytorch_geometric() -> None:
    graph = HeterogeneousGraph(
        {
            "user": NodeType(2, pl.Series([9, 5])),
            "item": NodeType(3, pl.Series(["x", "y", "z"]), csr_array(np.eye(3, dtype=np.float32))),
        },
        {("user", "buy", "item"): Relation.from_edges(np.array([[1, 0], [0, 2]]), 2, 3, features=np.array([4, 7]))},
    )
    data = to_hetero_data(graph)
    assert data.validate()
    assert data["user"].num_nodes == 2
    assert data["user"].ids.tolist() == [9, 5]
    assert data["item"].ids == ["x", "y", "z"]
    assert data["item"].x.to_dense().tolist() == np.eye(3).tolist()
    edges = data["user", "buy", "item"]
    assert edges.edge_index.tolist() == [[1, 0], [0, 2]]
    assert edges.edge_attr.tolist() == [[4], [7]]
    assert edges.edge_weight.tolist() == [1, 1]
    assert "time" not in edges


def hetero(**edges: Any) -> Any:
    """A HeteroData of somebody else: two users, three items by their features."""
    data = load_pyg("data").HeteroData()
    data["user"].num_nodes = 2
    data["item"].x = torch.arange(6).reshape(3, 2)
    for name, value in edges.items():
        data["user", "buy", "item"][name] = value
    return data


def test_what_others_make_is_read_and_what_is_left_out_is_told() -> None:
    data = hetero(
        edge_index=torch.tensor([[0, 1, 0], [2, 0, 2]]),
        edge_attr=torch.tensor([1.0, 2.0, 5.0]),
        edge_label=torch.ones(3),
    )
    data["item"].y = torch.zeros(3)
    graph = from_hetero_data(data)
    relation = graph.relations["user", "buy", "item"]
    assert relation.matrix.toarray().tolist() == [[0, 1], [0, 0], [2, 0]]
    assert relation.features is not None
    assert relation.features.tolist() == [[2], [3]]
    assert graph.nodes["item"].n_nodes == 3
    assert graph.notes == (
        "nodes of type 'item': y left out.",
        "user -buy-> item: edge_label left out.",
        "user -buy-> item: 1 repeated edge was merged with the first of its kind, weights summed.",
    )


ONE = torch.tensor([[0], [0]])


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({"edge_attr": torch.ones(1)}, "user -buy-> item: there is no edge_index, only edge_attr"),
        ({"edge_index": torch.tensor([[0], [3]])}, r"user -buy-> item: edge 0: node 3 receives, and there are 3"),
        ({"edge_index": torch.tensor([0, 1])}, r"edge_index has the shape \[2\]"),
        ({"edge_index": torch.tensor([[0.0], [1.0]])}, "edge_index is float32"),
        ({"edge_index": [[0, 1], [2]]}, "edge_index is a list that is no array"),
        ({"edge_index": ONE, "edge_weight": torch.ones(2)}, r"edge weights have the shape \[2\]; expected \[1\]"),
        ({"edge_index": ONE, "edge_attr": torch.ones(1, 2, 2)}, r"edge features have the shape \[1, 2, 2\]"),
        ({"edge_index": ONE, "edge_attr": torch.tensor([float("nan")])}, "edge features: nan"),
        ({"edge_index": ONE, "time": torch.tensor([0.5])}, "times are float32"),
        ({"edge_index": ONE, "feature_names": 7}, "feature_names = 7; expected a list of text"),
    ],
)
def test_odd_edges_are_named(edges: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_hetero_data(hetero(**edges))


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ({}, r"nodes of type 'tag' do not say how many there are: no num_nodes, x or ids"),
        ({"y": torch.ones(2)}, r"nodes of type 'tag' do not say how many there are"),
        ({"num_nodes": 2.5}, "num_nodes = 2.5; expected a whole number"),
        ({"num_nodes": 2, "x": torch.ones(3, 1)}, r"features are float32 \[3, 1\]; expected float32 \[2, n_features\]"),
        ({"x": torch.ones(2, 2, 2)}, r"x is float32 \[2, 2, 2\]; expected numbers"),
        ({"x": torch.tensor([[float("inf")]])}, r"features: inf at \[0, 0\]"),
        ({"x": ["a", "b"]}, "expected numbers"),
        ({"ids": [1, "a"]}, "ids are neither all text nor all integers"),
        ({"ids": torch.ones(2)}, "ids are Float32; expected text or integers"),
        ({"ids": ["a", "a"]}, "the id 'a' is missing or stands twice"),
    ],
)
def test_odd_nodes_are_named(store: dict[str, Any], message: str) -> None:
    data = hetero(edge_index=ONE)
    data["tag"].update(store)
    with pytest.raises(DataError, match=message):
        from_hetero_data(data)


def test_edges_between_nodes_that_are_not_there_and_other_things_are_refused() -> None:
    data = hetero()
    data["user", "visit", "shop"].edge_index = ONE
    with pytest.raises(DataError, match="user -visit-> shop: there are no nodes of type 'shop'"):
        from_hetero_data(data)
    with pytest.raises(DataError, match=r"expected a torch_geometric\.data\.HeteroData, got a Data"):
        from_hetero_data(load_pyg("data").Data(x=torch.ones(1, 1)))


def test_sparse_features_of_any_layout_are_read() -> None:
    data = hetero()
    data["tag"].x = torch.sparse_coo_tensor(
        torch.tensor([[1, 0, 1], [0, 1, 0]]), torch.tensor([1.0, 2.0, 3.0]), (2, 2)
    )  # one entry given twice
    features = from_hetero_data(data).features_of("tag")
    assert isinstance(features, csr_array)
    assert features.toarray().tolist() == [[0, 2], [4, 0]]
