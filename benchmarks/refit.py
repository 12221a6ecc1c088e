"""What a refit from the event log is worth: the model as fitted, with what users did since, refitted from it, and from nothing.

    python benchmarks/refit.py LOG [--by user] [--models lightgcn,als,item-knn] [--nights 1] [--validation] [--share 0.25] [--rounds 3]

Of the events in order of time (with `--by user`: of each user's), the first 80 % are what the model was fitted on, the next 10 % go
into a store's log, and the last 10 % are to be found; with `--validation` all ends at 90 %, so that settings are not chosen by what
is reported. With `--nights N` the events come in N parts with a refit after each. NDCG@10 over all items but those met before, users
known before the last part: `stale`, the model as fitted; `live`, as the service answers with it; `incremental`, `edgewise refit`;
`full`, the same with --full. Seconds are those of the fit in the last night, medians of the rounds, which run by turns; the check takes about as
long again. Printed, and appended to benchmarks/log.jsonl.
"""

import argparse
import json
import os
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.evaluate.significance import compare_pairs
from edgewise.evaluate.targets import find_targets
from edgewise.models import build, load
from edgewise.pipeline.live import LiveEvents
from edgewise.refit import RefitSettings, Refitted, refit
from edgewise.refit.check import AsServed
from edgewise.store import Event, StoreFolder

HERE = Path(__file__).parent


class Happened(NamedTuple):
    user_id: str
    item_id: str
    type: str = "view"
    target_user_id: str | None = None


def main() -> None:
    """Measure every model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--by", choices=("time", "user"), default="time")
    parser.add_argument("--models", default="lightgcn,als,item-knn")
    parser.add_argument("--nights", type=int, default=1)
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = Dataset.from_file(arguments.log)
    frame = data.to_frame()
    share = np.arange(frame.height) / frame.height
    if arguments.by == "user":
        place = pl.int_range(pl.len()).over("user_id") / pl.len().over("user_id")
        share = frame.select(place.alias("share"))["share"].to_numpy()
    start = 0.7 if arguments.validation else 0.8
    old, night, test = (
        frame.filter(pl.Series((share >= low) & (share < high)))
        for low, high in ((0.0, start), (start, start + 0.1), (start + 0.1, start + 0.2))
    )
    print(f"{'':<12}" + "".join(f"{name:>13}" for name in ("stale", "live", "incremental", "full", "s", "s of full")))
    for name in arguments.models.split(","):
        row = measure(name, old, night.sort("timestamp"), test, arguments)
        figures = "".join(f"{row['ndcg@10'][how]:13.4f}" for how in ("stale", "live", "incremental", "full"))
        print(f"{name:<12}{figures}{row['fit_s']['incremental']:13.2f}{row['fit_s']['full']:13.2f}", flush=True)
        about = {"data": arguments.log.parent.name, "model": f"refit {name}", "load": os.getloadavg()}
        settings = {key: getattr(arguments, key) for key in ("by", "nights", "validation", "share", "seed")}
        with (HERE / "log.jsonl").open("a") as log:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            log.write(json.dumps({"at": at, **about, **settings, **row}) + "\n")


def measure(
    name: str, old: pl.DataFrame, news: pl.DataFrame, test: pl.DataFrame, arguments: argparse.Namespace
) -> dict:
    """Fit, refit in both ways by turns, and evaluate."""
    fitted = build(name, seed=arguments.seed).fit(Dataset.from_events(old))
    seconds: dict[str, list[float]] = {"incremental": [], "full": []}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder) / "model")
        for number in range(arguments.rounds):
            for how in seconds:
                place = Path(folder) / f"{how} {number}"
                done, model = nightly(place, Path(folder) / "model", news, how, arguments)
                seconds[how].append(done.seconds["fit"])
                found[how] = (done, model)
    catalogue = found["full"][1].catalogue
    to_find = Dataset.from_events(test)
    targets = find_targets(catalogue, to_find)
    live = LiveEvents()
    live.apply(Happened(*row) for row in news.select(pl.col("user_id", "item_id").cast(pl.String)).iter_rows())
    ways = {"stale": AsServed(fitted, LiveEvents(), catalogue), "live": AsServed(fitted, live, catalogue)}
    ways |= {how: model for how, (_, model) in found.items()}
    per_user = {
        how: evaluate(model, to_find, k=(10,), auc=False, edges=False, targets=targets).per_user["ndcg@10"]
        for how, model in ways.items()
    }
    [test_of_pair] = compare_pairs({how: per_user[how] for how in seconds}, "ndcg@10", arguments.seed)
    return {
        "n_users": targets.n_users,
        "ndcg@10": {how: round(float(values.mean()), 5) for how, values in per_user.items()},
        "p incremental = full": round(test_of_pair.p_value, 4),
        "fit_s": {how: round(statistics.median(times), 3) for how, times in seconds.items()},
        "seconds": found["incremental"][0].seconds,
        "swapped": found["incremental"][0].is_current,
    }


def nightly(place: Path, model: Path, news: pl.DataFrame, how: str, arguments: argparse.Namespace):
    """Let a store live through all nights, and return what the last refit did and the model that answers then."""
    folder = StoreFolder.open(place)
    folder.models.swap(folder.models.add(model))
    store = folder.events()
    done: Refitted | None = None
    for night, part in enumerate(np.array_split(np.arange(news.height), arguments.nights)):
        rows = news[part].with_columns(pl.col("user_id", "item_id").cast(pl.String)).iter_rows(named=True)
        store.append(
            [
                Event(f"{night}-{n}", row["user_id"], row["item_id"], value=row["value"], timestamp=row["timestamp"])
                for n, row in enumerate(rows)
            ]
        )
        if how == "full" and night < arguments.nights - 1:
            continue
        done = refit(folder, store, RefitSettings(full=how == "full", share=arguments.share, force=True))
    assert done is not None
    assert done.version is not None
    answers = load(folder.models.path(done.version))
    store.close()
    return done, answers


if __name__ == "__main__":
    main()
