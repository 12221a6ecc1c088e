"""Convolutions against their formulas, written out with dense matrices in double precision: values and all gradients."""

import copy
import resource
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import leaky_relu, relu

from edgewise.errors import ConfigError
from edgewise.nn.convolutions import Aggregator, GATConv, GCNConv, SAGEConv, TransformerConv
from edgewise.nn.edges import Edges
from edgewise.nn.sparse_linear import SparseLinear, SparseRows
from tests.nn.graphs import check, incidence, normal, random_edges, softmax

N, N_IN, N_OUT, N_HEADS, N_EDGE = 12, 5, 6, 3, 2


def _edges(edge_dim: int = 0) -> Edges:
    return random_edges(N, N, 40, edge_dim=edge_dim)


def _check(conv: torch.nn.Module, edges: Edges, dense: Callable[[dict[str, Tensor], Tensor], Tensor]) -> None:
    """Compare a convolution with `dense(parameters by name, x)`, over its features and all parameters, biases included."""
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    names = [name for name, _ in conv.named_parameters()]

    def ours(x: Tensor, *values: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x, edges))
        return result

    def expected(x: Tensor, *values: Tensor) -> Tensor:
        return dense(dict(zip(names, values, strict=True)), x)

    check(ours, expected, [normal(N, N_IN), *[p.detach().clone().requires_grad_() for p in conv.parameters()]])


def _adjacency(edges: Edges) -> Tensor:
    receives, sends = incidence(edges)
    return receives @ torch.diag(torch.from_numpy(edges.weight).double()) @ sends.T


@pytest.mark.parametrize("n_out", [N_OUT, 3])
def test_gcn(n_out: int) -> None:
    edges = _edges()
    with_loops = _adjacency(edges)
    with_loops += torch.diag((with_loops.diagonal() == 0).double())
    receiving, sending = with_loops.sum(1) ** -0.5, with_loops.sum(0) ** -0.5

    def dense(p: dict[str, Tensor], x: Tensor) -> Tensor:
        return (receiving[:, None] * with_loops * sending) @ x @ p["linear.weight"] + p["bias"]

    _check(GCNConv(N_IN, n_out), edges, dense)


def _heads(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], N_HEADS, -1)


def _joined(x: Tensor, *, average: bool) -> Tensor:
    return x.mean(1) if average else x.flatten(1)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("edge_dim", [0, N_EDGE])
def test_gat(average: bool, edge_dim: int) -> None:
    edges = _edges(edge_dim)
    looped = edges.with_self_loops
    receives, sends = incidence(looped)

    def dense(p: dict[str, Tensor], x: Tensor) -> Tensor:
        sent = _heads(x @ p["of_senders.weight"])
        scores = receives.T @ (sent * p["receiver_vector"]).sum(-1) + sends.T @ (sent * p["sender_vector"]).sum(-1)
        if looped.features is not None:
            scores = scores + looped.features.double() @ p["of_features.weight"]
        shares = softmax(receives, leaky_relu(scores, 0.2))
        summed = torch.einsum("re,eh,se,shd->rhd", receives, shares, sends, sent)
        return _joined(summed, average=average) + p["bias"]

    _check(GATConv(N_IN, N_OUT, N_HEADS, average=average, edge_dim=edge_dim), edges, dense)


@pytest.mark.parametrize("edge_dim", [0, N_EDGE])
def test_gatv2(edge_dim: int) -> None:
    edges = _edges(edge_dim)
    looped = edges.with_self_loops
    receives, sends = incidence(looped)

    def dense(p: dict[str, Tensor], x: Tensor) -> Tensor:
        sent = _heads(x @ p["of_senders.weight"] + p["of_senders.bias"])
        own = _heads(x @ p["of_receivers.weight"] + p["of_receivers.bias"])
        z = torch.einsum("re,rhd->ehd", receives, own) + torch.einsum("se,shd->ehd", sends, sent)
        if looped.features is not None:
            z = z + _heads(looped.features.double() @ p["of_features.weight"])
        shares = softmax(receives, (leaky_relu(z, 0.2) * p["sender_vector"]).sum(-1))
        return torch.einsum("re,eh,se,shd->rhd", receives, shares, sends, sent).flatten(1) + p["bias"]

    _check(GATConv(N_IN, N_OUT, N_HEADS, version=2, edge_dim=edge_dim), edges, dense)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("edge_dim", [0, N_EDGE])
