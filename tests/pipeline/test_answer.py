"""Answers for people: titles, reasons, and the one fallback."""

import polars as pl
import pytest

from edgewise.models import build
from edgewise.pipeline.answer import answer, history_of
from edgewise.pipeline.explaining import explain_pair
from edgewise.pipeline.fallback import popular_items
from edgewise.pipeline.recommend import Pipeline, PipelineConfig
from edgewise.recommender import Recommender
from edgewise.testing.planted import Planted, planted_tastes


@pytest.fixture(scope="module")
def planted() -> Planted:
    return planted_tastes()


@pytest.fixture(scope="module")
def model(planted: Planted) -> Recommender:
    return build("item-knn").fit(planted.train)


def test_a_known_user_gets_titles_and_reasons_from_the_own_history(model: Recommender, planted: Planted) -> None:
    user, withheld = next(iter(planted.withheld.items()))
    [given] = answer(model, pl.Series([user]), 3, n_reasons=2)
    assert given.source == "item-knn"
    assert [item.rank for item in given.items] == [1, 2, 3]
    assert withheld in [item.item_id for item in given.items]
    assert given.items[0].title == f"Title {given.items[0].item_id}"
    assert 1 <= len(given.items[0].reasons) <= 2
    assert set(given.items[0].reasons) <= set(history_of(model, user, 100))


def test_an_unknown_user_gets_what_is_popular_and_is_told_so(model: Recommender) -> None:
    known, unknown = answer(model, pl.Series(["u000", "nobody"]), 4)
    assert known.source == "item-knn"
    assert unknown.source == "popular"
    assert unknown.note == "the model does not know this user"
    counts = model.catalogue.item_counts
    index = model.catalogue.items.index_of(pl.Series([item.item_id for item in unknown.items]))
    assert counts[index].tolist() == sorted(counts.tolist(), reverse=True)[:4]


def test_the_part_of_the_fallback_that_answered_is_named(model: Recommender) -> None:
    pipeline = Pipeline(model, config=PipelineConfig(fallback=("similar",)))
    [unknown] = answer(model, pl.Series(["nobody"]), 4, pipeline=pipeline)
    assert unknown.source == "catalogue"
    filling = Pipeline(model, config=PipelineConfig(fill=True))
    [filled] = answer(model, pl.Series(["u000"]), 44, n_reasons=1, pipeline=filling)
    assert (filled.source, filled.note) == ("item-knn", "too few candidates")
    assert filled.items[0].reasons
    several = Pipeline(model, config=PipelineConfig(sources=("model", "popular")))
    assert [given.source for given in answer(model, pl.Series(["u000", "nobody"]), 4, pipeline=several)] == [
        "item-knn",
        "popular",
    ]


def test_text_that_cannot_be_an_id_is_an_unknown_user(planted: Planted) -> None:
    swapped = planted.train.to_frame().rename({"user_id": "item_id", "item_id": "user_id"})
    model = build("popularity").fit(type(planted.train).from_events(swapped))
    ids = model.catalogue.users.from_text(["seven"])
    [given] = answer(model, ids, 2, names=["seven"])
    assert given.user_id == "seven"
    assert given.source == "popular"
    assert len(given.items) == 2


def test_the_fallback_leaves_out_what_was_seen_and_what_nobody_met(model: Recommender) -> None:
    catalogue = model.catalogue
    best, scores = popular_items(catalogue, 1000, catalogue.seen[[0]])
    assert not set(best.tolist()) & set(catalogue.seen[[0]].indices.tolist())
    assert best.size + catalogue.seen[[0]].nnz == len(catalogue.items)
    assert (scores > 0).all()


def test_a_history_starts_with_what_was_liked_most(planted: Planted) -> None:
    frame = planted.train.to_frame().with_columns(value=pl.when(pl.col("item_id") == 1003).then(5.0).otherwise(1.0))
    model = build("popularity").fit(type(planted.train).from_events(frame))
    user = frame.filter(pl.col("item_id") == 1003)["user_id"][0]
    assert history_of(model, user, 3)[0] == "1003"
    assert history_of(model, "nobody") == []


def test_a_pair_is_explained_in_a_sentence(model: Recommender, planted: Planted) -> None:
    user, withheld = next(iter(planted.withheld.items()))
    found = explain_pair(model, user, str(withheld), 3)
    assert found["text"].startswith(f"“Title {withheld}” suits user {user} because")
    assert len(found["reasons"]) == 3
    assert found["score"] > 0


@pytest.mark.parametrize(
    ("user", "item", "text"),
    [
        ("nobody", "1000", "does not know user 'nobody'"),
        ("u000", "x", "does not know item 'x'"),
        ("nobody", "x", "does not know user 'nobody' and item 'x'"),
    ],
)
def test_what_is_unknown_is_named(model: Recommender, user: str, item: str, text: str) -> None:
    assert text in explain_pair(model, user, item, 3)["text"]


def test_a_pair_is_ranked_in_the_list_and_as_of_a_newcomer(model: Recommender, planted: Planted) -> None:
    user = next(iter(planted.withheld))
    [best] = model.recommend([user], 1).answers
    found = explain_pair(model, user, str(best), 3)
    assert found["rank"] == 1
    assert f"In the list of user {user} it is number 1. Asked as about a newcomer of whom the same is known, it is" in found["text"]  # fmt: skip
    of_new = explain_pair(model, None, str(best), 3, history=[1000, 1001])["text"]
    assert f"“Title {best}” suits this newcomer because" in of_new
    assert "By all that is known it is number" in of_new


def test_who_has_a_name_is_no_newcomer(model: Recommender) -> None:
    found = explain_pair(model, None, "1003", 3, history=[1000, 1001], name="u000")
    assert found["user_id"] == "u000"
    assert found["text"].startswith("“Title 1003” suits user u000 because")
    assert "this newcomer" not in found["text"]


def test_what_is_not_used_of_a_newcomer_is_told(model: Recommender) -> None:
    found = explain_pair(model, None, "1003", 3, history=[1000, 1001], friends=["u001"])
    assert found["note"] == "The model makes no use of friends."
    assert found["text"].endswith(found["note"])
    alone = explain_pair(model, None, "1003", 3, friends=["u001"])
    assert alone["note"] == "item-knn cannot use friends: it answers by history."
    assert explain_pair(model, "u000", "1003", 3)["note"] == ""
