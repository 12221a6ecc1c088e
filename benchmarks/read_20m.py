"""Reading 20 million interactions from Parquet to a `Dataset`, beside a bare Polars pass and pandas.

    python benchmarks/read_20m.py [--millions 1 2 5 10 20] [--rounds 3]

The bare pass does the least that any graph needs: it scans the four columns and codes both columns of ids densely
(distinct values, then a join). Ours also finds the columns, checks units and values, merges repeats, orders events by
time and builds the data set. Each measurement runs in a process of its own, so that its peak memory is its own; of
several rounds the fastest counts. Files are made in a temporary folder: ids either lie close together (numbers that a
data base gave out) or anywhere in 64 bits (hashes), rows either in the order of time or shuffled.

Prints JSON: seconds, CPU seconds and peak memory of each, the ratio to the bare pass, and the exponents with which our
time and memory (above what the imports take) grow from the smallest file to the largest: 1 is proportional.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

COLUMNS = ["user_id", "item_id", "value", "timestamp"]
VARIANTS = {"close ids, in time order": (False, False), "64-bit ids, shuffled": (True, True)}


KINDS = ("seconds", "cpu_s")


def generate(path: Path, n: int, *, wide: bool, shuffled: bool) -> None:
    """Write n rows of n / 20 users and n / 200 items, the popular items far more often than the others."""
    import polars as pl

    rng = np.random.default_rng(n)
    n_users, n_items = n // 20, n // 200
    users, items = rng.integers(0, n_users, n), (n_items * rng.random(n) ** 3).astype(np.int64)
    names = (rng.integers(-(2**63), 2**63 - 1, size) if wide else 10**6 + 3 * rng.permutation(size) for size in (n_users, n_items))  # fmt: skip
    user_ids, item_ids = names
    times = 1_600_000_000_000 + np.sort(rng.integers(0, 10**11, n))
    columns = (user_ids[users], item_ids[items], rng.integers(1, 6, n).astype(np.float32), rng.permutation(times) if shuffled else times)  # fmt: skip
    pl.DataFrame(dict(zip(COLUMNS, columns, strict=True))).write_parquet(path)


def ours(path: str) -> Callable[[], object]:
    from edgewise.data import Dataset
    from edgewise.data.read import read_dataset  # noqa: F401 - imported here, so that the time is that of reading

    return lambda: Dataset.from_file(path)


def bare(path: str) -> Callable[[], object]:
    import polars as pl

    def run() -> object:
        frame = pl.scan_parquet(path).select(COLUMNS).collect()
        coded = []
        for name in COLUMNS[:2]:
            ids = frame[name].unique().sort().to_frame().with_row_index("index")
            coded.append(frame.select(name).join(ids, on=name, how="left", maintain_order="left")["index"])
        return coded

    return run


def pandas(path: str) -> Callable[[], object]:
    import pandas as pd

    def run() -> object:
        frame = pd.read_parquet(path, columns=COLUMNS)
        return [pd.factorize(frame[name], sort=True) for name in COLUMNS[:2]]

    return run


WAYS = {"edgewise": ours, "bare": bare, "pandas": pandas}


def child(way: str, path: str) -> None:
    """Measure one pass in this process and print it."""
    run = WAYS[way](path)
    imports_mb = peak_rss_mb()
    start, start_cpu = time.perf_counter(), time.process_time()
    kept = run()
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    found = {"seconds": seconds, "cpu_s": cpu, "peak_rss_mb": peak_rss_mb(), "imports_mb": imports_mb}
    del kept
    print(json.dumps(found))


def peak_rss_mb() -> float:
    """Return the peak memory of this program; `getrusage` would count that of the process it was started from as well."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measure(way: str, path: Path, rounds: int) -> dict[str, float]:
    """Run `child` several times and return the round that took the least CPU, which a busy machine disturbs least."""
    command = [sys.executable, __file__, "--child", way, str(path)]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(rounds)]
    best = min(runs, key=lambda run: run["cpu_s"])
    return {name: round(value, 2) for name, value in {**best, "seconds": min(run["seconds"] for run in runs)}.items()}


def exponent(sizes: list[float], amounts: list[float]) -> float:
    """Return the slope of log(amount) over log(size): 1 where an amount grows in proportion."""
    return round(float(np.polyfit(np.log(sizes), np.log(amounts), 1)[0]), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 2, 5, 10, 20])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        for name, (wide, shuffled) in VARIANTS.items():
            rows = []
            for millions in sorted(arguments.millions):
                generate(path, millions * 1_000_000, wide=wide, shuffled=shuffled)
                others = ("bare", "pandas") if millions == max(arguments.millions) else ()
                rows.append({"millions": millions, **{way: measure(way, path, arguments.rounds) for way in ("edgewise", *others)}})  # fmt: skip
                print(name, json.dumps(rows[-1]), file=sys.stderr, flush=True)
            largest = rows[-1]
            sizes, reads = [row["millions"] for row in rows], [row["edgewise"] for row in rows]
            found[name] = {
                "runs": rows,
                "ratio_to_bare": {kind: round(largest["edgewise"][kind] / largest["bare"][kind], 2) for kind in KINDS},
                "exponent": {
                    "seconds": exponent(sizes, [read["seconds"] for read in reads]),
                    "cpu_s": exponent(sizes, [read["cpu_s"] for read in reads]),
                    "memory": exponent(sizes, [read["peak_rss_mb"] - read["imports_mb"] for read in reads]),
                },
            }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
