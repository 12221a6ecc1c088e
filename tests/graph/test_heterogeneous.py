"""Graphs with types: edges by receiver, what is merged, and what is refused."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import coo_array, csr_array

from edgewise.errors import DataError
from edgewise.graph.heterogeneous import EdgeType, HeterogeneousGraph, NodeType, Relation, is_symmetric, reverse_of

BUY: EdgeType = ("user", "buy", "item")
NODES = {"user": NodeType(2), "item": NodeType(3)}


def edges(*pairs: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def bought() -> Relation:
    """User 0 bought items 2 and 0, user 1 bought item 2: three edges, none twice."""
    return Relation.from_edges(
        edges((0, 2), (0, 0), (1, 2)),
        2,
        3,
        weights=np.array([1.0, 2.0, 3.0]),
        features=np.array([[1, 10], [2, 20], [3, 30]]),
        times=np.array([100, 200, 300]),
    )


def matrix(rows: list[list[float]]) -> csr_array:
    return csr_array(np.array(rows, dtype=np.float32))


def test_rows_receive_and_columns_send_and_all_that_edges_have_follows_their_order() -> None:
    relation = bought()
    #                      from user 0, user 1
    assert relation.matrix.toarray().tolist() == [[2, 0], [0, 0], [1, 3]]
    assert relation.edge_index.tolist() == [[0, 0, 1], [0, 2, 2]]
    assert relation.features is not None
    assert relation.features.tolist() == [[2, 20], [1, 10], [3, 30]]
    assert relation.times is not None
    assert relation.times.tolist() == [200, 100, 300]
    assert relation.matrix.dtype == np.float32


def test_reversed_edges_are_the_transposed_with_their_features() -> None:
    back = bought().reversed()
    assert back.matrix.toarray().tolist() == [[2, 0, 1], [0, 0, 3]]
    assert back.edge_index.tolist() == [[0, 2, 2], [0, 0, 1]]
    assert back.features is not None
    assert back.features.tolist() == [[2, 20], [1, 10], [3, 30]]
    assert back.times is not None
    assert back.times.tolist() == [200, 100, 300]


def test_repeated_edges_become_one_with_the_sum_the_mean_and_the_latest() -> None:
    relation = Relation.from_edges(
        edges((1, 0), (0, 0), (1, 0)),
        2,
        3,
        weights=np.array([1.0, 5.0, 2.0]),
        features=np.array([1.0, 7.0, 4.0]),
        times=np.array([9, 1, 3]),
    )
    assert relation.matrix.toarray().tolist() == [[5, 3], [0, 0], [0, 0]]
    assert relation.features is not None
    assert relation.features.tolist() == [[7], [2.5]]
    assert relation.times is not None
    assert relation.times.tolist() == [1, 9]


def test_an_edge_that_weighs_nothing_and_one_to_itself_are_edges() -> None:
    relation = Relation.from_edges(edges((0, 1), (1, 1)), 2, 2, weights=np.array([0.0, 2.0]))
    assert relation.n_edges == 2
    assert relation.n_self_loops == 1
    graph = HeterogeneousGraph({"user": NodeType(2)}, {("user", "friend", "user"): relation})
    assert graph.n_edges == 2


def test_some_edges_keep_what_they_have() -> None:
    some = bought().where(np.array([True, False, True]))
    assert some.matrix.toarray().tolist() == [[2, 0], [0, 0], [0, 3]]
    assert some.features is not None
    assert some.features.tolist() == [[2, 20], [3, 30]]
    assert some.times is not None
    assert some.times.tolist() == [200, 300]


def test_isolated_nodes_are_found_and_a_graph_of_one_node_is_a_graph() -> None:
    graph = HeterogeneousGraph(NODES, {BUY: Relation.from_edges(edges((0, 2)), 2, 3)})
    assert graph.isolated("user").tolist() == [False, True]
    assert graph.isolated("item").tolist() == [True, True, False]
    one = HeterogeneousGraph({"user": NodeType(1)}, {("user", "friend", "user"): Relation.from_edges(edges(), 1, 1)})
    assert (one.n_nodes, one.n_edges) == (1, 0)
    assert one.isolated("user").tolist() == [True]
    assert one.with_reverses().n_edges == 0


def test_reverses_are_added_once_and_not_where_every_edge_has_one() -> None:
    friends = Relation(matrix([[0, 2], [2, 0]]))
    trust = Relation(matrix([[0, 1], [0, 0]]))
    graph = HeterogeneousGraph(
        NODES, {BUY: bought(), ("user", "friend", "user"): friends, ("user", "trust", "user"): trust}
    )
    both = graph.with_reverses()
    names = [relation for _, relation, _ in both.relations]
    assert names == ["buy", "friend", "trust", "rev_buy", "rev_trust"]
    assert both.relations["user", "rev_trust", "user"].matrix.toarray().tolist() == [[0, 0], [1, 0]]
    assert list(both.with_reverses().relations) == list(both.relations)
    assert reverse_of(reverse_of(BUY)) == BUY


def test_edges_of_unequal_weight_are_not_the_same_both_ways() -> None:
    assert is_symmetric(matrix([[1, 2], [2, 0]]))
    assert not is_symmetric(matrix([[1, 2], [3, 0]]))
    assert not is_symmetric(matrix([[1, 2], [0, 0]]))


def test_some_relations_can_be_taken_and_one_that_lacks_is_named() -> None:
    graph = HeterogeneousGraph(NODES, {BUY: bought()})
    assert list(graph.select([BUY]).relations) == [BUY]
    with pytest.raises(DataError, match="the graph has no edges user -view-> item; there are user -buy-> item"):
        graph.select([("user", "view", "item")])


def test_nodes_without_features_say_so() -> None:
    graph = HeterogeneousGraph({"user": NodeType(2), "item": NodeType(1, features=matrix([[1, 0]]))}, {})
    assert graph.features_of("item").shape == (1, 2)
    with pytest.raises(DataError, match=r"nodes of type 'user' have no features; those that have: item\."):
        graph.features_of("user")
    with pytest.raises(DataError, match="there are no nodes of type 'tag'; there are user, item"):
        graph.features_of("tag")


@pytest.mark.parametrize(
    ("edge_index", "message"),
    [
        (edges((0, 2), (0, 3)), r"edge 1: node 3 receives, and there are 3 such nodes \(0 to 2\); 1 of 2 edges"),
        (edges((2, 0)), r"edge 0: node 2 sends, and there are 2 such nodes \(0 to 1\)"),
        (edges((-1, 0)), "node -1 sends"),
        (np.zeros((3, 2), dtype=np.int64), r"edge_index has the shape \[3, 2\]; expected \[2, n_edges\]"),
        (np.array([[0.5], [1.0]]), "edge_index is float64; expected positions of nodes as integers"),
    ],
)
def test_edges_that_cannot_be_are_named(
    edge_index: np.ndarray[tuple[int, ...], np.dtype[np.int64]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Relation.from_edges(edge_index, 2, 3)
    with pytest.raises(DataError, match="user -buy-> item: "):
        HeterogeneousGraph.from_edge_lists(NODES, {BUY: edge_index})


def test_numbers_of_edges_must_fit_and_be_finite() -> None:
    one = edges((0, 0))
    with pytest.raises(DataError, match=r"edge weights have the shape \[2\]; expected \[1\]"):
        Relation.from_edges(one, 2, 3, weights=np.ones(2))
    with pytest.raises(DataError, match=r"edge features: nan at \[0, 1\], and 1 of 2 numbers are not finite"):
        Relation.from_edges(one, 2, 3, features=np.array([[1, np.nan]]))
    with pytest.raises(DataError, match=r"edge weights: inf at \[0\]"):
        Relation.from_edges(one, 2, 3, weights=np.array([1e300]))  # too large for float32
    with pytest.raises(DataError, match=r"times are float64 \[1\]; expected UTC milliseconds as integers"):
        Relation.from_edges(one, 2, 3, times=np.array([1.5]))
    with pytest.raises(DataError, match="edge features are object; expected numbers"):
        Relation.from_edges(one, 2, 3, features=np.array(["a"], dtype=object))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (NodeType(-1), "n_nodes = -1; expected a whole number >= 0"),
        (NodeType(2, pl.Series([1])), "1 ids for 2 nodes"),
        (NodeType(2, pl.Series([7, 7])), "the id 7 is missing or stands twice"),
        (NodeType(1, features=np.array([[np.nan]], dtype=np.float32)), r"features: nan at \[0, 0\]"),
        (NodeType(1, features=csr_array(np.array([[np.inf]], dtype=np.float32))), r"features: inf at \[0\]"),
        (NodeType(1, features=np.ones((1, 1))), r"features are float64 \[1, 1\]; expected float32 \[1, n_features\]"),
        (NodeType(2, features=np.ones((1, 1), dtype=np.float32)), r"expected float32 \[2, n_features\]"),
        (NodeType(1, features=np.ones((1, 1), dtype=np.float32), feature_names=("a", "b")), "2 names for 1 features"),
        (NodeType(1, features=coo_array(np.ones((1, 1), dtype=np.float32))), "a sparse matrix in COO; expected CSR"),
    ],
)
def test_nodes_that_cannot_be_are_named(nodes: NodeType, message: str) -> None:
    with pytest.raises(DataError, match=f"nodes of type 'user'.*{message}"):
        HeterogeneousGraph({"user": nodes}, {})


def test_edges_need_nodes_of_both_types_and_a_matrix_by_receiver() -> None:
    with pytest.raises(DataError, match="at least one type of nodes"):
        HeterogeneousGraph({}, {})
    with pytest.raises(DataError, match="user -buy-> shop: there are no nodes of type 'shop'; there are user, item"):
        HeterogeneousGraph(NODES, {("user", "buy", "shop"): bought()})
    with pytest.raises(
        DataError, match=r"the matrix is float32 \[2, 3\]; expected float32 \[3, 2\], a row for each node that receives"
    ):
        HeterogeneousGraph(NODES, {BUY: bought().reversed()})
    with pytest.raises(DataError, match="expected three names"):
        HeterogeneousGraph(NODES, {("user", "item"): bought()})  # type: ignore[dict-item]
    ones = np.ones(2, dtype=np.float32)
    twice = csr_array((ones, np.array([1, 1]), np.array([0, 2, 2, 2])), shape=(3, 2))
    with pytest.raises(DataError, match="the columns of a row do not ascend, or one stands twice"):
        HeterogeneousGraph(NODES, {BUY: Relation(twice)})
    across = csr_array((ones, np.array([1, 0]), np.array([0, 1, 2, 2])), shape=(3, 2))
    assert HeterogeneousGraph(NODES, {BUY: Relation(across)}).n_edges == 2  # each row ascends, and that is enough
    outside = csr_array((ones, np.array([0, 1]), np.array([0, 2, 2, 2])), shape=(3, 2))
    outside.indices = np.array([0, 5], dtype=np.int32)
    with pytest.raises(DataError, match=r"indptr or indices do not fit a matrix of the shape \[3, 2\]"):
        HeterogeneousGraph(NODES, {BUY: Relation(outside)})
    with pytest.raises(DataError, match=r"edge features have the shape \[1, 1\]; expected \[3, any\]"):
        HeterogeneousGraph(NODES, {BUY: Relation(bought().matrix, np.ones((1, 1), dtype=np.float32))})


def test_a_graph_is_not_changed_by_changing_what_it_was_made_of() -> None:
    relations = {BUY: bought()}
    graph = HeterogeneousGraph(NODES, relations)
    relations.clear()
    assert list(graph.relations) == [BUY]
    with pytest.raises(TypeError):
        graph.relations[BUY] = bought()  # type: ignore[index]
