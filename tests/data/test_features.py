"""Features: what is fitted on train, and nothing else, decides what a row becomes."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.data.feature_columns import words_of
from edgewise.data.features import FeatureConfig, FeatureEncoder
from edgewise.errors import ConfigError, DataError, ModelFolderError

TABLE = pl.DataFrame(
    {
        "item_id": [1, 2, 3, 4],
        "genre": ["Drama", "Comedy", "Drama", None],
        "tags": [["new", "old"], ["old"], [], None],
        "price": [10.0, 20.0, float("nan"), 40.0],
        "released": ["2020-01-31", "2020-07-01T06:00", None, "2021-07-31"],
        "plot": ["a dark dark night", "a sunny day", "", "流浪地球"],
    }
)
KINDS = FeatureConfig(
    kinds={"genre": "categorical", "tags": "multi-hot", "price": "numeric", "released": "time", "plot": "text"}
)


def fitted(table: pl.DataFrame, config: FeatureConfig | None = None, **options: Any) -> FeatureEncoder:
    return FeatureEncoder.fit(table, "item_id", config or FeatureConfig(**options))


def column(encoder: FeatureEncoder, table: pl.DataFrame, name: str) -> Any:
    """The block of one column, dense: [n_rows, n_features]."""
    matrix = encoder.transform(table)
    block = next(block for block in matrix.blocks if block.column == name)
    return matrix.x[:, block.start : block.stop].toarray()


def test_the_matrix_has_a_name_and_a_block_for_each_feature() -> None:
    matrix = fitted(TABLE, KINDS).transform(TABLE)
    assert matrix.x.shape == (4, len(matrix.names))
    assert matrix.x.dtype == np.float32
    assert [(block.column, block.kind, block.stop - block.start) for block in matrix.blocks] == [
        ("genre", "categorical", 2), ("tags", "multi-hot", 2), ("price", "numeric", 1), ("released", "time", 6), ("plot", "text", 8),
    ]  # fmt: skip
    assert matrix.names[:5] == ("genre=Comedy", "genre=Drama", "tags=new", "tags=old", "price")
    assert {name: rows.tolist() for name, rows in matrix.missing.items()} == {
        "genre": [False, False, False, True],
        "tags": [False, False, True, True],
        "price": [False, False, True, False],
        "released": [False, False, True, False],
        "plot": [False, False, True, False],
    }


def test_categories_are_one_hot_and_lists_multi_hot_with_zero_for_missing_and_unknown() -> None:
    encoder = fitted(TABLE, KINDS)
    np.testing.assert_array_equal(column(encoder, TABLE, "genre"), [[0, 1], [1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(column(encoder, TABLE, "tags"), [[1, 1], [0, 1], [0, 0], [0, 0]])
    new = pl.DataFrame({"item_id": [9], "genre": ["Western"], "tags": [["old", "odd"]]})
    np.testing.assert_array_equal(column(encoder, new, "genre"), [[0, 0]])
    np.testing.assert_array_equal(column(encoder, new, "tags"), [[0, 1]])


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        # 10, 20, 40: mean 70/3, deviation 12.472; range 10 to 40; median 20, middle half 15 to 30. NaN counts as the median.
        ("standard", [-1.069045, -0.267261, -0.267261, 1.336306]),
        ("min-max", [0, 1 / 3, 1 / 3, 1]),
        ("robust", [-2 / 3, 0, 0, 4 / 3]),
    ],
)
def test_numbers_are_scaled_as_fitted_and_gaps_filled_by_the_training_median(
    scaling: Any, expected: list[float]
) -> None:
    encoder = fitted(TABLE, KINDS.model_copy(update={"scaling": scaling}))
    np.testing.assert_allclose(column(encoder, TABLE, "price")[:, 0], expected, rtol=1e-5)
    later = pl.DataFrame({"item_id": [7, 8], "price": ["1e3", "dear"]})
    alone = column(encoder, later, "price")[:, 0]
    assert alone[0] > 1
    assert alone[1] == pytest.approx(expected[2], rel=1e-5)


def test_times_become_waves_without_a_jump_at_midnight_or_new_year() -> None:
    table = pl.DataFrame(
        {"item_id": [1, 2, 3], "at": ["2020-12-31 23:59:59", "2021-01-01 00:00:00", "2021-06-30 12:00:00"]}
    ).with_columns(pl.col("at").str.to_datetime())
    waves = column(fitted(table), table, "at")
    names = fitted(table).transform(table).names
    hour = [names.index("at.hour.sin"), names.index("at.hour.cos")]
    assert np.linalg.norm(waves[0, hour] - waves[1, hour]) < 0.01
    np.testing.assert_allclose(waves[2, hour], [0, -1], atol=1e-6)
    month = [names.index("at.month.sin"), names.index("at.month.cos")]
    np.testing.assert_allclose(np.linalg.norm(waves[0, month] - waves[1, month]), 2 * np.sin(np.pi / 12), rtol=1e-5)


def test_dates_without_a_time_of_day_have_no_hour() -> None:
    table = pl.DataFrame({"item_id": [1, 2, 3], "at": ["2020-01-01", "2020-02-02", "2020-03-03"]})
    assert not any("hour" in name for name in fitted(table).transform(table).names)


def test_words_weigh_by_count_and_rarity_and_rows_have_length_1() -> None:
    table = pl.DataFrame({"item_id": [1, 2, 3], "plot": ["dark dark night", "dark day", ""]})
    encoder = fitted(table, kinds={"plot": "text"})
    assert encoder.transform(table).names == ("plot:dark", "plot:day", "plot:night")
    # 3 rows; dark in 2, day and night in 1: rarity log(4/3) + 1 = 1.287682 and log(4/2) + 1 = 1.693147.
    dark, other = np.log(4 / 3) + 1, np.log(2) + 1
    first = np.array([(1 + np.log(2)) * dark, 0, other])
    second = np.array([dark, other, 0])
    expected = [first / np.linalg.norm(first), second / np.linalg.norm(second), [0, 0, 0]]
    np.testing.assert_allclose(column(encoder, table, "plot"), expected, rtol=1e-5)


def test_lists_and_numbers_can_be_read_as_text() -> None:
    table = pl.DataFrame({"item_id": [1, 2], "tags": [["dark", "night"], None], "year": [1999.0, None]})
    encoder = fitted(table, kinds={"tags": "text", "year": "text"})
    assert encoder.transform(table).names == ("tags:dark", "tags:night", "year:0", "year:1999")


def test_a_vocabulary_is_bounded_to_the_most_frequent_and_the_first_by_name() -> None:
    table = pl.DataFrame({"item_id": [1, 2, 3], "plot": ["b a c", "c d", "e"], "genre": ["x", "y", "y"]})
    encoder = fitted(table, kinds={"plot": "text", "genre": "categorical"}, max_text_features=2, max_categories=1)
    assert encoder.transform(table).names == ("plot:a", "plot:c", "genre=y")
    assert fitted(table, kinds={"plot": "text"}, min_count=2).transform(table).names[0] == "plot:c"


def test_hashed_words_need_no_vocabulary_and_know_words_never_seen() -> None:
    table = pl.DataFrame({"item_id": [1, 2], "plot": ["dark night", "sunny day"]})
    encoder = fitted(table, kinds={"plot": "text"}, text="hashed", max_text_features=64)
    assert "dark" not in encoder.to_json()
    rows = encoder.transform(pl.DataFrame({"item_id": [7, 8], "plot": ["unheard words", "unheard words"]})).x.toarray()
    assert rows[0].any()
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Toy Story (1995)", ["toy", "story", "1995"]),
        ("无间道2：无间道风云", ["无间", "间道", "2", "无间", "间道", "道风", "风云"]),
        ("Crème_brûlée & ＡＢＣ", ["crème", "brûlée", "abc"]),
        ("🙂 <b>", ["b"]),
        ("", []),
    ],
)
def test_texts_are_cut_into_words_and_chinese_into_pairs(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["Adventure|Comedy", "Comedy", "Drama|Comedy", "Drama"] * 3, "multi-hot, several values between '|'"),
        (["Crime, Drama", "Drama", "Crime, Comedy", "Comedy"] * 3, "multi-hot, several values between ','"),
        (["喜剧、动作", "动作", "喜剧、爱情", "爱情"] * 3, "multi-hot, several values between '、'"),
        (["Godfather, The", "Matrix, The", "Up, up and away", "Heat"], "text, mostly different words"),
        (["F", "M", "F", None] * 3, "categorical, 2 values in 9 rows"),
        ([True, False, True, True], "categorical, a few fixed values"),
        ([1990, 1991, 2005, 2010], "numeric, numbers"),
        ([["a"], ["a", "b"], [], ["b"]], "multi-hot, lists"),
        (["2020-01-01", "2020-02-03", "2021-03-04", "2022-04-05"], "time, dates"),
        (["A1", "B7", "B7", "A1", "A1"], "categorical, codes"),
    ],
)
def test_the_kind_of_a_column_is_read_from_its_values(values: list[Any], kind: str) -> None:
    table = pl.DataFrame({"item_id": range(len(values)), "column": values})
    assert fitted(table).notes[0].startswith(f"column: {kind}")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["http://a/1", "https://a/2", "http://a/3"], "left out, web addresses"),
        (["x", "x", "x"], "left out, one value alone"),
        ([None, None, None], "left out, all values are missing"),
        ([3.0, 3.0, 3.0], "left out, as numeric it says nothing"),
        (["A-1", "A-2", "B-3"], "left out, nearly every row has its own code"),
        ([{"a": 1}, {"a": 2}, {"a": 3}], "left out, of type Struct"),
    ],
)
def test_a_column_that_tells_nothing_is_left_out_with_the_reason(values: list[Any], reason: str) -> None:
    table = pl.DataFrame({"item_id": [1, 2, 3], "column": values, "other": [1.0, 2.0, 3.0]})
    assert fitted(table).notes[0].startswith(f"column: {reason}")


def test_numbers_named_as_codes_are_categories() -> None:
    table = pl.DataFrame(
        {"item_id": range(6), "brand_id": [7, 7, 8, 8, 7, None], "isbn13": [float(n) for n in range(6)]}
    )
    encoder = fitted(table)
    assert encoder.notes == (
        "brand_id: categorical, codes, by their name; 2 features.",
        "isbn13: left out, nearly every row has its own code.",
    )
    assert encoder.transform(table).names == ("brand_id=7", "brand_id=8")


def test_missing_values_can_be_a_feature_of_their_own() -> None:
    encoder = fitted(TABLE, KINDS.model_copy(update={"missing_indicator": True}))
    matrix = encoder.transform(TABLE)
    gaps = matrix.x[:, [place for place, name in enumerate(matrix.names) if name.endswith("=(missing)")]].toarray()
    np.testing.assert_array_equal(gaps, np.column_stack(list(matrix.missing.values())))


cells = st.fixed_dictionaries(
    {
        "genre": st.sampled_from(["Drama", "Comedy", "Western", "", None]),
        "tags": st.lists(st.sampled_from(["new", "old", "odd"]), max_size=3) | st.none(),
        "price": st.none() | st.floats(allow_nan=True, allow_infinity=True),
        "released": st.sampled_from(["2020-01-31", "2020-07-01T06:00:00", "soon", None]),
        "plot": st.text(max_size=20) | st.sampled_from(["dark day", "流浪地球"]),
    }
)


@settings(deadline=None, max_examples=40)
@given(st.lists(cells, min_size=1, max_size=6), st.sampled_from(["tf-idf", "hashed"]))
def test_a_row_becomes_the_same_whatever_the_other_rows(rows: list[dict[str, Any]], text: str) -> None:
    encoder = fitted(TABLE, KINDS.model_copy(update={"text": text, "max_text_features": 32}))
    schema = pl.Schema(
        {
            "genre": pl.String(),
            "tags": pl.List(pl.String),
            "price": pl.Float64(),
            "released": pl.String(),
            "plot": pl.String(),
        }
    )
    table = pl.DataFrame(rows, schema=schema).with_row_index("item_id")
    together = encoder.transform(table).x
    assert np.isfinite(together.toarray()).all()
    for row in range(table.height):
        alone = encoder.transform(table[[row]]).x
        np.testing.assert_array_equal(alone.toarray(), together[[row]].toarray())


def test_what_was_fitted_is_plain_json_and_reads_back_equal() -> None:
    encoder = FeatureEncoder.fit(TABLE, "item_id", KINDS, fitted_on="abc")
    again = FeatureEncoder.from_json(encoder.to_json())
    assert again == encoder
    assert again.fitted_on == "abc"
    assert (again.transform(TABLE).x != encoder.transform(TABLE).x).nnz == 0
    assert json.loads(encoder.to_json())["key"] == "item_id"


def broken(**changes: Any) -> str:
    return json.dumps(json.loads(fitted(TABLE, KINDS).to_json()) | changes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "the text: Invalid JSON"),
        ("[]", "the text: Input should be an object"),
        (broken(format=2), "format: Input should be 1"),
        (broken(columns=[]), "columns: "),
        (broken(columns=[{"kind": "pickle", "column": "x"}]), "columns.0: Input tag 'pickle'"),
        (broken(columns=[{"kind": "categorical", "column": "x", "categories": ["a", "a"]}]), "a name occurs twice"),
        (broken(columns=[{"kind": "text", "column": "x", "words": ["a"], "rarity": []}]), "1 words and 0 rarities"),
        (
            broken(columns=[{"kind": "numeric", "column": "x", "center": 0, "scale": 0, "fill": 0}]),
            "scale: Input should be greater than 0",
        ),
    ],
)
def test_a_damaged_transform_is_refused_in_words(text: str, reason: str) -> None:
    with pytest.raises(ModelFolderError, match="the saved feature transform cannot be read: ") as error:
        FeatureEncoder.from_json(text)
    assert reason in str(error.value)


def test_a_table_without_a_telling_column_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"has no column that tells its rows apart \(it has no other column\)"):
        fitted(pl.DataFrame({"item_id": [1, 2]}))
    with pytest.raises(DataError, match=r"tells its rows apart \(colour: left out, one value alone\.\)"):
        fitted(pl.DataFrame({"item_id": [1, 2], "colour": ["red", "red"]}))
    with pytest.raises(ConfigError, match=r"kinds names 'gnere'; the columns beside item_id are genre, tags, price"):
        fitted(TABLE, kinds={"gnere": "categorical"})


def test_an_unknown_column_later_does_no_harm_and_an_absent_one_is_missing() -> None:
    encoder = fitted(TABLE, KINDS)
    matrix = encoder.transform(pl.DataFrame({"item_id": [5], "colour": ["red"]}))
    assert isinstance(matrix.x, csr_array)
    assert all(rows.all() for rows in matrix.missing.values())
    assert [matrix.names[place] for place in matrix.x.nonzero()[1]] == ["price"]  # the training median, scaled
