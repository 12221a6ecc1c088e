"""Which rating will a user give an item, and how sure is a yes: errors over all test pairs, each tested once."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise import telemetry
from edgewise.data import Dataset
from edgewise.data.ratings import RatingScale, pairs_of, rating_scale
from edgewise.data.split import Split
from edgewise.errors import CannotPredictError, DataError
from edgewise.evaluate.calibration import calibration_error, reliability
from edgewise.evaluate.metrics import ROOT_OF_MEAN
from edgewise.evaluate.predictions import auc_of_scores
from edgewise.evaluate.protocol import Scorer
from edgewise.evaluate.ratings import absolute_errors, brier_scores, log_losses, squared_errors
from edgewise.evaluate.result import Evaluation
from edgewise.evaluate.segments import head_items, user_groups
from edgewise.models.registry import raters
from edgewise.recommender import Rater
from edgewise.types import Bools, Doubles, Index

_BLOCK = 1 << 18
"""Predictions of so many pairs are asked for at once."""

_RATINGS = {"rmse": squared_errors, "mae": absolute_errors}
_CHANCES: dict[str, Callable[[Doubles, Bools], Doubles]] = {"log_loss": log_losses, "brier": brier_scores}

_MOST_SEGMENTS = 10
"""With more levels than these there is no segment for each."""


class RatingsTask:
    """Which rating will a user give an item; or, where ratings take two values, how likely is the higher one.

    Every test pair counts the same: "rmse" and "mae", or "log_loss", "brier", "ece" and "auc", are taken over all of them. New users
    and items are not left out: a model answers with what it knows without them. A pair that was rated more than once counts
    with its last rating.
    """

    name: str = "ratings"
    contenders: tuple[str, ...] = ("biases", "mf", "neumf", "gc-mc")

    def main_metric(self, k: tuple[int, ...], train: Dataset) -> str:  # noqa: ARG002 - the signature is the protocol
        """Sort by RMSE, or by log-loss where ratings say yes and no."""
        return "log_loss" if rating_scale(train.ratings, who="--task ratings").is_yes_no else "rmse"

    def check(self, model: object) -> None:
        """See that a model predicts ratings, before it is fitted.

        Raises:
            CannotPredictError: if it does not.
        """
        _rater(model)

    def evaluate(self, model: Scorer, split: Split, k: tuple[int, ...], *, thorough: bool = True) -> Evaluation:  # noqa: ARG002
        """Predict all test pairs.

        Raises:
            CannotPredictError: if the model predicts no ratings.
            DataError: if the ratings cannot be used.
        """
        name = str(getattr(model, "name", type(model).__name__))
        rater = _rater(model)
        scale, test = rating_scale(split.train.ratings, who="--task ratings"), split.test
        values = _checked(test.ratings, scale)
        of_test, item = pairs_of(test.ratings)
        user_index = model.catalogue.users.index_of(test.users.ids)
        users, items = user_index[of_test], model.catalogue.items.index_of(test.items.ids)[item]
        started = time.perf_counter()
        predicted = _predict(rater, name, users, items)
        evaluate_s = time.perf_counter() - started
        there, owner = np.unique(of_test, return_inverse=True)
        errors = errors_of(predicted, values, scale)
        weights = np.bincount(owner, minlength=there.size).astype(np.float64)
        per_user = {
            metric: np.bincount(owner, weights=error, minlength=there.size) / weights
            for metric, error in errors.items()
        }
        overall = _means(errors, np.ones(predicted.size, dtype=np.bool_))
        bins = None
        if scale.is_yes_no:
            yes = values == scale.high
            overall |= {"ece": calibration_error(predicted, yes), "auc": auc_of_scores(predicted, yes)}
            bins = reliability(predicted, yes)
        segments = _segments(model, users, items, values, errors, scale) if thorough else {}
        nothing = np.empty((there.size, 0), dtype=np.int64)
        return Evaluation(user_index[there], per_user, overall, segments, nothing, evaluate_s, weights, bins)

    def pool(self, evaluations: Sequence[Evaluation], tests: Sequence[Dataset]) -> Evaluation:
        """Put the folds of a cross-validation together: every pair counts the same, whichever fold it was tested in.

        "ece" and "auc", which look at all predictions of a model at once, are means over folds.
        """
        columns = []
        for evaluation, test in zip(evaluations, tests, strict=True):
            there = np.flatnonzero(np.diff(test.ratings.indptr))
            weights = _weights(evaluation)
            sums = {name: values * weights for name, values in evaluation.per_user.items()}
            columns.append(pl.DataFrame({"user": test.users.ids_at(there), "weight": weights} | sums))
        summed = pl.concat(columns).group_by("user").sum().sort("user")
        weights = summed["weight"].to_numpy()
        per_user = {name: summed[name].to_numpy() / weights for name in evaluations[0].per_user}
        bins = [evaluation.reliability for evaluation in evaluations if evaluation.reliability is not None]
        n_pairs = np.array([_weights(evaluation).sum() for evaluation in evaluations])
        overall = {
            name: _pooled(name, np.array([evaluation.overall[name] for evaluation in evaluations]), n_pairs)
            for name in evaluations[0].overall
        }
        return Evaluation(
            np.arange(weights.size),
            per_user,
            overall,
            _pooled_segments(evaluations),
            np.empty((weights.size, 0), dtype=np.int64),
            sum(evaluation.evaluate_s for evaluation in evaluations),
            weights,
            np.sum(bins, axis=0) if bins else None,
        )


def _rater(model: object) -> Rater:
    if not isinstance(model, Rater):
        name = getattr(model, "name", type(model).__name__)
        raise CannotPredictError(f"{name} ranks items and predicts no ratings. Models that do: {', '.join(raters())}.")
    return model


def errors_of(predicted: Doubles, values: Doubles, scale: RatingScale) -> dict[str, Doubles]:
    """Return what each pair adds to each metric: float64 [n_pairs]."""
    if scale.is_yes_no:
        return {name: error(predicted, values == scale.high) for name, error in _CHANCES.items()}
    return {name: error(predicted, values) for name, error in _RATINGS.items()}


def _predict(model: Rater, name: str, users: Index, items: Index) -> Doubles:
    predicted = np.empty(users.size)
    with telemetry.step(f"evaluate {name}", total=users.size) as work:
        for start in range(0, users.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            predicted[part] = model.predict_pairs(users[part], items[part])
            work.advance(users[part].size)
    if bad := int((~np.isfinite(predicted)).sum()):
        raise DataError(f"{name}: {bad:,} of {predicted.size:,} predictions are not finite numbers.")
    return predicted


def _checked(ratings: csr_array, scale: RatingScale) -> Doubles:
    values: Doubles = ratings.data.astype(np.float64)
    if bad := int((~np.isfinite(values)).sum()):
        raise DataError(f"{bad:,} of {values.size:,} test ratings are not finite numbers. Remove these rows.")
    if scale.is_yes_no and (strange := np.setdiff1d(values, scale.levels)).size:
        raise DataError(
            f"training ratings are {scale.low:g} or {scale.high:g}, no or yes, and a test rating is {strange[0]:g}. "
            "Bring both to the same two values."
        )
    return values


def _means(errors: dict[str, Doubles], which: Bools) -> dict[str, float]:
    means = {name: float(values[which].mean()) for name, values in errors.items()}
    return {name: value**0.5 if name in ROOT_OF_MEAN else value for name, value in means.items()}


def _segments(
    model: Scorer, users: Index, items: Index, values: Doubles, errors: dict[str, Doubles], scale: RatingScale
) -> dict[str, dict[str, float]]:
    """Measure parts of the pairs apart ("n" of them): by what is known of the user, of the item, and by the rating."""
    catalogue = model.catalogue
    n_met = np.append(np.diff(catalogue.seen.indptr), -1)[users]  # an unknown user's is the last
    counts = catalogue.item_counts
    head = np.append(head_items(counts), False)[items]
    met = np.append(counts > 0, False)[items]
    parts: dict[str, Bools] = {}
    known = np.flatnonzero(n_met >= 0)
    for name, inside in user_groups(n_met[known]):
        parts[name] = np.isin(np.arange(users.size), known[inside])
    parts["users: new (answered without them)"] = n_met < 0
    parts[f"items: head (the {head_items(counts).sum()} most popular)"] = head
    parts[f"items: tail (the {((counts > 0) & ~head_items(counts)).sum()} others)"] = met & ~head
    parts["items: cold (nobody met them in training)"] = ~met
    if scale.levels.size <= _MOST_SEGMENTS:
        parts |= {f"ratings: {level:g}": values == np.float32(level) for level in scale.levels}
    return {name: {"n": float(inside.sum())} | _means(errors, inside) for name, inside in parts.items() if inside.any()}


def _pooled(metric: str, values: Doubles, weights: Doubles) -> float:
    defined = ~np.isnan(values)
    if not defined.any():
        return float("nan")
    if metric in ROOT_OF_MEAN:
        return float(np.average(values[defined] ** 2, weights=weights[defined]) ** 0.5)
    return float(np.average(values[defined], weights=weights[defined]))


def _pooled_segments(evaluations: Sequence[Evaluation]) -> dict[str, dict[str, float]]:
    """Pool segments of the same kind; bounds in brackets differ by fold, and the first fold's stay."""
    found: dict[str, tuple[str, list[dict[str, float]]]] = {}
    for evaluation in evaluations:
        for name, figures in evaluation.segments.items():
            found.setdefault(name.partition("(")[0], (name, []))[1].append(figures)
    pooled = {}
    for name, parts in found.values():
        n = np.array([part["n"] for part in parts])
        metrics = [metric for metric in parts[0] if metric != "n"]
        figures = {metric: _pooled(metric, np.array([part[metric] for part in parts]), n) for metric in metrics}
        pooled[name] = {"n": float(n.sum())} | figures
    return pooled


def _weights(evaluation: Evaluation) -> Doubles:
    if evaluation.weights is None:
        raise ValueError("an evaluation of ratings has weights")
    return evaluation.weights
