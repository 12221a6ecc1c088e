"""Splits: a partition of the pairs, the same for the same seed, with notes that count what is new or left out."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgewise.config import make
from edgewise.data import Dataset
from edgewise.data.split import SPLITS, Split, SplitConfig, carve_valid, k_fold, split_dataset
from edgewise.data.split import given as given_split
from edgewise.errors import ConfigError, DataError, IdTypeError, UnknownNameError

Pairs = set[tuple[Any, Any]]
DAY = 86_400_000


def dataset_of(rows: list[tuple[Any, ...]], *columns: str, **tables: Any) -> Dataset:
    return Dataset.from_events(pl.DataFrame(rows, schema=["user_id", "item_id", *columns], orient="row"), **tables)


def pairs_of(dataset: Dataset) -> Pairs:
    return set(dataset.to_frame().select("user_id", "item_id").iter_rows())


def events_of(dataset: Dataset) -> list[tuple[Any, ...]]:
    columns = ["user_id", "item_id", *(["timestamp"] if dataset.has_times else [])]
    return sorted(dataset.to_frame().select(columns).iter_rows())


@pytest.fixture(scope="module")
def shop() -> Dataset:
    """60 users with 1 to 20 events each over 300 days, some pairs repeated."""
    rng = np.random.default_rng(7)
    rows = [
        (f"u{user:02d}", int(rng.integers(40)), int(rng.integers(300)) * DAY)
        for user in range(60)
        for _ in range(1 + user % 20)
    ]
    return dataset_of(rows, "timestamp")


rows_of_logs = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 20)), min_size=2, max_size=40
).filter(lambda rows: len({row[0] for row in rows}) > 1 and len({row[1] for row in rows}) > 1)


@pytest.mark.parametrize("how", SPLITS)
@settings(max_examples=40, deadline=None)
@given(rows=rows_of_logs, share=st.sampled_from([0.1, 0.3, 0.5, 0.8]), seed=st.integers(0, 3))
def test_a_split_is_a_partition_of_the_pairs(how: str, rows: list[tuple[int, ...]], share: float, seed: int) -> None:
    whole = dataset_of(rows, "timestamp")
    try:
        split = split_dataset(whole, how, test=share, seed=seed, n_folds=2, fold=seed % 2)
    except DataError:
        assume(False)  # a side is empty: said in words, tested below
    train, test = events_of(split.train), events_of(split.test)
    assert not pairs_of(split.train) & pairs_of(split.test)
    left_out = sorted(set(events_of(whole)) - set(train) - set(test))
    if how == "time":
        assert all(row[:2] in pairs_of(split.train) for row in left_out)  # repeats of training pairs, nothing else
    else:
        assert sorted(train + test) == events_of(whole)
    for part in (split.train, split.test):  # knows its own ids, and no other
        assert part.n_users == part.events["user_index"].n_unique()
        assert part.n_items == part.events["item_index"].n_unique()


@pytest.mark.parametrize("how", SPLITS)
def test_the_same_seed_gives_the_same_split_whatever_the_order_of_rows(shop: Dataset, how: str) -> None:
    first = shop.split(how, valid=0.2, seed=3)
    again = shop.split(how, valid=0.2, seed=3)
    shuffled = Dataset.from_events(shop.to_frame().sample(fraction=1.0, shuffle=True, seed=1)).split(
        how, valid=0.2, seed=3
    )
    for part in ("train", "valid", "test"):
        assert getattr(first, part).fingerprint == getattr(again, part).fingerprint
        if how != "leave-last-out":  # where times are equal, the later row is the last
            assert events_of(getattr(first, part)) == events_of(getattr(shuffled, part))
    if how not in ("time", "leave-last-out"):
        assert pairs_of(shop.split(how, seed=4).test) != pairs_of(first.test)


@pytest.mark.parametrize("how", SPLITS)
def test_valid_is_carved_from_train_and_leaves_test_alone(shop: Dataset, how: str) -> None:
    plain, with_valid = shop.split(how), shop.split(how, valid=0.25)
    assert plain.valid is None
    assert plain.whole_train is plain.train
    assert with_valid.valid is not None
    assert with_valid.test.fingerprint == plain.test.fingerprint
    assert with_valid.whole_train.fingerprint == plain.train.fingerprint
    assert not pairs_of(with_valid.train) & pairs_of(with_valid.valid)
    assert pairs_of(with_valid.train) | pairs_of(with_valid.valid) == pairs_of(plain.train)
    assert with_valid.train.history[-2:] == (
        f"Split {how}: the training part.",
        f"Split {'random' if how == 'k-fold' else how}: the training part.",
    )


def items_by_user(dataset: Dataset) -> dict[str, int]:
    return {user: sum(pair[0] == user for pair in pairs_of(dataset)) for user in dataset.users.ids}


@pytest.mark.parametrize("seed", range(5))
def test_random_takes_the_share_of_each_user_rounded_up_or_down_and_the_whole_right(shop: Dataset, seed: int) -> None:
    test = items_by_user(shop.split("random", test=0.3, seed=seed, min_train=0).test)
    for user, n_items in items_by_user(shop).items():
        assert test.get(user, 0) in (np.floor(0.3 * n_items), np.ceil(0.3 * n_items))
    assert abs(sum(test.values()) - 0.3 * len(pairs_of(shop))) <= 1


def test_random_leaves_every_user_something_to_learn_from(shop: Dataset) -> None:
    split = shop.split("random", test=0.9, min_train=2)
    whole, train = items_by_user(shop), items_by_user(split.train)
    assert all(train[user] >= min(2, n_items) for user, n_items in whole.items())
    assert any("with no more than 2 items stayed in training whole" in note for note in split.notes)


def test_leave_last_out_takes_the_pair_whose_last_event_is_latest() -> None:
    rows = [("a", 1, 10), ("a", 2, 20), ("a", 1, 30), ("b", 1, 5), ("c", 3, 1), ("c", 2, 1)]
    split = dataset_of(rows, "timestamp").split("leave-last-out")
    assert events_of(split.test) == [("a", 1, 10), ("a", 1, 30), ("c", 2, 1)]
    assert split.notes == (
        "The last item of 2 users went to test.",
        "1 user with no more than 1 item stayed in training whole.",
        "1 user met several items at the last time; of these the later row counts as the last.",
        "In test, 0 of 2 users and 0 of 2 items have no training event; 3 of 3 events (100.0 %) are of a user and an item that have.",
    )  # fmt: skip


def test_leave_last_out_goes_by_file_order_where_there_are_no_times_and_says_so() -> None:
    split = dataset_of([("a", 3), ("a", 1), ("a", 2)]).split("leave-last-out", valid=0.1)
    assert split.valid is not None
    assert (pairs_of(split.test), pairs_of(split.valid)) == ({("a", 2)}, {("a", 1)})
    assert "There are no times, so the item of a user's last row counts as the last." in split.notes


def test_time_puts_the_latest_events_to_test_without_repeats_of_training_pairs() -> None:
    rows = [("a", 1, 0), ("a", 2, DAY), ("b", 1, 2 * DAY), ("a", 1, 3 * DAY), ("c", 2, 4 * DAY)]
    split = dataset_of(rows, "timestamp").split("time", test=0.4)
    assert events_of(split.train) == [("a", 1, 0), ("a", 2, DAY), ("b", 1, 2 * DAY)]
    assert pairs_of(split.test) == {("c", 2)}
    assert split.notes == (
        "3 events before 1970-01-04T00:00:00Z are for training, 2 from then to 1970-01-05T00:00:00Z for test (40.0 %).",
        "1 of 2 test events (50.0 %) repeat a pair that training has; they were left out.",
        "In test, 1 of 1 user and 0 of 1 items have no training event; 0 of 1 events (0.0 %) are of a user and an item that have.",
    )


@pytest.mark.parametrize(("share", "n_train"), [(0.1, 4), (0.3, 4), (0.5, 4), (0.65, 4), (0.75, 1), (0.9, 1)])
def test_time_never_cuts_through_events_of_one_time(share: float, n_train: int) -> None:
    days = [1, 2, 2, 2, 3, 3, 3, 3]  # the cut goes where the time changes, nearest to the share
    split = dataset_of([("a", item, day * DAY) for item, day in enumerate(days)], "timestamp").split("time", test=share)
    assert split.train.n_events == n_train


@pytest.mark.parametrize(("how", "side"), [("cold-users", "users"), ("cold-items", "items")])
def test_cold_users_and_items_move_whole(shop: Dataset, how: str, side: str) -> None:
    split = shop.split(how, test=0.25)
    warm, cold = set(getattr(split.train, side).ids), set(getattr(split.test, side).ids)
    assert not warm & cold
    assert len(cold) == round(0.25 * len(getattr(shop, side)))


def test_every_pair_is_in_the_test_set_of_exactly_one_fold(shop: Dataset) -> None:
    folds = list(k_fold(shop, 4, seed=2, valid=0.1))
    assert sorted(pair for split in folds for pair in pairs_of(split.test)) == sorted(pairs_of(shop))
    sizes = [len(pairs_of(split.test)) for split in folds]
    assert max(sizes) - min(sizes) <= 1
    whole = items_by_user(shop)
    for split in folds:
        assert all(
            n_items in (whole[user] // 4, -(-whole[user] // 4)) for user, n_items in items_by_user(split.test).items()
        )
        assert split.valid is not None


def test_a_training_set_keeps_ids_that_tables_describe_and_no_others() -> None:
    items = pl.DataFrame({"item_id": [1, 2, 9], "genre": ["x", "y", "z"]})
    whole = dataset_of([("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 4)], item_table=items)
    assert whole.items.ids.to_list() == [1, 2, 3, 4, 9]
    split = whole.split("leave-last-out")
    assert pairs_of(split.test) == {("a", 3), ("b", 4)}
    assert split.train.items.ids.to_list() == [1, 2, 9]  # 3 and 4 have no attributes and no training event
    assert split.train.item_table is not None
    assert split.train.item_table.rows() == [(1, "x"), (2, "y"), (9, "z")]
    assert split.test.items.ids.to_list() == [1, 2, 3, 4, 9]


def test_the_social_graph_stays_with_its_people_when_users_go() -> None:
    social = pl.DataFrame({"user_id": ["b", "z"], "friend_id": ["z", "b"]})
    whole = dataset_of([("a", 1), ("b", 2), ("b", 3)], social=social)
    part = whole.subset(pl.Series([False, True, True]))
    assert part.users.ids.to_list() == ["b", "z"]
    assert part.social is not None
    assert part.social.select("user_index", "friend_index").rows() == [(0, 1), (1, 0)]


@settings(deadline=None)
@given(rows_of_logs, st.data())
def test_a_subset_is_what_its_rows_alone_would_make(rows: list[tuple[int, ...]], data: st.DataObject) -> None:
    whole = dataset_of(rows, "timestamp")
    keep = pl.Series(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), dtype=pl.Boolean)
    assume(keep.any())
    part = whole.subset(keep, note="some")
    alone = Dataset.from_events(whole.to_frame().filter(keep))
    assert part.fingerprint == alone.fingerprint
    assert part.history == ("some",)
    assert (part.interactions != alone.interactions).nnz == 0


def test_given_files_are_taken_as_they_are_but_for_pairs_in_both() -> None:
    train = dataset_of([("a", 1), ("a", 2), ("b", 1)])
    test = dataset_of([("a", 1), ("a", 3), ("c", 2), ("b", 2)])
    split = given_split(train, test)
    assert split.train is train
    assert pairs_of(split.test) == {("a", 3), ("c", 2), ("b", 2)}
    assert split.how == "given"
    assert split.notes == (
        "Given: 3 events for training, 4 for test.",
        "1 of 4 test events (25.0 %) repeat a pair that training has; they were left out.",
        "In test, 1 of 3 users and 1 of 2 items have no training event; 1 of 3 events (33.3 %) are of a user and an item that have.",
    )
    carved = given_split(train, test, valid=0.4, seed=1)
    assert carved.valid is not None
    assert pairs_of(carved.train) | pairs_of(carved.valid) == pairs_of(train)


def test_given_files_that_do_not_fit_are_refused_in_words() -> None:
    train = dataset_of([("a", 1), ("a", 2)])
    with pytest.raises(
        IdTypeError, match="training and test data do not fit: user ids are text in this data set, and integers"
    ):
        given_split(train, dataset_of([(1, 1)]))
    with pytest.raises(DataError, match=r"no user and no item in common \(first user of each: 'a' and 'x'\)"):
        given_split(train, dataset_of([("x", 8)]))
    with pytest.raises(DataError, match="every pair of the test data is in the training data too"):
        given_split(train, dataset_of([("a", 1)]))


SMALL = dataset_of([("a", 1, 5), ("a", 2, 5), ("b", 1, 5)], "timestamp")
TIMELESS = dataset_of([("a", 1), ("a", 2), ("b", 1)])

REFUSALS: list[tuple[str, Dataset, dict[str, Any], type[Exception], str]] = [
    ("unknown", SMALL, {"how": "loo"}, UnknownNameError, "there is no split 'loo'; there are random, leave-last-out, time, cold-users"),
    ("no times", TIMELESS, {"how": "time"}, DataError,
     r"needs time stamps, which this data set does not have\. Use another split \(random, leave-last-out, cold-users, cold-items, k-fold\)"),
    ("one time", SMALL, {"how": "time"}, DataError, "all 3 events are of one time, 1970-01-01T00:00:00Z"),
    ("share of 0", SMALL, {"how": "random", "test": 0.0}, ConfigError, r"test = 0\.0: expected a share between 0 and 1"),
    ("share of 1", SMALL, {"how": "random", "test": 1}, ConfigError, "test = 1: expected a share"),
    ("valid of 1", SMALL, {"how": "random", "valid": 1.5}, ConfigError, r"valid = 1\.5: expected a share"),
    ("too small a share", SMALL, {"how": "cold-users", "test": 0.1}, DataError,
     r"a cold-users split with test = 0\.1 leaves no test data: there are 3 events of 2 users and 2 items"),
    ("too large a share", SMALL, {"how": "cold-users", "test": 0.9}, DataError, "leaves no training data"),
    ("nobody to spare", SMALL, {"how": "leave-last-out", "min_train": 5}, DataError, r"leaves no test data.*\(min_train = 5\)"),
    ("too many folds", SMALL, {"how": "k-fold"}, DataError, "3 pairs cannot fill 5 folds; set n_folds to 3 or fewer"),
    ("no such fold", SMALL, {"how": "k-fold", "fold": 5}, ConfigError, "fold = 5 of n_folds = 5: expected 2 folds or more, counted from 0"),
    ("negative min_train", SMALL, {"how": "random", "min_train": -1}, ConfigError, "min_train = -1: expected 0 or more"),
    ("nothing left for valid", SMALL, {"how": "cold-users", "test": 0.5, "valid": 0.5}, DataError, r"with valid = 0\.5 leaves no valid data"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("whole", "options", "error", "text"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_what_cannot_be_split_is_refused_in_words(
    whole: Dataset, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        split_dataset(whole, **options)


def test_carving_in_an_unknown_way_lists_the_ways() -> None:
    split = Split(SMALL, SMALL, None, "given", (), SMALL)
    with pytest.raises(UnknownNameError, match="there is no split 'x'; there are random"):
        carve_valid(split, 0.2, how="x")


def test_settings_of_the_section_fit_the_function(shop: Dataset) -> None:
    config = make(SplitConfig, {"how": "k-fold", "n_folds": 3, "fold": 2}, where="[split]")
    assert shop.split(**config.model_dump()).how == "k-fold"
    with pytest.raises(ConfigError, match="test = 2"):
        make(SplitConfig, {"test": 2}, where="[split]")
