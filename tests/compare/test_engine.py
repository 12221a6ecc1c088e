"""The engine: the same users for all, an honest verdict, choices on validation data alone."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from edgewise.compare.engine import Plan, compare, describe
from edgewise.compare.output import comparison_json, table_rows, verdict
from edgewise.compare.quick_tuning import QuickTuning, tune_quick, validation_split
from edgewise.compare.tasks import FALLEN_BACK, NEW_USERS, task_of
from edgewise.data import Dataset
from edgewise.data.split import Split, given, split_dataset
from edgewise.errors import ConfigError, DataError, UnknownNameError
from edgewise.evaluate.result import Comparison
from edgewise.models.popularity import Popularity
from edgewise.recommender import Recommender
from edgewise.testing.planted import planted_tastes

ITEMS = task_of("items")


@pytest.fixture(scope="module")
def split() -> Split:
    planted = planted_tastes()
    rows = [*planted.withheld.items(), ("newcomer", 1000), ("u000", 99_999)]
    test = Dataset.from_events(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    return given(planted.train, test)


@pytest.fixture(scope="module")
def found(split: Split) -> tuple[Comparison, dict[str, Recommender]]:
    return compare(split, Plan(ITEMS, ("popularity", "item-knn"), k=(3, 5), name="planted"))


def test_the_model_that_knows_tastes_wins_and_it_is_not_luck(found: tuple[Comparison, dict[str, Recommender]]) -> None:
    comparison, fitted = found
    assert comparison.winner == "item-knn"
    assert comparison.main_metric == "ndcg@5"
    assert set(fitted) == {"popularity", "item-knn"}
    assert verdict(comparison).startswith("item-knn wins with ndcg@5 ")
    assert "not luck" in verdict(comparison)
    assert "after correction for 1 comparison)" in verdict(comparison)


def test_all_models_are_measured_on_the_same_users(found: tuple[Comparison, dict[str, Recommender]]) -> None:
    comparison, _ = found
    first, second = (result.evaluation for result in comparison.models.values())
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.user_index, second.user_index)


def test_newcomers_and_unknown_items_are_counted(found: tuple[Comparison, dict[str, Recommender]]) -> None:
    comparison, _ = found
    assert comparison.data["n_new_users"] == 1
    assert comparison.data["n_new_items"] == 1
    evaluation = comparison.models["item-knn"].evaluation
    assert evaluation is not None
    assert evaluation.segments[NEW_USERS]["n"] == 1.0


def test_whom_only_a_table_knows_is_new() -> None:
    train = planted_tastes().train
    people = train.users.ids.to_frame("user_id").with_columns(age=pl.lit(30))
    log = Dataset.from_events(train.to_frame(), user_table=people, item_table=train.item_table)
    cold = log.split("cold-users", seed=0)
    data = describe(cold, Plan(ITEMS, ("popularity",)))
    assert data["n_new_users"] == data["n_test_users"] > 0
    cold = log.split("cold-items", seed=0)
    assert describe(cold, Plan(ITEMS, ("popularity",)))["n_new_items"] == cold.test.events["item_index"].n_unique()


def test_where_every_user_is_new_the_fallback_is_measured(split: Split) -> None:
    train = split.train
    test = Dataset.from_events(pl.DataFrame({"user_id": ["n1", "n2"], "item_id": [1000, 1001]}))
    comparison, _ = compare(given(train, test), Plan(ITEMS, ("popularity", "item-knn"), k=(44,)))
    figures = [result.evaluation.overall["recall@44"] for result in comparison.models.values() if result.evaluation]
    assert figures[0] == figures[1] == 1.0
    assert "may be luck" in verdict(comparison)


def test_where_nobody_finds_anything_nobody_wins(split: Split) -> None:
    cold = split.train.split("cold-items", seed=0)
    comparison, _ = compare(cold, Plan(ITEMS, ("popularity", "item-knn"), k=(3,)))
    assert verdict(comparison).startswith(
        "No model found anything: ndcg@3 is 0 for each, so none of them wins. Of new items"
    )


def test_one_model_alone_proves_nothing(split: Split) -> None:
    comparison, _ = compare(split, Plan(ITEMS, ("popularity",), k=(3,)))
    assert "is the only model measured" in verdict(comparison)
    assert comparison.significance == []


def test_the_json_has_no_nan_and_the_table_a_row_for_each(found: tuple[Comparison, dict[str, Recommender]]) -> None:
    import json

    comparison, _ = found
    json.dumps(comparison_json(comparison), allow_nan=False)
    header, rows = table_rows(comparison)
    assert [row[0] for row in rows] == ["item-knn", "popularity"]
    assert all(len(row) == len(header) for row in rows)


def test_samples_are_test_users_with_reasons(found: tuple[Comparison, dict[str, Recommender]]) -> None:
    comparison, _ = found
    assert len(comparison.samples) == 3
    for sample in comparison.samples:
        assert sample.liked
        assert all(row["reasons"] for row in sample.lists["item-knn"][:1])


def test_a_misspelt_model_stops_before_any_work(split: Split) -> None:
    with pytest.raises(UnknownNameError, match="there is no model 'gnn'"):
        compare(split, Plan(ITEMS, ("popularity", "gnn")))


def test_if_nobody_can_take_part_the_reason_is_raised(split: Split) -> None:
    bare = given(Dataset.from_events(split.train.to_frame()), split.test)
    with pytest.raises(DataError, match="--items"):
        compare(bare, Plan(ITEMS, ("content",)))


def test_no_models_are_refused(split: Split) -> None:
    with pytest.raises(ConfigError, match="no models to compare"):
        compare(split, Plan(ITEMS, ()))


def test_tuning_never_sees_the_test_part(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(Popularity, "SEARCH", {"count": _Const("events")})
    original = Popularity.fit_arrays

    def spied(self: Popularity, dataset: Dataset) -> None:
        seen.append(dataset)
        original(self, dataset)

    monkeypatch.setattr(Popularity, "fit_arrays", spied)
    settings, notes = tune_quick("popularity", {}, split, ITEMS, "ndcg@5", QuickTuning(n_trials=3, budget_s=60), seed=0)
    test_pairs = set(split.test.to_frame().select("user_id", "item_id").rows())
    assert len(seen) == 3
    for dataset in seen:
        pairs = set(dataset.to_frame().select("user_id", "item_id").rows())
        assert not pairs & test_pairs
        assert len(pairs) < split.train.interactions.nnz
    assert notes[0].startswith("tuned: 3 settings tried")
    assert set(settings) <= {"count"}


def test_what_the_caller_has_set_is_not_searched(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Popularity, "SEARCH", {"count": _Const("events")})
    assert tune_quick("popularity", {"count": "users"}, split, ITEMS, "ndcg@5", QuickTuning(), seed=0) == (
        {"count": "users"},
        [],
    )


def test_validation_is_taken_as_the_test_was() -> None:
    frame = planted_tastes().train.to_frame()
    stamped = Dataset.from_events(frame.with_columns(timestamp=pl.int_range(pl.len())))
    inner = validation_split(split_dataset(stamped, "time", test=0.2), seed=0)
    assert inner.how == "time"
    assert inner.train.events["timestamp"].max() <= inner.test.events["timestamp"].min()  # type: ignore[operator]
    assert validation_split(split_dataset(stamped, "cold-items", test=0.2), seed=0).how == "cold-items"


class _Const:
    def __init__(self, value: Any) -> None:
        self.value = value

    def draw(self, rng: np.random.Generator) -> Any:  # noqa: ARG002 - the protocol's signature
        return self.value


def _with_attributes() -> Dataset:
    planted = planted_tastes()
    users = [f"u{user:03d}" for user in range(60)]
    table = pl.DataFrame({"user_id": users, "club": [f"club {int(user[1:]) % 4}" for user in users]})
    return Dataset.from_events(planted.train.to_frame(), item_table=planted.train.item_table, user_table=table)


def test_cold_users_are_asked_about_by_attributes_and_the_fallback_answers_for_those_who_cannot() -> None:
    split = split_dataset(_with_attributes(), "cold-users", test=0.2, seed=0)
    comparison, _ = compare(split, Plan(ITEMS, ("popularity", "item-knn", "user-knn"), k=(10,)))
    found = {name: result.evaluation for name, result in comparison.models.items()}
    assert all(evaluation is not None and evaluation.user_index.size == 12 for evaluation in found.values())
    popular, by_items, by_users = (found[name] for name in ("popularity", "item-knn", "user-knn"))
    assert popular is not None
    assert by_items is not None
    assert by_users is not None
    assert by_items.segments[FALLEN_BACK]["n"] == 12.0
    assert by_items.overall["ndcg@10"] == popular.overall["ndcg@10"]
    assert FALLEN_BACK not in by_users.segments
    assert by_users.overall["ndcg@10"] > 1.5 * popular.overall["ndcg@10"]


def test_what_a_cold_user_reveals_is_history_and_no_longer_to_be_found() -> None:
    split = split_dataset(_with_attributes(), "cold-users", test=0.2, seed=0, reveal=4)
    assert split.revealed is not None
    assert split.revealed.interactions.sum() == 12 * 4
    assert split.test.interactions.sum() == 12 * 6  # ten items each
    comparison, _ = compare(split, Plan(ITEMS, ("popularity", "item-knn"), k=(10,)))
    evaluation = comparison.models["item-knn"].evaluation
    assert evaluation is not None
    assert comparison.winner == "item-knn"
    assert FALLEN_BACK not in evaluation.segments
    shown = split.train.items.index_of(
        split.revealed.items.ids_at(split.revealed.interactions[[0]].indices.astype(int))
    )
    assert not set(evaluation.top_items[0]) & set(shown)


def test_cold_items_are_ranked_among_themselves() -> None:
    split = split_dataset(_with_attributes(), "cold-items", test=0.2, seed=0)
    comparison, _ = compare(split, Plan(ITEMS, ("popularity", "item-knn", "content"), k=(5,)))
    assert comparison.winner == "content"
    evaluation = comparison.models["content"].evaluation
    assert evaluation is not None
    cold = np.flatnonzero(split.train.item_counts == 0)
    assert set(evaluation.top_items[evaluation.top_items >= 0]) <= set(cold)
    assert evaluation.overall["recall@5"] > 0.9
    others = [comparison.models[name].evaluation for name in ("popularity", "item-knn")]
    assert all(other is not None and other.overall["recall@5"] == 0 for other in others)


def test_reveal_belongs_to_a_split_by_users_and_leaves_something_to_find() -> None:
    with pytest.raises(ConfigError, match="reveal = 2 belongs to the split 'cold-users'"):
        split_dataset(_with_attributes(), "random", reveal=2)
    with pytest.raises(DataError, match="no test user met more than 10 items"):
        split_dataset(_with_attributes(), "cold-users", reveal=10)
