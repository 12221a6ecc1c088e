"""Cleaning: every step does what its setting says, counts what it drops, and names the first row."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from edgewise.config import make
from edgewise.data.clean import CleanConfig, CleanReport, clean_events, k_core
from edgewise.errors import ConfigError, DataError, IdTypeError

NOW = 1_700_000_000_000  # 2023-11-14
SECOND = 1000


def log(rows: list[tuple[Any, ...]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["user_id", "item_id", *columns], orient="row")


def cleaned(events: pl.DataFrame, **settings: Any) -> tuple[pl.DataFrame, CleanReport]:
    return clean_events(events, CleanConfig(**settings), now=NOW)


def test_a_clean_log_is_left_as_it_is() -> None:
    events = log([("a", 1, 5.0, NOW), ("a", 2, 4.0, NOW), ("b", 1, 3.0, NOW - 5)], "value", "timestamp")
    left, report = cleaned(events)
    assert left.equals(events)
    assert report.lines() == ("Cleaning kept all 3 rows.",)


def test_an_event_that_undoes_takes_back_the_latest_of_its_kind_before_it() -> None:
    rows = [
        ("a", 1, "like", NOW - 5),
        ("a", 1, "unlike", NOW - 4),
        ("a", 1, "like", NOW - 3),  # liked again: stays
        ("a", 2, "like", NOW),  # later in time than its undoing, though above it: stays
        ("a", 2, "unlike", NOW - 9),
        ("b", 1, "purchase", NOW - 3),  # bought twice, one brought back: the first stays
        ("b", 1, "purchase", NOW - 2),
        ("b", 1, "refund", NOW - 1),
        ("b", 1, "like", NOW - 2),  # another kind
        ("b", 2, "unlike", NOW),  # nothing to take back
    ]
    events = log(rows, "type", "timestamp")
    left, report = cleaned(events)
    assert left.rows() == [rows[2], rows[3], rows[5], rows[8]]
    assert report.lines()[1].startswith(
        "Dropped 6 of 10 rows (60.0 %) taken back by a later event, or that take one back"
    )
    assert "[clean] undo = 'apply'" in report.lines()[1]
    assert cleaned(events, undo="keep")[0].equals(events)


def test_kinds_that_were_applied_are_not_there_to_choose() -> None:
    events = log([("a", 1, "like"), ("a", 1, "unlike"), ("a", 2, "like")], "type")
    with pytest.raises(DataError, match=r"'unlike', which the log does not have; .* undo = 'keep' to keep them"):
        cleaned(events, types=("unlike",))
    assert cleaned(events, types=("unlike",), undo="keep")[0]["item_id"].to_list() == [1]


def test_without_times_undoing_goes_by_the_order_of_rows() -> None:
    left, _ = cleaned(log([("a", 1, "unfollow"), ("a", 1, "follow"), ("a", 2, "follow"), ("a", 2, "unfollow")], "type"))
    assert left.rows() == [("a", 1, "follow")]


def test_a_refund_may_have_a_negative_value() -> None:
    left, _ = cleaned(
        log([("a", 1, "purchase", 9.0), ("a", 1, "refund", -9.0), ("a", 2, "purchase", 1.0)], "type", "value")
    )
    assert left["item_id"].to_list() == [2]


def test_every_row_is_accounted_for_in_the_report() -> None:
    events = log(
        [
            (None, 1, 5.0, NOW),
            ("a", None, 5.0, NOW),
            ("", 7, 5.0, NOW),
            ("a", 2, float("nan"), NOW),
            ("a", 2, float("inf"), NOW),
            ("a", 3, None, NOW),
            ("a", 4, 4.0, None),
            ("a", 4, 4.0, -1),
            ("a", 4, 4.0, NOW + 3 * 86_400_000),
            ("b", 4, 4.0, NOW),
            ("b", 4, 4.0, NOW),
            ("b", 5, 2.0, NOW + SECOND),
        ],
        "value",
        "timestamp",
    )
    left, report = cleaned(events, min_value=3)
    assert left.rows() == [("b", 4, 4.0, NOW)]
    assert report.before - sum(step.dropped for step in report.steps) == report.after == 1
    assert report.lines() == (
        "Cleaning kept 1 of 12 rows (8.3 %).",
        (
            "Dropped 3 of 12 rows (25.0 %) without a user id or an item id ([clean] missing = 'drop'). "
            "First: row 1 (user_id missing, item_id 1, value 5.0, timestamp 2023-11-14T22:13:20Z)."
        ),
        (
            "Dropped 1 of 9 rows (11.1 %) without a time ([clean] missing_time = 'drop'). "
            "First: row 7 (user_id a, item_id 4, value 4.0, timestamp missing)."
        ),
        (
            "Dropped 2 of 8 rows (25.0 %) from before 1970 or from the future ([clean] impossible_times = 'drop'). "
            "First: row 8 (user_id a, item_id 4, value 4.0, timestamp 1969-12-31T23:59:59Z)."
        ),
        (
            "Filled in 1 of 6 rows (16.7 %) without a value ([clean] missing_value = 'fill', fill_value = 1.0). "
            "First: row 6 (user_id a, item_id 3, value missing, timestamp 2023-11-14T22:13:20Z)."
        ),
        (
            "Dropped 2 of 6 rows (33.3 %) with a value that is not a finite number ([clean] non_finite = 'drop'). "
            "First: row 4 (user_id a, item_id 2, value nan, timestamp 2023-11-14T22:13:20Z)."
        ),
        (
            "Dropped 2 of 4 rows (50.0 %) with a value below 3 ([clean] min_value = 3.0). "
            "First: row 6 (user_id a, item_id 3, value 1.0, timestamp 2023-11-14T22:13:20Z)."
        ),
        (
            "Merged 1 of 2 rows (50.0 %) that repeat an earlier row in every column read ([clean] exact_repeats = 'merge'). "
            "First: row 11 (user_id b, item_id 4, value 4.0, timestamp 2023-11-14T22:13:20Z)."
        ),
    )
    assert json.loads(json.dumps(report.to_json()))["steps"][0]["dropped"] == 3


REPEATS = log([("a", 1, 1.0, 30), ("b", 1, 1.0, 5), ("a", 1, 5.0, 10), ("a", 1, 2.0, 20)], "value", "timestamp")


@pytest.mark.parametrize(
    ("how", "value", "time"), [("first", 5.0, 10), ("last", 1.0, 30), ("sum", 8.0, 30), ("max", 5.0, 10)]
)
def test_repeated_pairs_become_one(how: str, value: float, time: int) -> None:
    left, report = cleaned(REPEATS, repeated_pairs=how)
    assert sorted(left.rows()) == [("a", 1, value, time), ("b", 1, 1.0, 5)]
    assert report.steps[-1].dropped == 2


def test_repeated_pairs_are_kept_by_default_and_told_apart_by_type() -> None:
    assert cleaned(REPEATS)[0].equals(REPEATS)
    events = log([("a", 1, "view"), ("a", 1, "cart"), ("a", 1, "view")], "type")
    left, report = cleaned(events, exact_repeats="keep", repeated_pairs="sum")
    assert sorted(left.rows()) == [("a", 1, "cart", 1.0), ("a", 1, "view", 2.0)]
    assert "of a user-item-type that has others ([clean] repeated_pairs = 'sum')" in report.lines()[1]


def test_exact_repeats_compare_every_column_even_where_times_are_not_in_order() -> None:
    events = log([("a", 1, 9), ("b", 1, 3), ("a", 1, 9), ("a", 1, 3), ("a", 2, 9)], "timestamp")
    assert cleaned(events)[0].rows() == [("a", 1, 9), ("b", 1, 3), ("a", 1, 3), ("a", 2, 9)]
    assert cleaned(events.sort("timestamp"))[0].height == 4
    assert cleaned(events, exact_repeats="keep")[0].height == 5


def test_outliers_go_by_quantile_or_by_the_middle_half_and_within_their_type() -> None:
    values = [*map(float, range(1, 101)), 10_000.0]
    events = log([("a", item, value) for item, value in enumerate(values)], "value")
    for settings in ({"outliers": "quantile", "outlier_quantile": 0.99}, {"outliers": "iqr"}):
        left, report = cleaned(events, **settings)
        assert left["value"].max() == 100.0
        assert "with a value above" in report.lines()[1]
    typed = events.with_columns(type=pl.lit("seconds")).vstack(
        log([("b", 1, 5e6, "cents"), ("b", 2, 5e6, "cents")], "value", "type")
    )
    assert sorted(cleaned(typed, outliers="iqr")[0]["value"].top_k(3)) == [100.0, 5e6, 5e6]


def test_the_middle_half_rule_says_nothing_where_most_values_are_equal() -> None:
    events = log([("a", item, 1.0 if item < 90 else 2.0) for item in range(100)], "value")
    assert cleaned(events, outliers="iqr")[0].height == 100


@pytest.mark.parametrize(("limit", "left"), [(4, {"person"}), (5, {"person", "machine"})])
def test_users_with_inhuman_rates_are_dropped_whole(limit: int, left: set[str]) -> None:
    # Five events within 60 s, across a full minute; the person has as many, but slowly.
    burst = [("machine", item, 45 * SECOND + item * 10 * SECOND) for item in range(5)] + [("machine", 9, 10**9)]
    slow = [("person", item, item * 20 * SECOND) for item in range(6)]
    kept, report = cleaned(log(burst + slow, "timestamp"), max_events_per_minute=limit)
    assert set(kept["user_id"]) == left
    if limit == 4:
        assert "Dropped 6 of 12 rows (50.0 %) of 1 user with more than 4 events in a minute" in report.lines()[1]
    assert cleaned(log(burst + slow, "timestamp"), max_events_per_day=6)[0].height == 12


def test_only_the_wanted_types_stay_and_a_missing_type_gets_a_name() -> None:
    events = log([("a", 1, "view"), ("a", 2, "buy"), ("a", 3, None)], "type")
    assert cleaned(events, types=("buy", "interaction"))[0]["item_id"].to_list() == [2, 3]
    with pytest.raises(
        DataError, match=r"names 'bye', which the log does not have; it has 'buy', 'interaction', 'view'"
    ):
        cleaned(events, types=("bye",))
    enum = events.filter(pl.col("type").is_not_null()).with_columns(pl.col("type").cast(pl.Enum(["buy", "view"])))
    assert cleaned(enum, types=("view",))[0].rows() == [("a", 1, "view")]


CORE = log([("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1), ("c", 3), ("d", 3), ("d", 3)])


def test_the_core_is_what_is_left_when_no_more_has_to_go() -> None:
    # d met one item, twice; without d, item 3 has one user; without item 3, c has one item.
    left, report = cleaned(CORE, exact_repeats="keep", min_user_interactions=2, min_item_interactions=2)
    assert left.rows() == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert "of users with fewer than 2 items or items with fewer than 2 users, in 3 rounds" in report.lines()[1]


pairs_of_ids = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60)


@examples(deadline=None, max_examples=60)
@given(pairs_of_ids, st.integers(0, 4), st.integers(0, 4))
def test_the_core_is_a_fixed_point_and_holds_every_set_that_could_stay(
    rows: list[tuple[int, int]], least_user: int, least_item: int
) -> None:
    users, items = (np.array(side, dtype=np.int64) for side in zip(*rows, strict=True))
    keep, _ = k_core(users, items, least_user, least_item)
    kept = {row for row, stays in zip(rows, keep, strict=True) if stays}
    for user, item in kept:
        assert sum(other[0] == user for other in kept) >= least_user
        assert sum(other[1] == item for other in kept) >= least_item
    again, rounds = k_core(users[keep], items[keep], least_user, least_item)
    assert again.all()
    assert rounds == 0
    # Slow and plain: take one that is too few away at a time, in another order; the end is the same.
    slow = set(rows)
    while bad := next(
        (
            row
            for row in sorted(slow)
            if sum(o[0] == row[0] for o in slow) < least_user or sum(o[1] == row[1] for o in slow) < least_item
        ),
        None,
    ):
        slow.remove(bad)
    assert kept == slow


@examples(deadline=None, max_examples=60)
@given(pairs_of_ids)
def test_merging_exact_repeats_keeps_the_first_of_each(rows: list[tuple[int, int]]) -> None:
    assert cleaned(log(rows))[0].rows() == list(dict.fromkeys(rows))


@examples(deadline=None, max_examples=60)
@given(pairs_of_ids, st.sampled_from(["first", "last", "sum", "max"]))
def test_cleaning_twice_changes_nothing_more(rows: list[tuple[int, int]], how: str) -> None:
    events = log([(user, item, float(place % 3)) for place, (user, item) in enumerate(rows)], "value")
    once, _ = cleaned(events, repeated_pairs=how)
    assert cleaned(once, repeated_pairs=how)[0].equals(once)


BAD = [
    ("negative values", [("a", 1, 5.0), ("b", 2, -3.0), ("b", 3, -1.0)], {},
     r"row 2 \(user_id b, item_id 2, value -3\.0\): 2 rows with a negative value\. Set \[clean\] negative = 'drop'"),
    ("nothing above the threshold", [("a", 1, 3.0)], {"min_value": 4},
     r"cleaning left nothing: \[clean\] min_value = 4\.0 took away the only row, with a value below 4, such as row 1 .*The highest value is 3\."),
    ("nothing left after an earlier step", [("a", 1, 3.0), (None, 1, 5.0)], {"min_value": 4},
     r"min_value = 4\.0 took away the last 1 of 2 rows, those with a value below 4"),
    ("a core that is too large", [("a", 1, 3.0)], {"min_user_interactions": 2},
     r"min_user_interactions = 2, min_item_interactions = 0 took away .* of users with fewer than 2 items, .*Lower these numbers"),
    ("missing ids that may not be", [("a", None, 3.0)], {"missing": "raise"},
     r"row 1 \(user_id a, item_id missing, value 3\.0\): 1 row without a user id or an item id\. Set \[clean\] missing = 'drop'"),
    ("NaN that may not be", [("a", 1, float("nan"))], {"non_finite": "raise"}, r"row 1 .*value nan\): 1 row with a value that is not"),
    ("a rate without times", [("a", 1, 3.0)], {"max_events_per_day": 9},
     r"max_events_per_day needs the column 'timestamp', which the log does not have \(it has user_id, item_id, value\)"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "settings", "text"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_data_are_told_in_words(rows: list[tuple[Any, ...]], settings: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        cleaned(log(rows, "value"), **settings)


def test_times_all_out_of_range_point_at_the_unit() -> None:
    events = log([("a", 1, NOW * 1000)], "timestamp")
    with pytest.raises(DataError, match=r"took away the only row, from before 1970 .*set time_unit in \[data\]"):
        cleaned(events)
    assert cleaned(events, impossible_times="keep")[0].height == 1


def test_wrong_columns_are_named() -> None:
    with pytest.raises(DataError, match="no column 'item_id'; their columns are user_id, thing"):
        clean_events(pl.DataFrame({"user_id": [1], "thing": [2]}))
    with pytest.raises(DataError, match="the column 'timestamp' holds String; cleaning expects whole numbers"):
        clean_events(log([(1, 2, "2020")], "timestamp"))
    with pytest.raises(IdTypeError, match="user ids must be text or 64-bit integers"):
        clean_events(log([(1.5, 2)]))


def test_negative_values_can_be_dropped_or_meant() -> None:
    events = log([("a", 1, 5.0), ("b", 2, -3.0)], "value")
    assert cleaned(events, negative="drop")[0]["value"].to_list() == [5.0]
    assert cleaned(events, negative="keep")[0]["value"].to_list() == [5.0, -3.0]


def test_unknown_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="unknown setting 'dedupe'; there are missing, undo, types"):
        make(CleanConfig, {"dedupe": True}, where="[clean]")
