"""Ids, numbers, yes and no, lengths of time: read as people write them, or refused by row."""

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.data.values import durations, ids, is_yes_no, numbers, unit_in_header, yes_no
from edgewise.errors import DataError


def text(*values: str | None) -> pl.Series:
    return pl.Series("x", values, dtype=pl.String)


integers = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(integers, min_size=1))
def test_64_bit_integers_survive(values: list[int]) -> None:
    read, _ = ids(text(*map(str, values)))
    assert read.dtype == pl.Int64
    assert read.to_list() == values


@given(st.lists(integers | st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=8), min_size=1))
def test_ids_come_back_as_they_were_written(values: list[int | str]) -> None:
    written = [str(value) for value in values]
    read, _ = ids(text(*written))
    assert read.cast(pl.String).to_list() == [value or None for value in written]


@pytest.mark.parametrize("odd", ["007", "1.0", "+1", "-0", "1e3", "9223372036854775808", "0x10", "１"])
def test_one_value_that_is_no_canonical_integer_keeps_all_as_text(odd: str) -> None:
    assert ids(text("1", odd, "2"))[0].to_list() == ["1", odd, "2"]


@pytest.mark.parametrize(
    ("column", "expected", "note"),
    [
        (text("1", None, "2"), [1, None, 2], ""),
        (text(" a", "b ", "  "), ["a", "b", None], "spaces around 3 ids"),
        (pl.Series("x", [1, 2], dtype=pl.UInt8), [1, 2], ""),
        (pl.Series("x", [2**63], dtype=pl.UInt64), [str(2**63)], ""),
        (pl.Series("x", [17850.0, None, math.nan]), [17850, None, None], "17850.0 is 17850"),
        (pl.Series("x", ["a", "b", "a"], dtype=pl.Categorical), ["a", "b", "a"], ""),
        (pl.Series("x", [None, None]), [None, None], ""),
    ],
)
def test_ids_of_other_types(column: pl.Series, expected: list[Any], note: str) -> None:
    read, notes = ids(column)
    assert read.to_list() == expected
    assert note in "".join(notes)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.Series("user", [1.0, 1.5]), r"row 2: user '1.5' cannot be an id \(1 such row of 2\)"),
        (pl.Series("user", [True]), "user holds Boolean; ids are text or 64-bit integers"),
        (pl.Series("user", [[1]]), r"user holds List\(Int64\)"),
    ],
)
def test_what_cannot_be_an_id_is_refused(column: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ids(column)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["1", "2.5", "-3", "1e3"], [1, 2.5, -3, 1000]),
        (["1,234", "1,234,567.5", "12"], [1234, 1234567.5, 12]),
        (["3,5", "4,25", "1,234"], [3.5, 4.25, 1.234]),
        (["¥99", "$1,000", "12.5元", "€ 3", "￥１２"], [99, 1000, 12.5, 3, 12]),
        (["5星", "4 stars", "3分"], [5, 4, 3]),
        (["", "NA", "null", None, "-", "4"], [None, None, None, None, None, 4]),
        (["是", "否", None], [1, 0, None]),
        (["inf", "-inf"], [math.inf, -math.inf]),
    ],
)
def test_numbers_as_people_write_them(written: list[str | None], expected: list[float | None]) -> None:
    assert numbers(text(*written)).to_list() == expected


def test_nan_stays_nan_for_cleaning_to_count() -> None:
    assert numbers(text("nan", "NaN")).is_nan().all()


def test_a_word_among_numbers_is_refused_by_row() -> None:
    with pytest.raises(
        DataError,
        match=r"row 2: x 'good' is not a number \(2 such rows of 3\). Expected a number such as 4.*with nothing after the = none is read",
    ):
        numbers(text("1", "good", "bad"))


@pytest.mark.parametrize(
    "written", [("是", "否"), ("yes", "No"), ("TRUE", "false"), ("1", "0"), ("1.0", "0.0"), ("Y", "n")]
)
def test_yes_and_no(written: tuple[str, str]) -> None:
    assert yes_no(text(*written, None, "")).to_list() == [True, False, None, None]


def test_neither_yes_nor_no_is_refused_by_row() -> None:
    with pytest.raises(DataError, match=r"row 2: x '也许' is neither yes nor no .* Expected 是/否, yes/no"):
        yes_no(text("是", "也许"))


def test_ones_and_zeros_are_numbers_before_they_are_yes_and_no() -> None:
    assert not is_yes_no(text("1", "0"))
    assert is_yes_no(text("1", "否"))
    assert not is_yes_no(text("是", "12"))
    assert not is_yes_no(text(None, ""))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        *[("30分钟", 1800), ("1小时20分", 4800), ("45秒", 45), ("2天", 172800), ("1个小时", 3600), ("１０分钟", 600)],
        *[("90s", 90), ("2 min", 120), ("1.5h", 5400), ("1 h 5 min 3 s", 3903), ("2 Hours", 7200), ("500ms", 0.5)],
        *[("1:30", 90), ("1:02:03", 3723), ("0:00.5", 0.5), ("90", 90), ("12.5", 12.5), ("", None), ("NA", None)],
    ],
)
def test_lengths_of_time(written: str, seconds: float | None) -> None:
    assert durations(text(written)).to_list() == [pytest.approx(seconds)]


@given(st.integers(0, 40), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_length_of_time_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    for written in (
        f"{days}天{hours}小时{minutes}分钟{seconds}秒",
        f"{days}d {hours}h {minutes}m {seconds}s",
        f"{days * 24 + hours}:{minutes:02}:{seconds:02}",
    ):
        assert durations(text(written))[0] == expected


@pytest.mark.parametrize("written", ["soon", "分钟", "5分钟3小时", "12:", "1,5 h", "-5 min"])
def test_what_is_no_length_of_time_is_refused_by_row(written: str) -> None:
    with pytest.raises(DataError, match=r"row 2: x '.*' is not a length of time"):
        durations(text("5", written))


def test_the_unit_of_bare_numbers_may_stand_in_the_header() -> None:
    assert durations(text("5"), unit_s=unit_in_header("阅读时长(分钟)") or 1.0)[0] == 300
    assert unit_in_header("dwell_time_ms") == 0.001
    assert unit_in_header("duration [h]") == 3600
    assert unit_in_header("read_time") is None
    assert unit_in_header("minutes") is None
