"""Errors and probabilities by hand, and against brute force."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.data.ratings import RatingScale
from edgewise.evaluate.calibration import (
    NOT_CALIBRATED,
    answers,
    calibrated,
    calibration_error,
    fit_calibration,
    fit_isotonic,
    fit_platt,
    reliability,
    sigmoid,
)
from edgewise.evaluate.metrics import direction
from edgewise.evaluate.ratings import absolute_errors, brier_scores, log_losses, squared_errors
from edgewise.types import Bools, Doubles

ratings = st.lists(st.floats(1, 5), min_size=1, max_size=20)


def test_rmse_and_mae_by_hand() -> None:
    # predicted 3, 4, 2 and true 4, 4, 4: squares 1, 0, 4, mean 5/3; distances 1, 0, 2, mean 1.
    predicted, true = np.array([3.0, 4.0, 2.0]), np.array([4.0, 4.0, 4.0])
    assert np.sqrt(squared_errors(predicted, true).mean()) == pytest.approx((5 / 3) ** 0.5)
    assert absolute_errors(predicted, true).mean() == 1.0


def test_log_loss_and_brier_by_hand() -> None:
    # said 0.8 of a yes and 0.3 of a no: -log 0.8, -log 0.7; 0.04, 0.09.
    said, yes = np.array([0.8, 0.3]), np.array([True, False])
    assert log_losses(said, yes).tolist() == pytest.approx([-np.log(0.8), -np.log(0.7)])
    assert brier_scores(said, yes).tolist() == pytest.approx([0.04, 0.09])


def test_calibration_error_by_hand() -> None:
    # Of five bins, [0.2, 0.4) holds 0.3 twice, one yes: off by 0.2; [0.8, 1] holds 0.9 and 1.0, both yes: off by 0.05.
    said, yes = np.array([0.3, 0.3, 0.9, 1.0]), np.array([True, False, True, True])
    assert calibration_error(said, yes, n_bins=5) == pytest.approx((2 * 0.2 + 2 * 0.05) / 4)
    n, sums, n_yes = reliability(said, yes, n_bins=5)
    assert n.tolist() == [0, 2, 0, 0, 2]
    assert sums.tolist() == pytest.approx([0, 0.6, 0, 0, 1.9])
    assert n_yes.tolist() == [0, 1, 0, 0, 2]


@given(ratings)
def test_rmse_is_never_below_mae(values: list[float]) -> None:
    predicted, true = np.full(len(values), 3.0), np.array(values)
    assert np.sqrt(squared_errors(predicted, true).mean()) >= absolute_errors(predicted, true).mean() - 1e-12


def test_platt_finds_the_line_that_the_data_were_drawn_from() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(3.0, 2.0, 40_000)
    yes = rng.random(40_000) < sigmoid(0.7 * scores - 2.0)
    assert fit_platt(scores, yes) == pytest.approx([0.7, -2.0], abs=0.06)


def test_platt_makes_overconfident_scores_come_true() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0.0, 1.0, 4_000)
    yes = rng.random(4_000) < sigmoid(truth)
    scores = 4 * truth  # four times as sure as it should be
    scale = RatingScale(np.array([0.0, 1.0]))
    before, after = (
        calibration_error(answers(scores, scale, line).astype(np.float64), yes)
        for line in (NOT_CALIBRATED, fit_platt(scores[:2000], yes[:2000]))
    )
    assert after < 0.03 < before


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic, fit_calibration])
@pytest.mark.parametrize("yes", [[True, True], [False, False], [True], []])
def test_calibration_survives_one_class_and_nothing(yes: list[bool], fit: Callable[[Doubles, Bools], Doubles]) -> None:
    found = fit(np.arange(len(yes), dtype=np.float64), np.array(yes, dtype=np.bool_))
    assert np.isfinite(found).all()
    assert np.isfinite(calibrated(np.array([-9.0, 0.5, 9.0]), found)).all()


def test_steps_by_hand() -> None:
    # Targets 1/4 of a no, 3/4 of a yes: 1/4; then 3/4 above 1/4 is no rise, so both are 1/2, at the middle of 1 and 2; then 3/4.
    steps = fit_isotonic(np.array([2.0, 3.0, 0.0, 1.0]), np.array([False, True, False, True]))
    assert steps[0].tolist() == [0.0, 1.5, 3.0]
    assert sigmoid(steps[1]).tolist() == pytest.approx([0.25, 0.5, 0.75])
    assert sigmoid(calibrated(np.array([-5.0, 1.5, 7.0]), steps)).tolist() == pytest.approx([0.25, 0.5, 0.75])


def test_steps_are_chosen_where_no_line_fits_and_the_line_where_it_does() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 2, 6_000)
    yes = rng.random(6_000) < sigmoid(truth)
    assert fit_calibration(truth, yes).shape == (2,)
    bent = np.exp(1.5 * truth)
    steps = fit_calibration(bent[:4000], yes[:4000])
    assert steps.ndim == 2
    error_of_line, error_of_steps = (
        calibration_error(sigmoid(calibrated(bent[4000:], found)), yes[4000:])
        for found in (fit_platt(bent[:4000], yes[:4000]), steps)
    )
    assert error_of_steps < 0.03 < 0.1 < error_of_line


def test_answers_stay_within_the_scale_or_within_nought_and_one() -> None:
    stars = RatingScale(np.array([1.0, 3.0, 5.0]))
    assert answers(np.array([0.2, 4.4, 9.0]), stars, NOT_CALIBRATED).tolist() == pytest.approx([1.0, 4.4, 5.0])
    yes_no = RatingScale(np.array([0.0, 1.0]))
    sure = answers(np.array([-1000.0, 0.0, 1000.0]), yes_no, NOT_CALIBRATED)
    assert 0 < sure[0] < sure[1] == 0.5 < sure[2] < 1


def test_errors_are_better_when_smaller_and_everything_else_when_larger() -> None:
    assert [direction(name) for name in ("rmse", "mae", "log_loss", "brier", "ece")] == [-1] * 5
    assert [direction(name) for name in ("ndcg@20", "auc", "recall@5")] == [1] * 3
