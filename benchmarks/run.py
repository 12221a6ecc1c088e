"""Every figure of the README's tables, in one run, with peers in environments of their own beside us.

    python benchmarks/run.py --gowalla FOLDER [--only NAME …]

FOLDER holds train.txt.gz and test.txt.gz of the LightGCN split. Peers are installed from PyPI into benchmarks/.peers at
the first run. Prints what it finds; single rows also go to benchmarks/log.jsonl.
"""

import argparse
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
RECBOLE = (
    "torch>=2.9,<2.14",
    "recbole==1.2.1",
    "numpy<2",
    "pandas<2.2",
    "scipy<1.12",
)  # the newest that RecBole 1.2.1 runs with


def call(*command: object) -> None:
    """Run a command, shown first; its failure is told and does not end the others."""
    words = [str(word) for word in command]
    print("\n$", " ".join(words), flush=True)
    done = subprocess.run(words, check=False)
    if done.returncode:
        print(f"  ended with {done.returncode}", flush=True)


def peer(name: str, requirements: tuple[str, ...]) -> Path:
    """Return the Python of a peer's own environment, made at first use."""
    python = PEERS / name / "bin" / "python"
    if not (PEERS / name / ".ready").exists():
        venv.create(PEERS / name, with_pip=True, clear=True)
        for requirement in (
            requirements[:1],
            requirements,
        ):  # torch first, so that a peer's own range cannot pull another
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirement], check=True)
        (PEERS / name / ".ready").touch()
    return python


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gowalla", type=Path, help="folder with train.txt.gz and test.txt.gz")
    parser.add_argument("--only", action="append", help="run these alone")
    arguments = parser.parse_args()
    runs: dict[str, Callable[[], None]] = {"read": lambda: call(sys.executable, HERE / "read_20m.py")}
    if arguments.gowalla:
        split = ("--train", arguments.gowalla / "train.txt.gz", "--test", arguments.gowalla / "test.txt.gz")
        for name in ("popularity", "item-knn", "rp3beta", "als", "graph-filter", "lightgcn"):
            runs[name] = lambda name=name: call(sys.executable, HERE / "gowalla.py", name, *split)
        runs["evaluate"] = lambda: call(sys.executable, HERE / "evaluate_gowalla.py", arguments.gowalla)
        runs["recbole"] = lambda: call(
            peer("recbole", RECBOLE), HERE / "peers" / "recbole_lightgcn.py", split[1], split[3], "--epochs", 1
        )
        runs["throughput"] = lambda: call(
            sys.executable, HERE / "throughput.py", arguments.gowalla, "--recbole", peer("recbole", RECBOLE)
        )
    else:
        print("no --gowalla FOLDER (make bench GOWALLA=FOLDER): only what needs no data set is run")
    unknown = [name for name in arguments.only or [] if name not in runs]
    if unknown:
        parser.error(f"there is no run {unknown[0]!r}; there are {', '.join(runs)}")
    for name, run in runs.items():
        if not arguments.only or name in arguments.only:
            run()


if __name__ == "__main__":
    main()
