"""Times: the unit told by size, dates in many spellings, and no silent mixture."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.data.times import looks_like_moments, moment, moments, written
from edgewise.errors import DataError

MOMENT = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
MS = int(MOMENT.timestamp() * 1000)
MIDNIGHT = MS - (8 * 60 + 26) * 60_000


def text(*values: str | None) -> pl.Series:
    return pl.Series("time", values, dtype=pl.String)


def test_the_unit_is_told_by_the_size_of_numbers() -> None:
    for per_second, unit in (
        (1, "seconds"),
        (1_000, "milliseconds"),
        (1_000_000, "microseconds"),
        (10**9, "nanoseconds"),
    ):
        number = MS * per_second // 1000
        read = moments(pl.Series("time", [number, 0]))
        assert read.values.to_list() == [MS, 0]
        assert read.notes == (f"time: numbers of this size count {unit}.",)
        assert moments(text(str(number))).values.to_list() == [MS]


@given(st.lists(st.integers(10**8, 4 * 10**9), min_size=1), st.sampled_from([1, 1_000, 1_000_000]))
def test_seconds_of_this_century_come_back_in_any_unit(seconds: list[int], factor: int) -> None:
    assert moments(pl.Series("t", [value * factor for value in seconds])).values.to_list() == [
        v * 1000 for v in seconds
    ]


@given(st.integers(10**11, 7 * 10**12), st.integers(-12 * 60, 14 * 60))
def test_iso_8601_with_a_zone_is_that_moment(since_1970_ms: int, offset_min: int) -> None:
    zone = timezone(timedelta(minutes=offset_min))
    moment = datetime.fromtimestamp(0, tz=zone) + timedelta(milliseconds=since_1970_ms)
    assert moments(text(moment.isoformat())).values[0] == since_1970_ms


@pytest.mark.parametrize(
    "written",
    [
        *[
            "2010-12-01 08:26:00",
            "2010-12-01T08:26:00Z",
            "2010-12-01T08:26:00.000",
            "2010-12-01 08:26",
            "2010/12/01 08:26",
        ],
        *[
            "2010-12-01T16:26:00+08:00",
            "2010-12-01 03:26:00 -0500",
            "2010/12/1 8:26",
            "2010.12.1 8:26:00",
            "20101201082600",
        ],
        *[
            "2010年12月1日 8:26",
            "2010年12月01日08时26分",
            "2010年12月1日 8点26分00秒",
            "1 Dec 2010 08:26:00",
            "2010-12-01 08:26 AM",
        ],
        *["Dec 1, 2010 08:26:00", "1291191960", "1291191960.0", "1291191960000", "2010-12-01 08:26:00 UTC"],
    ],
)
def test_a_moment_in_many_spellings(written: str) -> None:
    assert moments(text(written, None, "")).values.to_list() == [MS, None, None]


@pytest.mark.parametrize(
    ("written", "expected", "note"),
    [
        (["12/1/2010 8:26", "12/13/2010 8:26"], MS, None),
        (["1/12/2010 8:26", "13/12/2010 8:26"], MS, None),
        (["1.12.2010 8:26", "31.12.2010 8:26"], MS, None),
        (
            ["12/1/2010 8:26"],
            MS,
            "nothing tells whether day or month comes first .* '12/1/2010 8:26'",
        ),
        (["12/1/10"], MIDNIGHT, "they were read as month first"),
    ],
)
def test_day_and_month_are_told_apart_or_it_is_said(written: list[str], expected: int, note: str | None) -> None:
    read = moments(text(*written))
    assert read.values[0] == expected
    if note is None:
        assert read.notes == ("time: times without a zone were taken as UTC.",)
    else:
        assert re.search(note, read.notes[0])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series("t", [MOMENT.replace(tzinfo=None)]), MS),
        (pl.Series("t", [MOMENT]).dt.convert_time_zone("Asia/Shanghai"), MS),
        (pl.Series("t", [date(2010, 12, 1)]), MIDNIGHT),
        (pl.Series("t", [MS / 1000]), MS),
        (pl.Series("t", [float("nan")]), None),
        (pl.Series("t", ["20101201", "20101231"]), MIDNIGHT),
        (pl.Series("t", ["2010-12-01 08:26:00"], dtype=pl.Categorical), MS),
    ],
)
def test_columns_of_other_types(column: pl.Series, expected: int | None) -> None:
    assert moments(column).values[0] == expected


def test_a_unit_that_is_named_is_taken_at_its_word() -> None:
    assert moments(pl.Series("t", [5, 10**12]), "ms").values.to_list() == [5, 10**12]
    assert moments(pl.Series("t", [5_000_000]), "us").values.to_list() == [5_000]
    assert moments(pl.Series("t", [10**18]), "s").values[0] > 10**18  # beyond what fits; cleaning drops it


def test_impossible_times_are_kept_for_cleaning() -> None:
    assert moments(pl.Series("t", [-5, 10**10])).values.to_list() == [-5_000, 10**13]


_MIXED = (
    r"time mixes units: row 1 has 1600000000, the size of seconds, and row 2 has 1600000000000, the size of milliseconds. "
    r"Bring all times to one unit; if all of them count one and the same, say so with time_unit = 'ms' in \[data\]"
)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            pl.Series("time", [1_600_000_000, 1_600_000_000_000]),
            _MIXED,
        ),
        (
            text("1600000000000000", "1600000000"),
            "row 2 has '1600000000', the size of seconds, and row 1 .* microseconds",
        ),
        (
            text("2020-01-01", "1600000000"),
            "time mixes numbers and text: row 2 has '1600000000', row 1 has '2020-01-01'",
        ),
        (
            text("13/1/2020", "1/13/2020"),
            "mixes two orders of day and month: row 1 has '13/1/2020', row 2 has '1/13/2020'",
        ),
        (
            text("2020-01-01", "2020-02-30"),
            r"row 2: time '2020-02-30' is not a time \(1 such row of 2\). Expected 2024-05-31 08:26:00",
        ),
        (text("yesterday"), "row 1: time 'yesterday' is not a time"),
        (pl.Series("time", [True]), "time holds Boolean; expected times as numbers, text or dates"),
    ],
)
def test_mixtures_and_nonsense_are_refused(column: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        moments(column)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-01-01 10:00", "2024-01-02"], True),
        (["1600000000"], True),
        (["30分钟", "1小时"], False),
        (["1800", "20"], False),
        ([1_600_000_000_000], True),
        ([], False),
    ],
)
def test_moments_are_told_from_lengths_of_time(values: list[Any], expected: bool) -> None:
    assert looks_like_moments(pl.Series("阅读时间", values)) is expected


@pytest.mark.parametrize(
    "value", [1_717_143_960, 1_717_143_960_000, "1717143960", "2024-05-31T08:26:00Z", "20240531082600", "20240531"]
)
def test_one_time_is_read_as_a_column_of_it_is(value: int | str) -> None:
    assert moment(value) == moments(pl.Series("t", [value])).values[0]


@pytest.mark.parametrize(
    "value", ["", "soon", -1, float("nan"), "2024-13-01", 10**30, "31/05/2024", "1e9", "１７１７１４３９６０"]
)
def test_what_is_no_single_time_is_refused(value: float | str) -> None:
    with pytest.raises(DataError, match="is not a time from 1970 to 9999; expected one as 2024-05-31T08:26:00Z"):
        moment(value)


@given(st.integers(0, 253_402_300_799_999))
def test_a_written_time_is_read_again(time_ms: int) -> None:
    assert moment(written(time_ms)) == time_ms
