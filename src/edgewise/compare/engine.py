"""The engine: every contender is fitted, measured on the same users, and held against every other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from edgewise.compare.machine import machine
from edgewise.compare.pictures import degrees_of, embedding_map, samples, timeline_of
from edgewise.compare.quick_tuning import QuickTuning, tune_quick
from edgewise.compare.resources import Measured
from edgewise.compare.tasks import Choosing, Pooling, Task
from edgewise.data.dataset import Dataset
from edgewise.data.leakage import check_leakage
from edgewise.data.read import check_usable
from edgewise.data.split import Split
from edgewise.errors import ConfigError, EdgewiseError
from edgewise.evaluate.metrics import direction
from edgewise.evaluate.result import Comparison, Evaluation, ModelResult
from edgewise.evaluate.significance import bootstrap_intervals, compare_pairs
from edgewise.models import build, model_class
from edgewise.recommender import Recommender
from edgewise.telemetry import note


@dataclass(frozen=True)
class Plan:
    """What to compare, and how.

    Attributes:
        task: brings evaluation and metrics.
        models: registry names, in the order of the table.
        settings: model name to the settings that differ from its defaults.
        k: cut-offs, ascending; the last is the main one.
        seed: one seed, one result.
        tuning: search a few settings for each model first, on a validation part of the training data; None: defaults.
        name: what to call the data. command: what to type to repeat the comparison.
    """

    task: Task
    models: Sequence[str]
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    k: tuple[int, ...] = (10, 20)
    seed: int = 0
    tuning: QuickTuning | None = None
    name: str = "the data"
    command: str = ""


def compare(split: Split | Sequence[Split], plan: Plan) -> tuple[Comparison, dict[str, Recommender]]:
    """Run a comparison.

    Args:
        split: training and test data; or the folds of a cross-validation, whose figures are pooled. What is drawn and described
            is then the first fold's.
        plan: the contenders and how to measure them.

    Returns:
        What was found, and the fitted models that took part, by name; of a cross-validation those of the first fold.

    Raises:
        ConfigError: if a model is named twice or there is none, or the task does not pool folds.
        UnknownNameError: if a model does not exist; nothing is fitted then.
        EdgewiseError: the first contender's, if none of them could take part.
    """
    _check_names(plan.models)
    folds = [split] if isinstance(split, Split) else list(split)
    if len(folds) > 1 and not isinstance(plan.task, Pooling):
        raise ConfigError(f"the task {plan.task.name!r} takes one fold at a time; choose it: --set split.fold=0.")
    split = folds[0]
    for fold in folds:
        check_usable(fold.train)
    main_metric = plan.task.main_metric(plan.k, split.train)
    fitted: dict[str, Recommender] = {}
    results: dict[str, ModelResult] = {}
    errors: list[EdgewiseError] = []
    for name in plan.models:
        try:
            fitted[name], results[name] = _contend(name, folds, plan, main_metric)
        except EdgewiseError as error:
            note(f"{name} cannot take part: {error}")
            errors.append(error)
            results[name] = _failed(name, plan, error)
    if not fitted:
        raise errors[0]
    means = {
        name: _evaluation(result).overall[main_metric]
        for name, result in results.items()
        if result.evaluation is not None
    }
    winner = max(means, key=lambda name: direction(main_metric) * means[name])
    per_user = {name: _evaluation(results[name]).per_user[main_metric] for name in means}
    comparison = Comparison(
        task=plan.task.name,
        k=plan.k,
        seed=plan.seed,
        main_metric=main_metric,
        data=describe(split, plan) | (_of_folds(folds) if len(folds) > 1 else {}),
        degrees=degrees_of(split.train),
        timeline=timeline_of(split),
        models=results,
        significance=compare_pairs(per_user, main_metric, seed=plan.seed, weights=_evaluation(results[winner]).weights),
        winner=winner,
        samples=samples(fitted, winner, split, seed=plan.seed),
        embedding_map=embedding_map(fitted, winner, seed=plan.seed),
        labels=split.train.labels,
        machine=machine(),
        command=plan.command,
    )
    return comparison, fitted


def describe(split: Split, plan: Plan) -> dict[str, Any]:
    """Count what the comparison stands on; plain JSON (see `Comparison.data`)."""
    train, test = split.train, split.test
    n_train, n_test = int(train.interactions.nnz), int(test.interactions.nnz)
    first, last = _span([train, test])
    return {
        "name": plan.name,
        "n_users": train.n_users,
        "n_items": train.n_items,
        "n_interactions": n_train + n_test,
        "density": n_train / (train.n_users * train.n_items),
        "n_train": n_train,
        "n_test": n_test,
        "n_test_users": int((np.diff(test.interactions.indptr) > 0).sum()),
        "n_new_users": _n_new(train, test, "user"),
        "n_new_items": _n_new(train, test, "item"),
        "split": split.how,
        "split_notes": list(split.notes),
        "fingerprint": train.fingerprint,
        "cleaning": list(train.history),
        "leakage": [leak.text for leak in check_leakage(train, test)],
        "types": list(train.type_names),
        "first": first,
        "last": last,
    }


def _n_new(train: Dataset, test: Dataset, kind: str) -> int:
    """Count the users or items of test events that no training event has; a table may know them all the same."""
    ours, theirs = (part.users if kind == "user" else part.items for part in (train, test))
    met = theirs.ids_at(np.unique(test.events[f"{kind}_index"].to_numpy()).astype(np.int64))
    known = np.bincount(train.events[f"{kind}_index"].to_numpy(), minlength=len(ours)) > 0
    return int((~np.append(known, False)[ours.index_of(met)]).sum())  # the last place is for those unknown, -1


def _of_folds(folds: Sequence[Split]) -> dict[str, Any]:
    n_test = sum(int(fold.test.interactions.nnz) for fold in folds)
    users = pl.concat(
        [fold.test.users.ids_at(np.flatnonzero(np.diff(fold.test.interactions.indptr))) for fold in folds]
    )
    notes = [note for fold in folds for note in fold.notes]
    return {"n_test": n_test, "n_interactions": n_test, "n_test_users": users.n_unique(), "split_notes": notes}


def _contend(name: str, folds: Sequence[Split], plan: Plan, main_metric: str) -> tuple[Recommender, ModelResult]:
    """Fit and measure one model, on each fold; settings are chosen within each fold's training part."""
    runs = [_one_fold(name, fold, plan, main_metric) for fold in folds]
    first = runs[0]
    if len(runs) == 1:
        return first
    if not isinstance(plan.task, Pooling):
        raise ConfigError(f"the task {plan.task.name!r} takes one fold at a time.")
    evaluation = plan.task.pool([_evaluation(result) for _, result in runs], [fold.test for fold in folds])
    pooled = replace(
        first[1],
        evaluation=evaluation,
        intervals=bootstrap_intervals(evaluation.per_user, seed=plan.seed, weights=evaluation.weights),
        fit_s=sum(result.fit_s for _, result in runs),
        peak_rss_mb=max(result.peak_rss_mb for _, result in runs),
        notes=[f"fold {number}: {line}" for number, (_, result) in enumerate(runs) for line in result.notes],
    )
    return first[0], pooled


