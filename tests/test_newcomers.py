"""What is known of newcomers, translated from ids; what cannot be used is said."""

import numpy as np
import polars as pl
import pytest

from edgewise.data import IdMap
from edgewise.errors import ConfigError, IdTypeError
from edgewise.newcomers import Newcomers

USERS = IdMap.of(pl.Series(["ann", "bob"]), "user")
ITEMS = IdMap.of(pl.Series([10, 20, 30]), "item")


def test_one_history_is_one_newcomer_and_a_list_of_them_several() -> None:
    assert len(Newcomers.of("user", USERS, ITEMS, history=[10, 30])) == 1
    several = Newcomers.of("user", USERS, ITEMS, history=[[10, 30], [20], []])
    np.testing.assert_array_equal(several.history.toarray(), [[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(several.has_history, [True, True, False])


def test_an_id_twice_counts_once_and_unknown_ids_are_left_out_and_counted() -> None:
    found = Newcomers.of("user", USERS, ITEMS, history=[[10, 10, 99], [20]], friends=[["ann"], ["zoe", "yan"]])
    assert found.history.toarray().tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found.friends is not None
    assert found.friends.toarray().tolist() == [[1, 0], [0, 0]]
    assert found.remarks == (
        "1 of the 3 items of the history is not known.",
        "2 of the 2 users of the friends are not known.",
    )
    assert found.known_by(0) == ("history", "friends")
    assert found.rows(np.array([1])).remarks == (found.remarks[1],)


def test_new_items_are_met_by_users() -> None:
    found = Newcomers.of("item", USERS, ITEMS, history=[["bob"]], attributes=[{"genre": "war"}])
    assert found.history.toarray().tolist() == [[0, 1]]
    assert found.known_by(0) == ("history", "attributes")


def test_attributes_of_one_or_several_become_a_table() -> None:
    one = Newcomers.of("user", USERS, ITEMS, attributes={"age": 25})
    assert one.attributes is not None
    assert one.attributes.to_dicts() == [{"age": 25}]
    two = Newcomers.of("user", USERS, ITEMS, attributes=[{"age": 25}, {"city": "Rome"}])
    assert two.attributes is not None
    assert two.attributes.to_dicts() == [{"age": 25, "city": None}, {"age": None, "city": "Rome"}]
    np.testing.assert_array_equal(
        Newcomers.of("user", USERS, ITEMS, attributes=[{}, {}]).has_attributes, [False, False]
    )


TABLE = pl.DataFrame({"user_id": ["ann", "bob"], "age": [20, 30], "gender": ["F", "M"], "Mood": ["so so", "fine"]})


def test_attributes_are_called_what_the_table_calls_them() -> None:
    given = Newcomers.of("user", USERS, ITEMS, attributes={"Sex": "F", "年龄": "25", "mood": "fine", "shoe": 3})
    named = given.named_as(TABLE).attributes
    assert named is not None
    assert named.to_dicts() == [{"gender": "F", "age": "25", "Mood": "fine", "shoe": 3}]
    twice = Newcomers.of("user", USERS, ITEMS, attributes={"sex": "F", "gender": "M", "Gender": "M"}).named_as(TABLE)
    assert twice.attributes is not None
    assert twice.attributes.columns == ["sex", "gender", "Gender"]


def test_a_value_that_training_never_saw_is_remarked_however_many_there_are() -> None:
    jobs = [f"job-{n}" for n in range(29)] + ["doctor"]
    table = pl.DataFrame({"user_id": range(30), "job": jobs, "film": ["Alien 3"] * 30})
    given = Newcomers.of(
        "user", USERS, ITEMS, attributes=[{"job": "docter"}, {"job": "doctor"}, {"film": "Heat"}, {"jop": "x"}]
    )
    assert given.remarked(("attributes",), table).remarks == (
        "Training never saw job 'docter'; it saw 30 others (did you mean 'doctor'?).",
        "",
        "",  # a text, of which a word may be known
        "There is no attribute 'jop' of users; there are job, film.",
    )


def test_what_will_not_be_used_is_remarked() -> None:
    given = Newcomers.of(
        "user", USERS, ITEMS, history=[[10], [10], []], friends=[["ann"], [], []],
        attributes=[{"age": "old", "gender": "f", "Mood": "bad"}, {"shoe": 3, "age": "31"}, {"age": 25}],
    )  # fmt: skip
    assert given.remarked(("history", "attributes"), TABLE).remarks == (
        "The model makes no use of friends. age 'old' is no number. Training never saw gender 'f'; there are F, M.",
        "There is no attribute 'shoe' of users; there are age, gender, Mood.",
        "",
    )
    assert given.remarked(("history",), TABLE).remarks == (
        "The model makes no use of attributes and friends.",
        "The model makes no use of attributes.",
        "",  # nothing is left to answer by, and the reason for that says so
    )
    assert given.remarked((), None).remarks == ("", "", "")


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({}, ConfigError, "nothing is given about the new user"),
        ({"history": [[10], [20]], "attributes": {"age": 3}}, ConfigError, "history of 2, attributes of 1"),
        ({"history": "10"}, ConfigError, "expected a list of ids"),
        ({"history": ["10"]}, IdTypeError, "item ids are integers"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Newcomers.of("user", USERS, ITEMS, **given)  # type: ignore[arg-type]


def test_items_have_no_friends() -> None:
    with pytest.raises(ConfigError, match="an item has none"):
        Newcomers.of("item", USERS, ITEMS, friends=[["ann"]])
