"""What a search may draw."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import ConfigError
from edgewise.models import MODELS, build, model_class
from edgewise.search_space import IntLogUniform, LogUniform, OneOf, SearchSpace, Uniform, draw_settings


@given(st.floats(1e-6, 1e3), st.floats(1, 1e3), st.integers(0, 100))
def test_real_numbers_stay_inside(low: float, factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for kind in (Uniform, LogUniform):
        assert low <= kind(low, low * factor).draw(rng) <= low * factor


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 100))
def test_whole_numbers_stay_inside(low: int, width: int, seed: int) -> None:
    value = IntLogUniform(low, low + width).draw(np.random.default_rng(seed))
    assert low <= value <= low + width
    assert type(value) is int


def test_every_factor_is_equally_likely() -> None:
    rng = np.random.default_rng(0)
    for choice in (LogUniform(1, 10_000), IntLogUniform(1, 10_000)):
        draws = np.array([choice.draw(rng) for _ in range(4000)])
        assert 0.44 < np.mean(draws < 100) < 0.58  # the whole numbers' range starts at 0.5
    ends = np.array([IntLogUniform(1, 3).draw(rng) for _ in range(4000)])
    assert set(ends) == {1, 2, 3}


def test_every_value_of_a_list_can_come() -> None:
    rng = np.random.default_rng(0)
    assert {OneOf(("a", None, 3)).draw(rng) for _ in range(50)} == {"a", None, 3}


def test_one_seed_one_draw() -> None:
    space: SearchSpace = {"a": Uniform(0, 1), "b": IntLogUniform(1, 9), "c": OneOf((1, 2))}
    draws = [draw_settings(space, np.random.default_rng(5)) for _ in range(2)]
    assert draws[0] == draws[1]
    assert list(draws[0]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(2, 1), r"Uniform\(low=2, high=1\): expected two numbers, the lower first"),
        (lambda: Uniform(0, float("inf")), r"Uniform\(low=0, high=inf\): expected two numbers"),
        (lambda: LogUniform(0, 1), r"LogUniform\(low=0, high=1\): a logarithmic range starts above zero"),
        (lambda: IntLogUniform(0, 5), r"IntLogUniform\(low=0, high=5\): a logarithmic range starts above zero"),
        (lambda: OneOf(()), r"OneOf\(\(\)\): there is nothing to choose from"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("name", MODELS)
def test_whatever_a_model_lets_a_search_draw_is_a_valid_setting(name: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        settings = draw_settings(model_class(name).SEARCH, rng)
        assert build(name, settings).config.model_dump().items() >= settings.items()
