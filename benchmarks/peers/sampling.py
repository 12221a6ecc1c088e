"""Neighbour sampling by a peer, in its own environment: python sampling.py dgl|graphbolt|pyg FOLDER THREADS (see ../sampling.py)."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

FAN_OUT = (15, 10, 5)
BATCH = 1024


def dgl_sampler(indptr, indices):
    import dgl

    graph = dgl.graph(("csc", (indptr, indices, torch.empty(0, dtype=torch.int64))))
    sampler = dgl.dataloading.NeighborSampler(list(FAN_OUT[::-1]))  # of the last layer last

    def sample(seeds):
        return sum(block.num_edges() for block in sampler.sample_blocks(graph, seeds)[2])

    return sample


def graphbolt_sampler(indptr, indices):
    from dgl import graphbolt

    graph = graphbolt.fused_csc_sampling_graph(indptr, indices)

    def sample(seeds):
        n_edges = 0
        for n in FAN_OUT:
            drawn = graph.sample_neighbors(seeds, torch.tensor([n])).sampled_csc
            n_edges += drawn.indices.numel()
            seeds, _ = graphbolt.unique_and_compact_csc_formats(drawn, seeds)
        return n_edges

    return sample


def pyg_sampler(indptr, indices):
    from torch_geometric.data import Data
    from torch_geometric.sampler import NeighborSampler, NodeSamplerInput

    receiver = torch.repeat_interleave(torch.arange(indptr.numel() - 1), indptr.diff())
    data = Data(edge_index=torch.stack([indices, receiver]), num_nodes=indptr.numel() - 1)
    sampler = NeighborSampler(data, list(FAN_OUT))

    def sample(seeds):
        return sampler.sample_from_nodes(NodeSamplerInput(None, seeds)).row.numel()

    return sample


def main():
    peer, folder, n_threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(n_threads)
    indptr, indices, seeds = (
        torch.from_numpy(np.load(folder / f"{name}.npy").astype(np.int64)) for name in ("indptr", "indices", "seeds")
    )
    sample = {"dgl": dgl_sampler, "graphbolt": graphbolt_sampler, "pyg": pyg_sampler}[peer](indptr, indices)
    batches = seeds.split(BATCH)
    sample(batches[0])
    start, cpu = time.perf_counter(), time.process_time()
    n_edges = sum(sample(batch) for batch in batches)
    row = {
        "edges_per_s": n_edges / (time.perf_counter() - start),
        "edges_per_cpu_s": n_edges / (time.process_time() - cpu),
        "edges_per_batch": n_edges / len(batches),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
