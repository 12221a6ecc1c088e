"""Ids: kept as given, found again, told apart."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.data.ids import UNKNOWN, IdMap, as_id_series, encode
from edgewise.errors import DataError, IdTypeError

integers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30)
texts = st.lists(st.text(max_size=6), min_size=1, max_size=30)


@given(integers | texts)
def test_every_id_comes_back_as_it_was(values: list[int] | list[str]) -> None:
    id_map = IdMap.of(pl.Series("user", values), "user")
    index = id_map.index_of(values)
    assert (index >= 0).all()
    assert id_map.ids_at(index).to_list() == values


@given(integers, integers)
def test_long_columns_and_short_questions_agree(known: list[int], asked: list[int]) -> None:
    id_map = IdMap.of(pl.Series("user", known), "user")
    expected = [id_map.ids.to_list().index(value) if value in known else UNKNOWN for value in asked]
    assert encode(pl.Series(asked), id_map).tolist() == expected
    assert id_map.index_of(asked).tolist() == expected


@given(st.lists(st.integers(0, 40), min_size=1), st.permutations(range(41)))
def test_the_order_of_rows_does_not_change_an_index(values: list[int], order: list[int]) -> None:
    shuffled = sorted(values, key=lambda value: order[value])
    assert IdMap.of(pl.Series(values), "item") == IdMap.of(pl.Series(shuffled), "item")


def test_leading_zeros_and_64_bits_survive() -> None:
    assert IdMap.of(pl.Series(["007", "7"]), "user").ids.to_list() == ["007", "7"]
    assert IdMap.of(pl.Series([2**63 - 1, -(2**63)]), "user").ids.to_list() == [-(2**63), 2**63 - 1]


def test_an_unknown_id_of_the_right_type_is_an_answer() -> None:
    assert IdMap.of(pl.Series([3, 5]), "user").index_of([4, 5, -1]).tolist() == [UNKNOWN, 1, UNKNOWN]
    assert IdMap.of(pl.Series(["a"]), "user").index_of(["b"]).tolist() == [UNKNOWN]
    assert IdMap.of(pl.Series([3, 5]), "user").index_of([]).tolist() == []


@pytest.mark.parametrize(
    ("known", "asked", "message"),
    [
        ([1, 2], ["1"], r"user ids are integers in this data set, and text were given \(such as '1'\)"),
        ([1, 2], ["50", "-3", "abc", "x"], r"text were given \(such as 'abc'\)"),
        (["a"], [1], r"user ids are text in this data set, and integers were given \(such as 1\)"),
        ([1, 2], [1.0], r"user ids must be text or 64-bit integers; got Float64"),
        ([1, 2], [True], r"user ids must be text or 64-bit integers; got Boolean"),
        ([1, 2], [2**70], r"user ids of type Int128 go beyond 64-bit integers"),
        ([1, 2], [1, "b"], r"user ids must be all text or all 64-bit integers"),
    ],
)
def test_ids_of_the_wrong_type_raise(known: list[object], asked: list[object], message: str) -> None:
    with pytest.raises(IdTypeError, match=message):
        IdMap.of(pl.Series(known), "user").index_of(asked)  # type: ignore[arg-type]


def test_unsigned_ids_beyond_64_bits_are_refused() -> None:
    with pytest.raises(IdTypeError, match="go beyond 64-bit integers; pass them as text"):
        as_id_series(np.array([2**64 - 1], dtype=np.uint64), "item")


def test_missing_ids_are_counted() -> None:
    with pytest.raises(DataError, match="1 item ids are missing"):
        IdMap.of(pl.Series("item", [1, None]), "item")


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("-7", -7), ("0", 0), ("07", None), ("7.0", None), ("seven", None), ("9" * 30, None)]
)
def test_text_becomes_the_models_own_kind_or_an_unknown_id(text: str, value: int | None) -> None:
    assert IdMap.of(pl.Series([7]), "user").from_text([text]).to_list() == [value]
    assert IdMap.of(pl.Series(["x"]), "user").from_text([text]).to_list() == [text]
