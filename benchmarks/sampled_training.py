"""Sampled training on a power-law graph of ten million edges: GraphSAGE, 3 layers of 64, fan-out 15-10-5, 1,024 seeds a batch.

    python benchmarks/sampled_training.py [--steps 100] [--prefetch 4] [--workers 1]

Prints, and appends to benchmarks/log.jsonl, the share of its time that training waited for batches, the median seconds of a step,
and the peak memory of the process, which makes the graph and holds 64 features of each node.
"""

import argparse
import json
import os
import resource
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sampling import BATCH, FAN_OUT, power_law_graph
from torch.nn.functional import cross_entropy

from edgewise.compare.machine import machine
from edgewise.graph.neighbour_sampling import NeighbourSampler
from edgewise.nn.encoder import Encoder, EncoderConfig
from edgewise.train.neighbour_loader import NeighbourLoader

N_CLASSES, DIM = 16, 64


def main() -> None:
    """Train for some steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--prefetch", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    n = arguments.nodes
    sampler = NeighbourSampler(power_law_graph(n, arguments.edges, 0))
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n, DIM), dtype=np.float32)
    labels = torch.from_numpy(features[:, :N_CLASSES].argmax(1))
    seeds = rng.permutation(n)[: min(n, arguments.steps * BATCH)]
    loader = NeighbourLoader(
        sampler,
        seeds,
        FAN_OUT,
        batch_size=BATCH,
        seed=0,
        features=features,
        prefetch=arguments.prefetch,
        n_workers=arguments.workers,
    )
    torch.manual_seed(0)
    net = Encoder(EncoderConfig(conv="sage", hidden_dim=64, n_layers=len(FAN_OUT)), DIM, N_CLASSES)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses, seconds, n_edges = [], [], 0
    start = time.perf_counter()
    for batch in islice(loader.epoch(), arguments.steps):
        optimiser.zero_grad()
        loss = cross_entropy(net(batch.x, batch.edges())[batch.seed_places], labels[batch.seeds])
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        n_edges += batch.graph.edge_ids.size
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    row = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": "power-law graph",
        "model": "sampled training",
        "steps": len(losses),
        "waited_share": round(loader.waited_share, 4),
        "step_s": round(median(seconds), 4),
        "edges_a_step": n_edges // len(losses),
        "peak_rss_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "loss": [round(float(np.mean(part)), 3) for part in (losses[:10], losses[-10:])],
        "load": os.getloadavg(),
    }
    print(json.dumps(row, indent=2))
    with (Path(__file__).resolve().parent / "log.jsonl").open("a") as log:
        log.write(json.dumps(row | {"machine": machine()}) + "\n")


if __name__ == "__main__":
    main()
