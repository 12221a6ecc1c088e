"""What news are worth between two fits: a model as fitted, with what users did since, and fitted again.

    python benchmarks/live.py LOG [--format F] [--models item-knn,ease,graph-filter,lightgcn] [--set MODEL.KEY=VALUE …] [--seed 0]

Of each user's events in order of time (of the file, where there are no times), the first 60 % are for training, the next 20 % are
what happens since, and the rest is to be found. NDCG@10, full ranking without anything met: `stale`, the model as fitted; `newcomer`, each user asked about
as a newcomer with the whole history; `live`, as the service does it; `refit`, fitted again with what happened since.
"""

import argparse
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from edgewise.catalogue import Catalogue
from edgewise.config import override
from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.models import build
from edgewise.pipeline.live import Known, LiveEvents, LiveUsers
from edgewise.recommender import Recommender
from edgewise.types import Floats, Index


@dataclass(frozen=True)
class News:
    user_id: str
    item_id: str
    type: str = "view"
    target_user_id: str | None = None


class Asked:
    """A model asked in one of the ways, in the place of a model."""

    def __init__(self, how: str, model: Recommender, live: LiveEvents, met: Dataset) -> None:
        self.how, self.model, self.users, self.met = how, model, LiveUsers(model, live), met
        self.name = how

    @cached_property
    def catalogue(self) -> Catalogue:
        return replace(self.model.catalogue, strengths=self.met.strengths)

    def masked_scores(self, user_index: Index) -> Floats:
        ids = self.model.catalogue.users.ids_at(user_index).cast(pl.String)
        return np.stack([self._scores(self.users.known(user)) for user in ids])

    def _scores(self, known: Known) -> Floats:
        if self.how == "newcomer":
            return self.model.masked_newcomer_scores(known.now)[0]
        return self.users.scores(known)


def main() -> None:
    """Measure every model in every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--format")
    parser.add_argument("--models", default="item-knn,ease,graph-filter,lightgcn")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="MODEL.KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = Dataset.from_file(arguments.log, format=arguments.format)
    settings = override({}, arguments.settings, default_section="")
    share = data.events.select(
        (pl.int_range(pl.len()).over("user_index") / pl.len().over("user_index")).alias("share")
    )["share"]
    train, since, later = (replace(data, events=data.events.filter(part)) for part in (share < 0.6, (share >= 0.6) & (share < 0.8), share >= 0.8))  # fmt: skip
    both = replace(data, events=data.events.filter(share < 0.8))
    live, nothing = LiveEvents(), LiveEvents()
    pairs = since.to_frame().select(pl.col("user_id", "item_id").cast(pl.String)).iter_rows()
    live.apply(News(user, item) for user, item in pairs)
    print(f"{'model':<14}" + "".join(f"{how:>10}" for how in ("stale", "newcomer", "live", "refit")))
    for name in arguments.models.split(","):
        model, again = (build(name, settings.get(name, {}), seed=arguments.seed).fit(part) for part in (train, both))
        ways = [("stale", model, nothing), ("newcomer", model, live), ("live", model, live), ("refit", again, nothing)]
        found = [evaluate(Asked(how, one, events, both), later, k=(10,), auc=False) for how, one, events in ways]
        print(f"{name:<14}" + "".join(f"{np.nanmean(one.per_user['ndcg@10']):10.4f}" for one in found), flush=True)


if __name__ == "__main__":
    main()
