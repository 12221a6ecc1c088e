"""What a refit learns from is what the model was fitted on, and what the log says of it."""

import polars as pl
import pytest
from scipy.sparse import csr_array

from edgewise.catalogue import Catalogue
from edgewise.data import Dataset
from edgewise.data.clean import CleanConfig
from edgewise.refit.learned import Base, Learned, learned_of
from edgewise.refit.log import Log, read_log
from edgewise.store import Event, SqliteStore, StoredItem, StoredUser

OLD = pl.DataFrame(
    [("a", 1, 1.0), ("a", 2, 1.0), ("b", 1, 3.0), ("b", 3, 1.0), ("c", 2, 1.0)],
    schema=["user_id", "item_id", "value"],
    orient="row",
)
TABLE = pl.DataFrame(
    {"item_id": [1, 2, 3], "title": ["One", "Two", "Three"], "genres": ["x", "y", "x|y"], "year": [1, 2, 3]}
)


def old(social: pl.DataFrame | None = None, user_table: pl.DataFrame | None = None) -> Catalogue:
    return Catalogue.of(Dataset.from_events(OLD, item_table=TABLE, social=social, user_table=user_table))


def learned(
    log: Log,
    clean: CleanConfig | None = None,
    catalogue: Catalogue | None = None,
    **told: list[StoredUser] | list[StoredItem],
) -> Learned:
    catalogue = old() if catalogue is None else catalogue
    users, items = told.get("users", []), told.get("items", [])
    base = Base.of_model(catalogue, catalogue.strengths, catalogue.friends)
    return learned_of(base, log, users, items, clean or CleanConfig())  # type: ignore[arg-type]


def pairs(dataset: Dataset) -> dict[tuple[str, str], float]:
    matrix: csr_array = dataset.strengths
    rows, columns = matrix.nonzero()
    users, items = dataset.users.ids.cast(pl.String), dataset.items.ids.cast(pl.String)
    return {(users[int(u)], items[int(i)]): float(matrix[u, i]) for u, i in zip(rows, columns, strict=True)}


BEFORE = {("a", "1"): 1, ("a", "2"): 1, ("b", "1"): 3, ("b", "3"): 1, ("c", "2"): 1}


def event(number: int, user: str, item: str | None, kind: str = "view", **more: object) -> Event:
    return Event(f"e{number}", user, item, type=kind, timestamp=1_700_000_000_000 + number * 1000, **more)  # type: ignore[arg-type]


def log_of(store: SqliteStore, *events: Event) -> Log:
    store.append(events)
    return read_log(store)


def test_events_add_to_what_was_learned_and_bring_new_users_and_items(store: SqliteStore) -> None:
    log = log_of(store, event(1, "a", "1", value=2.0), event(2, "new", "2"), event(3, "c", "77"))
    dataset = learned(log).dataset()
    assert pairs(dataset) == BEFORE | {("a", "1"): 3, ("new", "2"): 1, ("c", "77"): 1}
    assert dataset.items.ids.to_list() == [1, 2, 3, 77], "numbers stay numbers"
    assert dataset.item_table is not None
    assert dataset.item_table["title"].to_list() == ["One", "Two", "Three", None]


def test_without_events_the_data_are_as_they_were(store: SqliteStore) -> None:
    dataset = learned(read_log(store)).dataset()
    assert pairs(dataset) == BEFORE
    assert not dataset.has_times


def test_an_id_that_is_no_number_makes_all_of_them_text(store: SqliteStore) -> None:
    dataset = learned(log_of(store, event(1, "a", "007"))).dataset()
    assert sorted(dataset.items.ids) == ["007", "1", "2", "3"]
    assert pairs(dataset) == BEFORE | {("a", "007"): 1}


