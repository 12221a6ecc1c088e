"""Settings of one model side by side, on validation parts of several logs: how the defaults were chosen.

    python benchmarks/settings.py ease --log ratings.dat --log users.dat=counted --try regularization=100,300 [--try key=a,b …]

A tenth of each user's pairs is held out; the mean NDCG@20 of up to 3,000 users who have some is printed for every
combination, the defaults first. Logs that come with a test file are named by their training file: no test data are read. Behind a log, =FORMAT says how to read it where that is uncertain.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from edgewise.config import override
from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.models import build
from edgewise.rng import make_rng

N_USERS = 3000


def validation(path: Path, format: str | None, seed: int) -> tuple[Dataset, Dataset]:
    """Split a log, and draw the users that are looked at."""
    parts = Dataset.from_file(path, format=format).split("random", test=0.1, seed=seed)
    users = parts.test.events["user_index"]
    drawn = make_rng(seed, "settings").permutation(users.unique().sort().to_numpy())[:N_USERS]
    return parts.train, parts.test.subset(users.is_in(drawn.tolist()))


def main() -> None:
    """Measure every combination on every log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--log", action="append", required=True, metavar="PATH[=FORMAT]")
    parser.add_argument("--try", action="append", default=[], dest="tried", metavar="KEY=VALUE,VALUE,…")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    keys = [text.partition("=")[0] for text in arguments.tried]
    values = [text.partition("=")[2].split(",") for text in arguments.tried]
    grid = [
        [f"{key}={value}" for key, value in zip(keys, chosen, strict=True)] for chosen in itertools.product(*values)
    ]
    for log in arguments.log:
        name, _, layout = log.partition("=")
        path = Path(name)
        train, held_out = validation(path, layout or None, arguments.seed)
        print(f"\n{path.parent.name}/{path.name}: {train.n_users:,} users, {train.n_items:,} items")
        for assignments in [[], *grid] if keys else [[]]:
            settings = override({}, assignments, default_section="model").get("model", {})
            started = time.perf_counter()
            model = build(arguments.model, settings, seed=arguments.seed).fit(train)
            fit_s = time.perf_counter() - started
            ndcg = evaluate(model, held_out, k=(20,), auc=False).per_user["ndcg@20"]
            print(f"  {np.nanmean(ndcg):.4f}  {fit_s:7.1f} s  {' '.join(assignments) or 'defaults'}", flush=True)


if __name__ == "__main__":
    main()