def test_transformer(average: bool, edge_dim: int) -> None:
    edges = _edges(edge_dim)
    receives, sends = incidence(edges)

    def dense(p: dict[str, Tensor], x: Tensor) -> Tensor:
        query, key, value = (_heads(x @ p[f"{name}.weight"] + p[f"{name}.bias"]) for name in ("query", "key", "value"))
        keys, values = torch.einsum("se,shd->ehd", sends, key), torch.einsum("se,shd->ehd", sends, value)
        if edges.features is not None:
            of_edges = _heads(edges.features.double() @ p["of_features.weight"])
            keys, values = keys + of_edges, values + of_edges
        scores = (torch.einsum("re,rhd->ehd", receives, query) * keys).sum(-1) / keys.shape[-1] ** 0.5
        summed = torch.einsum("re,eh,ehd->rhd", receives, softmax(receives, scores), values)
        return _joined(summed, average=average) + x @ p["of_self.weight"] + p["of_self.bias"]

    _check(TransformerConv(N_IN, N_OUT, N_HEADS, average=average, edge_dim=edge_dim), edges, dense)


def _largest(edges: Edges, x: Tensor) -> Tensor:
    sender = edges.edge_index[0]
    bounds = zip(edges.indptr[:-1], edges.indptr[1:], strict=True)
    rows = [x[sorted(set(sender[a:b].tolist()))].amax(0) if b > a else x.new_zeros(x.shape[1]) for a, b in bounds]
    return torch.stack(rows)


@pytest.mark.parametrize("n_out", [N_OUT, 3])
@pytest.mark.parametrize("aggregator", ["mean", "sum", "max", "mean-pool", "max-pool"])
def test_sage(aggregator: Aggregator, n_out: int) -> None:
    edges = _edges()
    adjacency = _adjacency(edges)

    def dense(p: dict[str, Tensor], x: Tensor) -> Tensor:
        sent = relu(x @ p["pool.weight"] + p["pool.bias"]) if "pool" in aggregator else x
        if "max" in aggregator:
            neighbours = _largest(edges, sent)
        else:
            neighbours = adjacency @ sent
            if aggregator != "sum":
                neighbours = neighbours / adjacency.sum(1, keepdim=True).clamp(min=1e-9)
        return x @ p["of_self.weight"] + p["of_self.bias"] + neighbours @ p["of_neighbours.weight"]

    _check(SAGEConv(N_IN, n_out, aggregator=aggregator), edges, dense)


def test_sage_reads_the_neighbours_of_each_node_as_a_sequence() -> None:
    edges = _edges()
    conv = SAGEConv(N_IN, N_OUT, aggregator="lstm").eval()
    lstm = copy.deepcopy(conv.lstm)
    assert lstm is not None
    lstm.double()
    sender = edges.edge_index[0]

    def dense(p: dict[str, Tensor], x: Tensor) -> Tensor:
        rows = []
        weights = {name.removeprefix("lstm."): value for name, value in p.items() if name.startswith("lstm.")}
        for first, last in zip(edges.indptr[:-1], edges.indptr[1:], strict=True):
            if last > first:
                _, (state, _) = torch.func.functional_call(lstm, weights, (x[sender[first:last]],))
                rows.append(state[0])
            else:
                rows.append(x.new_zeros(N_OUT))
        neighbours = torch.stack(rows)
        return x @ p["of_self.weight"] + p["of_self.bias"] + neighbours @ p["of_neighbours.weight"]

    _check(conv, edges, dense)


def test_the_lstm_reads_a_hub_in_part_and_each_neighbour_once() -> None:
    hub = Edges.from_edge_index(torch.stack([torch.arange(1, 1001), torch.zeros(1000, dtype=torch.int64)]), 1001)
    conv = SAGEConv(1, 2, aggregator="lstm", n_in_sequence=10)
    x = torch.linspace(-1, 1, 1001)[:, None].requires_grad_()
    for training in (True, False):
        conv.train(training)
        (gradient,) = torch.autograd.grad(conv(x, hub)[0].sum(), x)
        assert 0 < int((gradient[1:] != 0).sum()) <= 10


CONVS: list[Callable[[int | tuple[int, int]], torch.nn.Module]] = [
    lambda dims: GCNConv(dims, N_OUT),
    lambda dims: GATConv(dims, N_OUT, N_HEADS),
    lambda dims: GATConv(dims, N_OUT, N_HEADS, version=2),
    lambda dims: TransformerConv(dims, N_OUT, N_HEADS),
    lambda dims: SAGEConv(dims, N_OUT),
    lambda dims: SAGEConv(dims, N_OUT, aggregator="max"),
    lambda dims: SAGEConv(dims, N_OUT, aggregator="max-pool"),
]


