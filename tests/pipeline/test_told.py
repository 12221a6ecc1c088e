"""What is told of items, in the columns that the model's items have."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from edgewise.pipeline.item_times import item_times
from edgewise.pipeline.told import with_told
from edgewise.store import StoredItem

DAY_MS = 86_400_000
FIRST, TOLD = 9131 * DAY_MS, 19_874 * DAY_MS  # 1 January 1995, 31 May 2024


@pytest.mark.parametrize(
    "first",
    [
        "1995-01-01",
        "1995-01-01T00:00:00",
        date(1995, 1, 1),
        datetime(1995, 1, 1),  # noqa: DTZ001 - as a table without zones has it
        datetime(1995, 1, 1, tzinfo=UTC),
        FIRST,
        float(FIRST),
    ],
)
def test_when_an_item_came_is_told_in_the_column_of_times(first: Any) -> None:
    table = pl.DataFrame({"item_id": ["a", "b"], "release_date": [first, first]})
    told = [StoredItem("b", timestamp=TOLD), StoredItem("c", timestamp=TOLD), StoredItem("d", categories=("x",))]
    found = with_told(table, told, "item")
    assert found is not None
    assert found.schema["release_date"] == table.schema["release_date"]
    times = item_times(found)
    assert times is not None
    by_item = dict(zip(found["item_id"], times.tolist(), strict=True))
    assert (by_item["a"], by_item["b"], by_item["c"]) == (FIRST, TOLD, TOLD)


def test_labels_come_before_the_time_and_no_column_is_made_for_it() -> None:
    table = pl.DataFrame({"item_id": ["a"], "date": ["2000-01-01"]})
    told = [StoredItem("a", timestamp=TOLD, labels={"date": "2001-01-01"})]
    found = with_told(table, told, "item")
    assert found is not None
    assert found["date"].to_list() == ["2001-01-01"]
    plain = pl.DataFrame({"item_id": ["a"], "price": [1.0]})
    assert with_told(plain, [StoredItem("a", timestamp=TOLD)], "item") is plain
    assert with_told(None, [StoredItem("a", timestamp=TOLD)], "item") is None


@pytest.mark.parametrize("odd", [["1995", "1996"], {"year": 1995}, timedelta(days=1), True])
def test_a_column_that_cannot_have_times_is_left_as_it_is(odd: Any) -> None:
    table = pl.DataFrame({"item_id": ["a", "b"], "date": [odd, odd]})
    found = with_told(table, [StoredItem("b", timestamp=TOLD)], "item")
    assert found is not None
    assert found.schema == table.schema
    assert found["date"].to_list()[0] == odd
