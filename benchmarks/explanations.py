"""How true explanations are: how often items leave the top 10 without their three reasons, and with these alone, by method.

    python benchmarks/explanations.py FOLDER lastfm-2k|ml-1m [--models lightgcn,graphsage,gat,hetero] [--set MODEL.KEY=VALUE …]
        [--users 100] [--seed 0]

Each method that a model has is asked for the reasons of the same lists, those of random users of whom more than three things
are known. `plus` is the share that leaves the top 10 without the reasons, the higher the better; `minus` with the reasons alone,
the lower the better; beside them the same for as many random pieces.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from side_information import DATA

from edgewise.config import override
from edgewise.explanations import Evidence, FidelityShares, Method, evidence_of, fidelity_shares, reasons_of
from edgewise.models import build
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.types import Floats, Index


def main() -> None:
    """Fit, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", choices=DATA)
    parser.add_argument("--models", default="lightgcn,graphsage,gat,hetero")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="MODEL.KEY=VALUE")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = DATA[arguments.name](arguments.folder)
    users = make_rng(arguments.seed, "users").permutation(data.n_users)[: arguments.users]
    settings = override({}, arguments.settings, default_section="")
    for name in arguments.models.split(","):
        model = build(name, settings.get(name, {}), seed=arguments.seed).fit(data)
        print(f"\n{model.title} on {arguments.name}, {' '.join(arguments.settings) or 'defaults'}")
        print(f"  {'method':<13} {'plus':>6} {'(random)':>9} {'minus':>6} {'(random)':>9} {'ms a list':>10}")
        for method in model.explains_by:
            found, ms = measure(model, users, method, make_rng(arguments.seed, "fidelity"))
            print(
                f"  {method:<13} {found.plus:6.3f} {found.plus_random:9.3f} {found.minus:6.3f} {found.minus_random:9.3f} "
                f"{ms:10.1f}   ({found.n_lists} lists)",
                flush=True,
            )


def measure(model: Recommender, users: Index, method: Method, rng: np.random.Generator) -> tuple[FidelityShares, float]:
    """Return the shares that leave, and the milliseconds that a list's reasons take."""
    nothing = np.empty(0, dtype=np.int64)
    known = [evidence_of(model, model.catalogue.as_new_user(int(user)), nothing, "perturbation") for user in users]
    owner = {id(evidence): int(user) for evidence, user in zip(known, users, strict=True)}
    spent = []

    def reasons(evidence: Evidence, items: Index) -> Floats:
        started = time.perf_counter()
        found = reasons_of(model, owner[id(evidence)], evidence, items, method)
        spent.append(time.perf_counter() - started)
        not_looked_at = np.zeros((len(evidence.pieces) - len(found), items.size), dtype=np.float32)
        return np.vstack([found, not_looked_at])

    shares = fidelity_shares(model.masked_newcomer_scores, known, reasons, rng)
    return shares, 1000 * float(np.median(spent)) if spent else float("nan")


if __name__ == "__main__":
    main()
