"""Is one model better than another, or was it luck? Intervals, paired tests, and what a test could not have seen.

The users are the sample: another week would have brought others. All of it works on the per-user values of a metric,
the same users in the same order for each model, NaN where a user has no value.
"""

from collections.abc import Mapping
from itertools import combinations

import numba
import numpy as np
from scipy import stats

from edgewise.errors import DataError
from edgewise.evaluate.metrics import ROOT_OF_MEAN, direction
from edgewise.evaluate.result import PairTest
from edgewise.rng import make_rng
from edgewise.types import Doubles

_MOST_FLIPPED = 5_000
"""With more non-zero differences than this, the t test stands in for flipping signs; see `paired_test`."""

_BLOCK_NUMBERS = 1 << 22
"""How many random numbers are held at once: 32 MB."""

_SIGNS = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
"""Every way to flip eight signs: [256, 8] of 1 and -1."""


def bootstrap_intervals(
    per_user: Mapping[str, Doubles],
    *,
    seed: int,
    n_resamples: int = 2000,
    level: float = 0.95,
    weights: Doubles | None = None,
) -> dict[str, tuple[float, float]]:
    """Return for each metric the percentile bootstrap interval of its mean over users.

    Users are drawn with replacement, as many as there are; the interval lies between the percentiles of the means that
    result. All metrics (or models) share the draws. Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13.
    Time and memory: n_resamples x n_users draws, made in blocks; 30,000 users take half a second.

    Args:
        per_user: name to float64 [n_users], all of one length. A user with NaN counts in no mean of that metric.
        level: how often such an interval covers the true mean, in (0, 1).
        weights: float64 [n_users], how much each user counts; None: all the same. Of "rmse" the per-user values are mean squared
            errors, and the interval is that of the root of their mean: with the numbers of pairs as weights, of the RMSE over
            all pairs of the resampled users.

    Returns:
        Name to (low, high); NaN where no user has a value.

    Raises:
        DataError: if the arrays differ in length.
    """
    if not per_user:
        return {}
    means = _bootstrap_means(_columns(per_user), make_rng(seed, "bootstrap"), n_resamples, weights)
    tail = 50 * (1 - level)
    return {name: _percentiles(_figure(means[:, column], name), tail) for column, name in enumerate(per_user)}


def compare_pairs(
    per_user: Mapping[str, Doubles], metric: str, seed: int, *, weights: Doubles | None = None
) -> list[PairTest]:
    """Test every pair of models on one metric, and correct for having tested so many.

    Args:
        per_user: model name to float64 [n_users]; a pair is tested on the users for whom both have a value.
        metric: what the values are; whether more or less of it is better, and whether it is a root, follows from its name.
        weights: float64 [n_users], how much each user counts; None: all the same. The test then flips weighted differences: of
            "rmse" the sums of squared errors of each user, since two models with the same RMSE have the same sum of these.

    Returns:
        One test a pair, in the order of the names; better and worse by the mean, the first named where they are equal. The
        difference is in units of the metric, and positive whichever way is better.

    Raises:
        DataError: if the arrays differ in length, so that users cannot be paired.
    """
    values, sign = _columns(per_user), direction(metric)
    share = None if weights is None else weights / weights.mean()
    counted = values if share is None else values * share[:, None]
    pairs = [_ordered(sign * counted, pair) for pair in combinations(range(values.shape[1]), 2)]
    if not pairs:
        return []
    differences = np.stack(
        [sign * (counted[:, better] - counted[:, worse]) for better, worse in pairs], axis=1
    )  # [n_users, n_pairs]
    means = _means_of_differences(values, differences, pairs, metric, make_rng(seed, "bootstrap"), weights)
    # As many flips as let the smallest p-value pass the correction, however many pairs there are.
    n_flips = max(10_000, 200 * len(pairs))
    tests = [
        paired_test(differences[:, pair], make_rng(seed, "sign flips", pair), n_flips=n_flips)
        for pair in range(len(pairs))
    ]
    corrected = holm(np.array([p_value for p_value, _ in tests]))
    names, found = list(per_user), []
    for pair, (better, worse) in enumerate(pairs):
        low, high = _percentiles(means[:, pair], 2.5)
        both = ~np.isnan(differences[:, pair])
        defined = differences[both, pair]
        difference, per_unit = float(defined.mean()) if defined.size else float("nan"), 1.0
        if metric in ROOT_OF_MEAN:
            roots = [float(np.sqrt(counted[both, model].mean())) for model in (better, worse)]
            difference, per_unit = (
                sign * (roots[0] - roots[1]),
                max(roots[0] + roots[1], 1e-12),
            )  # a^2 - b^2 = (a - b)(a + b)
        found.append(
            PairTest(
                metric,
                names[better],
                names[worse],
                difference,
                low,
                high,
                tests[pair][0],
                float(corrected[pair]),
                bool(corrected[pair] < 0.05),
                tests[pair][1],
                minimal_detectable_effect(defined) / per_unit,
            )
        )
    return found


def paired_test(differences: Doubles, rng: np.random.Generator, *, n_flips: int = 10_000) -> tuple[float, str]:
    """Return the two-sided p-value of "the models are equally good", and the name of the test that gave it.

    Up to 5,000 users on whom the models differ: the paired randomisation test. If the models are equally good, each
    difference might as well have had the other sign; p = (1 + flips at least as far from 0) / (1 + flips), which is exact
    for any number of flips (Phipson and Smyth, SAGMB 2010). It assumes no distribution, which matters where few users
    differ or the values are as coarse as hits and misses. Users on whom the models agree add 0 whatever the sign, so
    they are left out, and the count that matters is that of the others.

    Beyond: the paired t test on all users. There the mean is normal for all practical purposes and both tests agree (Smucker,
    Allan and Carterette, CIKM 2007; Urbano, Lima and Hanjalic, SIGIR 2019), and its p-value is not bounded by 1 / flips.

    Args:
        differences: float64 [n_users], NaN where a user cannot be compared.
    """
    differences = differences[~np.isnan(differences)]
    moved = differences[differences != 0]
    if moved.size <= _MOST_FLIPPED:
        return _flip_signs(moved, rng, n_flips), "paired randomisation"
    statistic = differences.mean() / (differences.std(ddof=1) / np.sqrt(differences.size))
    return float(2 * stats.t.sf(abs(statistic), differences.size - 1)), "paired t"


