from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.models import build
from edgewise.pipeline.live import LiveEvents, LiveUsers
from edgewise.recommender import Recommender
from edgewise.testing.planted import planted_tastes


@dataclass(frozen=True)
class Event:
    user_id: str
    item_id: str | None = None
    type: str = "view"
    target_user_id: str | None = None


@pytest.fixture(scope="module")
def train() -> Dataset:
    return planted_tastes().train


@pytest.fixture(scope="module")
def knn(train: Dataset) -> Recommender:
    return build("item-knn", {}, seed=0).fit(train)


def live_of(*events: Event) -> LiveEvents:
    live = LiveEvents()
    live.apply(events)
    return live


def test_whoever_did_nothing_gets_the_models_own_answer(knn: Recommender) -> None:
    users = LiveUsers(knn, LiveEvents())
    known = users.known("u000")
    assert known.before is None
    np.testing.assert_array_equal(users.scores(known), knn.masked_scores(np.array([known.index]))[0])


def test_the_next_answer_knows_what_just_happened(knn: Recommender) -> None:
    live = LiveEvents()
    users = LiveUsers(knn, live)
    before = users.known("u000")
    new = next(item for item in range(1030, 1044) if knn.catalogue.items.index_of([item])[0] not in before.seen)
    live.apply([Event("u000", str(new))])
    after = users.known("u000")
    [place] = knn.catalogue.items.index_of([new])
    assert place in after.seen
    assert (users.scores(after) != users.scores(before)).any()


def test_of_a_model_that_adds_up_news_give_what_a_refit_of_the_user_would(knn: Recommender) -> None:
    live = live_of(Event("u000", "1030"), Event("u000", "1031"))
    users = LiveUsers(knn, live)
    known = users.known("u000")
    history = knn.catalogue.items.ids_at(known.history)
    expected = knn.masked_newcomer_scores(knn.newcomers("user", history=history))[0]
    np.testing.assert_allclose(users.scores(known), expected, rtol=1e-5, atol=1e-6)


def test_somebody_new_is_answered_by_what_happened(knn: Recommender) -> None:
    users = LiveUsers(
        knn, live_of(Event("stranger", "1011"), Event("stranger", "1012"), Event("stranger", "no such item"))
    )
    known = users.known("stranger")
    assert not known.is_known
    expected = knn.masked_newcomer_scores(knn.newcomers("user", history=[1011, 1012]))[0]
    np.testing.assert_array_equal(users.scores(known), expected)
    assert np.isnan(users.scores(users.known("nobody"))).all()


def test_the_order_of_events_does_not_matter(knn: Recommender) -> None:
    events = [
        Event("u000", "1030", "like"),
        Event("u000", "1030", "unlike"),
        Event("u000", "1031", "like"),
        Event("u000", "1030", "view"),
    ]
    seen = {LiveUsers(knn, live_of(*order)).known("u000").history.tobytes() for order in permutations(events)}
    assert len(seen) == 1


def test_what_is_taken_back_is_no_taste_and_is_not_shown_again(knn: Recommender, train: Dataset) -> None:
    own = train.to_frame().filter(pl.col("user_id") == "u000")["item_id"].to_list()
    live = live_of(Event("u000", str(own[0]), "unlike"), Event("u000", "1030", "like"), Event("u000", "1030", "unlike"))
    known = LiveUsers(knn, live).known("u000")
    [first, other] = knn.catalogue.items.index_of([own[0], 1030])
    assert first not in known.history
    assert first in known.seen
    assert other not in known.history


def test_a_user_who_is_forgotten_is_as_before(knn: Recommender) -> None:
    live = live_of(Event("u000", "1030"), Event("u001", None, "follow", "u000"), Event("new", "1030"))
    assert live.people_of("u001") == (["u000"], [])
    for user in ("u000", "new"):
        live.forget(user)
        assert live.items_of(user) == ([], [])
    assert live.people_of("u001") == ([], [])
    assert LiveUsers(knn, live).known("u000").before is None


