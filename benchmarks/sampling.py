"""Sampled edges a second on a power-law graph of ten million edges, beside the peers that install and run.

    python benchmarks/sampling.py [--rounds 3] [--batches 50] [--dgl PYTHON] [--graphbolt PYTHON] [--pyg PYTHON]

Fan-out 15-10-5, 1,024 seeds a batch, uniform without replacement, on one thread and on two. Every round runs each contender
once, in a process of its own, over the same graph and the same seeds. `edges_per_s` is by the clock, and `edges_per_cpu_s` by
the processor time of all threads, which says more where the machine has other work. Environments for the peers: DGL 1.1.3 from
PyPI runs with current torch (pip install torch==2.13.0 "numpy<2" "setuptools<81" packaging dgl==1.1.3); GraphBolt is part of DGL
2.1.0, whose compiled parts are for torch 2.2.1 and older (pip install torch==2.2.1 "numpy<2" torchdata==0.7.1 pydantic pyyaml pandas
"setuptools<81" dgl==2.1.0). PyTorch Geometric's samplers need pyg-lib, which PyPI has not, or torch-sparse, which it has as source.
Medians are printed, and appended to benchmarks/log.jsonl.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_array

HERE = Path(__file__).resolve().parent
FAN_OUT = (15, 10, 5)
BATCH = 1024


def power_law_graph(n_nodes: int, n_edges: int, seed: int) -> csr_array:
    """Make an undirected graph (each edge both ways, duplicates kept) whose degrees fall as rank^-0.75: a power law of 2.33."""
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(np.arange(1, n_nodes + 1) ** -0.75)
    node = rng.permutation(n_nodes).astype(np.int32)
    ends = [
        node[np.searchsorted(cumulative, rng.random(n_edges // 2) * cumulative[-1], side="right")] for _ in range(2)
    ]
    row, column = np.concatenate(ends), np.concatenate(ends[::-1])
    order = np.argsort(row, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_nodes))]).astype(np.int32)
    return csr_array((np.ones(row.size, dtype=np.float32), column[order], indptr), shape=(n_nodes, n_nodes))


def ours(folder: Path, n_threads: int, how: str) -> dict[str, float]:
    """Sample in this process: `parallel`, the threads of one batch; or `loader`, a batch a thread."""
    import numba

    from edgewise.graph.neighbour_sampling import NeighbourSampler
    from edgewise.train.neighbour_loader import NeighbourLoader

    indptr, indices, seeds = (np.load(folder / f"{name}.npy") for name in ("indptr", "indices", "seeds"))
    n = indptr.size - 1
    graph = csr_array((np.ones(indices.size, dtype=np.float32), indices, indptr), shape=(n, n))
    numba.set_num_threads(n_threads)
    sampler = NeighbourSampler(graph)
    batches = [seeds[at : at + BATCH] for at in range(0, seeds.size, BATCH)]
    for parallel in (False, True):
        sampler.sample(batches[0], FAN_OUT, seed=0, parallel=parallel)

    def sampled() -> Iterator[int]:
        if how == "parallel":
            for number, batch in enumerate(batches):
                yield sampler.sample(batch, FAN_OUT, seed=0, batch=number, parallel=n_threads > 1).edge_ids.size
        else:
            loader = NeighbourLoader(
                sampler, seeds, FAN_OUT, batch_size=BATCH, seed=0, prefetch=2 * n_threads, n_workers=n_threads
            )
            for made in loader.epoch():
                yield made.graph.edge_ids.size

    start, cpu = time.perf_counter(), time.process_time()
    n_edges = sum(sampled())
    return {
        "edges_per_s": n_edges / (time.perf_counter() - start),
        "edges_per_cpu_s": n_edges / (time.process_time() - cpu),
        "edges_per_batch": n_edges / len(batches),
    }


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=10_000_000)
    for peer in ("dgl", "graphbolt", "pyg"):
        parser.add_argument(f"--{peer}", metavar="PYTHON", help=f"the Python of an environment with {peer}")
    parser.add_argument("--only-ours", nargs=3, metavar=("FOLDER", "THREADS", "HOW"), help="one run here, as JSON")
    arguments = parser.parse_args()
    if arguments.only_ours:
        folder, n_threads, how = arguments.only_ours
        print(json.dumps(ours(Path(folder), int(n_threads), how)))
        return
    with tempfile.TemporaryDirectory() as folder:
        graph = power_law_graph(arguments.nodes, arguments.edges, 0)
        print(f"{graph.nnz:,} edges, {arguments.nodes:,} nodes, largest degree {np.diff(graph.indptr).max():,}")
        np.save(Path(folder) / "indptr.npy", graph.indptr)
        np.save(Path(folder) / "indices.npy", graph.indices)
        seeds = np.random.default_rng(1).integers(arguments.nodes, size=arguments.batches * BATCH)
        np.save(Path(folder) / "seeds.npy", seeds)
        contenders = {}
        for n_threads in (1, 2):
            for how in ("parallel", "loader"):
                command = [sys.executable, str(Path(__file__).resolve()), "--only-ours", folder, str(n_threads), how]
                contenders[f"edgewise, {how}, {n_threads} threads"] = (command, n_threads)
            for peer in ("dgl", "graphbolt", "pyg"):
                if python := getattr(arguments, peer):
                    script = str(HERE / "peers" / "sampling.py")
                    command = [str(Path(python).absolute()), script, peer, folder, str(n_threads)]
                    contenders[f"{peer}, {n_threads} threads"] = (command, n_threads)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
        for number in range(arguments.rounds):
            for name, (command, n_threads) in contenders.items():
                environment = os.environ | dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), str(n_threads))
                done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
                found[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
                print(f"round {number + 1}: {name}: {found[name][-1]['edges_per_s'] / 1e6:.2f} million/s", flush=True)
    rows = {name: {key: round(median(run[key] for run in runs)) for key in runs[0]} for name, runs in found.items()}
    from edgewise.compare.machine import machine

    row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "data": "power-law graph", "model": "sampling"}
    row |= {"load": os.getloadavg()}  # above the number of processors: others were at work
    row |= {"n_edges": arguments.edges, "rounds": arguments.rounds, "rows": rows, "machine": machine()}
    with (HERE / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
