"""Training throughput of LightGCN beside RecBole's and PyG's, in one run: BPR, one batch size, exact propagation, 64 x 3.

    python benchmarks/throughput.py GOWALLA-FOLDER [--rounds 3] [--batch-size 2048] --recbole PYTHON

Every round runs each contender once, in a process of its own; medians over the rounds are printed, and appended to
benchmarks/log.jsonl. Ours trains a whole epoch; RecBole trains 60 batches and PyG 40, in the words of its example and with a
CSR graph, since an epoch of theirs takes minutes. `make bench GOWALLA=FOLDER` installs RecBole and names its Python.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent


def ours(train: Path, batch_size: int, assignments: list[str]) -> dict[str, float]:
    """Train one epoch in this process."""
    import resource

    from edgewise.config import override
    from edgewise.data import Dataset
    from edgewise.models import build

    settings = {"loss": "bpr", "epochs": 1, "learning_rate": 1e-3, "batch_size": batch_size}
    settings |= override({}, assignments, default_section="model").get("model", {})
    model = build("lightgcn", settings).fit(Dataset.from_file(train, format="lightgcn"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"epoch_s": model.record.curve[-1]["seconds"], "peak_rss_mb": peak}


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--recbole", metavar="PYTHON", help="the Python of an environment with RecBole")
    parser.add_argument("--only-ours", action="store_true", help="one epoch of ours in this process, as JSON")
    parser.add_argument("--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    train, test = (next(folder.glob(f"{part}.txt*")) for part in ("train", "test"))
    size = ["--batch-size", str(arguments.batch_size)]
    if arguments.only_ours:
        print(json.dumps(ours(train, arguments.batch_size, arguments.assignments)))
        return
    mine = [sys.executable, str(Path(__file__).resolve()), str(folder), *size, "--only-ours"]
    pyg = [sys.executable, str(HERE / "peers" / "pyg_lightgcn.py"), str(train), *size]
    contenders = {
        "edgewise": mine,
        "edgewise, propagation reused for 8 steps": [*mine, "--set", "propagate_every=8"],
        "PyG, as its example": pyg,
        "PyG, CSR": [*pyg, "--edges", "csr"],
    }
    if arguments.recbole:
        script = str(HERE / "peers" / "recbole_lightgcn.py")
        contenders["RecBole 1.2.1"] = [
            str(Path(arguments.recbole).absolute()),
            script,
            str(train),
            str(test),
            *size,
            "--steps",
            "60",
        ]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for number in range(arguments.rounds):
        for name, command in contenders.items():
            with tempfile.TemporaryDirectory() as folder:  # peers leave files where they run
                done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
            found[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
            print(f"round {number + 1}: {name}: {found[name][-1]['epoch_s']:.1f} s an epoch", flush=True)
    ours_s = median(run["epoch_s"] for run in found["edgewise"])
    rows = {
        name: {
            "epoch_s": round(median(run["epoch_s"] for run in runs), 1),
            "times_ours": round(median(run["epoch_s"] for run in runs) / ours_s, 2),
            "peak_rss_mb": round(max(run["peak_rss_mb"] for run in runs)),
        }
        for name, runs in found.items()
    }
    from edgewise.compare.machine import machine

    row = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": arguments.folder.name,
        "model": "lightgcn throughput",
    }
    row |= {"batch_size": arguments.batch_size, "rounds": arguments.rounds, "rows": rows, "machine": machine()}
    with (HERE / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
