"""Inspecting: counts worked by hand, and every oddity planted and found, none where there is none."""

import json
from pathlib import Path

import pytest

from edgewise.data.inspect import Inspection, inspect_file
from edgewise.errors import DataError

DAY = 86_400


def written(path: Path, rows: list[tuple[object, ...]], header: str = "user_id,item_id,timestamp") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


def ordinary() -> list[tuple[object, ...]]:
    """30 users with 6 of 20 items each, an event every hour: nothing odd."""
    return [(f"u{user}", f"i{(user * 7 + n * 3) % 20}", 1_600_000_000 + 3600 * (user + 31 * n) + n) for user in range(30) for n in range(6)]  # fmt: skip


def test_counts(path: Path) -> None:
    rows: list[tuple[object, ...]] = [
        ("a", 1, 5, "view", 0),
        ("a", 1, 5, "view", 0),  # an exact repeat
        ("a", 1, 3, "buy", DAY),  # the same pair again
        ("a", 2, 4, "view", 2 * DAY),
        ("b", 1, 4, "view", 3 * DAY),
        ("", 1, 4, "view", 3 * DAY),  # nobody
    ]
    found = inspect_file(written(path, rows, "user,item,rating,event,time"))
    assert (found.rows, found.rows_dropped, found.n_events, found.n_pairs, found.repeated_pairs) == (6, 2, 4, 3, 1)
    assert (found.n_users, found.n_items, found.density) == (2, 2, 0.75)
    assert (found.first, found.last, found.span_days) == ("1970-01-01T00:00:00Z", "1970-01-04T00:00:00Z", 3.0)
    assert found.types == {"view": 3, "purchase": 1}
    assert found.values is not None
    assert found.values["common"][0] == [4.0, 2]
    rest = {name: value for name, value in found.values.items() if name != "common"}
    assert rest == {"min": 3.0, "median": 4.0, "mean": 4.0, "max": 5.0, "distinct": 3}
    assert (found.users_with_one, found.users_with_few, found.items_with_one, found.items_with_few) == (1, 2, 1, 2)
    assert found.events_per_user == {"min": 1.0, "median": 2.0, "mean": 2.0, "max": 3.0}
    assert found.columns == {
        "user_id": "user",
        "item_id": "item",
        "type": "event",
        "value": "rating",
        "timestamp": "time",
    }


def test_json_and_lines_say_the_same(path: Path) -> None:
    found = inspect_file(written(path, ordinary()))
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["n_users"] == 30
    lines = found.lines()
    assert "30 users, 20 items, 180 events of 180 pairs; density 30.000%." in lines
    assert any(line.startswith("Times go from 2020-09-13T12:26:40Z to ") for line in lines)


def test_an_ordinary_log_has_nothing_odd(path: Path) -> None:
    assert inspect_file(written(path, ordinary())).odd == ()


def with_rows(path: Path, rows: list[tuple[object, ...]], header: str = "user_id,item_id,timestamp") -> Inspection:
    return inspect_file(written(path, rows, header))


MACHINE: list[tuple[object, ...]] = [("bot", f"i{n % 20}", 1_700_000_000 + n // 3) for n in range(100)]


@pytest.mark.parametrize(
    ("rows", "odd"),
    [
        (ordinary() + MACHINE[:70], "1 user had more than 60 events in some minute, such as 'bot' (70 events in all)"),
        (ordinary() + MACHINE, "user 'bot' has 35.7% of all events (100); the median user has 6"),
        (ordinary() + [("null", f"i{n}", 1_600_000_000 + n * DAY) for n in range(61)], "user 'null' looks like a stand-in for an unknown user, with 61 events"),
        ([*ordinary(), ("U1", "i1", 1_600_000_000)], "user ids that differ from another only by case: 1, such as 'U1' and 'u1'"),
        ([(f"{user}.0", item, time) for user, item, time in (( row[0][1:], row[1], row[2]) for row in ordinary())], "of the user ids look like '0.0': integers that became decimals"),  # type: ignore[index]
        ([(f"x{n}", item, time) for n, (_, item, time) in enumerate(ordinary())], "100.0% of the users have one event only"),
        ([(user, item, DAY * 18_000 + DAY * n) for n, (user, item, _) in enumerate(ordinary())], "all times are at midnight, so they are days"),
        ([(user, item, 1_600_000_123) for user, item, _ in ordinary()], "timestamp is 2020-09-13T12:28:43Z in every row"),
        ([(user, item, 1_600_000_000 + 7 * int(str(user)[1:])) for user, item, _ in ordinary()], "100.0% of the users with several events have all of them at one time"),
    ],
)  # fmt: skip
def test_what_is_odd_is_told(path: Path, rows: list[tuple[object, ...]], odd: str) -> None:
    found = with_rows(path, rows)
    assert any(odd in text for text in found.odd), found.odd


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([3] * 180, "value is 3 in every row, so it says nothing"),
        ([1] * 179 + [5000], "the highest value, 5000, is 5,000 times the median 1"),
        ([4, -1] * 90, "90 of 180 rows (50.0 %) have a negative value; the first is row 2 (value -1). A fit refuses them until [clean] negative"),
    ],
)  # fmt: skip
def test_odd_values_are_told(path: Path, values: list[float], odd: str) -> None:
    rows: list[tuple[object, ...]] = [
        (user, item, value) for (user, item, _), value in zip(ordinary(), values, strict=True)
    ]
    found = with_rows(path, rows, "user_id,item_id,rating")
    assert any(odd in text for text in found.odd), found.odd


