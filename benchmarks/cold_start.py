"""Users and items that training never saw: graph nets beside content, kNN and popularity.

    python benchmarks/cold_start.py FOLDER citeulike-a cold-items --models popularity,item-knn,content,graphsage
    python benchmarks/cold_start.py FOLDER ml-1m cold-users --models popularity,user-knn,graphsage --validation

FOLDER holds citeulike-a (users, and tags of the articles) and ml-1m (ratings; genres, directors and plots of the films; gender,
age group and occupation of the users). A fifth of the users or items is held out with all their events, by seed 0; with
--validation a fifth of what is left (seed 1) is, and the test part is not looked at: settings are chosen so. A run that looks at
it appends figures, p values and settings to benchmarks/log.jsonl.
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from edgewise.compare.engine import Plan, compare
from edgewise.compare.output import table_rows, verdict
from edgewise.compare.tasks import task_of
from edgewise.config import override
from edgewise.data import Dataset
from edgewise.data.split import split_dataset
from edgewise.evaluate.result import Comparison


def lines_of(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="latin-1") as file:
        yield from (line.rstrip("\n") for line in file)


def citeulike(folder: Path) -> Dataset:
    here = folder / "citeulike-a"
    pairs = [
        (user, int(item)) for user, line in enumerate(lines_of(here / "users.dat.gz")) for item in line.split()[1:]
    ]
    names = [line.strip().replace("|", " ") for line in lines_of(here / "tags.dat.gz")]
    tags = [[names[int(tag)] for tag in line.split()[1:]] for line in lines_of(here / "item-tag.dat.gz")]
    events = pl.DataFrame(pairs, schema={"user_id": pl.Int64, "item_id": pl.Int64}, orient="row")
    return Dataset.from_events(events, item_table=pl.DataFrame({"item_id": range(len(tags)), "tags": tags}))


def movielens(folder: Path) -> Dataset:
    here = folder / "ml-1m"
    rated = [line.split("::")[:2] for line in lines_of(here / "ratings_no_timestamp.dat.gz")]
    told = {cells[0]: cells for cells in (line.split("::") for line in lines_of(here / "movies_extrainfos.dat.gz"))}
    films = []
    for item, title, genres in (line.split("::") for line in lines_of(here / "movies.dat.gz")):
        more = told.get(item, [])
        director, plot = (more[6], more[9]) if len(more) > 9 else (None, None)
        films.append((int(item), title, genres.split("|"), director, plot))
    people = [line.split("::")[:4] for line in lines_of(here / "users.dat.gz")]
    return Dataset.from_events(
        pl.DataFrame({"user_id": [int(row[0]) for row in rated], "item_id": [int(row[1]) for row in rated]}),
        item_table=pl.DataFrame(films, schema=["item_id", "title", "genres", "director", "plot"], orient="row"),
        user_table=pl.DataFrame(
            {
                "user_id": [int(row[0]) for row in people],
                "gender": [row[1] for row in people],
                "age_group": [f"from {row[2]}" for row in people],
                "occupation": [f"number {row[3]}" for row in people],
            }
        ),
    )


DATA = {"citeulike-a": citeulike, "ml-1m": movielens}


def append_to_log(name: str, split: str, settings: dict[str, Any], comparison: Comparison) -> None:
    models = {
        model.name: {
            **{metric: model.evaluation.overall[metric] for metric in ("ndcg@20", "recall@20")},
            "ndcg@20 interval": model.intervals["ndcg@20"],
            "fit_s": round(model.fit_s, 1),
        }
        for model in comparison.models.values()
        if model.evaluation is not None
    }
    tests = [
        {"better": test.better, "worse": test.worse, "p": test.p_corrected, "difference": test.difference}
        for test in comparison.significance
    ]
    row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "data": name, "split": split, "seed": comparison.seed}
    row |= {"settings": settings, "models": models, "tests": tests, "machine": comparison.machine}
    with (Path(__file__).parent / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", choices=DATA)
    parser.add_argument("split", choices=("cold-users", "cold-items"))
    parser.add_argument("--models", default="popularity,content,user-knn,item-knn,graphsage")
    parser.add_argument("--reveal", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="MODEL.KEY=VALUE")
    parser.add_argument("--validation", action="store_true")
    arguments = parser.parse_args()
    split = split_dataset(DATA[arguments.name](arguments.folder), arguments.split, seed=0, reveal=arguments.reveal)
    if arguments.validation:
        split = split_dataset(split.train, arguments.split, seed=1, reveal=arguments.reveal)
    settings = override({}, arguments.settings, default_section="")
    names = arguments.models.split(",")
    comparison, _ = compare(split, Plan(task_of("items"), names, settings, k=(20,), name=arguments.name))
    header, rows = table_rows(comparison)
    for row in (header, *rows):
        print("  ".join(str(cell).ljust(24) for cell in row))
    print(verdict(comparison))
    if not arguments.validation:
        append_to_log(arguments.name, arguments.split, settings, comparison)


if __name__ == "__main__":
    main()
