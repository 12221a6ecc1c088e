from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.errors import ConfigError, UnknownNameError
from edgewise.models import build
from edgewise.pipeline.live import LiveEvents
from edgewise.pipeline.recommend import RERANKERS, Pipeline, PipelineConfig, RerankConfig
from edgewise.pipeline.sources import SOURCES, Question
from edgewise.recommender import Recommender
from edgewise.rerank import Candidates
from edgewise.testing.planted import planted_tastes
from edgewise.types import Floats, Index


@dataclass(frozen=True)
class Event:
    user_id: str
    item_id: str | None
    type: str = "view"
    target_user_id: str | None = None


@pytest.fixture(scope="module")
def model() -> Recommender:
    """item-knn on the planted groups; items have a kind, a price and a day."""
    train = planted_tastes().train
    items = train.items.ids.to_list()
    table = pl.DataFrame(
        {
            "item_id": items,
            "genres": [f"group {(item - 1000) // 11}|all" for item in items],
            "price": [float(item - 1000) for item in items],
            "timestamp": [1_700_000_000_000 + 86_400_000 * (item - 1000) for item in items],
        }
    )
    return build("item-knn", {}, seed=0).fit(Dataset.from_events(train.to_frame(), item_table=table))


def ids(pipeline: Pipeline, items: np.ndarray) -> list[int]:
    return [int(item) for item in pipeline.model.catalogue.items.ids_at(items)]


@pytest.mark.parametrize("user", ["u000", "u007", "u031"])
def test_with_its_defaults_it_gives_the_models_own_list(model: Recommender, user: str) -> None:
    served = Pipeline(model).recommend(user, 7)
    [expected] = model.recommend([user], 7)
    assert ids(Pipeline(model), served.items) == [item for item, _ in expected]
    np.testing.assert_allclose(served.scores, [score for _, score in expected])
    assert served.note == ""
    assert set(served.sources) == {"model"}
    assert {"user", "filter", "candidates", "rank"} <= set(served.stages_ms)


def test_an_event_changes_the_next_list(model: Recommender) -> None:
    live = LiveEvents()
    pipeline = Pipeline(model, live)
    before = pipeline.recommend("somebody new", 5)
    assert before.note == "the model does not know this user"
    assert set(before.sources) == {"popular"}
    live.apply([Event("somebody new", "1000"), Event("somebody new", "1001")])
    after = pipeline.recommend("somebody new", 5)
    assert after.note == ""
    assert all(item < 1011 for item in ids(pipeline, after.items))
    assert not {1000, 1001} & set(ids(pipeline, after.items))


def test_what_may_not_be_shown_comes_from_no_source_and_no_fallback(model: Recommender) -> None:
    config = PipelineConfig(
        sources=("model", "similar", "popular", "latest"), fill=True, rule="price < 20", hidden=("1003", "no such item")
    )
    pipeline = Pipeline(model, config=config)
    for user in ("u000", "u003", "nobody"):
        served = pipeline.recommend(user, 44, exclude=["1004"])
        shown = ids(pipeline, served.items)
        assert len(shown) == len(set(shown))
        assert all(item < 1020 for item in shown)
        assert not {1003, 1004} & set(shown)
        met = model.catalogue.items.ids_at(pipeline.users.known(user).seen).to_list()
        assert not set(met) & set(shown)


def test_a_category_is_one_of_the_values_of_the_category_column(model: Recommender) -> None:
    pipeline = Pipeline(model, config=PipelineConfig(fill=True))
    served = pipeline.recommend("u000", 44, category="group 3", exclude_seen=False)
    assert sorted(ids(pipeline, served.items)) == list(range(1033, 1044))
    assert pipeline.recommend("u000", 5, category="group").items.size == 0


def test_seen_items_come_back_where_asked_for(model: Recommender) -> None:
    pipeline = Pipeline(model)
    seen = set(pipeline.users.known("u000").seen.tolist())
    assert seen & set(pipeline.recommend("u000", 44, exclude_seen=False).items.tolist())
    assert not seen & set(pipeline.recommend("u000", 44).items.tolist())


def test_what_the_model_cannot_score_stands_behind_what_it_can() -> None:
    train = planted_tastes().train
    items = pl.DataFrame(
        {"item_id": [*train.items.ids.to_list(), 2000, 2001], "date": [None] * 44 + ["2024-01-01", "2024-01-02"]}
    )
    model = build("item-knn", {}, seed=0).fit(Dataset.from_events(train.to_frame(), item_table=items))
    pipeline = Pipeline(model, config=PipelineConfig(sources=("latest", "model")))
    served = pipeline.recommend("u000", 44)
    assert ids(pipeline, served.items)[-2:] == [2001, 2000]
    assert served.sources[-2:] == ("latest", "latest")
    assert set(served.sources[:-2]) == {"model"}


