"""Models on a LightGCN-format split: validation carved from train, then one fit on all of train and one look at test.

    python benchmarks/gowalla.py graph-filter --train TRAIN --test TEST [--set key=value …] [--no-test]
    python benchmarks/gowalla.py lightgcn graph-filter xsimgcl --train TRAIN --test TEST      # one after the other

Every model appends its config, figures and machine to benchmarks/log.jsonl, which is kept in the repository. Choices are
made with --no-test; a run that looks at the test data is a row of the log for good.
"""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from edgewise.cli.console import progress
from edgewise.compare.machine import machine
from edgewise.compare.resources import Measured
from edgewise.config import override
from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.models import build

LOG = Path(__file__).parent / "log.jsonl"


def measure(name: str, settings: dict[str, object], train: Dataset, test: Dataset, seed: int) -> dict[str, object]:
    """Fit and rank, and say what it cost."""
    model = build(name, settings, seed=seed)
    with Measured() as fitting:
        model.fit(train)
    with Measured() as ranking:
        found = evaluate(model, test, k=(20,), auc=False)
    return {
        "recall@20": found.overall["recall@20"],
        "ndcg@20": found.overall["ndcg@20"],
        "fit_s": round(fitting.seconds, 1),
        "evaluate_s": round(ranking.seconds, 1),
        "peak_rss_mb": round(max(fitting.peak_rss_mb, ranking.peak_rss_mb)),
        "config": model.config.model_dump(mode="json"),
    }


def main() -> None:
    """Run one benchmark and append it to the log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="model")
    parser.add_argument("--train", required=True, type=Path)
    parser.add_argument("--test", required=True, type=Path)
    parser.add_argument(
        "--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE", help="for every model named"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-valid", action="store_true", help="skip the validation run")
    parser.add_argument("--no-test", action="store_true", help="leave the test data alone")
    arguments = parser.parse_args()
    settings = override({}, arguments.assignments, default_section="model").get("model", {})
    train = Dataset.from_file(arguments.train, format="lightgcn")
    test = None if arguments.no_test else Dataset.from_file(arguments.test, format="lightgcn")
    inner = None if arguments.no_valid else train.split("random", test=0.1, seed=0)
    for name in arguments.models:
        row: dict[str, object] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": arguments.train.parent.name,
            "model": name,
        }
        started = time.perf_counter()
        with progress():
            if inner is not None:
                row["validation"] = measure(name, settings, inner.train, inner.test, arguments.seed)
            if test is not None:
                row["test"] = measure(name, settings, train, test, arguments.seed)
        row |= {"seed": arguments.seed, "seconds": round(time.perf_counter() - started, 1), "machine": machine()}
        with LOG.open("a") as log:
            log.write(json.dumps(row) + "\n")
        print(json.dumps({key: value for key, value in row.items() if key != "machine"}, indent=2))


if __name__ == "__main__":
    main()