def test_an_undoing_takes_back_its_event_and_what_was_learned_before(store: SqliteStore) -> None:
    likes = [event(1, "new", "1", "like"), event(2, "new", "1", "unlike"), event(3, "new", "2", "like")]
    log = log_of(
        store,
        *likes,
        event(4, "a", "2", "unlike"),
        event(5, "b", "1", "unlike"),
        event(6, "b", "1", "like"),
        event(7, "b", "1", "view"),
    )
    assert pairs(learned(log).dataset()) == {
        ("a", "1"): 1,
        ("b", "1"): 5,
        ("b", "3"): 1,
        ("c", "2"): 1,
        ("new", "2"): 1,
    }


def test_kept_undoings_take_back_nothing(store: SqliteStore) -> None:
    dataset = learned(log_of(store, event(4, "a", "2", "unlike")), CleanConfig(undo="keep")).dataset()
    assert pairs(dataset) == BEFORE | {("a", "2"): 2}


def test_of_a_log_that_is_read_again_an_undoing_takes_back_its_own_kind_alone(store: SqliteStore) -> None:
    frame = OLD.with_columns(
        pl.Series("type", ["like", "view", "like", "view", "view"]), timestamp=pl.lit(1_600_000_000_000)
    )
    base = Base.of_dataset(Dataset.from_events(frame, item_table=TABLE))
    log = log_of(store, event(1, "a", "1", "unlike"), event(2, "a", "2", "unlike"))
    dataset = learned_of(base, log, [], [], CleanConfig()).dataset()
    assert pairs(dataset) == {pair: value for pair, value in BEFORE.items() if pair != ("a", "1")}
    assert dataset.type_names == ("like", "view")


def test_kinds_that_do_not_count_and_odd_values_are_left_out(store: SqliteStore) -> None:
    log = log_of(store, event(1, "a", "3", "swipe"), event(2, "b", "2", "like"), event(3, "c", "1", "like", value=-1.0))
    only_likes = learned(log, CleanConfig(types=("like",)))
    assert pairs(only_likes.dataset()) == BEFORE | {("b", "2"): 1}
    assert any("negative" in line for line in only_likes.lines)
    nothing = learned(log, CleanConfig(types=("purchase",)))
    assert pairs(nothing.dataset()) == BEFORE, "not one event counts"


def test_an_erased_user_or_item_is_learned_from_what_came_later_alone(store: SqliteStore) -> None:
    friends = pl.DataFrame({"user_id": ["a", "b"], "friend_id": ["b", "c"]})
    catalogue = old(social=friends, user_table=pl.DataFrame({"user_id": ["a", "b", "c"], "age": [1, 2, 3]}))
    store.append([event(1, "b", "2"), event(2, "a", "3")])
    store.erase_user("b")
    store.erase_item("1")
    log = log_of(store, event(3, "b", "2", value=5.0))
    found = learned(log, catalogue=catalogue)
    dataset = found.dataset()
    assert found.n_erased == 1
    assert pairs(dataset) == {("a", "2"): 1, ("c", "2"): 1, ("a", "3"): 1, ("b", "2"): 5}
    assert dataset.user_table is not None
    assert dataset.user_table["age"].to_list() == [1, None, 3]
    assert dataset.social is not None
    assert dataset.social.is_empty()
    assert dataset.items.ids.to_list() == [2, 3]


def test_an_erased_user_who_did_not_come_back_is_nobody(store: SqliteStore) -> None:
    store.append([event(1, "b", "2")])
    store.erase_user("b")
    dataset = learned(read_log(store)).dataset()
    assert dataset.users.ids.to_list() == ["a", "c"]
    assert "b" not in str(dataset.to_frame()["user_id"].to_list())


def test_friends_are_made_and_left(store: SqliteStore) -> None:
    catalogue = old(social=pl.DataFrame({"user_id": ["a", "b"], "friend_id": ["b", "c"]}))
    follow = event(1, "c", None, "follow", target_user_id="a")
    log = log_of(store, follow, event(2, "b", None, "unfollow", target_user_id="a"))
    again = Catalogue.of(learned(log, catalogue=catalogue).dataset())
    assert again.friends is not None
    assert again.friends.toarray().tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    assert Catalogue.of(learned(log).dataset()).friends is None, "a model that knows no friends is told of none"


