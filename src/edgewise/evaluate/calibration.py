"""Probabilities: turning scores into them, and whether they come true as often as they say."""

import numpy as np
from scipy.optimize import isotonic_regression

from edgewise.data.ratings import RatingScale
from edgewise.types import Bools, Doubles, Floats

NOT_CALIBRATED: Doubles = np.array([1.0, 0.0])
"""Slope and intercept that leave a score as it is."""

_PARTS = 5
"""What calibration is chosen by: each of so many parts is predicted from the others."""

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
    target = _smoothed(yes)
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


def fit_isotonic(scores: Floats | Doubles, yes: Bools) -> Doubles:
    """Find the rising steps of scores that are nearest to yes and no, joined by lines through their middles.

    Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates", KDD 2002: the chance may be
    any function of the score that never falls. Targets as in `fit_platt`, so that no step is sure.

    Args:
        scores: [n]. yes: bool [n].

    Returns:
        float64 [2, n_steps]: mean score of each step, ascending, and log odds of its chance; `NOT_CALIBRATED` without two scores.
    """
    if not yes.size or float(np.ptp(scores)) <= 0:
        return NOT_CALIBRATED.copy()
    values, place, n = np.unique(scores.astype(np.float64), return_inverse=True, return_counts=True)
    target = np.bincount(place, weights=_smoothed(yes)) / n
    found = isotonic_regression(target, weights=n)
    starts = found.blocks[:-1]
    middle = np.add.reduceat(values * n, starts) / np.add.reduceat(n, starts)
    chance = found.x[starts]
    return np.stack([middle, np.log(chance / (1 - chance))])


def fit_calibration(scores: Floats | Doubles, yes: Bools) -> Doubles:
    """Fit Platt's line, or steps where these predict better by more than a standard error on data that neither was fitted on.

    Each fifth of the data is predicted from the other four, by log-loss.

    Returns:
        What `fit_platt` or `fit_isotonic` returns.
    """
    part = np.arange(yes.size) % _PARTS
    gain = np.zeros(yes.size)
    for number in range(min(_PARTS, yes.size)):
        rest, here = part != number, part == number
        of_line, of_steps = (
            _losses(calibrated(scores[here], fit(scores[rest], yes[rest])), yes[here].astype(np.float64))
            for fit in (fit_platt, fit_isotonic)
        )
        gain[here] = of_line - of_steps
    better = yes.size > 1 and float(gain.mean()) > float(gain.std(ddof=1)) / yes.size**0.5
    return fit_isotonic(scores, yes) if better else fit_platt(scores, yes)


def calibrated(scores: Floats | Doubles, calibration: Doubles) -> Doubles:
    """Return log odds that may be believed: a line through the scores, or lines between steps; see `fit_calibration`."""
    scores = scores.astype(np.float64)
    if calibration.ndim == 1:
        return np.asarray(calibration[0] * scores + calibration[1])
    return np.asarray(np.interp(scores, calibration[0], calibration[1]), dtype=np.float64)


def answers(scores: Floats | Doubles, scale: RatingScale, calibration: Doubles) -> Floats:
    """Turn a model's scores into what `predict` says: a calibrated probability for yes and no, else a rating within the scale.

    Args:
        scores: [n], ratings, or log odds of a yes.
        calibration: for yes and no, what `fit_calibration` found.
    """
    if not scale.is_yes_no:
        return np.clip(scores, scale.low, scale.high).astype(np.float32)
    return np.clip(sigmoid(calibrated(scores, calibration)), _SURE, 1 - _SURE).astype(np.float32)


def calibration_error(probability: Doubles, yes: Bools, *, n_bins: int = 15) -> float:
    """Return the expected calibration error: how far, on average, what is said lies from what comes true.

    Predictions are put into bins of equal width; in each, the mean probability is compared with the share of yes, and the
    distances are averaged by the number of predictions. Naeini, Cooper and Hauskrecht, AAAI 2015; bins as in Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017 (arXiv:1706.04599).

    >>> calibration_error(np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, False, False, False]))
    0.25
    """
    n, said, true = reliability(probability, yes, n_bins=n_bins)
    return round(float(np.abs(said - true).sum() / max(1, n.sum())), 12)


def reliability(probability: Doubles, yes: Bools, *, n_bins: int = 15) -> Doubles:
    """Return for each bin how many predictions it has, the sum of their probabilities, and how many are yes: float64 [3, n_bins].

    Sums, so that those of several test sets add up.
    """
    place = np.minimum((probability * n_bins).astype(np.int64), n_bins - 1)
    weights = (np.ones(yes.size), probability, yes.astype(np.float64))
    return np.stack([np.bincount(place, weights=each, minlength=n_bins) for each in weights])


def _smoothed(yes: Bools) -> Doubles:
    """Return Platt's targets: (n_yes + 1) / (n_yes + 2) and 1 / (n_no + 2) in place of 1 and 0."""
    n_yes = int(yes.sum())
    return np.where(yes, (n_yes + 1) / (n_yes + 2), 1 / (yes.size - n_yes + 2))


def _losses(log_odds: Doubles, target: Doubles) -> Doubles:
    return np.asarray(np.logaddexp(0.0, log_odds) - target * log_odds)


def _cross_entropy(log_odds: Doubles, target: Doubles) -> float:
    return float(_losses(log_odds, target).sum())