def test_freshness_and_variety_change_the_order_and_not_what_is_allowed(model: Recommender) -> None:
    plain = Pipeline(model).recommend("u000", 5)
    fresh = Pipeline(model, rerank=RerankConfig(freshness=1.0))
    now = 1_700_000_000_000 + 86_400_000 * 50
    newest = fresh.recommend("u000", 5, now_ms=now)
    days = [item - 1000 for item in ids(fresh, newest.items)]
    assert days == sorted(days, reverse=True)
    assert newest.items.tolist() != plain.items.tolist()
    varied = Pipeline(
        build("ease", {}, seed=0).fit(planted_tastes().train),
        rerank=RerankConfig(diversity=0.9),
    )
    assert "rerank" in varied.recommend("u000", 5).stages_ms


def test_a_short_list_is_filled_where_that_is_wanted(model: Recommender) -> None:
    short = Pipeline(model).recommend("u000", 44)
    full = Pipeline(model, config=PipelineConfig(fill=True)).recommend("u000", 44)
    assert short.items.size <= full.items.size
    assert full.items[: short.items.size].tolist() == short.items.tolist()
    assert full.items.size == 44 - Pipeline(model).users.known("u000").seen.size


def test_what_does_not_exist_is_named(model: Recommender) -> None:
    with pytest.raises(UnknownNameError, match=f"no source 'magic'; there are {', '.join(SOURCES)}"):
        Pipeline(model, config=PipelineConfig(sources=("magic",)))
    with pytest.raises(UnknownNameError, match="no re-ranker 'magic'; there are freshness, diversity"):
        Pipeline(model, rerank=RerankConfig(stages=("magic",)))
    with pytest.raises(ConfigError, match="names no source; there are model"):
        Pipeline(model, config=PipelineConfig(sources=()))
    with pytest.raises(ConfigError, match="names colour, which the items do not have"):
        Pipeline(model, config=PipelineConfig(rule="colour == 'red'"))


def test_a_mask_limits_a_list(model: Recommender) -> None:
    pipeline = Pipeline(model)
    among = np.zeros(44, dtype=np.bool_)
    among[20:30] = True
    served = pipeline.recommend("u000", 44, among=among)
    assert served.items.size
    assert set(served.items.tolist()) <= set(range(20, 30))


class Backwards:
    name: ClassVar[str] = "backwards"

    def order(self, candidates: Candidates, k: int) -> Index:
        return np.arange(candidates.items.size, dtype=np.int64)[::-1][:k]


@dataclass(frozen=True)
class OneItem:
    name: ClassVar[str] = "one-item"

    def propose(self, question: Question, k: int) -> tuple[Index, Floats]:
        there = np.flatnonzero(question.allowed)[-1:][:k]
        return there, np.ones(there.size, dtype=np.float32)


def test_a_source_and_a_reranker_of_ones_own_take_one_line_each(
    model: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "one-item", OneItem)
    monkeypatch.setitem(RERANKERS, "backwards", lambda _: Backwards())
    config = PipelineConfig(sources=("one-item", "model"))
    plain = Pipeline(model, config=config).recommend("u000", 44)
    stages = ("freshness", "diversity", "backwards")
    pipeline = Pipeline(model, config=config, rerank=RerankConfig(stages=stages, diversity=0.1))
    served = pipeline.recommend("u000", 44)
    assert set(served.items.tolist()) == set(plain.items.tolist())
    assert "one-item" in served.sources
    assert {"candidates/model", "candidates/one-item", "rerank/diversity", "rerank/backwards"} <= set(served.stages_ms)
    parts = served.stages_ms["candidates/model"] + served.stages_ms["candidates/one-item"]
    assert parts <= served.stages_ms["candidates"]


def test_where_nobody_has_anything_to_say_what_may_be_shown_is(model: Recommender) -> None:
    pipeline = Pipeline(model, config=PipelineConfig(fallback=()))
    served = pipeline.recommend("a stranger", 3)
    assert served.items.tolist() == [0, 1, 2]
    assert served.sources == ("catalogue",) * 3
    assert served.note == "the model does not know this user"
    assert not pipeline.recommend("a stranger", 3, among=np.zeros(44, dtype=np.bool_)).items.size


def test_what_is_gathered_of_a_user_has_its_time_and_an_erased_one_is_a_stranger(model: Recommender) -> None:
    pipeline = Pipeline(model)
    assert pipeline.recommend("u000", 3).sources[0] == "model"
    erased = pipeline.recommend("u000", 3, since_training_alone=True)
    assert erased.sources[0] == "popular"
    assert erased.stages_ms["user"] > 0


def test_warming_up_answers_in_each_way_and_leaves_no_trace(model: Recommender) -> None:
    live = LiveEvents()
    pipeline = Pipeline(model, live, PipelineConfig(sources=("model", "popular")), RerankConfig(diversity=0.2))
    asked: list[tuple[bool, bool]] = []

    class Watched(Pipeline):
        def _allowed(self, known, *args, **kwargs):  # type: ignore[no-untyped-def]
            asked.append((known.is_known, bool(known.history.size)))
            return super()._allowed(known, *args, **kwargs)

    before = pipeline.recommend("u000", 9)
    pipeline.__class__ = Watched
    pipeline.warm_up()
    pipeline.__class__ = Pipeline
    assert asked == [(False, False), (True, True), (True, True), (False, True)]
    after = pipeline.recommend("u000", 9)
    assert after.items.tolist() == before.items.tolist()
    assert not live.users()
    assert pipeline.users.live is live
