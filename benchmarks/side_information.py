"""What side information brings: `hetero` beside `lightgcn` on validation parts of logs with friends, tags, genres and behaviours.

    python benchmarks/side_information.py FOLDER lastfm-2k ml-1m retailrocket-mb deskdrop --try graph.relations='["interaction"]' …

A tenth of each user's pairs is held out at random, of retailrocket-mb one purchase a user, with all events of that pair; no
test file is read. The mean NDCG@20 of up to 3,000 users is printed for each model, `lightgcn` first, and with --cold that on the
held-out items that training did not meet as well: then a tenth of the items is held out. Tags are those that at least two people gave
an artist.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from edgewise.config import override
from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.models import build
from edgewise.rng import make_rng

N_USERS = 3000


def lastfm(folder: Path) -> Dataset:
    here = folder / "lastfm-2k"
    tags = pl.read_csv(here / "user_taggedartists.dat.gz", separator="\t")
    counts = tags.group_by("artistID", "tagID").len().filter(pl.col("len") >= 2).sort("artistID", "tagID")
    items = counts.group_by("artistID", maintain_order=True).agg(pl.col("tagID").cast(pl.String).alias("tags"))
    log = pl.read_csv(here / "user_artists.dat.gz", separator="\t")
    friends = pl.read_csv(here / "user_friends.dat.gz", separator="\t")
    return Dataset.from_events(
        log.select(user_id="userID", item_id="artistID"),  # plays are left out: every model here sees who met what
        item_table=items.rename({"artistID": "item_id"}).filter(pl.col("item_id").is_in(log["artistID"].implode())),
        social=friends.select(user_id="userID", friend_id="friendID"),
    )


def movielens(folder: Path) -> Dataset:
    here = folder / "ml-1m"
    parts = (here / "ratings_no_timestamp.dat.gz", here / "movies.dat.gz", here / "users.dat.gz")
    return Dataset.from_file(parts[0], items=parts[1], users=parts[2])


def retailrocket(folder: Path) -> Dataset:
    log = folder / "retailrocket-mb" / "train.csv.gz"
    columns = {"user_id": "user", "item_id": "item", "type": "behavior", "timestamp": "timestamp"}
    return Dataset.from_file(log, columns=columns)


def deskdrop(folder: Path) -> Dataset:
    return Dataset.from_file(folder / "deskdrop-interactions" / "users_interactions.csv.gz")


DATA: dict[str, Callable[[Path], Dataset]] = {
    "lastfm-2k": lastfm,
    "ml-1m": movielens,
    "retailrocket-mb": retailrocket,
    "deskdrop": deskdrop,
}


def one_purchase_each(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Hold out one bought item of each user who has two, with all events of the pair."""
    bought = (
        dataset.events.filter(pl.col("type") == "purchase")
        .unique(["user_index", "item_index"])
        .sort("user_index", "item_index")
    )
    shuffled = bought[make_rng(seed, "purchase").permutation(bought.height)]
    drawn = shuffled.filter(pl.len().over("user_index") > 1).unique("user_index", keep="first", maintain_order=True)
    n = dataset.n_items
    pair = dataset.events["user_index"].cast(pl.Int64) * n + dataset.events["item_index"]
    held = pair.is_in((drawn["user_index"].cast(pl.Int64) * n + drawn["item_index"]).implode())
    return dataset.subset(~held), dataset.subset(held)


def main() -> None:
    """Measure every combination on every data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the data sets are")
    parser.add_argument("names", nargs="+", choices=DATA)
    parser.add_argument("--try", action="append", default=[], dest="tried", metavar="KEY=VALUE …", nargs="+")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for both models")
    parser.add_argument("--without-lightgcn", action="store_true")
    parser.add_argument("--cold", action="store_true", help="hold out items, not pairs")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.names:
        dataset = DATA[name](arguments.folder)
        if name == "retailrocket-mb" and not arguments.cold:
            train, held_out = one_purchase_each(dataset, arguments.seed)
        else:
            how = "cold-items" if arguments.cold else "random"
            parts = dataset.split(how, test=0.1, seed=arguments.seed)
            train, held_out = parts.train, parts.test
        users = held_out.events["user_index"]
        drawn = make_rng(arguments.seed, "settings").permutation(users.unique().sort().to_numpy())[:N_USERS]
        held_out = held_out.subset(users.is_in(drawn.tolist()))
        print(
            f"\n{name}: {train.n_users:,} users, {train.n_items:,} items, {train.interactions.nnz:,} pairs", flush=True
        )
        runs = [] if arguments.without_lightgcn else [("lightgcn", [])]
        for model_name, assignments in [*runs, ("hetero", []), *[("hetero", tried) for tried in arguments.tried]]:
            settings = override({}, [*arguments.set, *assignments], default_section="model").get("model", {})
            settings |= {"graph": settings.get("graph", {})} if model_name == "hetero" else {}
            started = time.perf_counter()
            model = build(model_name, settings, seed=arguments.seed).fit(train)
            fit_s = time.perf_counter() - started
            ndcg = evaluate(model, held_out, k=(20,), auc=False).per_user["ndcg@20"]
            print(f"  {np.nanmean(ndcg):.4f}  {fit_s:7.1f} s  {model_name} {' '.join(assignments)}", flush=True)
            for note in model.record.notes:
                if note.startswith("layer"):
                    print(f"      {note}")


if __name__ == "__main__":
    main()
