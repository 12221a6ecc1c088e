"""Recall and time of the indices beside faiss, one query after the other in one process, what users have seen left out.

    python benchmarks/retrieval.py [--items 100000] [--dim 64] [--queries 1000] [--rounds 3] [--recall 0.995]
    python benchmarks/retrieval.py --model FOLDER           # item and user vectors of a fitted model, and what its users have seen

Made vectors: 300 groups on the sphere, log-normal lengths (sigma 0.3); each query leaves out 500 items, of which 50 are in its
exact top 100. The indices measure themselves with other queries from the same groups. faiss (pip install faiss-cpu; left out
where it is missing) filters with its IDSelector, on lists found by ten rounds of k-means, with fixed numbers of probes. One thread each, but for
building. Every round asks each contender the same queries in turn; ms is the median and the 99th percentile of all rounds, cpu_ms the median of
the thread's processor time, which says more where the machine has other work. Appended to benchmarks/log.jsonl.
"""

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from edgewise.compare.machine import machine
from edgewise.retrieval import ApproximateIndex, ExactIndex
from edgewise.types import Floats, Index

Search = Callable[[Floats, int, csr_array], Index]
HERE = Path(__file__).parent


def made(n_items: int, dim: int, n_queries: int) -> tuple[Floats, Floats, Floats, csr_array]:
    """Make item vectors, queries to measure with, queries to ask, and what these leave out."""
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((300, dim), dtype=np.float32)

    def drawn(n: int) -> Floats:
        rows = middles[rng.integers(300, size=n)] + 0.7 * rng.standard_normal((n, dim), dtype=np.float32)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    items = drawn(n_items) * np.exp(0.3 * rng.standard_normal((n_items, 1))).astype(np.float32)
    asked = drawn(n_queries)
    best, _ = ExactIndex(items).search(asked, 100)
    seen = [np.union1d(rng.permutation(row)[:50], rng.integers(n_items, size=450)) for row in best]
    return items, drawn(2000), asked, as_rows(seen, n_items)


def fitted(folder: Path, n_queries: int) -> tuple[Floats, Floats, Floats, csr_array]:
    """Take the vectors of a fitted model of users and items."""
    from edgewise.models import load

    model: Any = load(folder)
    users = np.random.default_rng(0).permutation(len(model.users))
    asked, others = users[:n_queries], users[n_queries:]
    return model.items, model.users[others], model.users[asked], model.catalogue.seen[asked]


def as_rows(lists: list[Index], n_items: int) -> csr_array:
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in lists])])
    return csr_array(
        (np.ones(indptr[-1], dtype=np.float32), np.concatenate(lists), indptr), shape=(len(lists), n_items)
    )


def faiss_contenders(items: Floats, n_lists: int, build_s: dict[str, float]) -> dict[str, Search]:
    import faiss

    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(items.shape[1])
    flat.add(items)
    started = time.perf_counter()
    lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(items.shape[1]), items.shape[1], n_lists, faiss.METRIC_INNER_PRODUCT)
    lists.cp.niter, lists.cp.max_points_per_centroid = 10, 40
    lists.train(items)
    lists.add(items)
    build_s["faiss IVF"] = time.perf_counter() - started

    def flat_search(query: Floats, k: int, seen: csr_array) -> Index:
        left = faiss.IDSelectorNot(faiss.IDSelectorBatch(seen.indices.astype(np.int64)))
        found: Index = flat.search(query, k, params=faiss.SearchParameters(sel=left))[1][0]
        return found

    def lists_search(n_probes: int) -> Search:
        def search(query: Floats, k: int, seen: csr_array) -> Index:
            left = faiss.IDSelectorNot(faiss.IDSelectorBatch(seen.indices.astype(np.int64)))
            given = faiss.SearchParametersIVF(sel=left, nprobe=n_probes)
            found: Index = lists.search(query, k, params=given)[1][0]
            return found

        return search

    probing = {f"faiss IVF{n_lists}, {n} probes": lists_search(n) for n in (16, 64, 128, 256)}
    return {"faiss flat": flat_search, **probing}


def main() -> None:
    """Build, ask in turn, print and log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recall", type=float, default=0.995)
    parser.add_argument("--lists", type=int, help="of ours; by default twice the root of the number of items")
    parser.add_argument("--model", type=Path, help="a folder with a fitted model of users and items")
    arguments = parser.parse_args()
    if arguments.model:
        items, others, asked, seen = fitted(arguments.model, arguments.queries)
    else:
        items, others, asked, seen = made(arguments.items, arguments.dim, arguments.queries)
    build_s: dict[str, float] = {}
    exact = ExactIndex(items)
    ApproximateIndex(items[:1000])  # kernels are compiled
    started = time.perf_counter()
    lists = ApproximateIndex(items, recall=arguments.recall, n_lists=arguments.lists, queries=others)
    build_s["approximate"] = time.perf_counter() - started
    contenders: dict[str, Search] = {
        "exact": lambda query, k, left: exact.search(query, k, left)[0][0],
        "approximate": lambda query, k, left: lists.search(query, k, left)[0][0],
    }
    if importlib.util.find_spec("faiss"):
        contenders |= faiss_contenders(items, 4096 if len(items) > 400_000 else 1024, build_s)
    each = [seen[[row]] for row in range(len(asked))]
    rows: dict[str, dict[str, float]] = {}
    for k in (10, 100):
        truth, _ = exact.search(asked, k, seen)
        wall: dict[str, list[float]] = {name: [] for name in contenders}
        cpu: dict[str, list[float]] = {name: [] for name in contenders}
        recall = dict.fromkeys(contenders, 0.0)
        for _ in range(arguments.rounds):
            for name, search in contenders.items():
                n_asked = min(len(asked), 100) if name in ("exact", "faiss flat") else len(asked)
                search(asked[:1], k, each[0])
                hits = []
                for row in range(n_asked):
                    started, used = time.perf_counter(), time.thread_time()
                    found = search(asked[row : row + 1], k, each[row])
                    cpu[name].append(time.thread_time() - used)
                    wall[name].append(time.perf_counter() - started)
                    hits.append(np.isin(truth[row], found).mean())
                recall[name] = float(np.mean(hits))
        for name in contenders:
            p50, p99 = 1000 * np.quantile(wall[name], [0.5, 0.99])
            row_of = {"recall": recall[name], "p50_ms": p50, "p99_ms": p99}
            row_of |= {"cpu_p50_ms": 1000 * np.median(cpu[name]), "cpu_p99_ms": 1000 * np.quantile(cpu[name], 0.99)}
            rows[f"{name}, top {k}"] = {key: round(float(value), 4) for key, value in row_of.items()}
            print(
                f"{name + f', top {k}':<34} " + "  ".join(f"{key} {value:.4f}" for key, value in row_of.items()),
                flush=True,
            )
    new = np.arange(len(items), len(items) + 1000)
    for what, act in (("add", lambda: lists.add(items[:1000], new)), ("remove", lambda: lists.remove(new))):
        started = time.perf_counter()
        act()
        build_s[f"{what} 1,000"] = time.perf_counter() - started
    print(
        {key: round(value, 3) for key, value in build_s.items()}, "lists", lists.n_lists, "slack", lists.slack.tolist()
    )
    data = arguments.model.name if arguments.model else "made vectors"
    row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "data": data, "model": "retrieval"}
    row |= {
        "load": os.getloadavg(),
        "n_items": len(items),
        "dim": items.shape[1],
        "n_queries": len(asked),
        "rounds": arguments.rounds,
    }
    row |= {"recall_wanted": arguments.recall, "seconds": build_s, "rows": rows, "machine": machine()}
    with (HERE / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
