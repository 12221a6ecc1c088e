"""Full ranking on a test set: numbers worked by hand, the whole sorted out, and what is refused."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
import numpy as np
import polars as pl
import pytest

from edgewise.catalogue import Catalogue
from edgewise.data import Dataset
from edgewise.errors import ConfigError, DataError, IdTypeError
from edgewise.evaluate import protocol
from edgewise.evaluate.metrics import METRICS, hits_of
from edgewise.evaluate.protocol import evaluate
from edgewise.evaluate.result import Evaluation
from edgewise.evaluate.segments import head_items
from edgewise.evaluate.targets import find_targets
from edgewise.models.popularity import Popularity
from edgewise.telemetry import Step, listening
from edgewise.types import Floats, Index

NAN = float("nan")


class Fixed:
    """A model that is a table of scores: float32 [n_users, n_items]."""

    def __init__(self, train: Dataset, scores: object) -> None:
        self.catalogue = Catalogue.of(train)
        self.scores = np.asarray(scores, dtype=np.float32)

    def masked_scores(self, user_index: Index) -> Floats:
        return self.scores[user_index]


def dataset(pairs: list[tuple[str, int]], items: list[int] | None = None) -> Dataset:
    table = None if items is None else pl.DataFrame({"item_id": items})
    return Dataset.from_events(pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row"), item_table=table)


# a has two relevant items, 3 and 9, of which nobody can find 9; 2 was met in training. b has one, 1. c met in the test only
# what it had met before, and d is new: neither is evaluated. Nobody met 4 and 5 in training.
TRAIN = dataset([("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1)], items=[1, 2, 3, 4, 5])
TEST = dataset([("a", 2), ("a", 3), ("a", 9), ("b", 1), ("c", 1), ("d", 1)])
SCORES = [[9, 8, 1, 3, 2], [5, NAN, 0, 5, 7], [0, 0, 0, 0, 0]]


@pytest.fixture(scope="module")
def golden() -> Evaluation:
    return evaluate(Fixed(TRAIN, SCORES), TEST, k=(1, 3))


def test_golden_lists(golden: Evaluation) -> None:
    # a: 1 and 2 are out, then 4 (3), 5 (2), 3 (1). b: 2 and 3 are out; 5 (7), then 1 before 4, level at 5. As positions:
    assert golden.user_index.tolist() == [0, 1]
    assert golden.top_items.tolist() == [[3, 4, 2], [4, 0, 3]]


def test_golden_metrics(golden: Evaluation) -> None:
    # a finds 3 at place 3, one of two: ndcg = (1 / log2(4)) / (1 + 1 / log2(3)) = 0.5 / 1.63093 = 0.30657.
    # b finds 1 at place 2, one of one: ndcg = 1 / log2(3) = 0.63093.
    expected = {
        "recall@1": [0, 0],
        "recall@3": [0.5, 1],
        "precision@3": [1 / 3, 1 / 3],
        "ndcg@3": [0.30657, 0.63093],
        "map@3": [1 / 6, 1 / 2],
        "mrr@3": [1 / 3, 1 / 2],
        "hit_rate@3": [1, 1],
        # Candidates of both: 4 and 5. a's 3 is below both, 9 counts 0. b's 1 is level with 4 and below 5: 1/2 of 2.
        "auc": [0, 0.25],
    }
    found = {name: golden.per_user[name].tolist() for name in expected}
    assert found == {name: pytest.approx(values, abs=1e-5) for name, values in expected.items()}
    assert golden.overall["recall@3"] == 0.75
    assert golden.overall["coverage@3"] == 4 / 5  # 1, 3, 4, 5 of five


def test_golden_segments(golden: Evaluation) -> None:
    # Items 1 and 2 have 4 of the 5 interactions and 1 alone fewer than half: they are the head, 3 is the tail, 4 and 5 are cold,
    # as is 9. Among head items only b's 1 is relevant, among tail items only a's 3, at place 3: 1 / log2(4).
    segments = golden.segments
    assert segments["users: few (2 interactions)"]["n"] == 2
    assert segments["users: few (2 interactions)"]["recall@3"] == 0.75
    assert segments["items: head (the 2 most popular)"] == pytest.approx(
        {"n": 1, "recall@1": 0, "ndcg@1": 0, "recall@3": 1, "ndcg@3": 0.63093}, abs=1e-5
    )
    assert segments["items: tail (the 1 others)"] == {"n": 1, "recall@1": 0, "ndcg@1": 0, "recall@3": 1, "ndcg@3": 0.5}
    assert segments["items: cold (nobody met them in training)"]["recall@3"] == 0


def test_what_is_not_evaluated_is_counted() -> None:
    targets = find_targets(Catalogue.of(TRAIN), TEST)
    assert (targets.n_users, targets.n_new_users, targets.n_repeating_users, targets.n_new_items) == (2, 1, 1, 1)
    assert targets.n_relevant.tolist() == [2, 1]
    assert targets.n_candidates.tolist() == [2, 2]
    assert (targets.n_test_users, targets.n_test_pairs) == (4, TEST.interactions.nnz)
    assert targets.left_out() == [
        "left out: 1 user unknown to the model, who would get what is popular, and 1 user who met nothing new.",
        f"to be found: 3 of {TEST.interactions.nnz} pairs of a user and an item; the others are of users left out, or known from training.",
        "1 item of the test is unknown to the model: nobody can find them, and they count as missed.",
    ]


def test_targets_found_before_give_the_same(golden: Evaluation) -> None:
    model = Fixed(TRAIN, SCORES)
    again = evaluate(model, TEST, k=(3, 1), targets=find_targets(model.catalogue, TEST))
    assert again.overall == pytest.approx(golden.overall, nan_ok=True)


def random_case(n_users: int = 70, n_items: int = 40) -> tuple[Fixed, Dataset]:
    rng = np.random.default_rng(0)
    met = rng.random((n_users, n_items))
    train = dataset([(f"u{user:02d}", int(item)) for user, item in np.argwhere(met < 0.3)], list(range(n_items)))
    test = dataset([(f"u{user:02d}", int(item)) for user, item in np.argwhere((met > 0.25) & (met < 0.45))])
    scores = rng.standard_normal((n_users, n_items)).round(1)  # many ties
    scores[rng.random(scores.shape) < 0.1] = np.nan
    return Fixed(train, scores), test


def test_agrees_with_sorting_everything() -> None:
    model, test = random_case()
    found = evaluate(model, test, k=(5, 20))
    catalogue = model.catalogue
    met = {user: set(items) for user, items in test.to_frame().group_by("user_id").agg("item_id").iter_rows()}
    lists, relevant = [], []
    for user in found.user_index:
        seen = set(catalogue.items.ids_at(catalogue.seen[[user]].indices.astype(np.int64)))
        order = np.lexsort((np.arange(len(catalogue.items)), -model.scores[user]))
        ranked = [int(item) for item in order if not np.isnan(model.scores[user, item]) and int(item) not in seen]
        lists.append(ranked[:20])
        relevant.append(met[catalogue.users.ids[int(user)]] - seen)
    assert [[item for item in ranked if item >= 0] for ranked in found.top_items.tolist()] == lists
    judgement = hits_of(lists, relevant)
    for k in (5, 20):
        for name, metric in METRICS.items():
            np.testing.assert_allclose(found.per_user[f"{name}@{k}"], metric(*judgement, k), atol=1e-12)


def assert_same(found: Evaluation, expected: Evaluation) -> None:
    np.testing.assert_array_equal(found.top_items, expected.top_items)
    for name, values in expected.per_user.items():
        np.testing.assert_array_equal(found.per_user[name], values, err_msg=name)
    assert found.overall == expected.overall
    assert found.segments == expected.segments


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_the_size_of_blocks_changes_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, test = random_case()
    expected = evaluate(model, test)
    monkeypatch.setattr(protocol, "block_size", lambda n_items: size)  # noqa: ARG005
    assert_same(evaluate(model, test), expected)


def test_the_number_of_threads_changes_nothing() -> None:
    model, test = random_case()
    threads = numba.get_num_threads()
    expected = evaluate(model, test)
    try:
        numba.set_num_threads(1)
        assert_same(evaluate(model, test), expected)
    finally:
        numba.set_num_threads(threads)


def test_the_order_of_rows_in_the_test_file_changes_nothing() -> None:
    model, test = random_case()
    shuffled = Dataset.from_events(test.to_frame().sample(fraction=1, shuffle=True, seed=1))
    assert_same(evaluate(model, shuffled), evaluate(model, test))


def test_a_model_that_cannot_say_has_empty_lists_and_scores_zero() -> None:
    found = evaluate(Fixed(TRAIN, np.full((3, 5), np.nan)), TEST, k=2)
    assert (found.top_items == -1).all()
    assert {found.overall[f"{name}@2"] for name in METRICS} | {found.overall["auc"], found.overall["coverage@2"]} == {
        0.0
    }
    assert np.isnan(found.overall["novelty@2"])


def test_a_perfect_model_scores_one() -> None:
    test = dataset([("a", 3), ("a", 4), ("b", 1)])
    found = evaluate(Fixed(TRAIN, [[0, 0, 2, 1, 0], [2, 0, 0, 1, 0], [0, 0, 0, 0, 0]]), test, k=3)
    perfect = ("recall@3", "ndcg@3", "map@3", "mrr@3", "hit_rate@3", "auc")
    assert {name: found.overall[name] for name in perfect} == dict.fromkeys(perfect, pytest.approx(1))


def test_a_user_without_candidates_has_no_auc_and_no_non_edges() -> None:
    train = dataset([("a", 1), ("b", 2), ("b", 1)])
    found = evaluate(Fixed(train, [[0, 1], [0, 0]]), dataset([("a", 2)]), k=1)
    assert np.isnan(found.per_user["auc"]).all()
    assert found.overall["recall@1"] == 1


def test_what_is_not_asked_for_is_left_out() -> None:
    found = evaluate(Fixed(TRAIN, SCORES), TEST, k=2, auc=False, edges=False)
    assert "auc" not in found.overall
    assert "edge_accuracy" not in found.overall
    assert "edge_accuracy" in evaluate(Fixed(TRAIN, SCORES), TEST, k=2).overall


def test_likeness_can_come_from_features() -> None:
    # Items 4 and 5 share their feature and 3 has another: a's list 4, 5, 3 has one like pair of three, b's 5, 1, 4 too.
    features = np.array([[0, 1], [0, 1], [0, 1], [1, 0], [1, 0]])
    found = evaluate(Fixed(TRAIN, SCORES), TEST, k=3, item_features=features)
    np.testing.assert_allclose(found.per_user["diversity@3"], [2 / 3, 2 / 3])
    with pytest.raises(DataError, match=r"item_features has 4 rows; expected one for each of the 5 items"):
        evaluate(Fixed(TRAIN, SCORES), TEST, k=3, item_features=features[:4])


def test_users_that_only_a_table_knows_are_a_segment_of_their_own() -> None:
    events = TRAIN.to_frame()
    train = Dataset.from_events(events, user_table=pl.DataFrame({"user_id": ["a", "b", "c", "e"]}))
    found = evaluate(Fixed(train, np.ones((4, 3))), dataset([("a", 3), ("e", 1)]), k=2)
    assert found.segments["users: none (no interactions in training)"]["n"] == 1
    assert found.segments["users: few (2 interactions)"]["n"] == 1


def test_users_are_parted_by_terciles_of_what_they_met() -> None:
    met = {"a": 1, "b": 2, "c": 2, "d": 3, "e": 5, "f": 7}  # terciles: up to 2, up to 3, more
    train = dataset([(user, item) for user, n in met.items() for item in range(n)], list(range(10)))
    found = evaluate(Fixed(train, np.ones((6, 10))), dataset([(user, 9) for user in met]), k=2)
    users = {name: values["n"] for name, values in found.segments.items() if name.startswith("users")}
    assert users == {
        "users: few (1–2 interactions)": 3,
        "users: some (3 interactions)": 1,
        "users: many (5–7 interactions)": 2,
    }


def test_the_head_is_the_fewest_items_with_half_of_all_interactions() -> None:
    assert head_items(np.array([1, 3, 3, 1])).tolist() == [False, True, True, False]
    assert head_items(np.array([4, 2, 2])).tolist() == [True, False, False]


def test_progress_is_told() -> None:
    told: list[tuple[str, float | None, float]] = []

    class Work:
        done = 0.0

        def advance(self, amount: float = 1, /, **figures: float) -> None:  # noqa: ARG002
            self.done += amount

    class Listener:
        @contextlib.contextmanager
        def step(self, label: str, total: float | None, done: float) -> Iterator[Step]:  # noqa: ARG002
            work = Work()
            yield work
            told.append((label, total, work.done))

        def note(self, text: str) -> None: ...

    with listening(Listener()):
        evaluate(Popularity().fit(TRAIN), TEST, k=2)
    assert told == [("evaluate popularity", 2, 2)]


def test_ids_of_the_other_kind_are_refused() -> None:
    test = Dataset.from_events(pl.DataFrame({"user_id": ["a"], "item_id": ["3"]}))
    with pytest.raises(IdTypeError, match=r"item ids are integers in this data set, and text were given"):
        evaluate(Fixed(TRAIN, SCORES), test, k=2)


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        (
            [("x", 1), ("y", 2)],
            r"none of the 2 users of the test set is known to the training set.*Check that both files",
        ),
        (
            [("a", 1), ("b", 2), ("y", 2)],
            r"the 2 test users that the training set knows met nothing.*\(1 more are new\)",
        ),
    ],
)
def test_a_test_set_with_nobody_to_evaluate_is_refused(pairs: list[tuple[str, int]], text: str) -> None:
    with pytest.raises(DataError, match=text):
        evaluate(Fixed(TRAIN, SCORES), dataset(pairs), k=2)


def test_a_cut_off_beyond_the_catalogue_is_refused() -> None:
    with pytest.raises(DataError, match=r"k = 500, and the catalogue has 5 items.*Choose a k of at most 5"):
        evaluate(Fixed(TRAIN, SCORES), TEST, k=(2, 500))


@pytest.mark.parametrize("k", [(), 0, (2, -1), True, (2.5,)])
def test_a_cut_off_that_is_no_number_of_places_is_refused(k: object) -> None:
    with pytest.raises(ConfigError, match=r"expected one or more whole numbers of at least 1"):
        evaluate(Fixed(TRAIN, SCORES), TEST, k=k)  # type: ignore[arg-type]


def test_scores_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"Fixed: masked_scores gave an array of shape \(2, 4\) for 2 users; expected .* 5 items"
    ):
        evaluate(Fixed(TRAIN, np.ones((3, 4))), TEST, k=2)


@pytest.mark.slow
def test_popularity_on_gowalla_is_what_others_publish(shared_data: Callable[[str], Path]) -> None:
    train, test = (
        Dataset.from_file(shared_data(f"gowalla/{part}.txt.gz"), format="lightgcn") for part in ("train", "test")
    )
    found = evaluate(Popularity().fit(train), test, k=20)
    assert found.user_index.size == 29_858
    assert (found.overall["recall@20"], found.overall["ndcg@20"]) == pytest.approx((0.0416, 0.0317), abs=5e-4)
