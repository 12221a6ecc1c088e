"""Encoders over graphs with types, against their formulas written out densely in double precision."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.config import make
from edgewise.errors import ConfigError, DataError, UnknownNameError
from edgewise.graph.heterogeneous import EdgeType, HeterogeneousGraph, NodeType, Relation
from edgewise.nn.edges import Edges
from edgewise.nn.heterogeneous import (
    EdgeEmbedding,
    HeterogeneousConfig,
    HeterogeneousEncoder,
    RelationalLayer,
    RelationAttention,
    joined_edges,
    typed_edges,
)
from edgewise.nn.sparse_linear import SparseLinear, SparseRows
from tests.nn.graphs import normal, random_edges

VIEW: EdgeType = ("user", "view", "item")
BUY: EdgeType = ("user", "buy", "item")
BACK: EdgeType = ("item", "rev_view", "user")
N_USERS, N_ITEMS, WIDTH = 5, 7, 4


def edges(edge_dim: int = 0) -> dict[EdgeType, Edges]:
    """Users view and buy items; no edge arrives at the last of either (see `random_edges`)."""
    return {
        VIEW: random_edges(N_ITEMS, N_USERS, 15, 1, edge_dim),
        BUY: random_edges(N_ITEMS, N_USERS, 6, 2, edge_dim),
        BACK: random_edges(N_USERS, N_ITEMS, 15, 3, edge_dim),
    }


def features() -> dict[str, Tensor]:
    return {"user": normal(N_USERS, WIDTH, seed=5), "item": normal(N_ITEMS, WIDTH, seed=6)}


def config(**settings: Any) -> HeterogeneousConfig:
    return make(HeterogeneousConfig, {"hidden_dim": WIDTH, "n_heads": 2, "dropout": 0} | settings, where="here")


def layer(out_dim: int = 3, **settings: Any) -> RelationalLayer:
    torch.manual_seed(0)
    return RelationalLayer(config(**settings), {"user": WIDTH, "item": WIDTH}, out_dim, list(edges()))


def encoder(given: dict[EdgeType, Edges] | None = None, out_dim: int = WIDTH, **settings: Any) -> HeterogeneousEncoder:
    torch.manual_seed(0)
    dims = {"user": WIDTH, "item": WIDTH}
    return HeterogeneousEncoder(config(**settings), dims, out_dim, edges() if given is None else given)


def dense(given: Edges) -> Tensor:
    """Weights as a matrix: float64 [n_receivers, n_senders]; several edges of one pair add up."""
    matrix = torch.zeros(given.n_receivers, given.n_senders, dtype=torch.float64)
    for (sender, receiver), weight in zip(given.edge_index.T.tolist(), given.weight.tolist(), strict=True):
        matrix[receiver, sender] += weight
    return matrix


def learn(found: dict[str, Tensor]) -> None:
    """Give every parameter that had a part in it a gradient."""
    total = torch.stack([out.square().sum() for out in found.values()]).sum()
    total.backward()  # type: ignore[no-untyped-call]


def averaging(given: Edges) -> Tensor:
    matrix = dense(given)
    return matrix / matrix.sum(1, keepdim=True).clamp(min=1e-30)


@pytest.mark.parametrize("n_bases", [None, 2])
def test_rgcn_is_a_sum_of_means_by_relation_and_of_the_node_itself(n_bases: int | None) -> None:
    ours, x = layer(n_bases=n_bases), features()
    assert ours.bases is not None
    assert ours.own is not None
    bases = ours.bases.double()
    matrices = bases if n_bases is None else torch.einsum("rb,bio->rio", ours.coefficients.double(), bases)
    assert matrices.shape == (3, WIDTH, 3)
    user, item = x["user"].double(), x["item"].double()
    given = edges()
    own = []
    for linear in ours.own:
        assert isinstance(linear, SparseLinear)
        assert linear.bias is not None
        own.append(torch.cat([linear.weight, linear.bias[None]]).double())
    expected = {
        "item": averaging(given[VIEW]) @ user @ matrices[0]
        + averaging(given[BUY]) @ user @ matrices[1]
        + item @ own[1][:-1]
        + own[1][-1],
        "user": averaging(given[BACK]) @ item @ matrices[2] + user @ own[0][:-1] + own[0][-1],
    }
    for name, found in ours(x, given).items():
        torch.testing.assert_close(found.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_shared_bases_have_fewer_numbers_and_all_of_them_learn() -> None:
    many = {("user", f"r{number}", "item"): random_edges(N_ITEMS, N_USERS, 9, number) for number in range(10)}
    sizes = [sum(p.numel() for p in encoder(many, n_bases=n_bases, n_layers=1).parameters()) for n_bases in (None, 2)]
    assert sizes[0] - sizes[1] == 10 * WIDTH**2 - (2 * WIDTH**2 + 10 * 2)
    ours = encoder(many, n_bases=2, n_layers=1)
    learn(ours(features(), many))
    assert [name for name, p in ours.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(("combine", "factor"), [("sum", 1.0), ("mean", 0.5), ("weights", 1.0)])
def test_light_layers_are_products_with_the_weights_given(combine: str, factor: float) -> None:
    ours, x, given = layer(WIDTH, conv="light", combine=combine), features(), edges()
    found = ours(x, given)
    user, item = x["user"].double(), x["item"].double()
    views, buys = dense(given[VIEW]) @ user, dense(given[BUY]) @ user
    torch.testing.assert_close(found["item"].double(), factor * (views + buys), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found["user"].double(), dense(given[BACK]) @ item, rtol=1e-5, atol=1e-6)


def test_learnt_weights_are_a_softmax_times_the_number_of_relations() -> None:
    ours, x, given = layer(WIDTH, conv="light", combine="weights"), features(), edges()
    assert ours.logits is not None
    with torch.no_grad():
        ours.logits.copy_(torch.tensor([np.log(3.0), 0.0, 7.0]))
    user = x["user"].double()
    expected = 2 * (0.75 * dense(given[VIEW]) + 0.25 * dense(given[BUY])) @ user
    torch.testing.assert_close(ours(x, given)["item"].double(), expected, rtol=1e-5, atol=1e-6)
    whole = encoder(conv="light", combine="weights", n_layers=1)
    assert whole.factors() == [{BACK: 1.0, VIEW: 1.0, BUY: 1.0}]


@pytest.mark.parametrize("by_node", [False, True])
def test_attention_over_relations_is_the_formula(by_node: bool) -> None:
    torch.manual_seed(0)
    ours = RelationAttention(3, 2, by_node=by_node)
    brought, types = normal(3, 6, 3), normal(3, 2, seed=1)
    receives = torch.from_numpy(np.random.default_rng(0).random((3, 6)) < 0.6)
    receives[:, 5] = False  # a node that receives nothing
    receives[0, :5] = True
    linear, of_type = ours.linear, ours.of_type
    assert of_type is not None
    hidden = brought.double() @ linear.weight.double().T + linear.bias.double()
    hidden = hidden + (types.double() @ of_type.weight.double().T)[:, None]
    scores = hidden.tanh() @ ours.vector.double()
    if by_node:
        powers = scores.exp() * receives
        shares = powers / powers.sum(0).clamp(min=1e-30)
    else:
        shares = scores.mean(1, keepdim=True).softmax(0)
    expected = (shares[:, :, None] * brought.double()).sum(0)
    found = ours(brought, receives, types)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    found.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in ours.parameters())
    assert ours.shares(brought, receives, types).sum(0)[:5].tolist() == pytest.approx([1] * 5 if by_node else [1] * 1)


def test_edges_have_a_vector_for_their_type_and_one_for_their_features() -> None:
    given = {
        VIEW: Edges.from_edge_index(np.array([[0, 1], [0, 0]]), (2, 1), features=torch.tensor([[0.0, 5], [3, 5]])),
        BUY: Edges.from_edge_index(np.array([[0], [0]]), (2, 1)),
    }
    ours = EdgeEmbedding(given, 3)
    of_type = ours.of_type.weight
    torch.testing.assert_close(ours(BUY, given[BUY]), of_type[[1]])
    # log(1 + 0) and log(1 + 3) lie one deviation below and above their mean; the second feature is the same everywhere.
    weight = ours.of_features[0].weight
    assert isinstance(weight, Tensor)
    expected = torch.stack([of_type[0] - weight[0], of_type[0] + weight[0]])
    torch.testing.assert_close(ours(VIEW, given[VIEW]), expected)
    with pytest.raises(DataError, match="no edges item -rev_view-> user were there; there were user -view-> item"):
        ours(BACK, given[BUY])
    with pytest.raises(DataError, match="edges user -view-> item had 2 features, and have now 0"):
        ours(VIEW, given[VIEW].with_features(None))


def graph() -> HeterogeneousGraph:
    """One user viewed both items, bought the first, and has a friend who did nothing."""
    return HeterogeneousGraph(
        {"user": NodeType(2), "item": NodeType(2)},
        {
            VIEW: Relation(csr_array(np.array([[1, 0], [1, 0]], dtype=np.float32))),
            BUY: Relation(csr_array(np.array([[2, 0], [0, 0]], dtype=np.float32))),
            ("user", "friend", "user"): Relation(csr_array(np.array([[0, 1], [1, 0]], dtype=np.float32))),
        },
    )


def test_weights_are_scaled_by_the_degrees_in_all_relations_of_the_same_ends_or_of_the_node() -> None:
    plain = typed_edges(graph())
    assert plain[BUY].matrix.toarray().tolist() == [[2, 0], [0, 0]]
    # To items the first user sends 1 + 1 + 2 = 4; item 0 receives 3, item 1 receives 1.
    by_ends = typed_edges(graph(), scaled="by-ends")
    np.testing.assert_allclose(by_ends[VIEW].matrix.toarray(), np.array([[12**-0.5, 0], [0.5, 0]]), rtol=1e-6)
    np.testing.assert_allclose(by_ends[BUY].matrix.toarray(), np.array([[2 * 12**-0.5, 0], [0, 0]]), rtol=1e-6)
    np.testing.assert_allclose(by_ends["user", "friend", "user"].matrix.toarray(), [[0, 1], [1, 0]])
    # In all the first user sends 4 + 1.
    by_node = typed_edges(graph(), scaled="by-node")
    np.testing.assert_allclose(by_node[VIEW].matrix.toarray(), np.array([[15**-0.5, 0], [5**-0.5, 0]]), rtol=1e-6)
    np.testing.assert_allclose(
        by_node["user", "friend", "user"].matrix.toarray(), np.array([[0, 1], [5**-0.5, 0]]), rtol=1e-6
    )


def test_layers_follow_each_other_with_activation_between_and_a_mean_over_all_at_the_end() -> None:
    ours, x, given = encoder(n_layers=2, activation="elu", jumping="mean"), features(), edges()
    first = {name: torch.nn.functional.elu(out) for name, out in ours.layers[0](x, given).items()}
    second = ours.layers[1](first, given)
    found = ours(x, given)
    for name in ("user", "item"):
        torch.testing.assert_close(found[name], (x[name] + first[name] + second[name]) / 3)


@pytest.mark.parametrize("combine", ["sum", "mean", "weights", "attention", "node-attention"])
@pytest.mark.parametrize("conv", ["light", "rgcn", "gcn", "gat", "gatv2", "transformer", "sage"])
def test_everything_goes_together_and_learns(conv: str, combine: str) -> None:
    looks_at_edges = conv in ("gat", "gatv2", "transformer") or combine == "node-attention"
    settings: dict[str, Any] = {"normalisation": "layer", "residual": True, "edge_dropout": 0.2, "dropout": 0.1}
    given, x = edges(edge_dim=2), features()
    ours = encoder(given, conv=conv, combine=combine, edge_dim=3 if looks_at_edges else 0, **settings)
    learn(ours(x, given))
    unused = [name for name, p in ours.named_parameters() if p.grad is None]
    if conv not in ("gat", "gatv2", "transformer"):  # features of edges are for attention along a relation alone
        unused = [name for name in unused if not name.startswith("embedding.of_features")]
    assert unused == []
    assert all(torch.isfinite(p.grad).all() for p in ours.parameters() if p.grad is not None)


def test_features_of_other_widths_and_sparse_ones_pass_through_a_map_of_their_type() -> None:
    given = edges()
    torch.manual_seed(0)
    ours = HeterogeneousEncoder(config(n_layers=1), {"user": 2, "item": 6}, 3, given)
    sparse = csr_array(np.eye(N_ITEMS, 6, dtype=np.float32))
    found = ours({"user": normal(N_USERS, 2), "item": SparseRows(sparse)}, given)
    same = ours({"user": normal(N_USERS, 2), "item": torch.from_numpy(sparse.toarray())}, given)
    assert {name: list(out.shape) for name, out in found.items()} == {"user": [N_USERS, 3], "item": [N_ITEMS, 3]}
    torch.testing.assert_close(found["user"], same["user"])


def test_a_graph_of_one_node_without_edges_has_a_vector() -> None:
    alone = Edges(np.zeros(2, dtype=np.int64), np.empty(0, dtype=np.int32), 1)
    given = {("user", "friend", "user"): alone}
    for conv in ("light", "rgcn", "gat", "sage"):
        ours = HeterogeneousEncoder(config(conv=conv), {"user": WIDTH}, WIDTH, given)
        assert torch.isfinite(ours({"user": normal(1, WIDTH)}, given)["user"]).all()


def test_what_is_missing_is_named() -> None:
    given = edges()
    with pytest.raises(
        DataError, match="user -view-> item: nodes of type 'item' have no features; there are those of user"
    ):
        HeterogeneousEncoder(config(), {"user": WIDTH, "item": 0}, WIDTH, given)
    with pytest.raises(DataError, match="out_dim = 3: with conv = 'light'"):
        encoder(out_dim=3, conv="light")
    with pytest.raises(DataError, match="nodes of type 'item' are missing; there are user"):
        encoder()({"user": normal(N_USERS, WIDTH)}, given)
    with pytest.raises(DataError, match="edges user -buy-> item are missing; there are user -view-> item"):
        encoder()(features(), {key: value for key, value in given.items() if key != BUY})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_bases": 2, "conv": "gcn"}, "n_bases = 2 belongs to conv = 'rgcn', not 'gcn'"),
        ({"conv": "gat", "n_heads": 3}, "hidden_dim = 4 cannot be shared evenly by n_heads = 3"),
        ({"attention_dropout": 0.1}, "attention_dropout = 0.1: 'rgcn' has no attention"),
        ({"edge_dim": 2}, "edge_dim = 2: conv = 'rgcn' with combine = 'sum' looks at no edge"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**settings)


def test_joined_edges_sum_to_the_same() -> None:
    given, x = edges(), features()
    joined = joined_edges(given)
    assert list(joined) == [("user", "any", "item"), ("item", "any", "user")]
    apart = encoder(given, conv="light")(x, given)
    for name, together in encoder(joined, conv="light")(x, joined).items():
        torch.testing.assert_close(together, apart[name])


def test_a_convolution_of_pytorch_geometric_runs_along_each_relation_with_weights_of_its_own() -> None:
    # GraphConv: W_own x_r + b + sum of weights times W_sent x_s; each relation its own, and the layer's own part beside.
    given, of = layer(conv="GraphConv"), edges()
    x = features()
    found = given(x, of)["item"]
    state = {name: value.double() for name, value in given.state_dict().items()}
    own = given.own
    assert own is not None
    linear = own[1]
    assert isinstance(linear, SparseLinear)
    assert linear.bias is not None
    expected = x["item"].double() @ linear.weight.double() + linear.bias.double()
    for place, edge_type in enumerate((VIEW, BUY)):
        matrix = torch.from_numpy(of[edge_type].matrix.toarray()).double()
        sent, root = state[f"convs.{place}.conv.lin_rel.weight"], state[f"convs.{place}.conv.lin_root.weight"]
        expected = expected + matrix @ x["user"].double() @ sent.T + state[f"convs.{place}.conv.lin_rel.bias"]
        expected = expected + x["item"].double() @ root.T
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_between_nodes_of_one_type_a_foreign_convolution_sees_one_set_of_nodes() -> None:
    friend: EdgeType = ("user", "friend", "user")
    square = {friend: random_edges(N_USERS, N_USERS, 12, 4)}
    torch.manual_seed(0)
    one = RelationalLayer(config(conv="GraphConv"), {"user": WIDTH}, 3, [friend])
    x = {"user": normal(N_USERS, WIDTH)}
    twin = {"user": x["user"]}
    conv = one.convs[0]
    same = conv((x["user"], twin["user"]), square[friend])
    torch.testing.assert_close(
        same, conv((x["user"], x["user"].clone()), square[friend])
    )  # GraphConv looks at no degree
    torch.testing.assert_close(same, conv(x["user"], square[friend]))


@pytest.mark.parametrize(
    "conv", ["GCNConv", "SAGEConv", "GINConv", "GATv2Conv", "TransformerConv", "ChebConv", "GINEConv"]
)
def test_foreign_convolutions_train(conv: str) -> None:
    settings = {"edge_dim": 3} if conv in ("GINEConv", "GATv2Conv") else {}
    options = {"K": 2} if conv == "ChebConv" else {}
    net = encoder(edges(2), conv=conv, conv_options=options, **settings)
    out = net(features(), edges(2))
    assert out["item"].shape == (N_ITEMS, WIDTH)
    sum(rows.square().sum() for rows in out.values()).backward()
    untrained = [name for name, value in net.named_parameters() if value.grad is None]
    assert not untrained


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"conv": "FooConv"}, UnknownNameError, "no convolution 'FooConv'; there are light, rgcn, .* such as GraphConv"),
        ({"conv": "GINEConv"}, ConfigError, "GINEConv needs features of edges, and there are none.*edge_dim > 0"),
        ({"conv": "GINConv", "edge_dim": 3}, ConfigError, "edge_dim = 3: GINConv takes no features of edges"),
        ({"conv": "ChebConv"}, ConfigError, "ChebConv also wants K; give it in conv_options"),
        ({"conv": "PointNetConv"}, ConfigError, "PointNetConv needs pos when it runs"),
        ({"conv": "HGTConv"}, ConfigError, "HGTConv takes x_dict, edge_index_dict; expected .* x and edge_index"),
        ({"conv": "rgcn", "conv_options": {"K": 2}}, ConfigError, "only convolutions of PyTorch Geometric take some"),
    ],
)  # fmt: skip
def test_what_a_foreign_convolution_lacks_is_told(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        layer(**settings)


def test_a_foreign_convolution_that_cannot_run_says_so() -> None:
    with pytest.raises(ConfigError, match="RGCNConv cannot run on vectors of nodes, edges"):
        layer(conv="RGCNConv", conv_options={"num_relations": 2})  # asserts that edge_type is given