def test_a_friend_of_the_log_is_no_friend_for_ever(store: SqliteStore) -> None:
    catalogue = old(social=pl.DataFrame({"user_id": ["a"], "friend_id": ["b"]}))
    follow = event(1, "c", None, "follow", target_user_id="a")
    found = learned(log_of(store, follow, event(2, "b", None, "follow", target_user_id="a")), catalogue=catalogue)
    dataset = found.dataset()
    assert dataset.social is not None
    assert dataset.social.height == 2, "a and b are friends already"
    kept = found.to_keep(dataset.users, dataset.items)
    assert kept["base_friends"].toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    log = log_of(store, event(3, "c", None, "unfollow", target_user_id="a"))
    base = Base.of_model(Catalogue.of(dataset), kept["base"], kept["base_friends"])
    again = Catalogue.of(learned_of(base, log, [], [], CleanConfig()).dataset())
    assert again.friends is not None
    assert again.friends.toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_labels_and_categories_are_attributes_where_the_table_has_them(store: SqliteStore) -> None:
    told = [
        StoredItem("2", labels={"title": "Deux", "colour": "red"}, categories=("z", "y")),
        StoredItem("9", labels={"name": "Nine", "Year": 9}),
        StoredItem("10", is_hidden=True),
    ]
    dataset = learned(log_of(store, event(1, "a", "10")), items=told).dataset()
    assert dataset.item_table is not None
    rows = dataset.item_table.sort("item_id").rows()
    assert rows == [
        (1, "One", "x", 1),
        (2, "Deux", "z|y", 2),
        (3, "Three", "x|y", 3),
        (9, "Nine", None, 9),
        (10, None, None, None),
    ]


def test_without_a_table_labels_make_one(store: SqliteStore) -> None:
    told = [StoredUser("a", labels={"age": 20, "interests": ["x", "y"]}), StoredUser("b", labels=["p", "q"])]
    table = learned(read_log(store), users=told).dataset().user_table
    assert table is not None
    assert table.rows() == [("a", 20, "x|y", None), ("b", None, None, "p|q"), ("c", None, None, None)]


def test_the_newest_are_held_out_and_nothing_else(store: SqliteStore) -> None:
    late = [event(50 - n, "a", str(10 + n)) for n in range(10)]  # the first to arrive is the latest
    found = learned(log_of(store, *late))
    newest = found.newest(0, 0.2, 100)
    assert sorted(newest["item_id"]) == ["10", "11"]
    assert ("a", "10") not in pairs(found.dataset(leave_out=newest))
    assert ("a", "12") in pairs(found.dataset(leave_out=newest))
    assert found.newest(9, 1.0, 100)["item_id"].to_list() == ["19"]
    assert found.newest(0, 1.0, 3).height == 3


def test_the_base_is_kept_apart_for_the_next_time(store: SqliteStore) -> None:
    found = learned(log_of(store, event(1, "a", "1"), event(2, "new", "2")))
    dataset = found.dataset()
    kept = found.to_keep(dataset.users, dataset.items)
    assert list(kept) == ["base"]
    assert kept["base"].toarray().tolist() == [[1, 1, 0], [3, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_whoever_has_too_few_interactions_in_all_is_left_out(store: SqliteStore) -> None:
    log = log_of(store, event(1, "c", "1"), event(2, "new", "1"))
    dataset = learned(log, CleanConfig(min_user_interactions=2)).dataset()
    assert {user for user, _ in pairs(dataset)} == {"a", "b", "c"}


@pytest.mark.parametrize("kind", ["exact", "other time"])
def test_the_same_event_under_two_ids_counts_as_in_a_log(kind: str, store: SqliteStore) -> None:
    one = Event("x", "a", "3", timestamp=1_700_000_000_000)
    two = Event("y", "a", "3", timestamp=1_700_000_000_000 + (kind != "exact"))
    assert pairs(learned(log_of(store, one, two)).dataset())["a", "3"] == (1 if kind == "exact" else 2)