def holm(p_values: Doubles) -> Doubles:
    """Correct p-values for their number, so that the chance of any false claim among them stays below the level.

    The smallest is multiplied by their number n, the next by n - 1, …; none is below the one before, none above 1.
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * np.arange(p_values.size, 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected


def minimal_detectable_effect(differences: Doubles, *, power: float = 0.8, level: float = 0.05) -> float:
    """Return how large the true difference of two models must be for such a test to find it with the given chance.

    (z(1 - level / 2) + z(power)) x standard deviation / sqrt(n), 2.80 standard errors by default: a smaller difference may
    well exist and would mostly be missed. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988.

    Args:
        differences: float64 [n_users], one model less the other. level: divide by the number of pairs to allow for all.

    Returns:
        In the metric's units, >= 0; NaN with fewer than two users.
    """
    differences = differences[~np.isnan(differences)]
    if differences.size < 2:
        return float("nan")
    error = differences.std(ddof=1) / np.sqrt(differences.size)
    return float((stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power)) * error)


def _flip_signs(moved: Doubles, rng: np.random.Generator, n_flips: int) -> float:
    """Sum the differences under random signs, eight at a time: the 256 sums of each eight are looked up by a random byte."""
    if not moved.size:
        return 1.0
    eights = np.zeros((-(-moved.size // 8), 8))
    eights.flat[: moved.size] = moved
    sums = np.zeros(n_flips)
    for eight in eights:
        sums += (_SIGNS @ eight)[rng.integers(0, 256, size=n_flips, dtype=np.uint8)]
    # Sums that are equal on paper differ by rounding, and equal ones count as at least as far.
    rounding = 1e-12 * np.abs(moved).sum()
    return float((1 + (np.abs(sums) >= abs(moved.sum()) - rounding).sum()) / (1 + n_flips))


def _means_of_differences(
    values: Doubles,
    differences: Doubles,
    pairs: list[tuple[int, int]],
    metric: str,
    rng: np.random.Generator,
    weights: Doubles | None,
) -> Doubles:
    """Resample users, and return the differences of the pairs: float64 [n_resamples, n_pairs]."""
    if weights is None and metric not in ROOT_OF_MEAN:
        return _bootstrap_means(differences, rng, n_resamples=2000)
    figures = _figure(_bootstrap_means(values, rng, 2000, weights), metric)  # [n_resamples, n_models]
    return np.stack([direction(metric) * (figures[:, better] - figures[:, worse]) for better, worse in pairs], axis=1)


def _figure(means: Doubles, metric: str) -> Doubles:
    return np.sqrt(means) if metric in ROOT_OF_MEAN else means


def _bootstrap_means(
    values: Doubles, rng: np.random.Generator, n_resamples: int, weights: Doubles | None = None
) -> Doubles:
    """Average each column over resampled users: float64 [n_resamples, n_columns] of [n_users, n_columns]."""
    n_users = len(values)
    defined = ~np.isnan(values)
    filled, counted = np.where(defined, values, 0.0), defined.astype(np.float64)
    if weights is not None:
        filled, counted = filled * weights[:, None], counted * weights[:, None]
    means = np.full((n_resamples, values.shape[1]), np.nan)
    if not n_users:
        return means
    size = max(1, _BLOCK_NUMBERS // n_users)
    for start in range(0, n_resamples, size):
        drawn = rng.integers(0, n_users, size=(min(size, n_resamples - start), n_users), dtype=np.int32)
        times = _times_drawn(drawn)  # [b, n_users]
        n_drawn = times @ counted
        np.divide(times @ filled, n_drawn, out=means[start : start + size], where=n_drawn > 0)
    return means


@numba.njit(parallel=True, cache=True, nogil=True)
def _times_drawn(drawn):  # type: ignore[no-untyped-def]
    n_resamples, n_users = drawn.shape
    times = np.empty((n_resamples, n_users), dtype=np.float64)
    for resample in numba.prange(n_resamples):
        count = np.zeros(n_users, dtype=np.int32)  # small enough for the cache, unlike the whole
        for user in drawn[resample]:
            count[user] += 1
        times[resample] = count
    return times


def _percentiles(means: Doubles, tail: float) -> tuple[float, float]:
    means = means[~np.isnan(means)]
    if not means.size:
        return float("nan"), float("nan")
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def _columns(per_user: Mapping[str, Doubles]) -> Doubles:
    sizes = {name: values.size for name, values in per_user.items()}
    if len(set(sizes.values())) > 1:
        raise DataError(
            f"the values of different users cannot be compared: {', '.join(f'{name} has {size}' for name, size in sizes.items())}. "
            "Evaluate all models on the same training and test set."
        )
    return np.stack([np.asarray(values, dtype=np.float64) for values in per_user.values()], axis=1)


def _ordered(values: Doubles, pair: tuple[int, int]) -> tuple[int, int]:
    """Put the better of two models first, by the mean over the users whom both have values for."""
    first, second = pair
    both = ~np.isnan(values[:, first] - values[:, second])
    return pair if values[both, first].sum() >= values[both, second].sum() else (second, first)
