"""What reading, cleaning, splitting and the leakage check say has a Chinese text too."""

import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.data.clean import CleanConfig
from edgewise.data.leakage import check_leakage
from edgewise.data.split import SPLITS
from edgewise.report.told import told


def _log(*, types: bool = False, holes: bool = False) -> pl.DataFrame:
    rows = [
        (user, item, 1 + (user * item) % 5, 1_500_000_000 + 1000 * user + 10 * item)
        for user in range(12)
        for item in range(14)
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")
    frame = frame.with_columns(title=pl.format("Film {}", "item_id"), mood=pl.col("timestamp") % 7)
    if types:
        undo = frame.head(1).with_columns(pl.col("timestamp") + 1, event=pl.lit("unlike"))
        frame = pl.concat([frame.with_columns(event=pl.lit("like")), undo])
    if holes:
        frame = pl.concat([frame, frame.head(3), frame.head(2).with_columns(user_id=None, timestamp=None)])
    return frame


def _lines() -> Iterator[str]:
    yield from Dataset.from_frame(_log(types=True).with_columns(event=pl.col("event").str.to_titlecase())).history
    days = pl.from_epoch("timestamp", time_unit="s").dt.strftime("%Y-%m-%d %H:%M:%S")
    yield from Dataset.from_frame(_log().with_columns(timestamp=days)).history
    strict: dict[str, Any] = {"min_value": 2.0, "max_value": 4.0, "max_events_per_day": 20, "repeated_pairs": "last"}
    core = {"min_user_interactions": 5, "min_item_interactions": 9}
    for settings in (strict, {**core, "min_value": 2.0}, {"max_events_per_minute": 7}, {"missing_value": "fill"}):
        yield from Dataset.from_frame(_log(holes=True), clean=CleanConfig(**settings)).history
    dataset = Dataset.from_frame(_log())
    for ids in (range(100, 103), range(40)):
        people = pl.DataFrame({"user_id": ids, "age": [30] * len(ids)})
        yield from Dataset.from_frame(_log(), users=people).history
    yield "a.csv: 1 of its 202 ids ('id') is in the log, which has 100 items; the other 201 items have no event. Is it the right table, and the right column?"
    yield "t-SNE of the vectors of the 1,000 most met items in LightGCN"
    for how in SPLITS:
        if how != "given":
            split = dataset.split(how, seed=0)
            yield from (
                *split.notes,
                *split.train.history,
                *(leak.text for leak in check_leakage(split.train, split.test)),
            )
    yield from (leak.text for leak in check_leakage(dataset, dataset))


LINES = sorted(set(_lines()))


@pytest.mark.parametrize("line", LINES)
def test_every_line_has_a_chinese_text_with_the_same_numbers(line: str) -> None:
    chinese = told(line).zh
    assert re.search(r"[\u4e00-\u9fff]", chinese), line
    if "[clean]" not in line:
        numbers = re.findall(r"\d[\d,.]*\d|\d", line.split(". Leave")[0].split(". In use")[0].split(". If they")[0])
        assert all(number in chinese for number in numbers), chinese
    assert "{" not in chinese


def test_there_is_something_of_each_kind() -> None:
    text = " ".join(LINES)
    for part in (
        "Read the frame",
        "Attributes of items",
        "Cleaning kept all",
        "Dropped",
        "Merged",
        "went to test",
        "Fold",
        "before 20",
        "In test",
    ):
        assert part in text, part