def test_baskets_are_not_machines(path: Path) -> None:
    """A basket of 80 lines is logged at one time: one act, not eighty."""
    rows = [(f"u{user}", f"i{(user + n) % 97}", 1_600_000_000 + user * 3600) for user in range(30) for n in range(80)]
    assert not any("in some minute" in text for text in with_rows(path, list(rows)).odd)


def test_items_of_one_name_are_told(path: Path) -> None:
    items = path.with_name("items.csv")
    items.write_text("item_id,title\n" + "".join(f"i{n},{'Same' if n in (3, 4) else f'T{n}'}\n" for n in range(20)))
    found = inspect_file(written(path, ordinary()), items=items)
    assert found.odd == ("2 items share their title with another, such as 'Same': one thing under several ids?",)


def test_a_random_split_of_rows_would_put_repeated_pairs_on_both_sides(path: Path) -> None:
    """Every pair twice: a test row's twin is in training with probability 0.8."""
    rows = [(user, item, time + again) for user, item, time in ordinary() for again in (0, 7)]  # type: ignore[operator]
    risks = {risk.split: risk for risk in with_rows(path, list(rows)).splits}
    assert risks["rows"].share == pytest.approx(0.8)
    assert "80.0% of the test rows would be of a pair that training has too" in risks["rows"].text


def test_a_random_split_would_train_on_the_future(path: Path) -> None:
    risks = {risk.split: risk for risk in with_rows(path, ordinary()).splits}
    assert set(risks) == {"random", "time"}
    assert 0.2 < risks["random"].share < 0.8
    assert "of the training events would be later than an event of the same user" in risks["random"].text


def test_a_split_by_time_tells_how_many_are_new(path: Path) -> None:
    """The last fifth is of users and items that the time before does not know."""
    rows = [(f"u{n % 8}", f"i{n % 5}", 1_600_000_000 + n) for n in range(80)]
    rows += [(f"new{n % 4}", f"i{n % 5}", 1_600_001_000 + n) for n in range(20)]
    risks = {risk.split: risk for risk in with_rows(path, list(rows)).splits}
    assert risks["time"].share == 1.0
    assert "100.0 % of the later events are of users and 0.0 % of items that came after it" in risks["time"].text


def test_a_log_that_cannot_be_read_is_refused_as_ever(path: Path) -> None:
    path.write_text("a,b\nx,y\n")
    with pytest.raises(DataError, match="no column of users was found"):
        inspect_file(path)


def returns(n: int) -> bool:
    return n % 9 == 8


def test_what_came_back_is_odd(path: Path) -> None:
    rows = [(f"u{n % 30}", f"i{n % 7}", 1_600_000_000 + 90_000 * n, f"{'C' if returns(n) else ''}{5000 + n}", -1 if returns(n) else 2) for n in range(100)]  # fmt: skip
    [odd] = [line for line in inspect_file(written(path, list(rows), "CustomerID,StockCode,InvoiceDate,InvoiceNo,Quantity")).odd if "begins with C" in line]  # fmt: skip
    assert odd.startswith(
        "11 of 100 rows (11.0 %) have a negative 'Quantity', as returns do; the first is row 9 (-1). 11 of them"
    )
    assert "--set data.value=Quantity --set clean.negative=drop" in odd
    written(path, [row[:4] for row in rows], "CustomerID,StockCode,InvoiceDate,InvoiceNo")
    [odd] = [line for line in inspect_file(path).odd if "cancellations" in line]
    assert odd.startswith(
        "11 of 100 rows (11.0 %) have 'InvoiceNo' beginning with C, as cancellations do, such as 'C5008'."
    )


def test_sessions_that_begin_with_a_letter_are_no_cancellations(path: Path) -> None:
    rows = [(f"u{n % 30}", f"i{n % 7}", 1_600_000_000 + 90_000 * n, f"{'CD'[n % 2]}{n}", "x" if n else "") for n in range(100)]  # fmt: skip
    odd = inspect_file(written(path, list(rows), "CustomerID,StockCode,InvoiceDate,InvoiceNo,Quantity")).odd
    assert not any("cancellations" in line or "Quantity" in line for line in odd)


def test_one_is_not_counted_as_several(path: Path) -> None:
    lines = inspect_file(written(path, [("a", 1, DAY)])).lines()
    assert "1 user, 1 item, 1 event of 1 pair; density 100.000%." in lines
    assert "Cleaning kept the only row." in lines
