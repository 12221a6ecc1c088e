"""Configuration: TOML in, frozen settings out, every mistake told in words."""

from pathlib import Path

import pytest
from pydantic import PositiveInt, ValidationError

from edgewise.config import Settings, make, override, read_toml
from edgewise.errors import ConfigError


class Inner(Settings):
    diversity: float = 0.0
    k: int = 1


class Example(Settings):
    n_layers: PositiveInt = 3
    loss: str = "bpr"
    inner: Inner | None = None


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Example().n_layers = 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_layer": 2}, r"here: unknown setting 'n_layer'; there are n_layers, loss"),
        ({"n_layer": 2}, r"loss, inner \(did you mean 'n_layers'\?\)"),
        ({"inner": {"diversty": 2}}, r"'inner.diversty'; there are diversity, k \(did you mean 'diversity'\?\)$"),
        ({"n_layers": 0}, r"here: n_layers = 0: Input should be greater than 0"),
        ({"n_layers": "many"}, r"here: n_layers = 'many': Input should be a valid integer"),
    ],
)
def test_a_wrong_setting_is_named_with_the_value_seen(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(Example, values, where="here")


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'a'.*; unknown setting 'b'"):
        make(Example, {"a": 1, "b": 2}, where="here")


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("n_layers=2", 2),
        ("rate=1e-3", 1e-3),
        ("loss=bpr", "bpr"),
        ('loss="bpr"', "bpr"),
        ("k=[10, 20]", [10, 20]),
        ("on=true", True),
    ],
)
def test_values_on_the_command_line_are_toml_or_text(assignment: str, value: object) -> None:
    key = assignment.partition("=")[0]
    assert override({}, [assignment], default_section="model") == {"model": {key: value}}


def test_keys_may_have_parts() -> None:
    values = {"model": {"schedule": {"name": "step"}}}
    merged = override(values, ["model.schedule.n_drops=2"], default_section="model")
    assert merged == {"model": {"schedule": {"name": "step", "n_drops": 2}}}
    assert values == {"model": {"schedule": {"name": "step"}}}


def test_override_leaves_what_it_was_given_alone() -> None:
    values = {"model": {"n_layers": 3}}
    override(values, ["n_layers=2"], default_section="model")
    assert values == {"model": {"n_layers": 3}}


def test_an_assignment_without_equals_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--set 'n_layers': expected key=value"):
        override({}, ["n_layers"], default_section="model")


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[model]\nn_layers = = 2\n")
    with pytest.raises(ConfigError, match=r"run.toml is not valid TOML: .*line 2"):
        read_toml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the config .*no.toml: No such file"):
        read_toml(tmp_path / "no.toml")