def test_follows_reach_a_model_that_knows_friends() -> None:
    rng = np.random.default_rng(0)
    log = pl.DataFrame(
        [(f"u{n:02}", int(item)) for n in range(20) for item in rng.choice(10, 4, replace=False) + 10 * (n % 2)],
        schema={"user_id": pl.String, "item_id": pl.Int64},
        orient="row",
    )
    friends = pl.DataFrame(
        {"user_id": [f"u{n:02}" for n in range(18)], "friend_id": [f"u{n + 2:02}" for n in range(18)]}
    )
    model = build("hetero", {"embedding_dim": 8, "epochs": 3}, seed=0).fit(Dataset.from_events(log, social=friends))
    live = live_of(Event("new", None, "follow", "u01"), Event("u00", None, "unfollow", "u02"))
    users = LiveUsers(model, live)
    known = users.known("new")
    assert known.now.friends is not None
    assert known.now.friends.indices.tolist() == [1]
    assert np.isfinite(users.scores(known)).any()
    left = users.known("u00")
    assert left.before is not None
    assert left.before.friends is not None
    assert 2 in left.before.friends.indices
    assert left.now.friends is not None
    assert 2 not in left.now.friends.indices


def test_the_version_changes_with_each_event_and_for_nobody_else() -> None:
    live = LiveEvents()
    assert live.version("a") == 0
    live.apply([Event("a", "1")])
    first = live.version("a")
    live.apply([Event("a", "1")])
    assert 0 < first < live.version("a")
    assert live.version("b") == 0


def test_events_of_a_user_can_be_replaced_and_an_item_forgotten() -> None:
    live = LiveEvents()
    live.apply([Event("a", "1"), Event("a", "2"), Event("b", "1")])
    version = live.version("a")
    live.replace("a", [Event("a", "3")])
    assert live.items_of("a") == (["3"], [])
    assert live.version("a") > version
    live.forget_item("1")
    assert live.items_of("b") == ([], [])
    assert live.items() == {"3"}
    assert set(live.users()) == {"a", "b"}


def test_of_an_erased_user_only_what_came_since_is_known(knn: Recommender) -> None:
    users = LiveUsers(knn, live_of(Event("u000", "1000")))
    known = users.known("u000", since_training_alone=True)
    assert not known.is_known
    assert knn.catalogue.items.ids_at(known.seen).to_list() == [1000]


@pytest.mark.parametrize("name", ["als", "lightgcn", "graphsage"])
@pytest.mark.parametrize("user", ["u000", "stranger", "u005"])
def test_a_vector_asks_an_index_for_what_the_scores_say(name: str, user: str, train: Dataset) -> None:
    """A known user with news, a newcomer, and one to whom nothing has happened."""
    few = {} if name == "als" else {"epochs": 5, "embedding_dim": 8}
    model = build(name, few).fit(train)
    news = [Event(who, item) for who in ("u000", "stranger") for item in ("1030", "1031")]
    users = LiveUsers(model, live_of(*news, Event("u000", "1003", "unlike")))
    known = users.known(user)
    scores, vector = users.scores(known), users.vector(known)
    assert vector is not None
    assert users.index is not None
    np.testing.assert_allclose(users.index.scores_of(vector, np.arange(44)), scores, rtol=1e-3, atol=1e-4)


def test_popularity_counts_what_happened_since(train: Dataset) -> None:
    model = build("als").fit(train)
    live = LiveEvents()
    users = LiveUsers(model, live)
    everything = np.ones(44, dtype=np.bool_)
    first = int(users.by_popularity.first(everything, 1)[1][0])
    live.apply(Event(f"n{number}", "1007") for number in range(40))
    live.apply([Event("n0", "1007"), Event("n1", "1007", "like"), Event("n2", "no such item")])
    items, counts = users.by_popularity.first(everything, 1)
    assert model.catalogue.items.ids_at(items).to_list() == [1007]
    [before] = model.catalogue.item_counts[items]
    assert first < counts[0] == before + 40
    everything[items] = False
    assert users.by_popularity.first(everything, 1)[0][0] != items[0]
    live.forget_item("1007")
    assert users.by_popularity.first(everything, 44)[1].max() == first


def test_likeness_is_the_cosine_with_an_index_and_without(train: Dataset) -> None:
    everything = np.ones(44, dtype=np.bool_)
    for name in ("als", "item-knn"):
        model = build(name).fit(train)
        users = LiveUsers(model, LiveEvents())
        assert (users.likeness is None) == (name == "item-knn")
        everything[[5, 9]] = False
        found = users.similar_items(5, 6, everything)
        assert found is not None
        alike = model.similarity_block(np.array([5]))
        assert alike is not None
        expected = np.where(everything & (alike[0] != 0), alike[0], -np.inf)
        assert found[0].tolist() == np.argsort(-expected, kind="stable")[:6].tolist()
        np.testing.assert_allclose(found[1], expected[found[0]], rtol=1e-5)
