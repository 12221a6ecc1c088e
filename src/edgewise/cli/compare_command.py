"""`compare`: several models on one log, measured on the same users."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgewise.cli import options

if TYPE_CHECKING:
    from edgewise.evaluate.result import Comparison
    from edgewise.recommender import Recommender


def compare(
    data: Annotated[str | None, typer.Option("--data", metavar="FILE", help="A log, to be split.")] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="NAME", help="random, leave-last-out, time, cold-users, cold-items, k-fold."),
    ] = None,
    train: Annotated[
        str | None, typer.Option("--train", metavar="FILE", help="The training log, where the split is given.")
    ] = None,
    test: Annotated[
        str | None, typer.Option("--test", metavar="FILE", help="The test log, where the split is given.")
    ] = None,
    models: Annotated[
        str | None, typer.Option("--models", metavar="A,B,C", help="Which models; `edgewise models` lists them.")
    ] = None,
    k: Annotated[str | None, typer.Option("--k", metavar="K[,K]", help="Cut-offs; the last is the main one.")] = None,
    seed: options.Seed = 0,
    task: Annotated[str, typer.Option("--task", metavar="NAME", help="What is compared: items, ratings.")] = "items",
    items: options.Items = None,
    users: options.Users = None,
    social: options.Social = None,
    format: options.Format = None,
    tune_quick: Annotated[
        bool, typer.Option("--tune-quick", help="Search a few settings for each model first, on validation data.")
    ] = False,
    set_: options.Set = None,
    config: options.Config = None,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="DIR", help="Write the winner's model folder, as fitted on the training part."),
    ] = None,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write every figure as JSON; - is standard output.")
    ] = None,
    report: Annotated[str | None, typer.Option("--report", metavar="FILE", help="Write the HTML report.")] = None,
) -> None:
    """Compare models on one log: full ranking, intervals, significance, seconds and memory.

    --set MODEL.key=value sets one contender (lightgcn.epochs=20), --set section.key=value a section (split.test=0.1).
    """
    from edgewise.cli.console import progress, say
    from edgewise.compare.engine import Plan
    from edgewise.compare.engine import compare as run_comparison
    from edgewise.compare.quick_tuning import QuickTuning
    from edgewise.compare.tasks import Pooling, task_of
    from edgewise.data.split import Split, given, k_fold
    from edgewise.errors import ConfigError
    from edgewise.models import MODELS
    from edgewise.run_config import read_config

    chosen = task_of(task)
    if bool(train) != bool(test) or bool(data) == bool(train):
        raise ConfigError("give either --data FILE (and --split), or --train FILE and --test FILE.")
    of_models, of_sections = _sorted_out(set_ or [], set(MODELS))
    sections = {"path": data, "format": format, "items": items, "users": users, "social": social}
    run = read_config(config, of_sections, data=sections, split={"how": split}, evaluate={"k": _cut_offs(k)})
    names = [name.strip() for name in models.split(",") if name.strip()] if models is not None else chosen.contenders
    if idle := [name for name in of_models if name not in names]:
        raise ConfigError(
            f"--set has settings of {idle[0]!r}, which is not compared; the models are {', '.join(names)}. Add it to --models, or leave it out."
        )
    plan = Plan(
        task=chosen,
        models=names,
        settings={name: run.settings_of(name, of_models.get(name, {})) for name in names if name in MODELS},
        k=run.evaluate.k,
        seed=seed,
        tuning=QuickTuning(run.tune.n_trials, run.tune.budget_s) if tune_quick else None,
        name=Path(data or str(train)).name,
        command=_command(),
    )
    for target in (json if json != "-" else None, report):
        _check_writable(target)
    with progress(quiet=json == "-"):
        if data:
            parts: Split | list[Split]
            dataset = run.dataset()
            if run.split.how == "k-fold" and run.split.fold is None and isinstance(chosen, Pooling):
                parts = list(k_fold(dataset, run.split.n_folds, valid=run.split.valid, seed=seed))
            else:
                parts = dataset.split(run.split.how, seed=seed, **run.split.model_dump(exclude={"how", "seed"}))
        else:
            parts = given(run.read(str(train)), run.read(str(test)))
        comparison, fitted = run_comparison(parts, plan)
    deliver(comparison, fitted, json=json, report=report, save=save)
    if json != "-" and not report:
        say("for pictures of all this: --report report.html")


def deliver(
    comparison: "Comparison",
    fitted: "dict[str, Recommender]",
    *,
    json: str | None,
    report: str | None,
    save: str | None,
) -> None:
    """Print the table, and write what was asked for."""
    from edgewise.cli.console import emit_json, say, table
    from edgewise.compare.output import comparison_json, model_json, table_rows, verdict
    from edgewise.data.wording import count

    if json:
        emit_json(comparison_json(comparison), json)
    if json != "-":
        data = comparison.data
        say(
            f"{data['name']}: {count(data['n_users'], 'user')} and {count(data['n_items'], 'item')} in training, {count(data['n_train'], 'pair')}; "
            f"test: {count(data['n_test'], 'pair')} of {count(data['n_test_users'], 'user')} ({data['n_new_users']:,} of them new), split {data['split']}"
        )
        for line in (*data["split_notes"], *data["leakage"]):
            say(f"  {line}")
        header, rows = table_rows(comparison)
        table("", header, rows, right=set(range(1, len(header) - 1)))
        say(verdict(comparison))
    if report:
        from edgewise.report import write_report

        write_report(comparison, Path(report))
        if json != "-":
            say(f"report: {report}")
    if save:
        winner = comparison.winner
        fitted[winner].save(Path(save), metrics=model_json(comparison.models[winner]))
        if json != "-":
            say(f"model: {save} ({winner})")


def _cut_offs(text: str | None) -> list[int] | None:
    from edgewise.cli.model_commands import cut_offs

    return cut_offs(text)


def _sorted_out(assignments: list[str], models: set[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Take the assignments to single contenders (`lightgcn.epochs=5`) from those to sections."""
    from edgewise.config import override

    ours = [text for text in assignments if text.partition(".")[0].strip() in models]
    return override({}, ours, default_section=""), [text for text in assignments if text not in ours]


def _command() -> str:
    import sys

    return shlex.join(["edgewise", *sys.argv[1:]])


def _check_writable(target: str | None) -> None:
    """Say so before the work if the result could not be written after it."""
    import os

    from edgewise.errors import DataError

    if target is None:
        return
    folder = Path(target).resolve().parent
    while not folder.exists():
        folder = folder.parent
    if Path(target).is_dir() or not os.access(folder, os.W_OK):
        raise DataError(f"cannot write {target}: it is a folder, or {folder} is not writable. Name another place.")
