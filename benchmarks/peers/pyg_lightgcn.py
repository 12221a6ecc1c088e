"""PyTorch Geometric's LightGCN on a LightGCN-format split: seconds a training step, BPR with exact propagation.

    python pyg_lightgcn.py TRAIN --batch-size 2048 --steps 40 [--edges index|csr]

Prints one JSON line. The steps are those of PyG's own example (examples/lightgcn.py): propagate, rank positive and negative
edges, BPR with the penalty on the batch's nodes, Adam. The weights of the edges are computed once, which the example leaves
to every step; with --edges csr the graph is a CSR tensor, PyG's own way to the fastest product.
"""

import argparse
import gzip
import json
import resource
import time
from pathlib import Path

import numpy as np
import torch
from torch_geometric.nn import LGConv, LightGCN
from torch_geometric.nn.conv.gcn_conv import gcn_norm


def read(path: Path) -> np.ndarray:
    pairs = []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            user, *items = map(int, line.split())
            pairs += [(user, item) for item in items]
    return np.array(pairs).T


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--edges", choices=("index", "csr"), default="index")
    arguments = parser.parse_args()
    users, items = read(arguments.train)
    n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
    n = n_users + n_items
    pairs = torch.from_numpy(np.stack([users, n_users + items]))
    edges, weights = gcn_norm(torch.cat([pairs, pairs.flip(0)], dim=1), None, n, add_self_loops=False)
    graph: tuple[torch.Tensor, ...] = (edges, weights)
    if arguments.edges == "csr":
        graph = (
            torch.sparse_coo_tensor(edges, weights, (n, n)).coalesce().to_sparse_csr(),
        )  # symmetric: its own transpose
    torch.manual_seed(0)
    model = LightGCN(n, 64, 3)
    model.convs = torch.nn.ModuleList(LGConv(normalize=False) for _ in range(3))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    order = torch.randperm(pairs.shape[1])
    seconds = []
    for step in range(arguments.steps + 2):  # two to warm up
        started = time.perf_counter()
        positive = pairs[:, order[step * arguments.batch_size : (step + 1) * arguments.batch_size]]
        negative = torch.stack([positive[0], torch.randint(n_users, n, (positive.shape[1],))])
        optimiser.zero_grad()
        embedding = model.get_embedding(*graph)
        label = torch.cat([positive, negative], dim=1)
        ranks = (embedding[label[0]] * embedding[label[1]]).sum(dim=1)
        first, second = ranks.chunk(2)
        loss = model.recommendation_loss(first, second, node_id=label.unique(), lambda_reg=1e-4)
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    step_s = float(np.median(seconds[2:]))
    found = {
        "peer": f"PyG LightGCN, {arguments.edges}",
        "step_s": step_s,
        "epoch_s": step_s * -(-pairs.shape[1] // arguments.batch_size),
        "peak_rss_mb": peak,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
