"""Metrics of predicted classes and numbers, one for each node or edge."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewise.evaluate.ratings import absolute_errors, squared_errors
from edgewise.types import Doubles


def accuracy(predicted: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return the share of right classes; NaN of nothing."""
    return float(np.mean(predicted == actual)) if actual.size else float("nan")


def macro_f1(predicted: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return the mean of the F1 of each class that is there or predicted; NaN of nothing.

    F1 = 2 hits / (predicted + actual), as scikit-learn's f1_score with average="macro".
    """
    classes = np.union1d(predicted, actual)
    if not classes.size:
        return float("nan")
    hits = np.array([np.sum((predicted == c) & (actual == c)) for c in classes])
    sizes = np.array([np.sum(predicted == c) + np.sum(actual == c) for c in classes])
    return float(np.mean(2 * hits / sizes))


def rmse(predicted: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return the root of the mean squared error; NaN of nothing."""
    return float(np.sqrt(np.mean(squared_errors(*_doubles(predicted, actual))))) if actual.size else float("nan")


def mae(predicted: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return the mean absolute error; NaN of nothing."""
    return float(np.mean(absolute_errors(*_doubles(predicted, actual)))) if actual.size else float("nan")


def auc_of_scores(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """Return the chance that a positive outranks a negative, ties counting half; NaN where one kind is missing.

    Hanley and McNeil, Radiology 1982, by mean ranks.
    """
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def average_precision(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """Return the mean, over positives, of the precision among all that score at least as high; NaN without positives."""
    if not positive.any():
        return float("nan")
    values, place = np.unique(-scores, return_inverse=True)
    n = np.cumsum(np.bincount(place, minlength=values.size))
    hits = np.bincount(place, weights=positive, minlength=values.size)
    return float(np.sum(hits * np.cumsum(hits) / n) / positive.sum())


def _doubles(predicted: NDArray[Any], actual: NDArray[Any]) -> tuple[Doubles, Doubles]:
    return predicted.astype(np.float64), actual.astype(np.float64)
