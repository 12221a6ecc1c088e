"""Probabilities: turning scores into them, and whether they come true as often as they say."""

import numpy as np

from edgewise.data.ratings import RatingScale
from edgewise.types import Bools, Doubles, Floats

NOT_CALIBRATED: Doubles = np.array([1.0, 0.0])
"""Slope and intercept that leave a score as it is."""

_SURE = 1e-6
"""No probability is nearer to 0 or 1 than this."""


def sigmoid(x: Doubles) -> Doubles:
    """Return 1 / (1 + exp(-x)), without overflow.

    >>> sigmoid(np.array([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    decay = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, decay) / (1.0 + decay), dtype=np.float64)


def fit_platt(scores: Floats | Doubles, yes: Bools) -> Doubles:
    """Find slope a and intercept b so that sigmoid(a score + b) is the chance of a yes, on data the scores were not fitted on.

    Platt, "Probabilistic Outputs for Support Vector Machines", 1999: logistic regression on the score alone, with the targets
    (n_yes + 1) / (n_yes + 2) and 1 / (n_no + 2) in place of 1 and 0, so that few data give no certainty. By Newton's method
    with halved steps (Lin, Lin and Weng, Machine Learning 2007).

    Args:
        scores: [n]. yes: bool [n].

    Returns:
        float64 [2]: a and b; 1 and 0 where there is nothing to learn from.
    """
    n_yes = int(yes.sum())
    if not yes.size or float(np.ptp(scores)) <= 0:
        return NOT_CALIBRATED.copy()
    centre, width = float(np.mean(scores, dtype=np.float64)), float(np.std(scores, dtype=np.float64))
    x = np.stack([(scores - centre) / width, np.ones(yes.size)], axis=1).astype(np.float64)  # [n, 2]
    target = np.where(yes, (n_yes + 1) / (n_yes + 2), 1 / (yes.size - n_yes + 2))
    found = np.array([0.0, np.log((n_yes + 1) / (yes.size - n_yes + 1))])
    for _ in range(100):
        p = sigmoid(x @ found)
        gradient = x.T @ (p - target)
        if np.abs(gradient).max() < 1e-8 * yes.size:
            break
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + 1e-12 * np.eye(2), gradient)
        before, size = _cross_entropy(x @ found, target), 1.0
        while size > 1e-6 and _cross_entropy(x @ (found - size * step), target) > before:
            size /= 2
        found = found - size * step
    slope = found[0] / width
    return np.array([slope, found[1] - slope * centre])


def answers(scores: Floats | Doubles, scale: RatingScale, calibration: Doubles) -> Floats:
    """Turn a model's scores into what `predict` says: a calibrated probability for yes and no, else a rating within the scale.

    Args:
        scores: [n], ratings, or log odds of a yes.
        calibration: slope and intercept, for yes and no.
    """
    if not scale.is_yes_no:
        return np.clip(scores, scale.low, scale.high).astype(np.float32)
    return np.clip(sigmoid(calibration[0] * scores.astype(np.float64) + calibration[1]), _SURE, 1 - _SURE).astype(
        np.float32
    )


def calibration_error(probability: Doubles, yes: Bools, *, n_bins: int = 15) -> float:
    """Return the expected calibration error: how far, on average, what is said lies from what comes true.

    Predictions are put into bins of equal width; in each, the mean probability is compared with the share of yes, and the
    distances are averaged by the number of predictions. Naeini, Cooper and Hauskrecht, AAAI 2015; bins as in Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017 (arXiv:1706.04599).

    >>> calibration_error(np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, False, False, False]))
    0.25
    """
    n, said, true = reliability(probability, yes, n_bins=n_bins)
    return round(float((n * np.abs(said - true)).sum() / max(1, n.sum())), 12)


def reliability(probability: Doubles, yes: Bools, *, n_bins: int = 15) -> tuple[Doubles, Doubles, Doubles]:
    """Return for each bin that is not empty: how many predictions it has, their mean, and the share of yes; float64 each."""
    place = np.minimum((probability * n_bins).astype(np.int64), n_bins - 1)
    n = np.bincount(place, minlength=n_bins).astype(np.float64)
    there = n > 0
    said = np.bincount(place, weights=probability, minlength=n_bins)[there] / n[there]
    true = np.bincount(place, weights=yes.astype(np.float64), minlength=n_bins)[there] / n[there]
    return n[there], said, true


def _cross_entropy(log_odds: Doubles, target: Doubles) -> float:
    return float((np.logaddexp(0.0, log_odds) - target * log_odds).sum())
