"""What every recommender must do. Call `check_contract`, or each check under its own name from a test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.errors import CannotPredictError, ConfigError, DataError, IdTypeError, NotFittedError
from edgewise.models import build, load
from edgewise.recommender import Inductive, Rater, Recommender
from edgewise.testing.planted import Planted

import pytest  # isort: skip - the suite is for tests, which have it


@dataclass(frozen=True)
class Case:
    """A model and what it can be held to.

    Attributes:
        name: the registry name. settings: small enough for the planted data.
        min_hits: the share of users whose withheld item must be among their best three (chance: about 0.09).
        lacks: capability ("similar_items", "taste") to the reason why this model does not have it.
        ratings: whether it learns from ratings that differ (`planted_ratings`), and not from who met what (`planted_tastes`).
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    min_hits: float = 0.9
    lacks: dict[str, str] = field(default_factory=dict)
    ratings: bool = False

    def __str__(self) -> str:
        return self.name

    def fitted(self, dataset: Dataset, seed: int = 0) -> Recommender:
        """Build and fit."""
        return build(self.name, self.settings, seed=seed).fit(dataset)


Check = Callable[[Case, Recommender, Planted, Path], None]


def finds_the_withheld_item(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """The item of the own group that a user has not met is among the best three, for nearly all users."""
    if "taste" in case.lacks:
        return
    users = list(planted.withheld)
    lists = model.recommend(users, 3)
    hits = [planted.withheld[user] in [item for item, _ in ranked] for user, ranked in zip(users, lists, strict=True)]
    assert np.mean(hits) >= case.min_hits, f"only {np.mean(hits):.2f} of the users find their withheld item"


def scores_fall_and_lists_hold_no_item_twice(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """Best first, finite, no repeats."""
    for ranked in model.recommend(list(planted.withheld), 7):
        scores = [score for _, score in ranked]
        assert scores == sorted(scores, reverse=True)
        assert np.isfinite(scores).all()
        assert len({item for item, _ in ranked}) == len(ranked) > 0


def seen_items_stay_out(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """Unless asked for."""
    users = list(planted.withheld)
    seen = {(row[0], row[1]) for row in planted.train.to_frame().select("user_id", "item_id").iter_rows()}
    everything = model.recommend(users, 10_000)
    assert not seen & {(user, item) for user, ranked in zip(users, everything, strict=True) for item, _ in ranked}
    with_seen = model.recommend(users, 10_000, exclude_seen=False)
    assert seen & {(user, item) for user, ranked in zip(users, with_seen, strict=True) for item, _ in ranked}


def a_batch_equals_one_by_one(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """Neither the company nor the order of users changes an answer."""
    users = list(planted.withheld)[:9]
    together = [[item for item, _ in ranked] for ranked in model.recommend(users, 5)]
    alone = [[item for item, _ in next(iter(model.recommend([user], 5)))] for user in users]
    assert together == alone
    assert [[item for item, _ in ranked] for ranked in model.recommend(users[::-1], 5)] == together[::-1]


def score_agrees_with_recommend(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """The score of a recommended item is the score that `score` gives."""
    user = next(iter(planted.withheld))
    ranked = next(iter(model.recommend([user], 5)))
    scores = model.score([user], [item for item, _ in ranked])
    np.testing.assert_allclose(scores[0], [score for _, score in ranked], rtol=1e-5, atol=1e-6)
    assert scores.shape == (1, len(ranked))
    assert scores.dtype == np.float32


def vectors_give_the_scores(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """A model that says so scores by the products of its vectors, newcomers too, so that an index over the items can rank."""
    if not model.by_dot_product:
        assert model.rankable_items is None
        return
    asked = np.arange(3)
    items = model.rankable_items
    assert items is not None
    np.testing.assert_allclose(model.masked_scores(asked), model.users[asked] @ items.T, rtol=1e-4, atol=1e-5)
    if "history" in model.folds_in:
        newcomers = model.newcomers("user", history=[list(planted.groups)[:3], list(planted.groups)[5:6]])
        vectors = model.embed_newcomers(newcomers)
        assert vectors is not None
        np.testing.assert_allclose(model.masked_newcomer_scores(newcomers), vectors @ items.T, rtol=1e-4, atol=1e-5)


def unknown_ids_are_an_answer(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """Empty lists and NaN, alone or among known ids; an id of the wrong type raises."""
    user, item = next(iter(planted.withheld.items()))
    assert list(model.recommend(["nobody"], 3)) == [[]]
    mixed = list(model.recommend(["nobody", user], 3))
    assert mixed[0] == []
    assert mixed[1] == next(iter(model.recommend([user], 3)))
    assert np.isnan(model.score(["nobody", user], [item, -5])[0]).all()
    assert np.isnan(model.score([user], [-5])).all()
    assert list(model.similar_items([-5], 3)) == [[]]
    assert len(model.explain("nobody", item).item_ids) == 0
    with pytest.raises(IdTypeError, match="user ids are text"):
        model.recommend([7], 3)
    with pytest.raises(IdTypeError, match="item ids are integers"):
        model.similar_items(["1000"], 3)


def similar_items_share_the_group(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """Most neighbours of an item are of its own group, and none is the item itself."""
    items = list(planted.groups)
    lists = list(model.similar_items(items, 3))
    if "similar_items" in case.lacks:
        assert all(ranked == [] for ranked in lists), "the case says that the model lacks similar_items, and it answers"
        return
    assert all(item not in [other for other, _ in ranked] for item, ranked in zip(items, lists, strict=True))
    same = [
        planted.groups[other] == planted.groups[item]
        for item, ranked in zip(items, lists, strict=True)
        for other, _ in ranked
    ]
    assert np.mean(same) >= 0.9


def explanations_come_from_the_history(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """What explains an item was met by the user, is not the item itself, and speaks for it."""
    seen = planted.train.to_frame()
    of_the_group = []
    for user, item in list(planted.withheld.items())[:10]:
        why = model.explain(user, item, 3)
        assert why.method == next(iter(model.explains_by), None)
        history = set(seen.filter(seen["user_id"] == user)["item_id"])
        assert set(why.item_ids) <= history - {item}
        assert (why.contributions > 0).all()
        if "similar_items" not in case.lacks:
            assert len(why.item_ids) > 0
            of_the_group += [planted.groups[other] == planted.groups[item] for other in why.item_ids[:1]]
    assert np.mean(of_the_group or [True]) >= 0.8


def fidelity_is_of_what_is_known(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """All that is known ranks an item as a newcomer's list does; a model that cannot be asked again gives no fidelity."""
    own = [item for item, group in planted.groups.items() if group == 1][:6]
    if "history" not in model.folds_in:
        user, item = next(iter(planted.withheld.items()))
        assert model.explain(user, item).fidelity is None
        return
    [ranked] = model.recommend(k=3, history=own)
    for method in model.explains_by:
        if method == "shares":
            with pytest.raises(ConfigError, match="for somebody new"):
                model.explain(item_id=ranked[1][0], history=own, method=method)
            continue
        why = model.explain(item_id=ranked[1][0], history=own, method=method)
        assert why.method == method
        assert set(why.item_ids) <= set(own)
        assert why.score == pytest.approx(ranked[1][1], rel=1e-4)
        if "taste" not in case.lacks:
            assert why.fidelity is not None
            assert why.fidelity.rank in (1, 2)  # ties


def newcomers_get_what_their_history_asks_for(
    case: Case,
    model: Recommender,
    planted: Planted,
    folder: Path,  # noqa: ARG001
) -> None:
    """Five items of a group bring more of that group, for a user who was never seen; a model that cannot says why."""
    assert isinstance(model, Inductive)
    with pytest.raises(ConfigError, match="not both"):
        model.recommend(["u000"], 3, history=[1000])
    own = [item for item, group in planted.groups.items() if group == 1]
    [ranked], reasons = (found := model.recommend(k=3, history=own[:5])), found.reasons
    if "history" not in model.folds_in:
        assert ranked == []
        assert "cannot use history" in reasons[0]
        return
    assert reasons == ("",)
    assert not {item for item, _ in ranked} & set(own[:5])
    if "taste" not in case.lacks:
        assert all(planted.groups[item] == 1 for item, _ in ranked)
    together = [[item for item, _ in answer] for answer in model.recommend(k=3, history=[own[:5], [], own[5:]])]
    assert together[0] == [item for item, _ in ranked]
    assert together[2] == [item for item, _ in next(iter(model.recommend(k=3, history=own[5:])))]


def of_nothing_comes_a_reason(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """A newcomer without anything usable gets a remark, and no invented list unless everybody gets the same."""
    answer = model.recommend(k=3, history=[[], [-5]])
    assert len(answer) == 2
    if "taste" not in case.lacks:
        assert list(answer) == [[], []]
        assert all(reason.startswith("Nothing usable is known") for reason in answer.reasons)
    assert "not known" in answer.reasons[1]
    with pytest.raises(IdTypeError, match="item ids are integers"):
        model.recommend(k=3, history=["1000"])


def predictions_are_ratings_or_refused(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:
    """Within the scale and higher for what a user likes; also for ids that are not known, alone or among others; the same after saving."""
    user, item = next(iter(planted.withheld.items()))
    if not isinstance(model, Rater) or not case.ratings:
        with pytest.raises(CannotPredictError, match=r"predicts no ratings|learned to rank"):
            model.predict([user], [item])
        return
    values = planted.train.ratings.data
    users, items = list(planted.withheld), list(planted.withheld.values())
    liked = model.predict(users, items)
    assert liked.dtype == np.float32
    assert values.min() <= liked.min() <= liked.max() <= values.max()
    if "taste" not in case.lacks:
        disliked = model.predict(users, items[1:] + items[:1])  # the next user is of another group
        assert np.mean(liked > disliked) >= case.min_hits
    some = model.predict(["nobody", user, "nobody", user], [item, -5, -5, item])
    assert np.isfinite(some).all()
    assert some[3] == model.predict([user], [item])[0]
    with pytest.raises(DataError, match="predict takes pairs: 2 users and 1 items"):
        model.predict([user, user], [item])
    model.save(folder / "model")
    np.testing.assert_array_equal(load(folder / "model").predict(users, items), liked)


def a_saved_model_answers_the_same(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """Save, load, ask again; the class is found by the folder alone."""
    model.save(folder / "model")
    again = load(folder / "model")
    assert type(again) is type(model)
    assert again.config == model.config
    users = list(planted.withheld)
    assert again.recommend(users, 5).to_frame().equals(model.recommend(users, 5).to_frame())
    assert list(again.similar_items([1000], 5)) == list(model.similar_items([1000], 5))
    user, item = next(iter(planted.withheld.items()))
    assert again.explain(user, item).item_ids.equals(model.explain(user, item).item_ids)
    history = [1000, 1001]
    assert list(again.recommend(k=5, history=history)) == list(model.recommend(k=5, history=history))


def the_same_seed_gives_the_same_answers(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """To the bit."""
    again = case.fitted(planted.train)
    users = list(planted.withheld)
    assert again.recommend(users, 5).to_frame().equals(model.recommend(users, 5).to_frame())


def the_dataset_is_left_alone(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """Fitting changes no array of the data set."""
    before = planted.train.to_frame(), planted.train.interactions.copy(), planted.train.strengths.copy()
    case.fitted(planted.train)
    assert planted.train.to_frame().equals(before[0])
    for now, then in zip((planted.train.interactions, planted.train.strengths), before[1:], strict=True):
        assert (now != then).nnz == 0


def an_unfitted_model_says_so(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """In words."""
    with pytest.raises(NotFittedError, match="not fitted"):
        build(case.name, case.settings).recommend(["u000"], 3)


def settings_are_checked(case: Case, model: Recommender, planted: Planted, folder: Path) -> None:  # noqa: ARG001
    """A misspelt setting is named, and the config is a frozen `Settings`."""
    assert issubclass(type(model).Config, Settings)
    with pytest.raises(ConfigError, match="unknown setting 'no_such_setting'"):
        build(case.name, {"no_such_setting": 1})


CHECKS: tuple[Check, ...] = (
    finds_the_withheld_item,
    scores_fall_and_lists_hold_no_item_twice,
    seen_items_stay_out,
    a_batch_equals_one_by_one,
    score_agrees_with_recommend,
    vectors_give_the_scores,
    unknown_ids_are_an_answer,
    similar_items_share_the_group,
    explanations_come_from_the_history,
    fidelity_is_of_what_is_known,
    newcomers_get_what_their_history_asks_for,
    of_nothing_comes_a_reason,
    predictions_are_ratings_or_refused,
    a_saved_model_answers_the_same,
    the_same_seed_gives_the_same_answers,
    the_dataset_is_left_alone,
    an_unfitted_model_says_so,
    settings_are_checked,
)


def pairs(cases: list[Case]) -> Iterator[tuple[Case, Check]]:
    """Every case with every check, for parametrising a test."""
    for case in cases:
        for check in CHECKS:
            yield case, check
