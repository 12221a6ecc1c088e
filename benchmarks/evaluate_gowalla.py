"""How much longer does `evaluate` take than the bare pass: matrix product in blocks and top-k, on Gowalla with 64-d vectors?

Run `python benchmarks/evaluate_gowalla.py [--quick] [DIRECTORY]`; the directory holds Gowalla's train.txt.gz and test.txt.gz
(default ../shared/data/gowalla). Prints JSON: seconds (median of five, interleaved so that all meet the same neighbours),
the ratio to the faster bare pass, and the peak memory. The bar: a ratio of at most 1.5.
"""

import argparse
import gzip
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from edgewise.catalogue import Catalogue
from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.ranking import block_size, top_k
from edgewise.threads import n_cpus
from edgewise.types import Floats, Index

K = 20
DIM = 64
LARGER = 409
"""Blocks of 64 MB, for whoever suspects that the bare passes would gain by them."""


def read(path: Path) -> Dataset:
    with gzip.open(path, "rt") as lines:
        rows = [np.fromstring(line, dtype=np.int64, sep=" ") for line in lines]
    users = np.repeat([row[0] for row in rows], [row.size - 1 for row in rows])
    items = np.concatenate([row[1:] for row in rows])
    return Dataset.from_events(pl.DataFrame({"user_id": users, "item_id": items}))


class Vectors:
    """Scores by the product of random vectors: the least that a model can do."""

    def __init__(self, train: Dataset) -> None:
        rng = np.random.default_rng(0)
        self.catalogue = Catalogue.of(train)
        self.users = rng.standard_normal((train.n_users, DIM), dtype=np.float32)
        self.items = rng.standard_normal((train.n_items, DIM), dtype=np.float32)

    def masked_scores(self, user_index: Index) -> Floats:
        return self.users[user_index] @ self.items.T


def bare_numpy(model: Vectors, size: int) -> None:
    for start in range(0, len(model.users), size):
        top_k(model.users[start : start + size] @ model.items.T, K)


def bare_torch(model: Vectors, size: int) -> None:
    import torch

    users, items = torch.from_numpy(model.users), torch.from_numpy(model.items)
    for start in range(0, len(users), size):
        torch.topk(users[start : start + size] @ items.T, K)


def bare_numpy_torch(model: Vectors, size: int) -> None:
    import torch

    for start in range(0, len(model.users), size):
        torch.topk(torch.from_numpy(model.users[start : start + size] @ model.items.T), K)


def product_alone(model: Vectors, size: int) -> None:
    for start in range(0, len(model.users), size):
        model.users[start : start + size] @ model.items.T


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=Path(__file__).parents[2] / "shared/data/gowalla")
    parser.add_argument("--quick", action="store_true", help="one repeat, one size of blocks")
    arguments = parser.parse_args()
    train, test = read(arguments.directory / "train.txt.gz"), read(arguments.directory / "test.txt.gz")
    model = Vectors(train)
    ours = block_size(train.n_items)
    runs: dict[str, Callable[[], object]] = {
        "evaluate": lambda: evaluate(model, test, k=(10, K)),
        "evaluate, no auc": lambda: evaluate(model, test, k=(10, K), auc=False),
        "evaluate, no auc, no edges": lambda: evaluate(model, test, k=(10, K), auc=False, edges=False),
        f"product alone, blocks of {ours}": lambda: product_alone(model, ours),
    }
    for size in (ours,) if arguments.quick else (ours, LARGER):
        runs[f"bare numpy, blocks of {size}"] = lambda size=size: bare_numpy(model, size)  # type: ignore[misc]
        runs[f"bare torch, blocks of {size}"] = lambda size=size: bare_torch(model, size)  # type: ignore[misc]
    runs[f"bare numpy and torch.topk, blocks of {ours}"] = lambda: bare_numpy_torch(model, ours)
    bare_numpy(model, ours)  # compiles
    before_mb = peak_mb()
    evaluate(model, test, k=(10, K))
    evaluate_mb = peak_mb()
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(1 if arguments.quick else 5):
        for name, run in runs.items():
            began, busy = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - busy)
    seconds = {name: round(statistics.median(times), 3) for name, times in wall.items()}
    fastest = min((name for name in seconds if name.startswith("bare")), key=seconds.__getitem__)
    print(
        json.dumps(
            {
                "data": {"n_users": train.n_users, "n_items": train.n_items, "n_test_interactions": test.n_events},
                "seconds": seconds,
                "cpu_seconds": {name: round(statistics.median(times), 3) for name, times in cpu.items()},
                "bare": fastest,
                "ratio": {
                    name: round(seconds[name] / seconds[fastest], 3) for name in seconds if name.startswith("evaluate")
                },
                "peak_rss_mb": {"bare numpy": round(before_mb), "evaluate": round(evaluate_mb)},
                "threads": n_cpus(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
