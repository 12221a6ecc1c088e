"""RMSE of ratings by 5-fold cross-validation, ours and Surprise's on the same folds in one run.

    python benchmarks/ratings.py FOLDER/u.data.gz [--models biases,mf] [--peer-python PYTHON]
    python benchmarks/ratings.py FOLDER/u.data.gz --yes-from 4
    python benchmarks/ratings.py FOLDER/u.data.gz --settings mf --try l2=0.5,0.7 [--try key=a,b …]
    python benchmarks/ratings.py FOLDER/u.data.gz --users FOLDER/u.user.gz --items FOLDER/u.item.gz --settings gc-mc --try side_dim=0

The folds are those of `edgewise compare --task ratings --split k-fold`. Errors are taken over all ratings, each tested once. The second
makes ratings of 4 and more a yes, and prints log-loss, Brier score, calibration error and AUC. The third prints the RMSE on a tenth of the training part of fold 0, for every combination, the defaults first: how the
defaults were chosen. Surprise (scikit-surprise) is installed into benchmarks/.peers at first use, unless --peer-python names an
environment that has it; --no-peer leaves it out.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from edgewise.compare.tasks import task_of
from edgewise.config import override
from edgewise.data import Dataset
from edgewise.data.ratings import pairs_of
from edgewise.data.split import Split, k_fold
from edgewise.models import build

HERE = Path(__file__).resolve().parent
SURPRISE = ("numpy<2", "pandas", "scikit-surprise")
TASK = task_of("ratings")


def validation(split: Split, seed: int) -> Split:
    """Take a tenth of the training part."""
    return split.train.split("random", test=0.1, seed=seed)


def folds_file(dataset: Dataset, splits: list[Split], path: Path, seed: int) -> None:
    """Write the folds for the peer: positions of users and items, ratings, fold and validation part of each."""
    users, items = pairs_of(dataset.ratings)
    place = {pair: number for number, pair in enumerate(zip(users.tolist(), items.tolist(), strict=True))}

    def rows(part: Dataset) -> list[int]:
        of_users, of_items = pairs_of(part.ratings)
        theirs = dataset.users.index_of(part.users.ids)[of_users], dataset.items.index_of(part.items.ids)[of_items]
        return [place[pair] for pair in zip(theirs[0].tolist(), theirs[1].tolist(), strict=True)]

    fold, valid = np.full(users.size, -1), np.zeros(users.size, dtype=np.bool_)
    for number, split in enumerate(splits):
        fold[rows(split.test)] = number
    valid[rows(validation(splits[0], seed).test)] = True
    np.savez(path, users=users, items=items, ratings=dataset.ratings.data.astype(np.float64), fold=fold, valid=valid)


def try_settings(split: Split, model: str, tried: list[str], seed: int) -> None:
    """Measure every combination on the validation part."""
    inner = validation(split, seed)
    pairs = [(text.partition("=")[0], text.partition("=")[2].split(",")) for text in tried]
    grid = [
        [f"{key}={value}" for (key, _), value in zip(pairs, chosen, strict=True)]
        for chosen in itertools.product(*(values for _, values in pairs))
    ]
    for assignments in [[], *grid] if pairs else [[]]:
        settings = override({}, assignments, default_section="model").get("model", {})
        started = time.perf_counter()
        fitted = build(model, settings, seed=seed).fit(inner.train)
        seconds = time.perf_counter() - started
        found = TASK.evaluate(fitted, inner, (20,), thorough=False).overall
        figures = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        print(f"{figures}  {seconds:6.1f} s  {' '.join(assignments) or 'defaults'}", flush=True)


def peer_figures(dataset: Dataset, splits: list[Split], python: str | None, seed: int) -> dict[str, dict[str, float]]:
    """Run Surprise in its own environment."""
    if python is None:
        from run import peer

        python = str(peer("surprise", SURPRISE))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folds.npz"
        folds_file(dataset, splits, path, seed)
        done = subprocess.run(
            [python, str(HERE / "peers" / "surprise_ratings.py"), str(path)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    figures: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--users", type=Path, metavar="FILE", help="attributes of users")
    parser.add_argument("--items", type=Path, metavar="FILE", help="attributes of items")
    parser.add_argument("--models", default=",".join(TASK.contenders))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-folds", type=int, default=5)
    parser.add_argument("--yes-from", type=float, metavar="RATING")
    parser.add_argument("--settings", metavar="MODEL")
    parser.add_argument("--try", action="append", default=[], dest="tried", metavar="KEY=VALUE,VALUE,…")
    parser.add_argument("--peer-python", metavar="PYTHON")
    parser.add_argument("--no-peer", action="store_true")
    arguments = parser.parse_args()
    dataset = Dataset.from_file(arguments.log, users=arguments.users, items=arguments.items)
    if arguments.yes_from is not None:
        yes = pl.col("value") >= arguments.yes_from
        dataset = Dataset.from_events(dataset.to_frame().with_columns(yes.cast(pl.Float32).alias("value")))
    splits = list(k_fold(dataset, arguments.n_folds, seed=arguments.seed))
    if arguments.settings:
        try_settings(splits[0], arguments.settings, arguments.tried, arguments.seed)
        return
    found: dict[str, dict[str, float]] = {}
    for name in arguments.models.split(","):
        parts, seconds = [], 0.0
        for split in splits:
            started = time.perf_counter()
            model = build(name, seed=arguments.seed).fit(split.train)
            seconds += time.perf_counter() - started
            parts.append(TASK.evaluate(model, split, (20,), thorough=False))
        pooled = TASK.pool(parts, [split.test for split in splits])  # type: ignore[attr-defined]
        found[f"edgewise {name}"] = pooled.overall | {"seconds": seconds}
        print(name, found[f"edgewise {name}"], file=sys.stderr, flush=True)
    if not arguments.no_peer and arguments.yes_from is None:  # Surprise has no probabilities
        found |= peer_figures(dataset, splits, arguments.peer_python, arguments.seed)
    for label, figures in sorted(found.items(), key=lambda pair: pair[1].get("rmse", pair[1].get("log_loss", 0.0))):
        words = "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if name != "seconds")
        print(f"{words}  {figures['seconds']:7.1f} s  {label}")


main()