def _one_fold(name: str, split: Split, plan: Plan, main_metric: str) -> tuple[Recommender, ModelResult]:
    settings = dict(plan.settings.get(name, {}))
    notes: list[str] = []
    if isinstance(plan.task, Choosing):
        plan.task.check(build(name, settings, seed=plan.seed))
    if plan.tuning is not None:
        settings, notes = tune_quick(name, settings, split, plan.task, main_metric, plan.tuning, seed=plan.seed)
    model = build(name, settings, seed=plan.seed)
    with Measured() as fitting:
        model.fit(split.train)
    with Measured() as measuring:
        evaluation = plan.task.evaluate(model, split, plan.k)
    intervals = bootstrap_intervals(evaluation.per_user, seed=plan.seed, weights=evaluation.weights)
    return model, ModelResult(
        name=name,
        title=model.title,
        paper=model.paper,
        config=model.config.model_dump(mode="json"),
        evaluation=evaluation,
        intervals=intervals,
        fit_s=fitting.seconds,
        peak_rss_mb=max(fitting.peak_rss_mb, measuring.peak_rss_mb),
        curve=model.record.curve,
        notes=notes + model.record.notes,
        is_baseline=model.is_baseline,
    )


def _failed(name: str, plan: Plan, error: EdgewiseError) -> ModelResult:
    kind = model_class(name)
    nothing: dict[str, Any] = {"evaluation": None, "intervals": {}, "fit_s": 0.0, "peak_rss_mb": 0.0}
    settings = dict(plan.settings.get(name, {}))
    return ModelResult(
        name, kind.title, kind.paper, settings, **nothing, failure=str(error), is_baseline=kind.is_baseline
    )


def _evaluation(result: ModelResult) -> Evaluation:
    if result.evaluation is None:
        raise ValueError(f"{result.name} has no evaluation")
    return result.evaluation


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ConfigError("no models to compare; name some: --models popularity,item-knn,lightgcn.")
    for name in names:
        model_class(name)
    if repeated := {name for name in names if list(names).count(name) > 1}:
        raise ConfigError(f"--models names {', '.join(sorted(repeated))} more than once.")


def _span(parts: list[Any]) -> tuple[str | None, str | None]:
    stamped = [part.events["timestamp"] for part in parts if part.has_times]
    if not stamped:
        return None, None
    times = pl.concat(stamped).drop_nulls()
    ends = pl.Series([times.min(), times.max()]).cast(pl.Datetime("ms")).dt.to_string("iso:strict")
    return f"{ends[0]}Z", f"{ends[1]}Z"
