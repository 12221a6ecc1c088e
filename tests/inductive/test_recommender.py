"""Newcomers are encoded as the same nodes would have been in training."""

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.errors import ConfigError, DataError
from edgewise.models import build, load
from edgewise.recommender import Recommender
from edgewise.testing.planted import planted_tastes

SMALL = {"embedding_dim": 8, "encoder": {"hidden_dim": 8}, "epochs": 3}


def fitted(name: str, **settings: object) -> Recommender:
    return build(name, SMALL | settings).fit(planted_tastes().train)


@pytest.mark.parametrize("name", ["gcn", "gat", "graphsage"])
def test_an_item_known_by_attributes_alone_gets_the_vector_that_training_gave_its_like(name: str) -> None:
    frame = planted_tastes().train.to_frame()
    table = pl.DataFrame(
        {"item_id": [*range(1000, 1044), 2000], "genre": [f"genre {i // 11}" for i in range(44)] + ["genre 2"]}
    )
    data = Dataset.from_events(frame.select("user_id", "item_id", "value"), item_table=table)
    model = build(name, SMALL).fit(data)
    vector = model.embed_new("item", attributes={"genre": "genre 2"})
    np.testing.assert_allclose(vector[0], model.items[44], rtol=1e-4, atol=1e-6)  # item 2000 has no edge either


def test_a_user_without_embedding_is_encoded_by_history_as_training_would() -> None:
    # One layer of SAGE and no embeddings: a user's vector depends on the attributes of the items met alone, and those are
    # what a newcomer with the same history has.
    model = fitted("graphsage", inputs="attributes", encoder={"hidden_dim": 8, "n_layers": 1})
    catalogue = model.catalogue
    row = catalogue.seen[[5]].indices.astype(np.int64)
    vector = model.embed_new("user", history=catalogue.items.ids_at(row).to_list())
    np.testing.assert_allclose(vector[0], model.users[5], rtol=1e-4, atol=1e-6)


def test_new_items_join_the_model_and_leave_the_old_answers(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = fitted("graphsage")
    before = model.recommend(["u001"], 5).to_frame()
    more = model.with_new_items(
        [5000, 5], history=[["u001"], []], attributes=[{"genre": "genre 1"}, {"genre": "genre 2"}]
    )
    assert model.recommend(["u001"], 5).to_frame().equals(before)
    assert set(more.catalogue.items.ids) == {*range(1000, 1044), 5, 5000}
    old = list(range(1000, 1044))
    np.testing.assert_allclose(more.score(["u007"], old), model.score(["u007"], old), rtol=1e-5)
    assert np.isfinite(more.score(["u007"], [5, 5000])).all()
    more.save(tmp_path / "more")
    assert load(tmp_path / "more").recommend(["u007"], 50).to_frame().equals(more.recommend(["u007"], 50).to_frame())


@pytest.mark.parametrize("name", ["als", "gat", "gcn", "graphsage", "hetero", "lightgcn"])
def test_somebody_who_met_an_item_that_joined_is_answered(name: str) -> None:
    # Its index lies before all others, or behind them: whatever was worked out for the old places would be of another item.
    model = fitted(name) if name in ("gat", "gcn", "graphsage") else build(name).fit(planted_tastes().train)
    told = {} if name in ("als", "lightgcn") else {"attributes": [{"genre": "genre 1"}, {"genre": "genre 2"}]}
    more = model.with_new_items([5000, 5], history=[["u001"], ["u002"]], **told)
    lists = more.recommend(k=50, history=[[5000, 1001], [5, 1001], [1001, 1002]])
    for met, ranked in zip([{5000, 1001}, {5, 1001}, {1001, 1002}], lists, strict=True):
        assert {item for item, _ in ranked} == set(more.catalogue.items.ids) - met
        assert all(np.isfinite(score) for _, score in ranked)


def test_what_cannot_be_is_said() -> None:
    model = fitted("graphsage")
    with pytest.raises(ConfigError, match="1000 is in the catalogue already"):
        model.with_new_items([1000], attributes={"genre": "genre 1"})
    bare = Dataset.from_events(planted_tastes().train.to_frame().select("user_id", "item_id"))
    with pytest.raises(DataError, match="needs a table of users or items"):
        build("gcn", SMALL | {"inputs": "attributes"}).fit(bare)
    with pytest.raises(ConfigError, match="item-knn cannot take new items"):
        build("item-knn").fit(bare).with_new_items([1], history=[["u001"]])


def test_items_begin_with_log_popularity_as_their_bias_and_vectors_are_told_apart_from_it() -> None:
    model = fitted("graphsage", learning_rate=1e-9, inputs="ids")
    popularity = np.log(model.catalogue.item_counts + 1.0)
    np.testing.assert_allclose(model.items[:, -1], popularity - popularity.mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(model.users[:, -1], 1)
    vectors = model.item_vectors()
    assert vectors is not None
    assert vectors.shape == (44, 8)


def test_a_loss_that_sees_cosines_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="'alignment-uniformity' compares cosines alone"):
        build("gcn", {"loss": "alignment-uniformity"})


def test_one_tensor_of_weights_is_checked() -> None:
    model = fitted("gcn")
    model.weights = model.weights[:-1]  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="its settings ask for"):
        model.recommend(k=3, history=[1000])


def test_a_table_that_tells_nothing_is_left_out_and_said_so() -> None:
    frame = planted_tastes().train.to_frame()
    table = pl.DataFrame({"item_id": range(1000, 1044), "kind": ["same"] * 44})
    model = build("gcn", SMALL).fit(Dataset.from_events(frame.select("user_id", "item_id"), item_table=table))
    assert "the table of items has no column that tells its rows apart: left out" in model.record.notes
    assert model.embed_new("item", attributes={"kind": "same"}).shape == (1, 9)  # and the bias
    assert np.isnan(model.embed_new("item", attributes={"kind": "same"})).all()


def test_an_item_that_joined_later_is_nobodys_neighbour() -> None:
    model = fitted("graphsage")
    more = model.with_new_items([5000], history=[["u001", "u005"]], attributes=[{"genre": "genre 2"}])
    one, other = (each.embed_new("item", attributes={"genre": "genre 2"}) for each in (model, more))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
