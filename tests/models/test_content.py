"""Content: likeness by attributes, also for items that nobody met."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.data.features import FeatureEncoder
from edgewise.errors import ConfigError, DataError
from edgewise.models.content import Content
from edgewise.testing.contract import CHECKS, Case, Check
from edgewise.testing.planted import planted_tastes

ITEMS = pl.DataFrame(
    {
        "item_id": [1, 2, 3, 4, 5, 6],
        "genre": ["crime", "crime", "love", "love", "crime", None],
        "price": [10.0, 30.0, 10.0, 30.0, 10.0, None],
    }
)


def shop(items: pl.DataFrame | None = ITEMS) -> Dataset:
    rows = [("a", 1, 5.0), ("a", 3, 1.0), ("b", 3, 1.0), ("b", 4, 1.0), ("c", 2, 1.0), ("d", 6, 1.0)]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "value"], orient="row")
    return Dataset.from_events(events, item_table=items)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Check, tmp_path: Path) -> None:
    planted, case = planted_tastes(), Case("content")
    check(case, case.fitted(planted.train), planted, tmp_path)


def test_an_item_that_nobody_met_is_recommended_by_its_attributes() -> None:
    model = Content().fit(shop())
    [ranked] = model.recommend(["a"], 3)
    assert [item for item, _ in ranked] == [5, 2, 4]  # 5 is new: crime, as user a likes, and at the price of item 1


def test_what_it_cannot_say_is_nan() -> None:
    scores = Content().fit(shop()).score(["a", "d"], [1, 6])
    assert np.isfinite(scores[0, 0])
    assert np.isnan(scores[0, 1])  # the item has no attribute
    assert np.isnan(scores[1]).all()  # the user met nothing that has one


def test_the_score_is_the_cosine_with_the_mean_of_what_was_met() -> None:
    model = Content().fit(shop())
    vectors = model.vectors.toarray().astype(float)
    profile = 5 * vectors[0] + vectors[2]  # user a met item 1 with strength 5, item 3 with 1
    expected = vectors @ profile / np.linalg.norm(profile)
    np.testing.assert_allclose(model.score(["a"], [1, 2, 3, 4, 5])[0], expected[:5], rtol=1e-5)


def test_contributions_add_up_to_the_score() -> None:
    model = Content().fit(shop())
    why = model.explain("a", 5)
    assert why.method == "shares"
    assert why.item_ids.to_list() == [1, 3]
    np.testing.assert_allclose(why.contributions.sum(), model.score(["a"], [5])[0, 0], rtol=1e-5)


def test_weights_decide_which_attributes_count() -> None:
    by_price = Content(column_weights={"genre": 0.0}).fit(shop())
    assert by_price.score(["c"], [4])[0, 0] == pytest.approx(1)  # the same price as item 2, another genre
    by_genre = Content(column_weights={"price": 0.0}).fit(shop())
    assert by_genre.score(["c"], [4, 5])[0].tolist() == [0, pytest.approx(1)]


def test_numbers_near_each_other_are_alike() -> None:
    prices = ITEMS.select("item_id", price=pl.Series([1.0, 2.0, 3.0, 4.0, 50.0, None]))
    likeness = Content().fit(shop(prices)).similarity_block(np.array([0]))
    assert likeness.shape == (1, 6)
    assert (np.diff(likeness[0, :5]) < 0).all()
    assert likeness[0, 5] == 0


def test_features_are_fitted_on_items_that_training_met() -> None:
    model = Content().fit(shop(ITEMS.with_columns(genre=pl.Series(["x", "y", "x", "y", "only-in-test", None]))))
    encoder = FeatureEncoder.from_json(model.encoder_json.tobytes())
    assert encoder.fitted_on == shop(ITEMS.with_columns(genre=pl.lit("z"))).fingerprint
    assert not any("only-in-test" in name for name in encoder.transform(ITEMS).names)
    assert any(note.startswith("genre: categorical") for note in model.record.notes)


def test_features_settings_reach_the_columns_and_the_folder(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"features": {"kinds": {"price": "ignore"}}}
    model = Content(**settings).fit(shop())
    assert model.vectors.shape == (6, 2)
    model.save(tmp_path / "model")
    assert Content.load(tmp_path / "model").config.features.kinds == {"price": "ignore"}


@pytest.mark.parametrize(
    ("items", "settings", "error", "text"),
    [
        (None, {}, DataError, r"this data set has no item table\. Give one with --items FILE"),
        (ITEMS.select("item_id"), {}, DataError, "content needs item attributes"),
        (ITEMS.select("item_id", genre=pl.lit("x")), {}, DataError, "no column that tells its rows apart"),
        (
            ITEMS,
            {"column_weights": {"gnere": 2.0}},
            ConfigError,
            "column_weights names 'gnere'; the columns in use are genre, price",
        ),
        (ITEMS, {"column_weights": {"genre": 0.0, "price": 0.0}}, ConfigError, "leaves no column with a weight"),
    ],
)
def test_what_it_cannot_work_with_is_refused_in_words(
    items: pl.DataFrame | None, settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        Content(**settings).fit(shop(items))
