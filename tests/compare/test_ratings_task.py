"""The task of ratings: pooled errors by hand, less is better, folds put together, what is refused."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from edgewise.compare.engine import Plan, compare
from edgewise.compare.output import comparison_json, table_rows, verdict
from edgewise.compare.quick_tuning import QuickTuning
from edgewise.compare.ratings_task import RatingsTask
from edgewise.compare.tasks import task_of
from edgewise.data import Dataset
from edgewise.data.split import given, k_fold, split_dataset
from edgewise.errors import CannotPredictError, ConfigError, DataError
from edgewise.models.biases import RatingBiases
from edgewise.models.popularity import Popularity
from edgewise.report.page import render_report
from edgewise.testing.planted import planted_ratings
from tests.models.rating_data import sloped_yes_no

SMALL: dict[str, Any] = {"mf": {"embedding_dim": 8, "l2": 0.1}}


def _dataset(rows: list[tuple[str, str, float]]) -> Dataset:
    return Dataset.from_events(pl.DataFrame(rows, schema=["user_id", "item_id", "value"], orient="row"))


def test_errors_are_pooled_over_all_pairs_newcomers_included() -> None:
    # With huge damping every prediction is the training mean, 3: errors -2, -1, 0 of a, and 2 of the newcomer c.
    train = _dataset([("a", "x", 2.0), ("a", "y", 3.0), ("b", "x", 4.0)])
    test = _dataset([("a", "z", 1.0), ("a", "v", 2.0), ("a", "w", 3.0), ("c", "x", 5.0)])
    split = given(train, test)
    model = RatingBiases(user_damping=1e9, item_damping=1e9).fit(train)
    found = RatingsTask().evaluate(model, split, (10,))
    assert found.overall["rmse"] == pytest.approx(((4 + 1 + 0 + 4) / 4) ** 0.5, abs=1e-5)
    assert found.overall["mae"] == pytest.approx((2 + 1 + 0 + 2) / 4, abs=1e-5)
    assert found.per_user["rmse"].tolist() == pytest.approx([5 / 3, 2.0**2], abs=1e-5)  # mean squares, before the root
    assert found.weights is not None
    assert found.weights.tolist() == [3, 1]
    assert found.segments["users: new (answered without them)"] == pytest.approx(
        {"n": 1, "rmse": 2, "mae": 2}, abs=1e-5
    )
    assert found.segments["ratings: 2"] == pytest.approx({"n": 1, "rmse": 1, "mae": 1}, abs=1e-5)
    assert found.segments["items: cold (nobody met them in training)"]["n"] == 3


def test_the_smaller_error_wins_and_everything_says_so() -> None:
    planted = planted_ratings()
    split = split_dataset(planted.train, "random", test=0.2)
    comparison, _ = compare(split, Plan(task_of("ratings"), ("biases", "mf"), settings=SMALL))
    errors = {
        name: result.evaluation.overall["rmse"] for name, result in comparison.models.items() if result.evaluation
    }
    assert errors["mf"] < 0.7 * errors["biases"]
    assert comparison.winner == "mf"
    assert comparison.main_metric == "rmse"
    [test] = comparison.significance
    assert (test.better, test.worse, test.significant) == ("mf", "biases", True)
    assert test.difference == pytest.approx(errors["biases"] - errors["mf"])
    low, high = comparison.models["mf"].intervals["rmse"]
    assert low < errors["mf"] < high
    header, rows = table_rows(comparison)
    assert header[1:3] == ["rmse (95 % interval)", "mae"]
    assert [row[0] for row in rows] == ["mf", "biases"]
    assert rows[1][-1].startswith("+")  # its error is larger by so much
    assert verdict(comparison).startswith(
        f"mf wins with rmse {errors['mf']:.4f}; the next is biases at {errors['biases']:.4f} (-"
    )
    assert comparison_json(comparison)["models"]["mf"]["rmse"] == errors["mf"]
    page = render_report(comparison)
    assert "Reliability diagram" not in page  # of ratings there are no probabilities
    assert "predicts best" in page or "A simple method wins" in page or "is smaller" in page or "smaller than" in page
    assert "% better than" not in page
    assert "预测" in page


def test_yes_and_no_are_judged_as_probabilities() -> None:
    split = split_dataset(sloped_yes_no(120, 40), "random", test=0.2)
    comparison, _ = compare(split, Plan(task_of("ratings"), ("biases", "mf"), settings={"mf": {"epochs": 5}}))
    assert comparison.main_metric == "log_loss"
    result = comparison.models["biases"].evaluation
    assert result is not None
    assert set(result.overall) == {"log_loss", "brier", "ece", "auc"}
    assert result.overall["log_loss"] < np.log(2)
    assert result.overall["auc"] > 0.6
    assert result.reliability is not None
    n, said, true = result.reliability
    assert n.sum() == split.test.ratings.nnz
    assert np.abs(said - true).sum() / n.sum() == pytest.approx(result.overall["ece"])
    bins = comparison_json(comparison)["models"]["biases"]["reliability"]
    assert (bins["n"], bins["n_yes"]) == (n.tolist(), true.tolist())
    page = render_report(comparison)
    assert "Log-loss" in page
    assert "Reliability diagram of User and item biases" in page
    assert "可靠性图" in page


def test_the_bins_of_all_folds_add_up() -> None:
    folds = list(k_fold(sloped_yes_no(), 3))
    task, model = RatingsTask(), RatingBiases
    parts = [task.evaluate(model().fit(fold.train), fold, (10,)) for fold in folds]
    pooled = task.pool(parts, [fold.test for fold in folds]).reliability
    assert pooled is not None
    one_by_one = [part.reliability for part in parts if part.reliability is not None]
    np.testing.assert_allclose(pooled, one_by_one[0] + one_by_one[1] + one_by_one[2])


def test_folds_are_pooled_so_that_every_pair_is_tested_once() -> None:
    data = planted_ratings().train
    folds = list(k_fold(data, 3))
    comparison, _ = compare(folds, Plan(task_of("ratings"), ("biases",)))
    task = RatingsTask()
    squares, n = [], []
    for fold in folds:
        found = task.evaluate(RatingBiases().fit(fold.train), fold, (10,))
        assert found.weights is not None
        squares.append(found.overall["rmse"] ** 2)
        n.append(found.weights.sum())
    assert sum(n) == data.ratings.nnz == comparison.data["n_test"]
    pooled = comparison.models["biases"].evaluation
    assert pooled is not None
    assert pooled.overall["rmse"] == pytest.approx(np.average(squares, weights=n) ** 0.5)
    assert pooled.weights is not None
    assert pooled.weights.sum() == data.ratings.nnz
    assert pooled.user_index.size == data.n_users
    assert np.average(pooled.per_user["rmse"], weights=pooled.weights) == pytest.approx(pooled.overall["rmse"] ** 2)
    assert sum(figures["n"] for name, figures in pooled.segments.items() if name.startswith("ratings")) == sum(n)


def test_a_task_that_pools_no_folds_says_so() -> None:
    with pytest.raises(ConfigError, match="the task 'items' takes one fold at a time"):
        compare(list(k_fold(planted_ratings().train, 3)), Plan(task_of("items"), ("popularity",)))


def test_a_model_that_ranks_cannot_take_part_and_the_reason_names_those_that_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split = split_dataset(planted_ratings().train, "random")
    fitted: list[str] = []
    monkeypatch.setattr(Popularity, "fit_arrays", lambda model, _: fitted.append(model.name))
    comparison, _ = compare(split, Plan(task_of("ratings"), ("popularity", "biases")))
    assert comparison.models["popularity"].failure is not None
    assert "popularity ranks items and predicts no ratings. Models that do: biases, mf, neumf, gc-mc." in (
        comparison.models["popularity"].failure
    )
    assert not fitted  # nobody waits for what cannot be used
    monkeypatch.undo()
    with pytest.raises(CannotPredictError):
        RatingsTask().evaluate(Popularity().fit(split.train), split, (10,))


def test_tuning_keeps_the_settings_with_the_smallest_error() -> None:
    split = split_dataset(planted_ratings().train, "random", test=0.2)
    comparison, _ = compare(split, Plan(task_of("ratings"), ("biases",), tuning=QuickTuning(6, 60.0)))
    [note] = comparison.models["biases"].notes
    best, default = (
        float(part) for part in (note.split("rmse ")[1].split(" ")[0], note.split("defaults ")[1].rstrip(")"))
    )
    assert best <= default


def test_a_third_value_in_the_test_data_of_yes_and_no_is_named() -> None:
    train = _dataset([("a", "x", 0.0), ("a", "y", 1.0), ("b", "x", 1.0)])
    split = given(train, _dataset([("b", "y", 0.5)]))
    with pytest.raises(DataError, match=r"training ratings are 0 or 1, no or yes, and a test rating is 0.5"):
        RatingsTask().evaluate(RatingBiases().fit(train), split, (10,))


def test_ratings_that_are_all_alike_end_the_comparison_with_the_reason() -> None:
    data = _dataset([(user, item, 1.0) for user in "abcd" for item in "xyz"])
    with pytest.raises(
        DataError, match="all 8 ratings are 1, so there is nothing to predict: --task ratings needs values"
    ):
        compare(split_dataset(data, "random", test=0.34), Plan(task_of("ratings"), ("biases",)))
