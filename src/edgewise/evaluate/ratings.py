"""How far predicted ratings and probabilities are from what came: pooled over all pairs, and by user for significance."""

import numpy as np

from edgewise.types import Bools, Doubles


def squared_errors(predicted: Doubles, true: Doubles) -> Doubles:
    """Return (predicted - true)^2; the root of its mean over all pairs is RMSE.

    >>> squared_errors(np.array([3.0, 5.0]), np.array([4.0, 3.0])).tolist()
    [1.0, 4.0]
    """
    return np.square(predicted - true)


def absolute_errors(predicted: Doubles, true: Doubles) -> Doubles:
    """Return |predicted - true|; its mean over all pairs is MAE."""
    return np.abs(predicted - true)


def log_losses(probability: Doubles, yes: Bools) -> Doubles:
    """Return -log of the probability given to what came true, the natural logarithm; probabilities strictly within 0 and 1.

    >>> log_losses(np.array([0.5, 0.25]), np.array([True, False])).round(4).tolist()
    [0.6931, 0.2877]
    """
    return -np.log(np.where(yes, probability, 1 - probability))


def brier_scores(probability: Doubles, yes: Bools) -> Doubles:
    """Return (probability - yes)^2: Brier, "Verification of forecasts expressed in terms of probability", 1950, for two classes."""
    return np.square(probability - yes)
