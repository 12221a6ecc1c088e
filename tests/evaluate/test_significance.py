"""Intervals, paired tests and their correction."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgewise.errors import DataError
from edgewise.evaluate import significance
from edgewise.evaluate.significance import (
    bootstrap_intervals,
    compare_pairs,
    holm,
    minimal_detectable_effect,
    paired_test,
)
from edgewise.rng import make_rng
from edgewise.types import Doubles


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    # 400 samples of 80 users from an exponential distribution of mean 1: skew, as metrics are. The binomial standard error of the
    # share is 1.1 %, and the percentile interval of a skew sample of 80 is known to hold the mean about 93.5 % of the time.
    rng = np.random.default_rng(0)
    samples = {str(i): rng.exponential(size=80) for i in range(400)}
    intervals = bootstrap_intervals(samples, seed=0).values()
    assert 0.905 < np.mean([low < 1 < high for low, high in intervals]) < 0.97


def test_intervals_are_those_of_the_normal_distribution_where_there_are_many_users() -> None:
    values = np.random.default_rng(0).uniform(size=20_000)
    error = values.std() / np.sqrt(values.size)
    low, high = bootstrap_intervals({"ndcg@20": values}, seed=0)["ndcg@20"]
    np.testing.assert_allclose([low, high], values.mean() + error * np.array([-1.96, 1.96]), atol=0.1 * error)


def test_one_seed_gives_one_interval_whatever_the_blocks_and_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).uniform(size=50)
    expected = bootstrap_intervals({"a": values, "b": values**2}, seed=3)["a"]
    assert bootstrap_intervals({"a": values}, seed=3)["a"] == pytest.approx(expected, abs=1e-15)
    assert bootstrap_intervals({"a": values}, seed=4)["a"] != expected
    monkeypatch.setattr(significance, "_BLOCK_NUMBERS", 1000)
    assert bootstrap_intervals({"a": values}, seed=3)["a"] == pytest.approx(expected, abs=1e-15)


def test_a_user_without_a_value_counts_in_no_mean() -> None:
    values = np.array([1.0, 1.0, np.nan, np.nan])
    nothing = np.full(4, np.nan)
    found = bootstrap_intervals({"some": values, "none": nothing}, seed=0)
    assert found["some"] == pytest.approx((1, 1))
    assert all(np.isnan(end) for end in found["none"])
    assert bootstrap_intervals({}, seed=0) == {}


def exact_p_value(differences: Doubles) -> float:
    """Try every combination of signs."""
    sums = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=differences.size)]
    return float(np.mean(np.array(sums) >= abs(differences.sum()) - 1e-9))


@pytest.mark.parametrize("seed", range(4))
def test_flipping_signs_at_random_comes_near_trying_all(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.4, 1, size=11)
    p_value, name = paired_test(differences, np.random.default_rng(seed))
    assert name == "paired randomisation"
    assert p_value == pytest.approx(exact_p_value(differences), abs=0.015)


def test_coarse_differences_count_ties_as_at_least_as_far() -> None:
    # Three users better, none worse: of the 8 sign patterns only +++ and --- are as far from 0, so p = 1/4. Equals add nothing.
    differences = np.array([0.1, 0.1, 0.1, 0, 0, 0, 0, np.nan])
    assert paired_test(differences, np.random.default_rng(0))[0] == pytest.approx(0.25, abs=0.02)


def test_p_values_are_even_where_models_are_equally_good() -> None:
    rng = np.random.default_rng(0)
    p_values = [paired_test(rng.standard_t(3, size=30), rng, n_flips=999)[0] for _ in range(400)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_the_t_test_takes_over_where_users_are_many_and_is_scipys() -> None:
    rng = np.random.default_rng(0)
    better, worse = rng.uniform(size=6000), rng.uniform(size=6000) - 0.005
    p_value, name = paired_test(better - worse, rng)
    assert name == "paired t"
    assert p_value == pytest.approx(stats.ttest_rel(better, worse).pvalue)


def test_both_tests_agree_where_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(0).exponential(size=2000) - 0.96
    flipped = paired_test(differences, np.random.default_rng(1))[0]
    monkeypatch.setattr(significance, "_MOST_FLIPPED", 0)
    assert paired_test(differences, np.random.default_rng(1))[0] == pytest.approx(flipped, abs=0.015)


# Four p-values, ascending: 0.005, 0.01, 0.03, 0.04, times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04; the last may not be below the one
# before it: 0.06.
def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferronis_and_keeps_the_order(p_values: list[float]) -> None:
    p = np.array(p_values)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= np.minimum(p * p.size, 1)).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()


def test_identical_models_do_not_differ() -> None:
    values = np.random.default_rng(0).uniform(size=40)
    [found] = compare_pairs({"a": values, "b": values.copy()}, "ndcg@20", seed=0)
    assert (found.difference, found.low, found.high, found.p_value, found.p_corrected) == (0, 0, 0, 1, 1)
    assert not found.significant
    assert (found.better, found.worse, found.metric) == ("a", "b", "ndcg@20")


def test_every_pair_is_tested_and_the_better_is_named_first() -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.4, size=300)
    models = {
        "low": base,
        "high": base + rng.normal(0.1, 0.05, size=300),
        "alike": base + rng.normal(0, 0.05, size=300),
    }
    found = compare_pairs(models, "recall@20", seed=0)
    assert [{test.better, test.worse} for test in found] == [{"low", "high"}, {"low", "alike"}, {"high", "alike"}]
    assert [test.better for test in found if "high" in (test.better, test.worse)] == ["high", "high"]
    assert [test.significant for test in found] == [True, False, True]
    for test in found:
        assert test.difference == pytest.approx((models[test.better] - models[test.worse]).mean())
        assert test.low <= test.difference <= test.high
        assert test.p_value <= test.p_corrected
        assert test.test == "paired randomisation"
        assert test.detectable == pytest.approx(minimal_detectable_effect(models[test.better] - models[test.worse]))


def test_a_pair_is_tested_on_the_users_whom_both_have() -> None:
    a, b = np.array([1.0, 0.0, np.nan, 1.0]), np.array([0.0, 0.0, 5.0, np.nan])
    [found] = compare_pairs({"b": b, "a": a}, "auc", seed=0)
    assert (found.better, found.difference) == ("a", 0.5)


def test_many_pairs_can_still_be_significant() -> None:
    # 12 models are 66 pairs: with the usual 10,000 flips the smallest corrected p-value would be 66 / 10,001.
    rng = np.random.default_rng(0)
    models = {str(i): rng.normal(i, 0.1, size=60) for i in range(12)}
    assert all(test.significant for test in compare_pairs(models, "ndcg@20", seed=0))


def test_one_model_alone_has_no_pair() -> None:
    assert compare_pairs({"a": np.ones(3)}, "ndcg@20", seed=0) == []


def test_values_of_different_users_are_refused() -> None:
    with pytest.raises(DataError, match=r"a has 3, b has 4.*same training and test set"):
        compare_pairs({"a": np.ones(3), "b": np.ones(4)}, "ndcg@20", seed=0)


def test_the_minimal_detectable_effect_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    effect = minimal_detectable_effect(rng.normal(size=400))
    assert effect == pytest.approx(2.80 / 20, rel=0.1)
    found = [stats.ttest_1samp(rng.normal(2.8016 / 20, 1, size=400), 0).pvalue < 0.05 for _ in range(1000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)
    assert np.isnan(minimal_detectable_effect(np.array([1.0])))


def test_the_interval_of_rmse_is_that_of_the_pooled_root() -> None:
    # Per user: mean squared errors and numbers of pairs. Of each resample: sqrt(sum t n mse / sum t n).
    mse, n = np.array([1.0, 4.0, 9.0, 0.25]), np.array([10.0, 1.0, 5.0, 2.0])
    [(low, high)] = bootstrap_intervals({"rmse": mse}, seed=0, n_resamples=400, weights=n).values()
    drawn = make_rng(0, "bootstrap").integers(0, 4, size=(400, 4), dtype=np.int32)
    roots = [np.sqrt((n[users] * mse[users]).sum() / n[users].sum()) for users in drawn]
    assert [low, high] == pytest.approx(np.percentile(roots, [2.5, 97.5]))


def test_the_smaller_error_is_the_better_one_and_the_difference_that_of_the_pooled_roots() -> None:
    n = np.array([10.0, 1.0, 5.0, 2.0, 4.0])
    a, b = np.array([1.0, 4.0, 1.0, 0.5, 1.5]), np.array([1.5, 4.5, 2.0, 0.4, 2.5])
    [found] = compare_pairs({"b": b, "a": a}, "rmse", seed=0, weights=n)
    assert (found.better, found.worse) == ("a", "b")
    assert found.difference == pytest.approx(np.sqrt((n * b).sum() / n.sum()) - np.sqrt((n * a).sum() / n.sum()))
    assert found.low <= found.difference <= found.high
    # Of the 2^5 ways to swap the models of a user, those at least as far from 0: |n (a - b)| = 5, .5, 5, .2, 4.
    sums = [abs((np.array(signs) * n * (b - a)).sum()) for signs in product((1, -1), repeat=5)]
    exact = np.mean(np.array(sums) >= (n * (b - a)).sum() - 1e-9)
    assert found.p_value == pytest.approx(exact, abs=0.015)
    assert found.detectable > 0
