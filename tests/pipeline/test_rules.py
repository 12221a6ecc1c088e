import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import ConfigError
from edgewise.pipeline.rules import MAX_LENGTH, rule_mask

ITEMS = pl.DataFrame(
    {
        "price": [5.0, 20.0, None, 50.0],
        "genres": ["Comedy|Drama", "Drama", "Comedy", None],
        "tags": [["a"], ["a", "b"], [], None],
        "brand": ["X", "Y", "X", None],
        "new": [True, False, None, True],
    }
)


@pytest.mark.parametrize(
    ("rule", "let_through"),
    [
        ("price < 20", [0]),
        ("price <= 20", [0, 1]),
        ("5 < price < 60", [1, 3]),
        ("price != 5", [1, 3]),
        ('"Comedy" in genres', [0, 2]),
        ('"Com" in genres', []),
        ('"Comedy" not in genres', [1]),
        ('"b" in tags', [1]),
        ('brand in ["X", "Z"]', [0, 2]),
        ('brand not in ("X",)', [1]),
        ("new", [0, 3]),
        ("not new", [1]),
        ("new == true or price == 20".replace("true", "True"), [0, 1, 3]),
        ('not (brand == "X" or price > 30)', [1]),
        ('price < 30 and ("Comedy" in genres or brand == "Y")', [0, 1]),
        ("price > -1", [0, 1, 3]),
        ("True", [0, 1, 2, 3]),
    ],
)
def test_a_rule_lets_through_what_it_says(rule: str, let_through: list[int]) -> None:
    assert rule_mask(rule, ITEMS).nonzero()[0].tolist() == let_through


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "cannot be read"),
        ("price <", "cannot be read"),
        ("cost < 3", r"names cost, which the items do not have; the columns are price \(Float64\)"),
        ('price == "cheap"', "compares a number with a text"),
        ('brand in ["X", 3]', "looks for brand among"),
        ('"x" in price', "use price == 'x'"),
        ("price", "has 'price', which a rule cannot have"),
        ("price + 1 < 3", r"has 'price \+ 1'"),
        ("__import__('os').system('true')", "which a rule cannot have"),
        ("price.real < 3", "which a rule cannot have"),
        ("(lambda: True)()", "which a rule cannot have"),
        ("price is 5", "which a rule cannot have"),
        ("price == 5j", "which a rule cannot have"),
        ("(" * 400 + "new" + ")" * 400, "cannot be read"),
        ("not " * 490 + "new", "expected at most 500"),
        ("price < 1 " * 500, f"expected at most {MAX_LENGTH:,}"),
        ("new\x00", "cannot be read"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_reason(rule: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        rule_mask(rule, ITEMS)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_filter_or_fail_clearly(rule: str) -> None:
    try:
        mask = rule_mask(rule, ITEMS)
    except ConfigError:
        return
    assert mask.shape == (4,)
