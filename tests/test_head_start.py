"""A fit that starts from an earlier one keeps what that knew, row by row, whatever the new data add or lack."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edgewise import model_folder
from edgewise.data import Dataset
from edgewise.head_start import HeadStart, Start
from edgewise.models import MODELS, build, load, model_class
from edgewise.recommender import Recommender
from edgewise.testing.planted import planted_ratings, planted_tastes

OLD = pl.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["a", "c", "a", "c"]})
NEW = pl.DataFrame({"user_id": [2, 3, 9, 2], "item_id": ["b", "c", "a", "a"]})


def earlier(**arrays: np.ndarray) -> HeadStart:
    data = Dataset.from_events(OLD)
    return HeadStart(data.users, data.items, arrays, 0.5)


def start(frame: pl.DataFrame = NEW, **arrays: np.ndarray) -> Start:
    return earlier(**arrays).of(Dataset.from_events(frame))


def test_rows_go_where_their_ids_are_now() -> None:
    found = start(x=np.array([[1.0], [2.0], [3.0], [10.0], [30.0]], dtype=np.float32))  # users 1, 2, 3, items a, c
    assert found.users.tolist() == [1, 2, -1]  # 2, 3, 9
    assert found.items.tolist() == [0, -1, 1]  # a, b, c
    assert found.nodes.tolist() == [1, 2, -1, 3, -1, 4]
    fresh = np.full((6, 1), -1.0, dtype=np.float32)
    assert found.of_nodes("x", np.arange(6), fresh)[:, 0].tolist() == [2, 3, -1, 10, -1, 30]
    assert found.of_nodes("x", np.array([5, 0]), fresh[:2])[:, 0].tolist() == [30, 2], "whatever the order of rows"
    assert (fresh == -1).all()


def test_ids_that_became_text_are_the_same_ids() -> None:
    found = start(pl.DataFrame({"user_id": ["2", "x", "03"], "item_id": ["a", "b", "c"]}))
    assert found.users.tolist() == [-1, 1, -1]  # "03", "2", "x"


def test_rows_of_nobody_and_arrays_of_another_size_are_not_taken() -> None:
    items = np.array([[1.0, np.nan], [2.0, 2.0]], dtype=np.float32)
    fresh = np.zeros((3, 2), dtype=np.float32)
    assert start(items=items).of_items("items", fresh).tolist() == [[0, 0], [0, 0], [2, 2]]
    assert start(items=items[:, :1]).of_items("items", fresh).tolist() == fresh.tolist()
    assert start().of_items("items", fresh).tolist() == fresh.tolist()


def test_passes_are_fewer_and_two_at_least() -> None:
    for name, key, expected in (("lightgcn", "epochs", 20), ("als", "iterations", 4)):
        config = build(name).config
        shorter = HeadStart(Dataset.from_events(OLD).users, Dataset.from_events(OLD).items, {}, 0.25).shortened(config)
        assert getattr(shorter, key) == expected
    assert (
        HeadStart(Dataset.from_events(OLD).users, Dataset.from_events(OLD).items, {}, 0.01).shortened(config).iterations
        == 2
    )
    knn = build("item-knn").config
    assert earlier().shortened(knn) == knn


def test_what_training_stops_by_is_what_the_data_do_not_have() -> None:
    newest = pl.DataFrame({"user_id": ["2", "3", "77", "3"], "item_id": ["c", "c", "a", "zz"]})
    data = Dataset.from_events(OLD)
    found = HeadStart(data.users, data.items, {}, 1.0, newest).of(Dataset.from_events(NEW)).newest
    assert found is not None
    assert found.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert HeadStart(data.users, data.items, {}, 1.0, newest[1:]).of(Dataset.from_events(NEW)).newest is None


SMALL = {
    "bpr": {"embedding_dim": 8, "epochs": 40},
    "als": {"embedding_dim": 8},
    "mf": {"embedding_dim": 4, "epochs": 8},
    "neumf": {"epochs": 8},
}


def fitted(name: str) -> tuple[Recommender, Dataset]:
    data = planted_ratings().train if model_class(name).needs.startswith("ratings") else planted_tastes().train
    settings = SMALL.get(name, {"embedding_dim": 8, "epochs": 6})
    return build(name, settings).fit(data), data


STARTING = [name for name in MODELS if model_class(name).starts_from]


def test_these_models_start_from_an_earlier_fit() -> None:
    assert set(MODELS) - set(STARTING) == {
        "popularity", "content", "user-knn", "item-knn", "rp3beta", "ease", "graph-filter", "biases", "gc-mc",
    }  # fmt: skip


@pytest.mark.parametrize("name", STARTING)
def test_what_a_folder_keeps_is_what_the_next_fit_starts_from(name: str, tmp_path: Path) -> None:
    model, data = fitted(name)
    model.save(tmp_path / "model")
    kept = model_folder.read_start(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.parameters == {}, "not needed to answer"
    head_start = again.head_start(kept, share=0.1)
    assert again.can_start_from(head_start)
    by_name = head_start.of(data)
    for place, parameter in model.parameters.items():
        np.testing.assert_array_equal(parameter, head_start.arrays[place])
    assert by_name.users.tolist() == list(range(data.n_users))
    other = build(name, model.config.model_dump()).fit(data, head_start=head_start)
    assert other.config == model.config
    assert np.isfinite(np.nan_to_num(other.score_block(np.arange(3)))).all()


@pytest.mark.parametrize("name", ["lightgcn", "graphsage", "als", "bpr", "ultragcn"])
def test_a_head_start_is_ahead(name: str) -> None:
    """After as few passes, whoever starts from what was learned is closer to it than whoever starts from nothing."""
    model, data = fitted(name)
    short = {"iterations": 2} if name == "als" else {"epochs": 2}
    settings = model.config.model_dump()
    ahead = build(name, settings).fit(data, head_start=model.head_start({}, share=2 / 1000))
    behind = build(name, settings | short).fit(data)
    users = np.arange(data.n_users)

    def apart(other: Recommender) -> float:
        return float(
            np.nanmean(np.argsort(-model.score_block(users))[:, :5] != np.argsort(-other.score_block(users))[:, :5])
        )

    assert apart(ahead) < apart(behind)


def test_training_looks_at_what_it_shall_stop_by_and_learns_from_all_else() -> None:
    planted = planted_tastes()
    newest = pl.DataFrame(
        {"user_id": list(planted.withheld), "item_id": [str(item) for item in planted.withheld.values()]}
    )
    model = build("lightgcn", {"embedding_dim": 8, "epochs": 40}).fit(planted.train)
    again = build("lightgcn", {"embedding_dim": 8, "epochs": 40})
    again.fit(planted.train, head_start=model.head_start({}, share=0.5, newest=newest))
    looks = [entry["ndcg@20"] for entry in again.record.curve]
    assert 10 <= len(looks) <= 20
    assert max(looks) > 0.5
    assert [round(fit.record.curve[0]["learning_rate"], 2) for fit in (model, again)] == [0.03, 0.01], "half as long"
    assert again.catalogue.seen.nnz == planted.train.interactions.nnz


def test_new_items_end_what_a_fit_could_start_from() -> None:
    model, _ = fitted("lightgcn")
    assert not model.with_new_items([5000], history=[["u000"]]).parameters