@pytest.mark.parametrize("make", CONVS)
def test_a_part_of_the_graph_gives_the_rows_of_its_receivers(make: Callable[[int], torch.nn.Module]) -> None:
    edges = Edges.from_csr(csr_array(_edges().matrix + _edges().matrix.T))
    conv, x = make(N_IN), normal(N, N_IN)
    n = int(edges.indptr[4])
    degree = edges.with_self_loops.received
    part = Edges(edges.indptr[:5], edges.indices[:n], N, weight=edges.weight[:n], sender_degree=degree)
    whole = conv(x, edges)[:4]
    torch.testing.assert_close(conv(x, part), whole)


@pytest.mark.parametrize("make", CONVS)
def test_two_kinds_of_nodes_with_features_of_their_own(make: Callable[[tuple[int, int]], torch.nn.Module]) -> None:
    edges = random_edges(7, 10, 25)
    conv = make((4, 3))
    senders, receivers = normal(10, 4), normal(7, 3)
    result = conv((senders, receivers), edges)
    assert result.shape == (7, N_OUT)
    torch.testing.assert_close(conv((SparseRows(csr_array(senders.detach().numpy())), receivers), edges), result)


@pytest.mark.parametrize("make", CONVS)
def test_sparse_features_are_the_same_as_dense_ones(make: Callable[[int], torch.nn.Module]) -> None:
    edges, conv = _edges(), make(N_IN)
    x = normal(N, N_IN).detach() * (torch.arange(N * N_IN).reshape(N, N_IN) % 3 == 0)
    dense = conv(x, edges)
    gradients = torch.autograd.grad(dense.square().sum(), list(conv.parameters()))
    sparse = conv(SparseRows(csr_array(x.numpy())), edges)
    torch.testing.assert_close(sparse, dense)
    for ours, theirs in zip(
        torch.autograd.grad(sparse.square().sum(), list(conv.parameters())), gradients, strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_sparse_linear_map_takes_matrices_and_has_the_gradient_of_the_dense_one() -> None:
    linear = SparseLinear(5, 3, bias=False)
    x = csr_array(np.array([[0, 1, 0, 2, 0], [0, 0, 0, 0, 0], [3, 0, 0, 0, 4]], dtype=np.float32))
    found = linear(x)
    torch.testing.assert_close(found, torch.from_numpy(x.toarray()) @ linear.weight)
    found.sum().backward()
    assert linear.weight.grad is not None
    assert linear.weight.grad[:, 0].tolist() == [3, 1, 0, 2, 4]


def test_heads_that_do_not_fit_and_features_that_edges_lack_are_told() -> None:
    with pytest.raises(ConfigError, match="7 columns cannot be shared evenly by 3 heads"):
        GATConv(4, 7, 3)
    with pytest.raises(ConfigError, match=r"made for edges with 2 features \(edge_dim\), and these have no features"):
        GATConv(N_IN, N_OUT, edge_dim=2)(normal(N, N_IN), _edges())


@pytest.mark.parametrize("make", CONVS)
def test_a_hub_with_a_million_edges_costs_no_vector_for_each(make: Callable[[int], torch.nn.Module]) -> None:
    n_edges, width = 1_000_000, 150
    sender = np.arange(n_edges) % 1000
    hub = Edges(np.array([0, n_edges, *[n_edges] * 999]), sender.astype(np.int32), 1000)
    conv = make(width)
    x = torch.randn(1000, width, requires_grad=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    conv(x, hub).sum().backward()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 4 * n_edges * width / 2  # half of what one vector for each edge would take


@pytest.mark.parametrize(
    "conv",
    [SAGEConv(16, 16, aggregator="lstm"), TransformerConv(16, 16, 2, edge_dim=16), GATConv(16, 16, 2, edge_dim=16)],
)
def test_gradients_are_the_same_bits_whatever_the_number_of_threads(conv: torch.nn.Module) -> None:
    edges = random_edges(200, 200, 20_000, edge_dim=16)  # so many that torch would share them among threads
    conv.eval()
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            x = normal(200, 16).requires_grad_()
            conv(x, edges).square().sum().backward()
            assert x.grad is not None
            found.append(x.grad)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
