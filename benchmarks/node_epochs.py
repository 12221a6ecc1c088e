"""One training epoch on Cora, the whole graph: ours beside PyTorch Geometric's own convolutions, in the form of its examples.

    python benchmarks/node_epochs.py DIR_WITH_PLANETOID [--rounds 20]

Interleaved in one process; what is told is the median of the rounds' ratios, theirs divided by ours, so above 1 ours is
faster. Both take the same sizes, dropout, Adam and L2. PyTorch Geometric's examples take dense features and an edge_index.
The second table is one forward and backward pass of each convolution over dense features of 64 columns.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, dropout, elu, relu

from edgewise.data.planetoid import read_planetoid
from edgewise.nn.convolutions import GATConv, GCNConv, SAGEConv, TransformerConv
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import Encoder, EncoderConfig
from edgewise.nn.foreign import load_pyg
from edgewise.nn.sparse_linear import SparseRows

pyg = load_pyg("nn")
Timed = Callable[[], object]


class TheirGCN(torch.nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.one, self.two = pyg.GCNConv(n_in, 64, cached=True), pyg.GCNConv(64, n_out, cached=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = relu(self.one(dropout(x, 0.5, self.training), edge_index))
        result: Tensor = self.two(dropout(x, 0.5, self.training), edge_index)
        return result


class TheirGAT(torch.nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.one = pyg.GATConv(n_in, 8, 8, dropout=0.6)
        self.two = pyg.GATConv(64, n_out, 1, concat=False, dropout=0.6)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = elu(self.one(dropout(x, 0.6, self.training), edge_index))
        result: Tensor = self.two(dropout(x, 0.6, self.training), edge_index)
        return result


class TheirSAGE(torch.nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.one, self.two = pyg.SAGEConv(n_in, 64), pyg.SAGEConv(64, n_out)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = relu(self.one(dropout(x, 0.5, self.training), edge_index))
        result: Tensor = self.two(dropout(x, 0.5, self.training), edge_index)
        return result


def epoch(net: torch.nn.Module, run: Callable[[], Tensor], train: Tensor, labels: Tensor) -> Timed:
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=5e-4)

    def step() -> float:
        net.train()
        optimiser.zero_grad()
        loss = cross_entropy(run()[train], labels[train])
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step


def ratio(ours: Timed, theirs: Timed, rounds: int) -> tuple[float, float, float]:
    """Return the medians of our and their milliseconds, and of theirs divided by ours."""
    for _ in range(3):
        ours()
        theirs()
    times = []
    for _ in range(rounds):
        pair = []
        for run in (ours, theirs):
            started = time.perf_counter()
            run()
            pair.append(1000 * (time.perf_counter() - started))
        times.append(pair)
    return (
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(b / a for a, b in times),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    data = read_planetoid(options.directory, "cora")
    n_in, n_out = data.x.shape[1], len(data.classes or ())
    sparse, dense = SparseRows(data.x), torch.from_numpy(data.x.toarray())
    edges = Edges.from_csr(data.graph)
    train, labels = torch.from_numpy(data.train), torch.from_numpy(data.labels)
    attention = {"dropout": 0.6, "attention_dropout": 0.6, "activation": "elu"}
    print(f"{'epoch':<14}{'ours ms':>9}{'PyG ms':>9}{'PyG / ours':>12}")
    for name, settings, their_kind in (("gcn", {}, TheirGCN), ("gat", attention, TheirGAT), ("sage", {}, TheirSAGE)):
        ours = Encoder(EncoderConfig.model_validate({"conv": name, **settings}), n_in, n_out)
        theirs = their_kind(n_in, n_out)
        pair = (
            epoch(ours, lambda net=ours: net(sparse, edges), train, labels),
            epoch(theirs, lambda net=theirs: net(dense, edges.edge_index), train, labels),
        )
        print("{:<14}{:>9.2f}{:>9.2f}{:>12.2f}".format(name, *ratio(*pair, options.rounds)), flush=True)

    x = torch.randn(data.n_nodes, 64, requires_grad=True)
    convs = {
        "gcn": (GCNConv(64, 64), pyg.GCNConv(64, 64, cached=True)),
        "gat": (GATConv(64, 64, 8), pyg.GATConv(64, 8, 8)),
        "gatv2": (GATConv(64, 64, 8, version=2), pyg.GATv2Conv(64, 8, 8)),
        "transformer": (TransformerConv(64, 64, 8), pyg.TransformerConv(64, 8, 8)),
        **{f"sage {a}": (SAGEConv(64, 64, aggregator=a), pyg.SAGEConv(64, 64, aggr=a)) for a in ("mean", "sum", "max")},
    }
    # No LSTM: theirs pads every node to as many neighbours as the busiest has, ours reads 32 at most.
    print(f"\n{'convolution':<14}{'ours ms':>9}{'PyG ms':>9}{'PyG / ours':>12}")
    for name, (our_conv, their_conv) in convs.items():
        pair = (
            lambda conv=our_conv: conv(x, edges).sum().backward(),
            lambda conv=their_conv: conv(x, edges.edge_index).sum().backward(),
        )
        print("{:<14}{:>9.2f}{:>9.2f}{:>12.2f}".format(name, *ratio(*pair, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
