"""Encoders: how layers follow each other, mini-batches, convolutions of PyTorch Geometric by name, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch.nn.functional import elu

from edgewise.config import make
from edgewise.errors import ConfigError, DataError, UnknownNameError
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import CONVOLUTIONS, Encoder, EncoderConfig
from edgewise.nn.foreign import ForeignConv
from edgewise.nn.jumping import Jumping
from edgewise.nn.normalisation import BatchNorm
from edgewise.types import Floats
from tests.nn.graphs import normal, random_edges, random_matrix


def _encoder(edge_dim: int = 0, **settings: Any) -> Encoder:
    config = make(EncoderConfig, {"hidden_dim": 8, "n_heads": 2, "dropout": 0} | settings, where="here")
    torch.manual_seed(0)
    return Encoder(config, 5, 3, edge_dim)


def test_layers_are_convolution_residual_and_activation_and_the_last_is_bare() -> None:
    encoder, edges, x = _encoder(conv="sage", residual=True, activation="elu"), random_edges(12, 12), normal(12, 5)
    first = elu(encoder.convs[0](x, edges) + encoder.shortcuts[0](x))
    second = encoder.convs[1](first, edges) + encoder.shortcuts[1](first)
    found = encoder.layers(x, edges)
    torch.testing.assert_close(found[0], first)
    torch.testing.assert_close(found[1], second)
    torch.testing.assert_close(encoder(x, edges), second)


@pytest.mark.parametrize("jumping", ["cat", "max", "lstm"])
@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_everything_goes_together_and_learns(conv: str, normalisation: str, jumping: str) -> None:
    settings = {"dropout": 0.2, "edge_dropout": 0.2, "n_layers": 3, "residual": True}
    encoder = _encoder(edge_dim=2, conv=conv, normalisation=normalisation, jumping=jumping, **settings)
    edges = random_edges(12, 12, edge_dim=2)
    sparse = csr_array(normal(12, 5).detach().numpy())
    vectors = encoder(sparse, edges)
    assert vectors.shape == (12, 3)
    vectors.square().sum().backward()
    unused = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert unused == []


def _block(edges: Edges, receivers: list[int], degree: Floats) -> tuple[Edges, list[int]]:
    """Return the edges that some nodes receive, renumbered, and the nodes that send: first the receivers, then others."""
    senders = list(receivers)
    index, weight = [], []
    for place, node in enumerate(receivers):
        for at in range(edges.indptr[node], edges.indptr[node + 1]):
            if edges.indices[at] not in senders:
                senders.append(int(edges.indices[at]))
            index.append([senders.index(edges.indices[at]), place])
            weight.append(edges.weight[at])
    block = Edges.from_edge_index(np.array(index).T, (len(senders), len(receivers)), np.array(weight))
    block.sender_degree = degree[senders]
    return block, senders


@pytest.mark.parametrize("conv", [*CONVOLUTIONS, "SAGEConv", "GINConv"])
@pytest.mark.parametrize("jumping", ["none", "cat"])
def test_a_mini_batch_with_all_neighbours_gives_the_rows_of_the_whole_graph(conv: str, jumping: str) -> None:
    encoder = _encoder(conv=conv, jumping=jumping).eval()
    matrix = random_matrix(30, 0.08)
    edges = Edges.from_csr(csr_array(matrix + matrix.T))
    degree = edges.with_self_loops.received
    x = normal(30, 5)
    second, nodes = _block(edges, [4, 20, 7], degree)
    first, nodes = _block(edges, nodes, degree)
    assert len(nodes) < 30
    torch.testing.assert_close(encoder(x[nodes], [first, second]), encoder(x, edges)[[4, 20, 7]])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("GraphConv", {"aggr": "mean"}),
        ("ChebConv", {"K": 2}),
        ("GATv2Conv", {"heads": 2, "concat": False}),
        ("GINEConv", {"edge_dim": 2}),  # asks for a net, and for features of edges
        ("NNConv", {}),  # asks for a net over features of edges
        ("AGNNConv", {}),  # keeps the number of columns
        ("GatedGraphConv", {"num_layers": 2}),
        ("TAGConv", {}),
        ("CGConv", {}),  # calls the columns of edges' features dim
        ("GeneralConv", {}),  # and this one in_edge_channels
        ("EdgeConv", {}),  # its net reads both ends
        ("FiLMConv", {}),  # its net may be left out
        ("MixHopConv", {}),  # gives columns for each power
        ("PNAConv", {"aggregators": ["mean"], "scalers": ["identity"], "deg": [0, 1, 2]}),  # wants a tensor
    ],
)
def test_any_convolution_of_pytorch_geometric_can_be_named(name: str, options: dict[str, Any]) -> None:
    encoder, edges, x = (
        _encoder(edge_dim=2, conv=name, conv_options=options),
        random_edges(12, 12, edge_dim=2),
        normal(12, 5),
    )
    layer = encoder.convs[0]
    assert isinstance(layer, ForeignConv)
    assert type(layer.conv).__name__ == name
    result = encoder(x, edges)
    assert result.shape == (12, 3)
    result.sum().backward()
    if name == "GraphConv":  # weights of edges get there
        expected = layer.conv(x, edges.edge_index, torch.from_numpy(edges.weight))
        torch.testing.assert_close(layer(x, edges), expected)


def test_a_batch_of_one_node_is_scaled_by_what_came_before() -> None:
    encoder = _encoder(normalisation="batch")
    alone = Edges.from_csr(csr_array(np.zeros((1, 1), dtype=np.float32)))
    assert torch.isfinite(encoder(normal(1, 5), alone)).all()
    norm = encoder.norms[0]
    assert isinstance(norm, BatchNorm)
    some = encoder.layer(0, normal(12, 5), random_edges(12, 12))
    mean, deviation = norm.running_mean, norm.running_var
    assert mean is not None
    assert deviation is not None
    before = mean.clone()
    torch.testing.assert_close(norm(some[:1])[0], (some[0] - mean) / (deviation + norm.eps).sqrt())
    torch.testing.assert_close(mean, before)  # one node tells nothing of the others


def test_trying_a_convolution_leaves_no_trace() -> None:
    before = torch.random.get_rng_state()
    encoder = _encoder(conv="GCNConv", conv_options={"cached": True}, dropout=0.0)
    assert not torch.equal(torch.random.get_rng_state(), before)  # weights are drawn
    edges, x = random_edges(12, 12), normal(12, 5)
    assert encoder(x, edges).shape == (12, 3)  # not what two nodes left in the cache
    assert encoder.training
    assert all(module.training for module in encoder.modules())


def test_names_and_settings_that_do_not_exist_or_contradict_are_told() -> None:
    with pytest.raises(
        UnknownNameError, match="no convolution 'gnn'; there are gcn, gat, gatv2, transformer, sage, and every"
    ):
        _encoder(conv="gnn")
    with pytest.raises(UnknownNameError, match="'Linear'"):
        _encoder(conv="Linear")
    with pytest.raises(ConfigError, match="ChebConv also wants K; give it in conv_options"):
        _encoder(conv="ChebConv")
    with pytest.raises(ConfigError, match=r"DNAConv cannot run on vectors of nodes, edges.*num_layers, channels"):
        _encoder(conv="DNAConv")
    with pytest.raises(ConfigError, match=r"RGCNConv cannot run on vectors of nodes, edges.*: AssertionError"):
        _encoder(conv="RGCNConv", conv_options={"num_relations": 2})
    with pytest.raises(ConfigError, match="GraphConv cannot be made with"):
        _encoder(conv="GraphConv", conv_options={"mushrooms": 3})
    with pytest.raises(ConfigError, match="hidden_dim = 8 cannot be shared evenly by n_heads = 3"):
        _encoder(conv="gat", n_heads=3)
    with pytest.raises(ConfigError, match=r"attention_dropout = 0\.5: 'gcn' has no attention"):
        _encoder(attention_dropout=0.5)
    with pytest.raises(ConfigError, match="aggregator = 'max' belongs to conv = 'sage'"):
        _encoder(aggregator="max")
    with pytest.raises(ConfigError, match="only convolutions of PyTorch Geometric take some"):
        _encoder(conv_options={"K": 2})


def test_edges_and_features_that_do_not_fit_are_told() -> None:
    encoder, edges = _encoder(), random_edges(12, 12)
    with pytest.raises(DataError, match="the edges of 3 layers for an encoder with 2"):
        encoder(normal(12, 5), [edges] * 3)
    with pytest.raises(DataError, match="layer 1 has 12 senders and 11 rows of features"):
        encoder(normal(11, 5), edges)
    with pytest.raises(DataError, match=r"features are \[12, 4\]; expected 5 columns"):
        encoder(normal(12, 4), edges)


def test_dropout_is_for_training_alone() -> None:
    encoder, edges, x = _encoder(dropout=0.5, edge_dropout=0.5), random_edges(12, 12), normal(12, 5)
    assert not torch.equal(encoder(x, edges), encoder(x, edges))
    encoder.eval()
    assert torch.equal(encoder(x, edges), encoder(x, edges))


def test_jumping_by_lstm_gives_a_mean_of_the_layers_with_shares_of_each_node() -> None:
    jump = Jumping("lstm", 4, 2)
    layers = [normal(3, 4), normal(3, 4, seed=1)]
    found = jump(layers)
    share = (found - layers[1]) / (layers[0] - layers[1])
    assert share.detach().std(1).max() < 1e-4
    assert bool(((share > 0) & (share < 1)).all())
    assert share.detach()[:, 0].unique().numel() == 3
